//! The gate: judges a request by its head, before a byte of its body is taken.
//!
//! In this order: is it meant for this server (the [`guard`]), who sent it, is there such a route, and
//! may they use it. Handlers never see a request that was refused here.

use std::sync::{Arc, Mutex};

use super::app::Site;
use super::attempts::{Attempts, NO_ALERT, count_wrong};
use super::frontend::head::Head;
use super::frontend::limits::Admission;
use super::frontend::seen::is_id;
use super::frontend::socket::{Address, Peer};
use super::guard::{self, Hosts};
use super::intake;
use super::keyring::Keyring;
use super::proof::{self, ALERT, Carried, Proxies};
use super::response::Response;
use super::route::{Body, Route};
use super::routes;
use super::visitor::{Proof, Visitor};
use crate::access::Scope;
use crate::access::secret::Secret;
use crate::clock::Clock;
use crate::error::{Error, Result};

/// The longest body that is neither rows nor files, in bytes.
const BODY_BYTES_MAX: u64 = 1 << 20;

/// The same 404 whether a link was revoked, has expired, or never was.
const NO_LINK: &str = "this link leads nowhere: it was revoked, has expired, or is not whole (ask for a new one)";

/// Who acts by an alert's link, as the audit names them; no token has such a name.
const ALERT_ACTOR: &str = "(link in an alert)";

/// What led a request here.
enum Led {
    /// Its own target.
    Directly,
    /// A share link: the path before every page of it, and its secret; none if it cannot be one.
    Share(String, Option<Secret>),
    /// An alert's link: its secret; none if it cannot be one.
    Alert(Option<Secret>),
}

/// Takes the secret of a link out of a request's target: from here on nothing that is logged or told has it.
fn lead(head: &mut Head) -> Led {
    if let Some(shared) = proof::shared(&head.target) {
        let (base, secret) = (shared.base.to_owned(), shared.secret);
        head.target = match shared.rest {
            rest if rest.starts_with('/') => rest.to_owned(),
            query => format!("/{query}"),
        };
        return Led::Share(base, secret);
    }
    if let Some(secret) = proof::alerted(&head.target) {
        head.target = format!("{ALERT}link");
        return Led::Alert(secret);
    }
    Led::Directly
}

/// The paths at the address of `--metrics-listen`.
const NUMBERS: [&str; 2] = ["/metrics", "/health"];

/// What a server does with requests.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The hosts that are served.
    pub hosts: Hosts,
    /// Whether only the numbers are here, without a token: `/metrics` and `/health`.
    pub is_of_numbers: bool,
    /// Whether pages are read-only.
    pub read_only_pages: bool,
    /// The credentials.
    pub keyring: Arc<Keyring>,
    /// Clients that try secrets.
    pub attempts: Arc<Mutex<Attempts>>,
    /// The proxies that may say who their clients are.
    pub proxies: Proxies,
    /// Whether all may do everything while there is no token.
    pub is_open_without_token: bool,
    /// What forms carry where there is no session.
    pub form_secret: Arc<Secret>,
    /// The longest body of rows, in bytes as sent.
    pub rows_bytes_max: u64,
    /// The clock by which credentials expire.
    pub clock: Clock,
}

impl Gate {
    /// The gate to a site that listens at `address`, with the defaults of `serve`: open while there is no token.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new(address: &Address, site: &Site) -> Result<Self> {
        let secret = Secret::new(crate::access::secret::Kind::Session);
        let secret = secret.map_err(|error| Error::failed("the system gives no random numbers").because(error))?;
        Ok(Self {
            hosts: Hosts::new(address, []),
            is_of_numbers: false,
            read_only_pages: false,
            keyring: Arc::clone(&site.keyring),
            attempts: Arc::clone(&site.attempts),
            proxies: Proxies::default(),
            is_open_without_token: true,
            form_secret: Arc::new(secret),
            rows_bytes_max: site.body_bytes_max,
            clock: site.now,
        })
    }

    /// A visitor from `client` of whom nothing is known.
    pub fn stranger(&self, client: Peer) -> Visitor {
        Visitor::stranger(client, false, Arc::clone(&self.form_secret))
    }

    /// The decision on a request with this head from `peer`. The secret of a link is taken out of its target.
    pub fn admit(&self, head: &mut Head, peer: Peer) -> Admission {
        let id = proof::field(&head.fields, "X-Request-Id").filter(|id| self.proxies.trust(peer) && is_id(id));
        let request_id = id.map(str::to_owned);
        let admission = self.judge(head, peer);
        // A refusal may come before the look for a route.
        let path = head.target.split('?').next().unwrap_or(&head.target);
        let find = || routes::place(routes::find(head.method, path).ok()?.0);
        Admission {
            route: admission.route.or_else(find),
            request_id,
            ..admission
        }
    }

    fn judge(&self, head: &mut Head, peer: Peer) -> Admission {
        let (client, is_tls) = self.proxies.client(peer, &head.fields);
        let mut visitor = Visitor::stranger(client, is_tls, Arc::clone(&self.form_secret));
        let led = lead(head);
        // Who may only look must be able to log in, and to answer an alert.
        let may_write = matches!(head.target.as_str(), "/login" | "/logout") || matches!(led, Led::Alert(_));
        let read_only = self.read_only_pages && !may_write;
        let refused = match led {
            // Its page tells nobody where it is, so an older browser says `Origin: null`; the secret is the proof.
            Led::Alert(_) => {
                let fields = head
                    .fields
                    .iter()
                    .filter(|(name, _)| !name.eq_ignore_ascii_case("Origin"));
                guard::refuse(
                    &self.hosts,
                    read_only,
                    head.method,
                    &fields.cloned().collect::<Vec<_>>(),
                )
            }
            _ => guard::refuse(&self.hosts, read_only, head.method, &head.fields),
        };
        if let Some(refused) = refused {
            return refuse(visitor, refused);
        }
        if self.is_of_numbers {
            let path = head.target.split('?').next().unwrap_or(&head.target);
            if !matches!(head.method, "GET" | "HEAD") || !NUMBERS.contains(&path) {
                let detail = "there is nothing here but GET /metrics and GET /health (--listen has the rest)";
                return refuse(visitor, Response::problem(404, detail));
            }
            visitor.scope = Scope::Report;
        } else if let Err(refused) = self.identify(led, head, &mut visitor) {
            return refuse(visitor, refused);
        }
        let path = head.target.split('?').next().unwrap_or(&head.target);
        let found = routes::find(head.method, path);
        let place = found.as_ref().ok().and_then(|(route, _)| routes::place(route));
        if let Ok((route, _)) = &found
            && let Some(refused) = self.forbid(route, head, &visitor).or_else(|| embedded(route, head))
        {
            return Admission {
                route: place,
                ..refuse(visitor, refused)
            };
        }
        let (body_bytes_max, too_large): (_, fn(u64) -> Response) = match found.as_ref().map(|(route, _)| route.body) {
            Ok(Body::Rows) => (self.rows_bytes_max, intake::too_large),
            Ok(Body::Files(_)) => (self.rows_bytes_max, too_large),
            _ => (BODY_BYTES_MAX, too_large),
        };
        Admission {
            route: place,
            body_bytes_max,
            too_large,
            known: found.err(),
            visitor: Arc::new(visitor),
            refused: None,
            request_id: None,
        }
    }

    /// Finds out who sent a request. A wrong secret is refused; no secret is no fault.
    fn identify(&self, led: Led, head: &Head, visitor: &mut Visitor) -> std::result::Result<(), Response> {
        match led {
            Led::Share(base, secret) => {
                visitor.proof = Proof::Link;
                let found = secret.and_then(|secret| self.keyring.find(&secret, self.clock.now_us()));
                let found = found.ok_or_else(|| self.wrong(visitor, Response::problem(404, NO_LINK)))?;
                visitor.enter(found, Proof::Link);
                visitor.base = base;
                return Ok(());
            }
            Led::Alert(secret) => {
                let secret = secret.ok_or_else(|| self.wrong(visitor, Response::problem(404, NO_ALERT)))?;
                visitor.proof = Proof::Alert(secret.hash());
                visitor.name = ALERT_ACTOR.to_owned();
                return Ok(());
            }
            Led::Directly => {}
        }
        match proof::token(&head.fields) {
            Carried::Secret(secret) => {
                let found = self.keyring.find(&secret, self.clock.now_us());
                let found = found.ok_or_else(|| self.wrong(visitor, unknown_token()))?;
                visitor.enter(found, Proof::Token);
                return Ok(());
            }
            Carried::Malformed => return Err(self.wrong(visitor, unknown_token())),
            Carried::Nothing => {}
        }
        match proof::session(&head.fields) {
            // A browser whose session has ended sees the page where it logs in.
            Carried::Secret(secret) => match self.keyring.find(&secret, self.clock.now_us()) {
                Some(found) => visitor.enter(found, Proof::Session(secret)),
                None => self.count_wrong(visitor)?,
            },
            Carried::Malformed | Carried::Nothing => {}
        }
        if matches!(visitor.proof, Proof::None) && self.is_open_without_token && !self.keyring.has_token() {
            visitor.scope = Scope::Admin;
        }
        Ok(())
    }

    /// Counts a wrong secret.
    fn count_wrong(&self, visitor: &Visitor) -> std::result::Result<(), Response> {
        count_wrong(&self.attempts, visitor.client)
    }

    /// The answer to a wrong secret: `refused`, or 429 for a client that has tried too many.
    fn wrong(&self, visitor: &Visitor, refused: Response) -> Response {
        self.count_wrong(visitor).err().unwrap_or(refused)
    }

    /// Why a visitor may not use a route; none if they may.
    fn forbid(&self, route: &Route, head: &Head, visitor: &Visitor) -> Option<Response> {
        // It leads to the page of its alert alone.
        if matches!(visitor.proof, Proof::Alert(_)) {
            return None;
        }
        if visitor.is_guest() {
            let leads_there = route.method == "GET" && matches!(route.scope, Scope::Public | Scope::Read);
            return (!leads_there).then(|| Response::problem(404, "this link shows pages, and there is none here"));
        }
        if visitor.may(route.scope) && (!route.of_all_stores || visitor.audience.is_all()) {
            return None;
        }
        if matches!(visitor.proof, Proof::None) {
            return Some(log_in(route, head, visitor.is_tls));
        }
        let detail = match visitor.may(route.scope) {
            true => "this is about all stores, and this token is for those of some owners".to_owned(),
            false => format!(
                "this token has the scope `{}`, and this needs `{}` (`store-monitor token add NAME --scope {}` makes one)",
                visitor.scope.as_str(),
                route.scope.as_str(),
                route.scope.as_str()
            ),
        };
        Some(Response::problem(403, &detail))
    }
}

/// The refusal of a costly question that a page of another site embeds: its visitor did not mean it. A link to a page,
/// and a badge of now, are another site's right.
fn embedded(route: &Route, head: &Head) -> Option<Response> {
    let field = |name: &str| proof::field(&head.fields, name);
    let is_embedded = field("Sec-Fetch-Site") == Some("cross-site") && field("Sec-Fetch-Mode") == Some("no-cors");
    let query = head.target.split_once('?').map_or("", |(_, query)| query);
    let has = |name: &str| form_urlencoded::parse(query.as_bytes()).any(|(field, _)| field == name);
    (is_embedded && route.is_costly(has)).then(|| {
        let detail = "another site's page embeds this, which takes the server long (a link to it is fine)";
        Response::problem(403, detail)
    })
}

fn refuse(visitor: Visitor, refused: Response) -> Admission {
    Admission {
        route: None,
        body_bytes_max: 0,
        too_large,
        known: None,
        visitor: Arc::new(visitor),
        refused: Some(refused),
        request_id: None,
    }
}

fn too_large(bytes_max: u64) -> Response {
    let detail = format!("a body may have {bytes_max} bytes at most here (send a shorter one)");
    Response::problem(413, &detail)
}

fn unknown_token() -> Response {
    let detail = "this token is not one of this server: it was revoked, has expired, or is not whole \
                  (`store-monitor token add` makes one)";
    Response::problem(401, detail).with("WWW-Authenticate", "Bearer error=\"invalid_token\"")
}

/// The answer to a request without any secret where one is needed: a person logs in, a program learns how.
fn log_in(route: &Route, head: &Head, is_tls: bool) -> Response {
    let accept = proof::field(&head.fields, "Accept").unwrap_or_default();
    if route.is_page() && accept.contains("text/html") {
        let next: String = form_urlencoded::byte_serialize(head.target.as_bytes()).collect();
        let answer = Response::see_other(format!("/login?next={next}")).cached("no-store");
        // A session that has ended must not count as a wrong secret again and again.
        return match proof::session(&head.fields) {
            Carried::Nothing => answer,
            _ => answer.with("Set-Cookie", proof::set_cookie(None, is_tls, 0)),
        };
    }
    let detail = "this needs a token (send `Authorization: Bearer smt_…`, or log in at /login; \
                  `store-monitor token add` makes one)";
    Response::problem(401, detail).with("WWW-Authenticate", "Bearer")
}

//! The frame of every page: head, navigation, search, the page's instant, and links to the API.

use std::sync::Arc;

use chrono_tz::Tz;
use maud::{DOCTYPE, Markup, html};

use super::phrases::{self, Wall};
use crate::access::{Audience, Scope};
use crate::db;
use crate::error::Result;
use crate::http::app::App;
use crate::http::assets;
use crate::http::forms;
use crate::http::json::encoded;
use crate::http::page_query::{self, PageQuery};
use crate::http::request::Request;
use crate::http::visitor::Visitor;
use crate::ingest::machine_time::Doubt;
use crate::phrases::locale::Locale;
use crate::uptime::business_hours::ZONE_DEFAULT;
use crate::uptime::interval::{DAY, Micros, SECOND};

/// A part of the site in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// The whole fleet.
    Fleet,
    /// All stores, or one.
    Stores,
    /// The incidents of the fleet.
    Incidents,
    /// Statements.
    Statements,
    /// Reports.
    Reports,
    /// Loading data.
    Load,
    /// Alert rules.
    Alerts,
    /// Tokens, links and the audit.
    Access,
    /// Logging in.
    LogIn,
    /// The guides.
    Docs,
    /// None of them.
    Nowhere,
}

/// A visible page renews itself after so many seconds; sooner where time runs faster.
const RENEW_SECONDS_MAX: i64 = 60;

/// Without a script, a page is not loaded again sooner.
const RELOAD_SECONDS_MIN: i64 = 10;

/// The frame of a page: the data's age and zone.
pub struct Frame {
    room: Section,
    newest: Option<Micros>,
    zone: Tz,
    locale: Locale,
    currency: Option<String>,
    machine: Micros,
    /// Why the machine's clock cannot be right, if it cannot.
    doubt: Option<Doubt>,
    read_only: bool,
    /// The seconds after which the page renews itself; none for a form, a guide or an instant of the past.
    renews: Option<i64>,
    made_up: bool,
    /// Who looks.
    visitor: Arc<Visitor>,
    query: PageQuery,
    /// The server as the client names it, such as `127.0.0.1:5000`, and the scheme.
    host: String,
    scheme: &'static str,
    /// The page's path, with the fields of its query that [`PageQuery`] has not.
    here: String,
}

impl Frame {
    /// The frame of the page that `request` asked for, in `room`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn new(app: &mut App, request: &Request<'_>, room: Section) -> Result<Self> {
        let visitor = Arc::clone(&app.visitor);
        let is_tls = visitor.is_tls || is_https(request);
        // Who may not look learns nothing of the data.
        let looks = visitor.may(Scope::Read);
        let newest = if looks { app.newest_poll()? } else { None };
        let zones = match newest {
            Some(newest) => app.inputs(newest)?.fleet.zones(),
            None => Vec::new(),
        };
        // Of equals, the first by name.
        let usual = zones.iter().rev().max_by_key(|(_, stores)| *stores);
        let query = PageQuery::of(request);
        let shows_now = newest.is_some() && query.as_of.is_none();
        let is_form = matches!(
            room,
            Section::Load | Section::Alerts | Section::Access | Section::LogIn | Section::Docs | Section::Nowhere
        );
        let hour = app.site.now.hour_us() / SECOND;
        let time = app.time_beside(newest);
        Ok(Self {
            room,
            newest,
            renews: (shows_now && !is_form).then_some(hour.clamp(1, RENEW_SECONDS_MAX)),
            zone: usual.map_or(ZONE_DEFAULT, |&(zone, _)| zone),
            locale: app.site.locale.unwrap_or_else(|| Locale::of_zones(zones)),
            currency: app.site.currency.clone(),
            machine: time.at,
            doubt: time.doubt.filter(|_| looks),
            read_only: app.site.read_only_pages,
            made_up: looks && visitor.audience.is_all() && db::made_up::is_present(app.db()?)?,
            visitor,
            query,
            host: request.header("Host").unwrap_or("localhost").to_owned(),
            scheme: if is_tls { "https" } else { "http" },
            here: page_query::bare(request),
        })
    }

    /// The same frame, whose links lead to all owners.
    #[must_use]
    pub fn without_owner(mut self) -> Self {
        self.query.group = None;
        self
    }

    /// The instant, the rule and the owner that the page was asked for.
    pub fn query(&self) -> &PageQuery {
        &self.query
    }

    /// A link to another page, with the page's query.
    pub fn link(&self, path: &str) -> String {
        self.query.link(path)
    }

    /// A link to the page of the store `id`, with the page's query.
    pub fn store_link(&self, id: &str) -> String {
        self.link(&format!("/stores/{}", encoded(id)))
    }

    /// The same page by another query.
    pub fn here(&self, query: &PageQuery) -> String {
        query.link(&self.here)
    }

    /// The full address of a path of this server.
    pub fn address(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.host)
    }

    /// How times and numbers are written.
    pub fn locale(&self) -> Locale {
        self.locale
    }

    /// An amount of money in hundredths, with the sign of the currency, if one was set.
    pub fn money(&self, hundredths: i64) -> String {
        self.locale.money(hundredths, self.currency.as_deref())
    }

    /// The zone of most stores, in which the fleet's pages show times.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// What the server's clock says.
    pub fn machine(&self) -> Micros {
        self.machine
    }

    /// Whether the visitor may do what asks for `needed` by a page.
    pub fn may(&self, needed: Scope) -> bool {
        self.visitor.may(needed) && (!self.read_only || !needed.may(Scope::Report))
    }

    /// Whether the visitor may change nothing by pages.
    pub fn is_read_only(&self) -> bool {
        !self.may(Scope::Admin)
    }

    /// Whether a share link led the visitor here.
    pub fn is_guest(&self) -> bool {
        self.visitor.is_guest()
    }

    /// Whether all may do everything here.
    pub fn is_open(&self) -> bool {
        self.visitor.is_in_the_open()
    }

    /// The owners whose stores alone exist for the visitor, in words; none for another visitor.
    pub fn owners(&self) -> Option<String> {
        match &self.visitor.audience {
            Audience::Groups(groups) => Some(groups.iter().map(String::as_str).collect::<Vec<_>>().join(", ")),
            _ => None,
        }
    }

    /// Whether one store alone exists for the visitor.
    pub fn is_of_one_store(&self) -> bool {
        matches!(self.visitor.audience, Audience::Store(_))
    }

    /// The field that each form has, by which the server knows that its own page sent it.
    pub fn csrf(&self) -> Markup {
        html! { input type="hidden" name=(forms::FIELD) value=(self.visitor.form_token()); }
    }

    /// The whole page. `refresh` is the number of seconds after which it renews itself, if that is sooner than
    /// pages of its section do.
    pub fn page(&self, title: &str, refresh: Option<u32>, body: &Markup) -> Markup {
        let [style, script, icon] = assets::paths();
        let refresh = refresh.map(i64::from);
        let renews = refresh.or(self.renews);
        let reload = refresh.or(self.renews.map(|seconds| seconds.max(RELOAD_SECONDS_MIN)));
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) " · store-monitor" }
                    link rel="icon" href=(icon) type="image/svg+xml";
                    link rel="stylesheet" href=(style);
                    script src=(script) defer {}
                    @if let Some(seconds) = reload {
                        noscript { meta http-equiv="refresh" content=(seconds); }
                    }
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    header.top {
                        a.brand href=(self.link("/")) { "store-monitor" }
                        (self.navigation())
                        (self.session())
                        @if self.visitor.may(Scope::Read) {
                            @if !self.is_guest() { (self.search()) }
                            p.newest { (self.newest()) }
                        }
                    }
                    @if self.made_up { (self.made_up_notice()) }
                    (self.doubt())
                    (self.past())
                    main #content tabindex="-1" data-renews=[renews] { (body) }
                    p.print.address {
                        // A guest's address is a secret.
                        (self.host) @if !self.is_guest() { (self.here(&self.query)) } " · printed " (self.today())
                    }
                    (self.footer())
                }
            }
        }
    }

    /// A link of the navigation.
    fn room(&self, room: Section, path: &str, text: &str) -> Markup {
        html! { a href=(self.link(path)) aria-current=[(self.room == room).then_some("page")] { (text) } }
    }

    /// The pages that the visitor may see.
    fn navigation(&self) -> Markup {
        let looks = self.visitor.may(Scope::Read);
        // A link to one store shows one page; its heading says which.
        if self.is_guest() && (!looks || self.is_of_one_store()) {
            return html! {};
        }
        html! {
            nav aria-label="Pages" {
                @if looks {
                    (self.room(Section::Fleet, "/", "Fleet"))
                    (self.room(Section::Stores, "/stores", "Stores"))
                    (self.room(Section::Incidents, "/incidents", "Incidents"))
                    (self.room(Section::Statements, "/statements", "Statements"))
                    @if !self.is_guest() { (self.room(Section::Reports, "/reports", "Reports")) }
                    @if self.may(Scope::Admin) {
                        (self.room(Section::Load, "/load", "Load data"))
                        (self.room(Section::Alerts, "/alerts", "Alerts"))
                        (self.room(Section::Access, "/access", "Access"))
                    }
                } @else {
                    (self.room(Section::Docs, "/docs", "Guides"))
                    (self.room(Section::LogIn, "/login", "Log in"))
                }
            }
        }
    }

    /// Who is logged in, and how they log out.
    fn session(&self) -> Markup {
        html! {
            @if self.visitor.has_session() {
                form.session.screen action="/logout" method="post" {
                    (self.csrf())
                    span { (self.visitor.name) }
                    button type="submit" { "Log out" }
                }
            }
        }
    }

    fn footer(&self) -> Markup {
        html! {
            footer.bottom {
                p {
                    @if self.is_guest() { "Times are local; hover over one for UTC." }
                    @else if self.visitor.may(Scope::Read) {
                        "Every number here is also in the API: "
                        a href="/openapi.json" { "openapi.json" }
                        ". Times are local; hover over one for UTC. "
                        (self.room(Section::Docs, "/docs", "Guides"))
                    }
                }
            }
        }
    }

    /// An instant in the zone of most stores, with the zone's name.
    pub fn instant(&self, at: Micros) -> Markup {
        let table = phrases::zone_near(self.zone, at);
        html! { (Wall::new(&table, self.locale).full(at)) " " (phrases::city(self.zone)) }
    }

    /// The machine's date, by the clock of most stores.
    fn today(&self) -> String {
        let table = phrases::zone_near(self.zone, self.machine);
        phrases::date_with_year(table.wall(self.machine).div_euclid(DAY))
    }

    /// The search for a store, on every page.
    fn search(&self) -> Markup {
        html! {
            form.find.screen action="/stores" method="get" role="search" aria-label="Find a store" {
                label.aside for="find" { "Find a store by words of its name, owner or id" }
                input #find type="search" name="q" placeholder="Find a store" autocomplete="off";
                @for (name, value) in self.query.owned_by(None).fields() { input type="hidden" name=(name) value=(value); }
                button type="submit" { "Find" }
            }
        }
    }

    /// The notice on every page while the stores are made up.
    fn made_up_notice(&self) -> Markup {
        html! {
            div.past.made-up {
                p { "These stores are made up. The first file that is loaded takes their place." }
                @if self.may(Scope::Admin) {
                    form.screen action="/made-up/removal" method="post" { (self.csrf()) button type="submit" { "Remove the made-up data" } }
                }
            }
        }
    }

    /// The notice on every page while the machine's clock cannot be right.
    fn doubt(&self) -> Markup {
        html! {
            @if let Some(doubt) = self.doubt {
                div.past.doubt role="status" {
                    p {
                        "The clock of this server says " (self.instant(self.machine)) ", "
                        @match doubt {
                            Doubt::BeforePoll(newest) => { "but the newest check is of " (self.instant(newest)) ". " }
                            Doubt::BeforeBuild(_) => { "but this program was made later. " }
                        }
                        "So newer checks must wait until the clock is set, and pages show the newest that are there."
                    }
                    @if matches!(doubt, Doubt::BeforePoll(_)) {
                        p { "If the clock is right, that check has a wrong date. Take it back at the end of its store's page." }
                        a href="/stores?sort=last_poll&order=desc" { "Stores by their newest check" }
                    }
                }
            }
        }
    }

    /// The sentence of a page about another instant than the newest.
    fn past(&self) -> Markup {
        html! {
            @if let Some(as_of) = self.query.as_of {
                p.past {
                    "You see the stores as of " (self.instant(as_of)) " time. "
                    a.screen href=(self.here(&self.query.newest())) { "Show the newest" }
                }
            }
        }
    }

    fn newest(&self) -> Markup {
        let Some(newest) = self.newest else {
            return html! { "no check yet" };
        };
        html! { "newest check " (phrases::ago(self.machine - newest)) " · " (self.instant(newest)) }
    }
}

/// Whether a proxy says that the client uses TLS. Only the addresses that a page prints depend on it, so any proxy may.
fn is_https(request: &Request<'_>) -> bool {
    let proto = request.header("X-Forwarded-Proto").unwrap_or_default();
    proto.eq_ignore_ascii_case("https")
}

/// The hatch patterns of drawings; once a page.
pub fn hatches() -> Markup {
    let hatch = |name: &str| {
        html! {
            pattern id={"hatch-" (name)} width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                rect.{"hatch-" (name)} width="3" height="7" {}
            }
        }
    };
    html! {
        svg.defs width="0" height="0" aria-hidden="true" focusable="false" {
            defs { (hatch("unknown")) (hatch("outage")) }
        }
    }
}

//! Pages for people with a token or a share link: log in and out, share, make and revoke; forms of other sites are
//! refused.

use store_monitor::access::Scope;
use store_monitor::http::forms;
use store_monitor::http::routes::ROUTES;

use crate::harness::{Answer, Client, Home, Server};

const FORM: &str = "application/x-www-form-urlencoded";

/// A browser without a script: it keeps its cookie, and sends forms as the page has them.
struct Visitor {
    client: Client,
    cookie: String,
}

impl Visitor {
    fn of(server: &Server) -> Self {
        Self {
            client: Client::that_stays(server.address.as_str()),
            cookie: String::new(),
        }
    }

    fn open(&self, path: &str) -> Answer {
        let headers = [("Accept", "text/html"), ("Cookie", self.cookie.as_str())];
        let answer = self.client.get_with(path, &headers);
        match answer.headers.get("Location") {
            Some(to) => self.open(to.to_str().expect("a path")),
            None => answer,
        }
    }

    fn send(&mut self, path: &str, fields: &str) -> Answer {
        let headers = [
            ("Accept", "text/html"),
            ("Sec-Fetch-Site", "same-origin"),
            ("Cookie", self.cookie.as_str()),
        ];
        let answer = self.client.post(path, FORM, &headers, fields.as_bytes());
        if let Some(cookie) = answer.headers.get("Set-Cookie") {
            let cookie = cookie.to_str().expect("a cookie");
            self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        }
        match answer.headers.get("Location") {
            Some(to) => self.open(to.to_str().expect("a path")),
            None => answer,
        }
    }

    /// Sends a form of the page at `page`.
    fn submit(&mut self, page: &str, path: &str, fields: &str) -> Answer {
        let csrf = csrf(self.open(page).text());
        self.send(path, &format!("csrf={csrf}&{fields}"))
    }
}

fn csrf(page: &str) -> String {
    between(page, "name=\"csrf\" value=\"", "\"")
}

fn between(text: &str, from: &str, to: &str) -> String {
    let rest = text.split_once(from).expect(text).1;
    rest.split_once(to).expect("an end").0.to_owned()
}

fn home() -> Home {
    let home = Home::new();
    home.write(
        "polls.csv",
        "store_id,timestamp_utc,status\na1,2026-11-01 00:00:00 UTC,active\nb1,2026-11-01 02:00:00 UTC,inactive\n",
    );
    home.write(
        "stores.csv",
        "store_id,name,group\na1,First,Ann\nb1,Second,Bob\n",
    );
    home.import(&["polls.csv", "stores.csv"]);
    home
}

#[test]
fn an_admin_closes_the_server_makes_tokens_logs_out_and_in_and_is_revoked() {
    let home = home();
    let server = Server::start(&home);
    let mut boss = Visitor::of(&server);
    assert!(boss.open("/login").text().contains("No log-in is needed"));
    let refused = boss.submit("/access", "/access/tokens", "name=p&scope=ingest");
    assert_eq!(refused.status, 400, "nobody could make another one");
    let made = boss.submit("/access", "/access/tokens", "name=boss&scope=admin");
    assert_eq!(made.status, 200, "{}", made.text());
    let token = between(
        made.text(),
        "id=\"once\" type=\"text\" readonly value=\"",
        "\"",
    );
    assert!(token.starts_with("smt_"), "{token}");
    // The maker is logged in; nobody else is.
    assert_eq!(boss.open("/stores").status, 200);
    assert_eq!(server.get("/api/stores").status, 401);
    let made = boss.submit("/access", "/access/tokens", "name=poller&scope=ingest");
    let poller = between(
        made.text(),
        "id=\"once\" type=\"text\" readonly value=\"",
        "\"",
    );

    let left = boss.submit("/", "/logout", "");
    assert!(left.text().contains("<h1>Log in</h1>"), "{}", left.text());
    let login = boss.open("/stores?q=first");
    assert!(
        login.text().contains("value=\"/stores?q=first\""),
        "{}",
        login.text()
    );
    assert!(!login.text().contains("First") && !login.text().contains("newest check"));
    let wrong = boss.submit("/login", "/login", "token=smt_no&next=/stores");
    assert_eq!(wrong.status, 401);
    let pages = boss.submit("/login", "/login", &format!("token={poller}"));
    assert!(pages.status == 403 && pages.text().contains("opens no pages"));
    boss.submit(
        "/login",
        "/login",
        &format!("token={token}&next=//evil.example"),
    );
    assert!(boss.open("/access").text().contains("poller"));
    let audit = boss.open("/audit");
    for words in ["logged in", "logged out", "made a token"] {
        assert!(audit.text().contains(words), "{words}");
    }

    boss.submit("/access", "/access/tokens/revocation", "name=boss");
    let next = boss.open("/access");
    assert!(next.text().contains("<h1>Log in</h1>"), "{}", next.text());
}

#[test]
fn a_guest_stays_below_the_link_and_no_log_has_its_secret() {
    let home = home();
    let server = Server::start_with(&home, &["serve", "--log", "trace"]);
    let mut boss = Visitor::of(&server);
    boss.submit("/access", "/access/tokens", "name=boss&scope=admin");
    for (field, own, foreign) in [
        ("store=a1", "First", "Second"),
        ("group=Bob", "Second", "First"),
    ] {
        let made = boss.submit("/access", "/access/links", field);
        let address = between(made.text(), "readonly value=\"", "\"");
        let base = address.split_once("/share/").expect("a link").1;
        let base = format!("/share/{}", base.trim_end_matches('/'));
        let guest = Visitor::of(&server);
        for page in ["/", "/stores", "/incidents", "/statements"] {
            let answer = guest.open(&format!("{base}{page}"));
            assert_eq!(answer.status, 200, "{page}");
            assert_eq!(answer.header("Referrer-Policy"), "no-referrer");
            let text = answer.text();
            assert!(!text.contains(foreign), "{page}");
            assert!(text.contains(own) || page.len() > 7, "{page}");
            for attribute in ["href", "action", "src"] {
                for link in text.split(&format!(" {attribute}=\"/")).skip(1) {
                    let stays = format!("/{link}").starts_with(&format!("{base}/"))
                        || link.starts_with("assets/");
                    assert!(stays, "{page}: {}", &link[..40.min(link.len())]);
                }
            }
            for none in [
                "Log in",
                "openapi",
                "method=\"post\"",
                "Load data",
                "/reports\"",
            ] {
                assert!(!text.contains(none), "{page} has {none}");
            }
            let printed = between(text, "class=\"print address\">", "</p>");
            assert!(!printed.contains("sml_"), "{printed}");
        }
        let secret = base.trim_start_matches("/share/");
        let lost = guest.open(&format!("/share/{}0/", &secret[..secret.len() - 1]));
        assert_eq!(lost.status, 404);
        assert!(!lost.text().contains("Log in"), "{}", lost.text());
        let logged = home.text("server.log");
        assert!(
            logged.contains("route=/share/{link}/") && !logged.contains(&secret[8..]),
            "a secret is in the log"
        );
    }
}

#[test]
fn every_form_of_every_page_is_refused_without_its_token() {
    let home = home();
    let server = Server::start(&home);
    let own = [("Sec-Fetch-Site", "same-origin")];
    let forms = ROUTES.iter().filter(|route| forms::is_form(route));
    // The secret in the path of an answer to an alert is its proof: nobody is logged in there.
    let forms = forms.filter(|route| !route.path.starts_with("/ack/"));
    let mut count = 0;
    for route in forms {
        let path = route.path.replace("{id}", "a1");
        let (media_type, body): (_, &[u8]) = match &*path {
            "/load" => (
                "multipart/form-data; boundary=x",
                b"--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.csv\"\r\n\r\nstore_id,timestamp_utc,status\r\n--x--\r\n",
            ),
            _ => (FORM, b"confirm=yes&name=x&scope=admin"),
        };
        let answer = server.post(&path, media_type, &own, body);
        assert_eq!(answer.status, 403, "{path}");
        count += 1;
    }
    assert!(count >= 13, "{count}");
    // Whatever a page has to be sent, it has the token.
    for page in [
        "/",
        "/?group=Ann",
        "/stores/a1",
        "/reports",
        "/load",
        "/access",
    ] {
        let text = server.get(page);
        let text = text.text();
        assert!(text.contains("method=\"post\""), "{page}");
        for form in text.split("method=\"post\"").skip(1) {
            let form = form.split("</form>").next().unwrap_or_default();
            assert!(form.contains("name=\"csrf\""), "{page}");
        }
    }
    // A program, which no other site can trick, needs none.
    assert!(Scope::Admin.may(Scope::Report));
    assert_eq!(server.post("/reports", FORM, &[], b"").status, 200);
}

#[test]
fn downloads_of_pages_have_no_formulas_and_answers_of_the_api_are_as_written() {
    let home = Home::new();
    home.write(
        "polls.csv",
        "store_id,timestamp_utc,status\n=1+1,2026-11-01 00:00:00 UTC,active\n=1+1,2026-11-01 01:00:00 UTC,inactive\n",
    );
    home.write("stores.csv", "store_id,name,group\n=1+1,@sum,+owner\n");
    home.import(&["polls.csv", "stores.csv"]);
    let server = Server::start(&home);
    server.report("");
    for page in ["/stores", "/incidents", "/statements", "/reports"] {
        let text = server.get(page).text().to_owned();
        let link = text
            .split("href=\"")
            .filter_map(|rest| rest.split('"').next())
            .find(|link| link.contains(".csv"));
        let link = link.expect("a download").replace("&amp;", "&");
        assert!(link.contains("for=spreadsheet"), "{page}: {link}");
        let safe = server.get(&link);
        assert!(
            safe.status == 200 && safe.text().contains("'=1+1"),
            "{page}: {}",
            safe.text()
        );
        assert!(
            !safe.text().contains(",@sum") && !safe.text().contains(",+owner"),
            "{page}"
        );
        let plain = server.get(&link.replace("for=spreadsheet", ""));
        assert_eq!(plain.text(), safe.text().replace('\'', ""), "{page}");
    }
}

//! `/login` and `/logout`: a person sends a token once, and their browser has a session from then on.

use std::sync::PoisonError;
use std::time::Instant;

use maud::{Markup, html};

use super::layout::{Frame, Section};
use crate::access::Scope;
use crate::error::Result;
use crate::http::app::App;
use crate::http::proof::{own_page, typed};
use crate::http::request::Request;
use crate::http::response::Response;
use crate::http::sessions;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let next = own_page(request.field("next")?.unwrap_or_default()).to_owned();
    shown(app, request, 200, &next, None)
}

/// `POST /login`: logs in, and leads to the page that was wanted; a wrong token is counted.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let next = own_page(request.form_field("next")).to_owned();
    let client = app.visitor.client;
    let wait = {
        let attempts = app.site.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.wait(client, Instant::now())
    };
    // Who tries tokens is slowed before a token is looked at.
    if let Some(wait) = wait {
        let seconds = (wait.as_secs() + 1).to_string();
        let complaint = format!("Too many wrong tokens came from your address. Try again in {seconds} seconds.");
        return Ok(shown(app, request, 429, &next, Some(&complaint))?.with("Retry-After", seconds));
    }
    let found =
        typed(request.form_field("token")).and_then(|secret| app.site.keyring.find(&secret, app.site.now.now_us()));
    let Some(credential) = found else {
        let mut attempts = app.site.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.failed(client, Instant::now());
        drop(attempts);
        let complaint = "This token opens nothing. It was revoked, has expired, or is not whole.";
        let answer = shown(app, request, 401, &next, Some(complaint))?;
        return Ok(answer.with("WWW-Authenticate", "Bearer"));
    };
    if !credential.scope.may(Scope::Read) {
        let complaint = "This token sends checks and opens no pages. Log in with another one.";
        return shown(app, request, 403, &next, Some(complaint));
    }
    let cookie = sessions::begin(app, credential)?;
    Ok(Response::see_other(next).with("Set-Cookie", cookie))
}

/// `POST /logout`: ends the session.
pub fn log_out(app: &mut App, _request: &mut Request<'_>) -> Result<Response> {
    let cookie = sessions::end(app)?;
    Ok(Response::see_other("/login").with("Set-Cookie", cookie))
}

fn shown(app: &mut App, request: &Request<'_>, status: u16, next: &str, complaint: Option<&str>) -> Result<Response> {
    let frame = Frame::new(app, request, Section::LogIn)?;
    let body = html! {
        h1 { "Log in" }
        @if frame.is_open() {
            section.card {
                p { "No log-in is needed: there is no token yet, so everybody who reaches this server may do everything." }
                p.more { a href="/" { "To the fleet" } " · " a href="/access" { "Make the first token" } }
            }
        } @else {
            @if app.visitor.has_session() {
                p.lead { "You are logged in with the token " strong { (app.visitor.name) } ". " a href="/" { "To the fleet" } }
            }
            @if let Some(complaint) = complaint { p.complaint role="alert" { (complaint) } }
            (form(&frame, next))
        }
    };
    Ok(Response::page(status, frame.page("Log in", None, &body)).cached("no-store"))
}

fn form(frame: &Frame, next: &str) -> Markup {
    html! {
        section.card {
            form.log-in action="/login" method="post" {
                (frame.csrf())
                input type="hidden" name="next" value=(next);
                p.choice {
                    label for="token" { "Your token" }
                    input #token type="password" name="token" autocomplete="current-password" required spellcheck="false"
                        aria-describedby="token-note";
                }
                p.note #token-note { "It begins with smt_. Whoever runs this server makes it for you." }
                p.actions { button.primary type="submit" { "Log in" } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::own_page;

    #[test]
    fn a_log_in_leads_to_pages_of_this_server_alone() {
        for own in ["/", "/stores/7?as_of=2026-11-01T00:00:00Z", "/?group=A+%26+B"] {
            assert_eq!(own_page(own), own);
        }
        for other in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "stores",
            "/login",
            "/a\r\nb",
        ] {
            assert_eq!(own_page(other), "/", "{other:?}");
        }
    }
}

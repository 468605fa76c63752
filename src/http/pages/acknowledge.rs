//! `/ack/SECRET`: the page of a link in an alert, for a person without an account, on a phone, in the dark.
//!
//! It tells of the stores of its alert and of nothing else. To look changes nothing, because programs open the links in
//! mails; one tap says "I know", or why.

use maud::{Markup, html};

use super::layout::{Frame, Section};
use super::phrases::{self, Wall};
use super::reasons;
use crate::db::acknowledgements::{Acknowledgement, Alerted};
use crate::db::incident_reasons::{self, LINE_CHARS_MAX, Note, Noted, Reason};
use crate::error::{ErrorKind, Result};
use crate::fleet_view::FleetView;
use crate::http::app::App;
use crate::http::attempts::{NO_ALERT, count_wrong};
use crate::http::query;
use crate::http::request::Request;
use crate::http::response::Response;
use crate::phrases::locale::Locale;
use crate::uptime::interval::Micros;
use crate::uptime::store_state::StoreState;

/// How many stores the page lists.
const STORES_LISTED_MAX: usize = 50;

/// The page.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    match found(app)? {
        Ok(alert) => show(app, request, 200, &alert, None),
        Err(refused) => Ok(refused),
    }
}

/// `POST`: acknowledges the alert; the page tells what was noted.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let alert = match found(app)? {
        Ok(alert) => alert,
        Err(refused) => return Ok(refused),
    };
    let noted = note(request.form_field("reason"), request.form_field("line")).and_then(|note| app.acknowledge(note));
    match noted {
        // No redirect: it would have to say the secret.
        Ok(()) => get(app, request),
        Err(error) if error.kind() == ErrorKind::Invalid => show(app, request, 400, &alert, Some(error.message())),
        Err(error) => Err(error),
    }
}

/// The alert of the visitor's link, or the answer if there is none.
fn found(app: &mut App) -> Result<std::result::Result<Acknowledgement, Response>> {
    let now = app.site.now.now_us();
    Ok(match app.acknowledgement()? {
        Some(alert) if alert.is_expired(now) => Err(Response::problem(
            410,
            "the link of an alert works for some days, and those are over (a newer alert has a new one)",
        )),
        Some(alert) => Ok(alert),
        None => {
            let slowed = count_wrong(&app.site.attempts, app.visitor.client);
            Err(slowed.err().unwrap_or_else(|| Response::problem(404, NO_ALERT)))
        }
    })
}

/// What a form says; none if it only says "I know".
fn note(reason: &str, line: &str) -> Result<Option<Note>> {
    match (Reason::from_name(reason), reason) {
        (Some(reason), _) => Note::new(reason, line).map(Some),
        (None, "") if line.trim().is_empty() => Ok(None),
        (None, "") => Note::new(Reason::Other, line).map(Some),
        (None, _) => Err(query::unknown("reason", reason, &Reason::WORDS.join(", "))),
    }
}

fn show(
    app: &mut App,
    request: &Request<'_>,
    status: u16,
    alert: &Acknowledgement,
    complaint: Option<&str>,
) -> Result<Response> {
    let (question, _) = query::question(app, request)?;
    let frame = Frame::new(app, request, Section::Nowhere)?;
    let view = app.fleet(question)?;
    let listed = alert.stores.iter().take(STORES_LISTED_MAX);
    let stores: Vec<_> = listed.filter_map(|one| Told::new(&view, one)).collect();
    let more = alert.stores.len() - alert.stores.len().min(STORES_LISTED_MAX);
    let noted = match alert.stores.first() {
        Some(&(store, at)) => {
            let noted = incident_reasons::all_of(app.db()?, store)?;
            noted.into_iter().find(|noted| noted.at == at)
        }
        None => None,
    };
    let zone = stores.first().map(|first| first.zone(&view));
    let locale = match zone {
        Some(zone) => app.site.locale.unwrap_or_else(|| Locale::of_zones([(zone, 1)])),
        None => frame.locale(),
    };
    let heading = match stores.as_slice() {
        [] => "An alert".to_owned(),
        [one] => one.name.clone(),
        many => format!("An alert about {}", locale.stores(many.len() + more)),
    };
    let body = html! {
        h1 { bdi { (heading) } }
        section.card {
            @if stores.is_empty() { p { "This alert is about the server itself, or about stores that were removed since." } }
            @else {
                ul.alert-stores {
                    @for one in &stores {
                        li {
                            @if stores.len() > 1 { strong { bdi { (one.name) } } }
                            (one.now(&view, locale))
                        }
                    }
                }
                @if more > 0 { p.note { "and " (locale.count(more)) " more" } }
            }
        }
        @if let Some(at) = alert.acknowledged_at {
            section.card.outcome role="status" {
                @let table = phrases::zone_near(zone.unwrap_or(frame.zone()), at);
                p { strong { "Noted" } " on " (Wall::new(&table, locale).stamp(at)) ". Nobody is reminded of this alert any more." }
                @if let Some(noted) = &noted { p { "Why: " strong { (reasons::told(&noted.note)) } } }
            }
        }
        (form(alert, noted.as_ref(), !stores.is_empty(), complaint))
    };
    Ok(Response::page(status, frame.page("Alert", None, &body)).cached("no-store"))
}

/// Without an address, a form is sent to that of its page, which has the secret.
fn form(alert: &Acknowledgement, noted: Option<&Noted>, has_stores: bool, complaint: Option<&str>) -> Markup {
    let is_known = alert.acknowledged_at.is_some();
    let chosen = noted.map(|noted| noted.note.reason);
    let line = noted.map_or("", |noted| noted.note.line.as_str());
    html! {
        @if !is_known || has_stores {
            section.card.answer {
                form method="post" {
                    @if let Some(complaint) = complaint { p.complaint role="alert" { "Nothing was noted: " (complaint) "." } }
                    // The first button is that of the key Enter.
                    @if !is_known { p { button.primary type="submit" name="reason" value="" { "I know" } } }
                    @if has_stores {
                        fieldset {
                            legend { @if is_known { "Why is it?" } @else { "Or say why" } }
                            @if is_known {
                                // For the key Enter: the words change, the reason stays.
                                @let kept = chosen.map_or("", Reason::as_str);
                                button.aside type="submit" name="reason" value=(kept) tabindex="-1" aria-hidden="true" { "Keep" }
                            }
                            div.reasons {
                                @for reason in Reason::ALL {
                                    @let is_chosen = (chosen == Some(reason)).then_some("true");
                                    button type="submit" name="reason" value=(reason.as_str()) aria-pressed=[is_chosen] {
                                        (reasons::words(reason))
                                    }
                                }
                            }
                        }
                        p {
                            label for="line" { "In your words, if you like: write first, then tap" }
                            input #line type="text" name="line" maxlength=(LINE_CHARS_MAX) value=(line) autocomplete="off";
                        }
                        p.note { "It is kept with the incident, and changes no number." }
                    }
                }
            }
        }
    }
}

/// A store of the alert, as it is now.
struct Told {
    place: usize,
    name: String,
    /// An instant of its incident.
    at: Micros,
}

impl Told {
    /// None if the store was removed.
    fn new(view: &FleetView, &(store, at): &Alerted) -> Option<Self> {
        let place = view.inputs.fleet.stores().iter().position(|one| one.key == store)?;
        let name = view.name(place).to_owned();
        Some(Self { place, name, at })
    }

    fn zone(&self, view: &FleetView) -> chrono_tz::Tz {
        let store = view.store(self.place);
        view.inputs.fleet.patterns()[store.pattern].zone
    }

    /// Since when it is in trouble, and whether it still is.
    fn now(&self, view: &FleetView, locale: Locale) -> Markup {
        let (zone, at) = (self.zone(view), self.at);
        let summary = &view.overview.summaries[self.place];
        let incident = view.incidents().all.iter().find(|one| {
            let incident = &one.incident;
            one.place == self.place && (incident.since..=incident.stretch.end).contains(&at)
        });
        let stamp = |at: Micros| {
            let table = phrases::zone_near(zone, at);
            html! { (Wall::new(&table, locale).stamp(at)) }
        };
        let last = summary.last_poll.map(|poll| poll.at());
        html! {
            p {
                @match incident {
                    Some(one) if !one.incident.open => {
                        (phrases::state(StoreState::Online, " again")) " since " (stamp(one.incident.stretch.end))
                    }
                    Some(_) if summary.state == StoreState::Offline => { (phrases::state(StoreState::Offline, " still")) }
                    None if last.is_some_and(|last| last <= at) => {
                        (phrases::state(StoreState::NotSure, ": no check since"))
                    }
                    _ => { (phrases::state(summary.state, " now")) }
                }
            }
            p.note {
                @if incident.is_some() { "First failed check " } @else { "The alert was about " }
                (stamp(at)) ", " (phrases::city(zone)) " time"
            }
        }
    }
}

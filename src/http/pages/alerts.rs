//! `/alerts`, for admins: who is told of what. Rules of the configuration stand fixed; others are made, changed and
//! deleted here.

use maud::{Markup, html};

use super::layout::{Frame, Section};
use super::{phrases, replay};
use crate::access::{Audience, Scope};
use crate::alerts::rule::{Rule, When};
use crate::error::{Error, ErrorKind, Result};
use crate::http::alerts::{self, Listed, REPLACES, key_of};
use crate::http::app::App;
use crate::http::request::Request;
use crate::http::response::Response;

/// The fields of a form, as they were sent or stored.
type Fields = Vec<(String, String)>;

/// What is wrong with a form: the field, and why.
type Complaint<'a> = Option<(&'a str, &'a str)>;

/// The page; with `edit`, its form has that rule.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let edited = request.field("edit")?.map(str::to_owned);
    let fields = match &edited {
        None => new_rule(),
        Some(name) => match alerts::fields_of(app, name)? {
            Some(fields) => fields,
            None => {
                let name = name.escape_debug();
                return Err(Error::not_found(format!(
                    "there is no alert rule `{name}` that was made here"
                )));
            }
        },
    };
    show(app, request, 200, &fields, edited.as_deref(), None)
}

/// What the form of a new rule has: it looks for everything.
fn new_rule() -> Fields {
    let all = When::ALL.into_iter();
    all.map(|when| ("when".to_owned(), when.as_str().to_owned())).collect()
}

/// `POST /alerts`: makes a rule, or changes the one that `replaces` names; or says beside a field what is wrong.
pub fn post(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let fields = request.form.clone();
    let replaced = Some(request.form_field(REPLACES).to_owned()).filter(|name| !name.is_empty());
    let made = match fields.iter().any(|(name, _)| name == "when") {
        true => alerts::make(app, &fields, replaced.clone()),
        // To the reader of rules, none means all.
        false => Err(Error::invalid("when: choose something that it looks for")),
    };
    match made {
        Ok(_) => Ok(Response::see_other("/alerts")),
        Err(error) if error.kind() == ErrorKind::Invalid => {
            show(app, request, 400, &fields, replaced.as_deref(), Some(key_of(&error)))
        }
        Err(error) => Err(error),
    }
}

/// `POST /alerts/removal`: deletes a rule that was made here.
pub fn remove(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    alerts::remove(app, request.form_field("name"))?;
    Ok(Response::see_other("/alerts"))
}

fn show(
    app: &mut App,
    request: &Request<'_>,
    status: u16,
    fields: &Fields,
    edited: Option<&str>,
    complaint: Complaint<'_>,
) -> Result<Response> {
    let frame = Frame::new(app, request, Section::Alerts)?;
    let rules = alerts::all(app)?;
    let messaging = app.site.messaging.get();
    let receivers: Vec<String> = messaging.receivers.iter().map(|one| one.name.clone()).collect();
    let body = html! {
        h1 { "Alerts" }
        p.lead {
            "Who is told when a store is offline, and when it is back. "
            a href="/docs/alerts" { "How alerts work" }
        }
        section.card.wide aria-labelledby="rules" {
            h2 #rules { "Rules" }
            @if rules.is_empty() { p.calm { "There is no rule: nobody is told of anything." } }
            @else { (list(&frame, &rules)) }
        }
        section.card aria-labelledby="receivers" {
            h2 #receivers { "Receivers" }
            @if receivers.is_empty() {
                p { "There is none. Add one as " code { "[[receiver]]" } " to the configuration file: a webhook, ntfy or mail." }
            } @else {
                ul {
                    @for receiver in &messaging.receivers {
                        li { strong { bdi { (receiver.name) } } " " span.why { (receiver.place()) } }
                    }
                }
                p.note {
                    "They are in the configuration file, and so are their secrets. "
                    a href="/messages" { "What became of messages to them" }
                }
            }
        }
        section.card.screen aria-labelledby="replay" {
            h2 #replay { "Before you switch a rule on" }
            (replay::days_form("", ""))
        }
        @if frame.may(Scope::Admin) && !receivers.is_empty() { (form(&frame, fields, &receivers, edited, complaint)) }
    };
    Ok(Response::page(status, frame.page("Alerts", None, &body)).cached("no-store"))
}

fn list(frame: &Frame, rules: &[Listed]) -> Markup {
    html! {
        table.rows {
            thead { tr {
                th scope="col" { "Name" }
                th scope="col" { "Tells" }
                th scope="col" { "Change" }
            } }
            tbody { @for listed in rules { (row(frame, listed)) } }
        }
    }
}

fn row(frame: &Frame, listed: &Listed) -> Markup {
    let edit = form_urlencoded::Serializer::new(String::new())
        .append_pair("edit", &listed.name)
        .finish();
    html! {
        tr {
            th scope="row" {
                bdi { (listed.name) }
                @if !listed.is_made_here { span.id { "in the configuration" } }
            }
            @match &listed.rule {
                Ok(rule) => {
                    td {
                        (tells(rule))
                        span.part {
                            "to " bdi { (rule.to.join(", ")) }
                            @if let Some(after) = rule.escalate_after {
                                "; after " (phrases::length(after)) " without an answer also to " bdi { (rule.escalate_to.join(", ")) }
                            }
                        }
                    }
                }
                Err(error) => { td { span.fault { "It cannot be read, so it says nothing: " (error) } } }
            }
            td {
                @if listed.is_made_here && frame.may(Scope::Admin) {
                    a href={"/alerts?" (edit) "#rule"} { "Change" span.aside { " " (listed.name) } }
                    details.revoke {
                        summary { "Delete" span.aside { " " (listed.name) } }
                        form action="/alerts/removal" method="post" {
                            (frame.csrf())
                            input type="hidden" name="name" value=(listed.name);
                            button.danger type="submit" { "Delete " (listed.name) }
                        }
                    }
                }
            }
        }
    }
}

/// What a rule looks for, about which stores, and when it is silent.
fn tells(rule: &Rule) -> Markup {
    let words: Vec<&str> = rule.when.iter().map(|when| words(*when)).collect();
    html! {
        (words.join(", "))
        span.part {
            @match &rule.stores {
                Audience::All => { "all stores" }
                Audience::Store(id) => { "store " bdi { (id) } }
                Audience::Groups(groups) => {
                    @for (number, group) in groups.iter().enumerate() { @if number > 0 { ", " } bdi { (group) } }
                }
            }
            @if let Some(after) = rule.after { "; after " (phrases::length(after)) }
            @if let Some(remind) = rule.remind { "; again every " (phrases::length(remind)) }
            @if let Some(quiet) = rule.quiet {
                "; not from " (quiet.start_local.format("%H:%M").to_string()) " to "
                (quiet.end_local.format("%H:%M").to_string()) " " (phrases::city(quiet.zone)) " time"
            }
        }
    }
}

/// What a rule can look for, in words.
const fn words(when: When) -> &'static str {
    match when {
        When::Offline => "offline",
        When::Silent => "not polled",
        When::PollerOutage => "the poller is out",
        When::BackOnline => "back online",
        When::Backup => "two backups missed",
    }
}

/// A field of the form that takes a text.
struct Control<'a> {
    name: &'a str,
    label: &'a str,
    hint: &'a str,
    is_required: bool,
}

fn form(
    frame: &Frame,
    fields: &Fields,
    receivers: &[String],
    edited: Option<&str>,
    complaint: Complaint<'_>,
) -> Markup {
    let text = |name, label, hint| {
        let control = Control {
            name,
            label,
            hint,
            is_required: name == "name",
        };
        input(&control, fields, complaint)
    };
    let more = [
        "silent_gaps",
        "group_within",
        "quiet_before_close",
        "escalate_after",
        "escalate_to",
    ];
    let is_open = more
        .iter()
        .any(|key| fields.iter().any(|(name, value)| name == key && !value.is_empty()));
    html! {
        section.card.alert-rule.screen #rule aria-labelledby="new" {
            h2 #new { @match edited { Some(name) => { "Change " bdi { (name) } } None => { "A new rule" } } }
            @if let Some((key, _)) = complaint {
                p.complaint role="alert" { "Nothing was changed: look at “" (key.replace('_', " ")) "” below." }
            }
            form action="/alerts" method="post" {
                (frame.csrf())
                @if let Some(name) = edited { input type="hidden" name=(REPLACES) value=(name); }
                (text("name", "Its name", "Messages name it."))
                (ticks("to", "Who is told", receivers.iter().map(|name| (name.as_str(), name.as_str())), fields, complaint))
                (ticks("when", "Of what", When::ALL.map(|when| (when.as_str(), words(when))), fields, complaint))
                (owners(fields, complaint))
                (text("store", "Or one store, by its id", "Leave owners empty then."))
                (text("after", "After how long offline", "Such as 30m. Empty: the second failed check in a row."))
                (text("remind", "Again every", "Such as 4h, at least 15m. Empty: once."))
                (text("quiet", "Not between", "Such as 22:00-07:00."))
                (text("timezone", "By the clock of", "Such as Europe/Paris."))
                details open[is_open] {
                    summary { "More" }
                    (text("group_within", "Wait for more stores", "They are told in one message. Empty: 10m."))
                    (text("quiet_before_close", "Not shortly before closing", "Empty: 15m."))
                    (text("silent_gaps", "Not polled for so many usual gaps", "Empty: 3."))
                    (text("escalate_after", "Without an answer, tell others after", "Such as 1h."))
                    (ticks("escalate_to", "These others", receivers.iter().map(|name| (name.as_str(), name.as_str())), fields, complaint))
                }
                p.actions {
                    button.primary type="submit" { @if edited.is_some() { "Change it" } @else { "Make it" } }
                    @if edited.is_some() { a href="/alerts" { "Leave it as it is" } }
                }
            }
        }
    }
}

fn reason<'a>(complaint: Complaint<'a>, name: &str) -> Option<&'a str> {
    complaint.filter(|(key, _)| *key == name).map(|(_, reason)| reason)
}

/// The sentence beside a field that is wrong.
fn fault(name: &str, reason: Option<&str>) -> Markup {
    html! { @if let Some(reason) = reason { p.fault id={"fault-" (name)} { (reason) "." } } }
}

fn input(control: &Control<'_>, fields: &Fields, complaint: Complaint<'_>) -> Markup {
    let name = control.name;
    let reason = reason(complaint, name);
    let value = fields
        .iter()
        .find(|(field, _)| field == name)
        .map_or("", |(_, value)| value);
    let described = match reason {
        Some(_) => format!("hint-{name} fault-{name}"),
        None => format!("hint-{name}"),
    };
    html! {
        div.choice.field.wrong[reason.is_some()] {
            label for=(name) { (control.label) }
            input id=(name) type="text" name=(name) value=(value) autocomplete="off" required[control.is_required]
                aria-invalid=[reason.map(|_| "true")] aria-describedby=(described);
            p.why id={"hint-" (name)} { (control.hint) }
            (fault(name, reason))
        }
    }
}

fn owners(fields: &Fields, complaint: Complaint<'_>) -> Markup {
    let own = fields.iter().filter(|(name, _)| name == "group");
    let value = own.map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("\n");
    let reason = reason(complaint, "group");
    html! {
        div.choice.field.wrong[reason.is_some()] {
            label for="group" { "Whose stores: owners, one a line" }
            textarea #group name="group" rows="2" aria-describedby="hint-group" { (value) }
            p.why #hint-group { "Empty: all stores." }
            (fault("group", reason))
        }
    }
}

/// A list of things that can be ticked.
fn ticks<'a>(
    name: &str,
    legend: &str,
    choices: impl IntoIterator<Item = (&'a str, &'a str)>,
    fields: &Fields,
    complaint: Complaint<'_>,
) -> Markup {
    let is_ticked = |value: &str| fields.iter().any(|(field, own)| field == name && own == value);
    html! {
        fieldset.owners {
            legend { (legend) }
            @for (number, (value, words)) in choices.into_iter().enumerate() {
                @let id = format!("{name}-{number}");
                p.check {
                    input id=(id) type="checkbox" name=(name) value=(value) checked[is_ticked(value)];
                    label for=(id) { (words) }
                }
            }
            (fault(name, reason(complaint, name)))
        }
    }
}

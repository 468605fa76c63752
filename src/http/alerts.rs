//! Alert rules over HTTP, for admins: those of the configuration, and those that are made here. The page uses the same
//! functions.
//!
//! A rule that is made here is stored as TOML, so it is read by the one reader of rules there is.

use serde_json::{Value, json};

use super::app::App;
use super::body_fields;
use super::request::Request;
use super::response::Response;
use crate::access::Audience;
use crate::alerts::rule::{Rule, When};
use crate::config::alert;
use crate::config::section::Section;
use crate::db::alert_rules::{self, StoredRule};
use crate::error::{Error, ErrorKind, Result};
use crate::uptime::interval::Micros;

/// How the value of a key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Text,
    List,
    Number,
}

/// The keys of `[[alert]]`, in the order in which a rule is written.
const KEYS: [(&str, Shape); 14] = [
    ("name", Shape::Text),
    ("to", Shape::List),
    ("when", Shape::List),
    ("group", Shape::List),
    ("store", Shape::Text),
    ("after", Shape::Text),
    ("silent_gaps", Shape::Number),
    ("group_within", Shape::Text),
    ("quiet_before_close", Shape::Text),
    ("quiet", Shape::Text),
    ("timezone", Shape::Text),
    ("remind", Shape::Text),
    ("escalate_after", Shape::Text),
    ("escalate_to", Shape::List),
];

/// The field that names the rule that another takes the place of.
pub const REPLACES: &str = "replaces";

/// A rule of a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What it says; or why it cannot be read.
    pub rule: std::result::Result<Rule, String>,
    /// Whether it was made here, and not in the configuration.
    pub is_made_here: bool,
}

/// All rules: first those of the configuration.
///
/// # Errors
/// When the database cannot be read.
pub fn all(app: &mut App) -> Result<Vec<Listed>> {
    let fixed = app.site.messaging.get().alerts.clone().into_iter().map(|rule| Listed {
        name: rule.name.clone(),
        rule: Ok(rule),
        is_made_here: false,
    });
    let made = alert_rules::all(app.db()?)?.into_iter();
    let made = made.map(|StoredRule { name, toml, .. }| Listed {
        rule: alert::parse(&toml).map_err(|error| error.message().to_owned()),
        name,
        is_made_here: true,
    });
    Ok(fixed.chain(made).collect())
}

/// The fields of a rule that was made here, as a form has them; none if there is no such rule.
///
/// # Errors
/// When the database cannot be read.
pub fn fields_of(app: &mut App, name: &str) -> Result<Option<Vec<(String, String)>>> {
    let Some(toml) = alert_rules::find(app.db()?, name)? else {
        return Ok(None);
    };
    let mut table = Section::parse("", &toml)?;
    let mut fields = Vec::new();
    for (key, shape) in KEYS {
        let values = match shape {
            Shape::Number => table
                .number(key)?
                .map(|number| number.to_string())
                .into_iter()
                .collect(),
            Shape::Text | Shape::List => table.texts(key)?,
        };
        fields.extend(values.into_iter().map(|value| (key.to_owned(), value)));
    }
    Ok(Some(fields))
}

/// The TOML of a form's fields: an empty one says nothing, and a list has a value a line.
fn toml_of(fields: &[(String, String)]) -> String {
    let mut toml = String::new();
    for (key, shape) in KEYS {
        let own = fields.iter().filter(|(name, _)| name == key);
        let values = own.flat_map(|(_, value)| value.lines()).map(str::trim);
        let values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
        let Some(&first) = values.first() else { continue };
        // A text of JSON is one of TOML.
        let value = match shape {
            Shape::List => json!(values).to_string(),
            Shape::Number if first.bytes().all(|byte| byte.is_ascii_digit()) => first.to_owned(),
            Shape::Number | Shape::Text => json!(first).to_string(),
        };
        toml += &format!("{key} = {value}\n");
    }
    toml
}

/// The key that an error of a rule is about, and the rest of its message.
pub fn key_of(error: &Error) -> (&'static str, &str) {
    let message = error.message();
    let found = message.split_once(": ").and_then(|(key, reason)| {
        let known = KEYS.iter().find(|(known, _)| *known == key)?;
        Some((known.0, reason))
    });
    // What remains is said of names.
    found.unwrap_or(("name", message))
}

/// Makes a rule of a form's fields, or changes the rule `replaced`; returns its name.
///
/// # Errors
/// When the rule is none that can be, it names what is not there, or the database cannot be written.
pub fn make(app: &mut App, fields: &[(String, String)], replaced: Option<String>) -> Result<String> {
    let toml = toml_of(fields);
    let rule = alert::parse(&toml)?;
    let messaging = app.site.messaging.get();
    for (key, names) in [("to", &rule.to), ("escalate_to", &rule.escalate_to)] {
        for name in names {
            let found = messaging.receiver(name);
            found.map_err(|error| Error::invalid(format!("{key}: {}", error.message())))?;
        }
    }
    if messaging.alerts.iter().any(|fixed| fixed.name == rule.name) {
        return Err(alert_rules::taken(&rule.name));
    }
    check_stores(app, &rule.stores)?;
    let (author, name) = (app.author(), rule.name);
    let made = name.clone();
    let written = app
        .site
        .writer
        .try_write(move |db| alert_rules::put(db, &author, &name, &toml, replaced.as_deref()));
    written.map(|()| made)
}

/// Refuses a rule about stores that are not there: it would never say anything.
fn check_stores(app: &mut App, stores: &Audience) -> Result<()> {
    let Some(newest) = app.newest_poll()? else {
        return Ok(());
    };
    let fleet = app.inputs(newest)?.fleet;
    match stores {
        Audience::Store(id) if !fleet.stores().iter().any(|store| *store.id == **id) => Err(Error::invalid(format!(
            "store: there is no store `{}` (GET /api/stores lists all)",
            id.escape_debug()
        ))),
        Audience::Groups(groups) => {
            let (question, _) = super::query::question(app, &Request::new("GET", "/", &mut std::io::empty()))?;
            let view = app.fleet(question)?;
            let known = groups.iter().try_for_each(|group| view.knows(Some(group)));
            known.map_err(|error| match error.kind() {
                ErrorKind::NotFound | ErrorKind::Invalid => Error::invalid(format!("group: {}", error.message())),
                _ => error,
            })
        }
        _ => Ok(()),
    }
}

/// Deletes a rule that was made here.
///
/// # Errors
/// When there is none of that name, or the database cannot be written.
pub fn remove(app: &App, name: &str) -> Result<()> {
    let (author, name) = (app.author(), name.to_owned());
    app.site
        .writer
        .try_write(move |db| alert_rules::remove(db, &author, &name))
}

/// `GET /api/alerts`: the rules, and the names of the receivers.
pub fn list(app: &mut App, _request: &mut Request<'_>) -> Result<Response> {
    let rules: Vec<Value> = all(app)?.iter().map(describe).collect();
    let receivers: Vec<String> = app
        .site
        .messaging
        .get()
        .receivers
        .iter()
        .map(|one| one.name.clone())
        .collect();
    Ok(Response::json(200, &json!({"alerts": rules, "receivers": receivers})))
}

/// `POST /api/alerts`: 201 with the rule.
pub fn add(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    body_fields::take(request, r#"{"name": "kitchens", "to": ["phone"]}"#)?;
    let known: Vec<&str> = KEYS.iter().map(|(key, _)| *key).chain([REPLACES]).collect();
    body_fields::refuse_others(request, &known)?;
    body_fields::refuse_empty(request)?;
    let replaced = request.field(REPLACES)?.map(str::to_owned);
    let fields = request.query.clone();
    let name = make(app, &fields, replaced)?;
    let made = all(app)?
        .into_iter()
        .find(|listed| listed.is_made_here && listed.name == name);
    let made = made.ok_or_else(|| Error::not_found(format!("the alert rule `{name}` was deleted meanwhile")))?;
    Ok(Response::json(201, &describe(&made)))
}

/// `DELETE /api/alerts/NAME`.
pub fn delete(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    remove(app, &request.id)?;
    Ok(Response::json(200, &json!({"name": request.id, "deleted": true})))
}

/// A rule in JSON; lengths are microseconds.
fn describe(listed: &Listed) -> Value {
    let rule = match &listed.rule {
        Ok(rule) => rule,
        Err(error) => return json!({"name": listed.name, "is_made_here": listed.is_made_here, "error": error}),
    };
    let (store, groups) = match &rule.stores {
        Audience::All => (Value::Null, Value::Null),
        Audience::Groups(groups) => (Value::Null, json!(**groups)),
        Audience::Store(store) => (json!(**store), Value::Null),
    };
    let length = |length: Option<Micros>| json!(length);
    json!({
        "name": rule.name,
        "is_made_here": listed.is_made_here,
        "store": store,
        "groups": groups,
        "when": rule.when.iter().map(|when: &When| when.as_str()).collect::<Vec<_>>(),
        "to": rule.to,
        "after_us": length(rule.after),
        "silent_gaps": rule.silent_gaps,
        "group_within_us": rule.group_within,
        "quiet_before_close_us": rule.quiet_before_close,
        "quiet": rule.quiet.map(|quiet| format!(
            "{}-{}", quiet.start_local.format("%H:%M"), quiet.end_local.format("%H:%M")
        )),
        "timezone": rule.quiet.map(|quiet| quiet.zone.name()),
        "remind_us": length(rule.remind),
        "escalate_after_us": length(rule.escalate_after),
        "escalate_to": rule.escalate_to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn a_form_becomes_a_rule_of_the_one_reader() {
        let toml = toml_of(&fields(&[
            ("to", "phone"),
            ("name", "a \"quoted\" \\ name"),
            ("group", "Ann & Bob\r\n\r\n Zoë "),
            ("after", " "),
            ("silent_gaps", "4"),
            ("to", "mail"),
        ]));
        let rule = alert::parse(&toml).unwrap();
        assert_eq!(rule.name, "a \"quoted\" \\ name");
        assert_eq!(rule.to, ["phone", "mail"]);
        assert_eq!(
            rule.stores,
            Audience::of_groups(["Ann & Bob".to_owned(), "Zoë".to_owned()])
        );
        assert_eq!((rule.after, rule.silent_gaps), (None, 4));
    }

    #[test]
    fn an_error_says_which_field_it_is_about() {
        let cases: [(&[(&str, &str)], &str); 7] = [
            (&[("after", "soon")], "after"),
            (&[("silent_gaps", "x")], "silent_gaps"),
            (&[("when", "sunny")], "when"),
            (&[("remind", "1m")], "remind"),
            (&[("quiet", "22:00-22:00"), ("timezone", "Europe/Paris")], "quiet"),
            (&[("timezone", "Europe/Paris")], "timezone"),
            (&[("escalate_after", "1h")], "escalate_to"),
        ];
        for (extra, expected) in cases {
            let toml = toml_of(&fields(&[&[("name", "a"), ("to", "b")], extra].concat()));
            let error = alert::parse(&toml).unwrap_err();
            let (key, reason) = key_of(&error);
            assert_eq!(key, expected, "{error}");
            assert!(!reason.is_empty());
        }
        assert_eq!(key_of(&alert::parse("name = \"a\"").unwrap_err()).0, "to");
        assert_eq!(key_of(&Error::invalid("`-` is no name")), ("name", "`-` is no name"));
    }
}

//! What receivers over HTTP are sent: the JSON of a webhook with its signature, and the headers of ntfy.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{CONTROLS, utf8_percent_encode};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::receiver::Hidden;
use crate::civil::format_rfc3339;
use crate::db::outbox::{Kind, Message};
use crate::uptime::interval::Micros;

/// How many characters Discord takes.
const CONTENT_CHARS_MAX: usize = 2000;

/// How many bytes ntfy takes as a message.
const NTFY_BYTES_MAX: usize = 4096;

/// Words by which chats call everybody: a store's name must not.
const CALLS: [&str; 8] = ["@everyone", "@here", "@channel", "@all", "<!", "<@", "<#", "<users/"];

/// The body of a webhook: the message's facts, and the fields that all messages have.
///
/// Slack and those like it show `text`, Discord and those like it `content`.
pub fn webhook(message: &Message, at: Micros) -> Vec<u8> {
    let mut fields = match serde_json::from_str(&message.facts) {
        Ok(Value::Object(facts)) => facts,
        _ => Map::new(),
    };
    let text = without_calls(&message.text);
    let content = shortened(&text, CONTENT_CHARS_MAX, |text| text.chars().count());
    let own = [
        ("kind", Value::from(message.kind.as_str())),
        ("key", message.key.as_str().into()),
        ("subject", message.subject.as_str().into()),
        ("at", format_rfc3339(at).into()),
        ("content", content.into()),
        ("text", text.into()),
        ("allowed_mentions", serde_json::json!({"parse": []})),
    ];
    fields.extend(own.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(fields).to_string().into_bytes()
}

/// The signature of a body that is sent at `timestamp`, in seconds of Unix time: `v1=` and the HMAC-SHA256 of
/// `timestamp.body`.
pub fn signature(key: &Hidden, timestamp: i64, body: &[u8]) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.reveal().as_bytes()).ok()?;
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    Some(format!("v1={}", HEXLOWER.encode(&mac.finalize().into_bytes())))
}

/// A message's key as the value of a header: other characters than printable ASCII as `%` and two digits.
pub fn header_key(key: &str) -> String {
    utf8_percent_encode(key, CONTROLS).to_string()
}

/// The headers of ntfy: title, priority and tags; and where a click leads, if the facts have an
/// `acknowledge_url` or a `link`.
pub fn ntfy_headers(message: &Message) -> Vec<(&'static str, String)> {
    let (priority, tags) = match message.kind {
        Kind::Alert => ("high", "warning"),
        Kind::Digest => ("default", "bar_chart"),
        Kind::Callback => ("default", "page_facing_up"),
        Kind::Test => ("default", "test_tube"),
    };
    let facts: Option<Value> = serde_json::from_str(&message.facts).ok();
    let linked = |name: &str| facts.as_ref().and_then(|facts| facts[name].as_str());
    let link = linked("acknowledge_url").or_else(|| linked("link"));
    // A header of its own must not come of it.
    let link = link.filter(|link| link.starts_with("http") && link.bytes().all(|byte| byte.is_ascii_graphic()));
    let mut headers = vec![
        ("Title", header_text(&message.subject)),
        ("Priority", priority.to_owned()),
        ("Tags", tags.to_owned()),
    ];
    headers.extend(link.map(|link| ("Click", link.to_owned())));
    headers
}

/// The body of a message to ntfy, which makes an attachment of a longer one.
pub fn ntfy_text(message: &Message) -> String {
    shortened(&message.text, NTFY_BYTES_MAX, str::len)
}

/// A text without line ends and other control characters, so that it is one line wherever it stands.
pub fn one_line(text: &str) -> String {
    let is_break = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let spaced: String = text.chars().map(|c| if is_break(c) { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A text as the value of a header: as it is if it is ASCII, else as RFC 2047 has it.
fn header_text(text: &str) -> String {
    let line = one_line(text);
    if line.is_ascii() && !line.contains("=?") {
        return line;
    }
    let mut encoded = "=?UTF-8?Q?".to_owned();
    for byte in line.bytes() {
        match byte {
            b' ' => encoded.push('_'),
            byte if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            byte => {
                let _ = write!(encoded, "={byte:02X}");
            }
        }
    }
    encoded + "?="
}

/// The text with a character of no width in each word that would call people.
fn without_calls(text: &str) -> String {
    CALLS
        .iter()
        .fold(text.to_owned(), |text, call| match text.contains(call) {
            true => text.replace(call, &format!("{}\u{200b}{}", &call[..1], &call[1..])),
            false => text,
        })
}

/// The text, or as much of its beginning as is `max` long by `measure`, with a sign that there was more.
fn shortened(text: &str, max: usize, measure: impl Fn(&str) -> usize) -> String {
    if measure(text) <= max {
        return text.to_owned();
    }
    let mut end = 0;
    let mut length = measure("…");
    for (place, character) in text.char_indices() {
        let after = place + character.len_utf8();
        length += measure(&text[place..after]);
        if length > max {
            break;
        }
        end = after;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, facts: &str) -> Message {
        Message {
            key: "rule/offline/7".to_owned(),
            receiver: "phone".to_owned(),
            kind: Kind::Alert,
            subject: "1 store is offline".to_owned(),
            text: text.to_owned(),
            html: None,
            facts: facts.to_owned(),
        }
    }

    fn json(message: &Message) -> Value {
        serde_json::from_slice(&webhook(message, 0)).unwrap()
    }

    #[test]
    fn a_webhook_has_the_facts_and_the_fields_of_all_messages() {
        let told = json(&message(
            "Joe's \"Grill\" is offline.",
            r#"{"rule": "all", "key": "other", "stores": ["a"]}"#,
        ));
        assert_eq!(told["text"], "Joe's \"Grill\" is offline.");
        assert_eq!(told["content"], told["text"]);
        assert_eq!((&told["rule"], &told["stores"][0]), (&"all".into(), &"a".into()));
        assert_eq!(told["key"], "rule/offline/7");
        assert_eq!(
            (&told["kind"], &told["at"]),
            (&"alert".into(), &"1970-01-01T00:00:00Z".into())
        );
        assert_eq!(json(&message("a", "no JSON"))["text"], "a");
    }

    #[test]
    fn a_store_called_everyone_calls_nobody() {
        let told = json(&message("@everyone and <!channel> & <@U1> at a@b.c", "{}"));
        let text = told["text"].as_str().unwrap();
        for call in CALLS {
            assert!(!text.contains(call), "{text}");
        }
        assert_eq!(
            text.replace('\u{200b}', ""),
            "@everyone and <!channel> & <@U1> at a@b.c"
        );
        assert_eq!(told["allowed_mentions"], serde_json::json!({"parse": []}));
    }

    #[test]
    fn texts_that_a_receiver_would_refuse_are_shortened() {
        let told = json(&message(&"é".repeat(2001), "{}"));
        assert_eq!(told["content"].as_str().unwrap().chars().count(), 2000);
        assert_eq!(told["text"].as_str().unwrap().chars().count(), 2001);
        let text = ntfy_text(&message(&"é".repeat(2049), "{}"));
        assert!(
            text.len() <= 4096 && text.len() > 4090 && text.ends_with("é…"),
            "{}",
            text.len()
        );
        assert_eq!(ntfy_text(&message(&"e".repeat(4096), "{}")).len(), 4096);
    }

    #[test]
    fn a_signature_is_the_hmac_of_time_and_body() {
        // printf '1700000000.{}' | openssl dgst -sha256 -hmac key
        assert_eq!(
            signature(&Hidden::new("key"), 1_700_000_000, b"{}").unwrap(),
            "v1=9d713ed406bb7076d4123f0dc2c39d2df5c654ed4b0cd56b52c8b4c940bd63ae"
        );
    }

    #[test]
    fn a_title_is_one_line_of_ascii_whatever_a_store_is_called() {
        let title = |subject: &str| {
            let mut message = message("a", r#"{"link": "https://a.example/x?y=1"}"#);
            subject.clone_into(&mut message.subject);
            let headers = ntfy_headers(&message);
            assert_eq!(headers[3], ("Click", "https://a.example/x?y=1".to_owned()));
            headers[0].1.clone()
        };
        assert_eq!(title("1 store is offline"), "1 store is offline");
        assert_eq!(title("a\r\nX-Evil: 1\n\nbody"), "a X-Evil: 1 body");
        assert_eq!(title("Café =?"), "=?UTF-8?Q?Caf=C3=A9_=3D=3F?=");
        assert_eq!(title("a\u{2028}b\u{85}c"), "a b c");
        let links = ["javascript:alert(1)", "https://a.example/\\r\\nX: y", "https://a b/"];
        for link in links {
            let headers = ntfy_headers(&message("a", &format!(r#"{{"link": "{link}"}}"#)));
            assert_eq!(headers.len(), 3, "{link}");
        }
    }
}

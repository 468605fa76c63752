//! A message as e-mail: plain text and HTML, without anything that a mail program would fetch.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use lettre::Message as Mail;
use lettre::message::header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::payload::one_line;
use crate::db::outbox::Message;
use crate::uptime::interval::Micros;

/// Says that nobody wrote it, so that no absence note comes back (RFC 3834).
#[derive(Clone, Debug)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The e-mail for these recipients. The same message has the same `Message-ID`: mail programs drop a second copy.
///
/// # Errors
/// When the sender or a recipient is no address.
pub fn mail(from: &str, to: &[String], message: &Message, at: Micros) -> Result<Mail, Failure> {
    let sender = mailbox(from)?;
    let id = message_id(&message.key, &sender);
    let date = UNIX_EPOCH + Duration::from_micros(u64::try_from(at).unwrap_or(0));
    let mut mail = Mail::builder()
        .from(sender)
        .subject(subject(&message.subject))
        .date(date)
        .message_id(Some(id))
        .header(AutoSubmitted);
    for recipient in to {
        mail = mail.to(mailbox(recipient)?);
    }
    let html = message
        .html
        .clone()
        .unwrap_or_else(|| page(&message.subject, &message.text));
    let parts = MultiPart::alternative()
        .singlepart(part(ContentType::TEXT_PLAIN, without_controls(&message.text)))
        .singlepart(part(ContentType::TEXT_HTML, html));
    mail.multipart(parts)
        .map_err(|error| Failure::never(format!("no e-mail can be made of it: {error}")))
}

/// A subject that reads as it is written: mail programs would decode one that looks encoded, with line ends in it.
fn subject(text: &str) -> String {
    one_line(text).replace("=?", "=\u{200b}?")
}

/// A part whose lines no mail server breaks, whatever characters it has.
fn part(kind: ContentType, text: String) -> SinglePart {
    SinglePart::builder()
        .header(kind)
        .header(ContentTransferEncoding::QuotedPrintable)
        .body(text)
}

/// An address with or without a name before it.
///
/// # Errors
/// When it is none.
pub fn mailbox(text: &str) -> Result<Mailbox, Failure> {
    let parsed = text.parse();
    parsed.map_err(|_| Failure::later(format!("`{text}` is no e-mail address (write it as name@example.com)")))
}

fn message_id(key: &str, sender: &Mailbox) -> String {
    let id = HEXLOWER.encode(&Sha256::digest(key)[..16]);
    let domain = match sender.email.domain() {
        domain if domain.is_ascii() => domain,
        _ => "store-monitor.invalid",
    };
    format!("<{id}@{domain}>")
}

fn without_controls(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect()
}

/// The HTML of a message that has none of its own: its lines, with links that can be followed.
fn page(subject: &str, text: &str) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n</head>\n<body>\n",
        escaped(&one_line(subject))
    );
    let text = without_controls(text);
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let lines: Vec<_> = paragraph.trim_matches('\n').lines().map(line).collect();
        let _ = writeln!(page, "<p>{}</p>", lines.join("<br>\n"));
    }
    page + "</body>\n</html>\n"
}

/// A line as HTML; its addresses of the web are links.
fn line(text: &str) -> String {
    let word = |word: &str| {
        let address = word.trim_end_matches(['.', ',', ')', ';']);
        let rest = &word[address.len()..];
        match address.starts_with("https://") || address.starts_with("http://") {
            true => format!("<a href=\"{0}\">{0}</a>{1}", escaped(address), escaped(rest)),
            false => escaped(word),
        }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::outbox::Kind;

    fn text_of(subject: &str, text: &str) -> String {
        let message = Message {
            key: "rule/offline/7".to_owned(),
            receiver: "owner".to_owned(),
            kind: Kind::Alert,
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: None,
            facts: "{}".to_owned(),
        };
        let to = ["Ada <ada@example.com>".to_owned(), "b@example.com".to_owned()];
        let mail = mail(
            "Store Monitor <alerts@example.com>",
            &to,
            &message,
            1_700_000_000_000_000,
        )
        .unwrap();
        String::from_utf8(mail.formatted()).unwrap()
    }

    #[test]
    fn the_same_message_has_the_same_id_and_date() {
        let text = text_of("1 store is offline", "Pike Place is offline.");
        for line in [
            "From: \"Store Monitor\" <alerts@example.com>",
            "To: Ada <ada@example.com>, b@example.com",
            "Subject: 1 store is offline",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line}: {text}");
        }
        let id = |text: &str| {
            text.split("Message-ID: ")
                .nth(1)
                .unwrap()
                .lines()
                .next()
                .unwrap()
                .to_owned()
        };
        assert!(id(&text).ends_with("@example.com>"));
        assert_eq!(id(&text), id(&text_of("another", "text")));
    }

    #[test]
    fn a_subject_adds_no_header_and_ends_no_head() {
        for subject in [
            "a\r\nBcc: evil@example.com",
            "a\nBcc: evil@example.com",
            "a\rBcc: evil@example.com",
            "a\r\n\r\nbody",
            "a\u{85}Bcc: evil@example.com",
            "Café \u{2028}Bcc: evil@example.com",
        ] {
            let text = text_of(subject, "text");
            let head = text.split("\r\n\r\n").next().unwrap();
            assert!(head.contains("Content-Type: multipart/alternative"), "{head}");
            assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        }
    }

    #[test]
    fn the_html_of_a_text_escapes_it_and_links_its_addresses() {
        assert_eq!(
            page(
                "A & B",
                "Joe's \"Grill\" <b>\nis offline.\n\nSee https://a.example/x?y=1&z=2."
            ),
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>A &amp; B</title>\n</head>\n\
             <body>\n<p>Joe's &quot;Grill&quot; &lt;b&gt;<br>\nis offline.</p>\n\
             <p>See <a href=\"https://a.example/x?y=1&amp;z=2\">https://a.example/x?y=1&amp;z=2</a>.</p>\n\
             </body>\n</html>\n"
        );
    }

    #[test]
    fn what_is_no_address_is_told() {
        for wrong in ["", "ada", "ada@", "@example.com", "a@b\r\nRCPT TO:<c@d>", "a b@c.d"] {
            assert!(mailbox(wrong).is_err(), "{wrong}");
        }
        assert!(mailbox("Ada L. <ada@example.com>").is_ok());
    }
}

//! Any bytes as `Authorization`, `Cookie`, the path of a share link and the form of `/login`: no panic, a secret only
//! where its whole text is, the same again when it is written as clients write it, and no way to another site.

use store_monitor::access::secret::{Kind, Secret};
use store_monitor::http::forms;
use store_monitor::http::proof::{
    ALERT, COOKIE, Carried, SHARE, alerted, own_page, session, shared, token, typed,
};

/// A secret that was found is of this kind, and its text stands in what was sent.
fn check(carried: &Carried, kind: Kind, sent: &str) -> Option<Secret> {
    let Carried::Secret(secret) = carried else {
        return None;
    };
    assert!(secret.kind() == kind && sent.contains(&secret.text()));
    Some(secret.clone())
}

/// Holds the parsers of secrets and of the form of `/login` against one input.
pub fn proofs(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    // A line of the input is a header field.
    let fields: Vec<(String, String)> = text
        .lines()
        .map(|line| line.split_once(':').unwrap_or(("Cookie", line)))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let field = |name: &str, value: String| [(name.to_owned(), value)];
    if let Some(secret) = check(&token(&fields), Kind::Token, &text) {
        let again = field("authorization", format!("bearer {}", secret.text()));
        assert_eq!(token(&again), Carried::Secret(secret));
        let fields_of_it = fields
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("Authorization"));
        assert_eq!(fields_of_it.count(), 1, "one field, or none counts");
    }
    if let Some(secret) = check(&session(&fields), Kind::Session, &text) {
        let again = field("COOKIE", format!("a=b; {COOKIE}={}; c", secret.text()));
        assert_eq!(session(&again), Carried::Secret(secret));
    }
    // Any text after the scheme, and any text as the cookie's value.
    check(
        &token(&field("Authorization", format!("Bearer {text}"))),
        Kind::Token,
        &text,
    );
    check(
        &session(&field("Cookie", format!("{COOKIE}={text}"))),
        Kind::Session,
        &text,
    );
    let target = format!("{SHARE}{text}");
    if let Some(shared) = shared(&target) {
        assert_eq!(
            format!("{}{}", shared.base, shared.rest),
            target,
            "nothing is lost"
        );
        if let Some(secret) = shared.secret {
            assert!(secret.kind() == Kind::Link);
            assert_eq!(shared.base, format!("{SHARE}{}", secret.text()));
        }
    }
    if let Some(Some(secret)) = alerted(&format!("{ALERT}{text}")) {
        assert!(secret.kind() == Kind::Acknowledgement && text.starts_with(&secret.text()));
    }
    log_in(input);
    log_in(format!("next={text}").as_bytes());
    page(&text);
}

/// Any bytes as the form of `/login`.
fn log_in(input: &[u8]) {
    let fields = forms::parse(input);
    let mut encoded = String::new();
    for (name, value) in &fields {
        encoded += if encoded.is_empty() { "" } else { "&" };
        let parts = [name.as_str(), "=", value.as_str()];
        for (place, part) in parts.into_iter().enumerate() {
            match place {
                1 => encoded += part,
                _ => encoded.extend(part.bytes().map(|byte| format!("%{byte:02X}"))),
            }
        }
    }
    assert_eq!(forms::parse(encoded.as_bytes()), fields, "written again");
    for (_, value) in &fields {
        page(value);
        if let Some(secret) = typed(value) {
            assert!(secret.kind() == Kind::Token && value.trim() == secret.text());
        }
    }
}

/// A log-in leads to a path of this server, whole as it was asked for, or to the first page.
fn page(next: &str) {
    let page = own_page(next);
    assert!(page == next || page == "/");
    assert!(page.starts_with('/') && !page.starts_with("//") && !page.contains('\\'));
    assert!(page.bytes().all(|byte| byte.is_ascii_graphic()));
}

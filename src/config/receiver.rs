//! `[[receiver]]`: where messages go. `[smtp]`: the server that takes e-mail.

use std::sync::Arc;

use super::secret_file;
use super::section::Section;
use crate::error::{Error, Result};
use crate::notify::authorities::Authorities;
use crate::notify::email;
use crate::notify::receiver::{MailServer, RECEIVERS_MAX, Receiver, Security, Way, WebAddress};

/// The longest name of a receiver, in characters.
const NAME_CHARS_MAX: usize = 64;

/// How many addresses one receiver of e-mail may have.
const RECIPIENTS_MAX: usize = 50;

/// The mail server that a table describes.
///
/// # Errors
/// When a key is unknown, missing or wrong.
pub fn read_mail_server(mut table: Section) -> Result<MailServer> {
    let host = table.required("host")?;
    if host.is_empty() || host.contains(['/', '@', ' ']) {
        return Err(table.wrong("host", "is no host name (write it as smtp.example.com)"));
    }
    let security = match table.text("security")? {
        None => Security::StartTls,
        Some(word) => {
            let found = Security::ALL.into_iter().find(|security| security.as_str() == word);
            found.ok_or_else(|| table.wrong("security", &format!("`{word}` is none of starttls, tls, none")))?
        }
    };
    let port = match table.number("port")? {
        None => security.port(),
        Some(port) => match u16::try_from(port) {
            Ok(port) if port > 0 => port,
            _ => return Err(table.wrong("port", "is not from 1 to 65535")),
        },
    };
    let from = address(&mut table, "from")?;
    let user = table.text("user")?;
    let login = match (user, secret_file::read(&mut table, "password_file")?) {
        (None, None) => None,
        (Some(user), Some(password)) => Some((user, password)),
        _ => return Err(table.wrong("user", "goes with password_file (write both, or neither)")),
    };
    if login.is_some() && security == Security::None {
        let reason = "would send the password in plain text (write security = \"starttls\" or \"tls\")";
        return Err(table.wrong("user", reason));
    }
    let authorities = authorities(&mut table)?;
    let server = MailServer {
        host,
        port,
        security,
        login,
        from,
        authorities,
        allow_private: table.flag("allow_private")?.unwrap_or(false),
    };
    table.finish()?;
    Ok(server)
}

fn authorities(table: &mut Section) -> Result<Option<Authorities>> {
    let Some(path) = table.text("ca_file")? else {
        return Ok(None);
    };
    let pem = secret_file::bytes(table, "ca_file", &path)?;
    let found = Authorities::parse(pem).map_err(|reason| table.wrong("ca_file", &format!("{path} {reason}")))?;
    Ok(Some(found))
}

fn address(table: &mut Section, key: &'static str) -> Result<String> {
    let text = table.required(key)?;
    match email::mailbox(&text) {
        Ok(_) => Ok(text),
        Err(failure) => Err(table.wrong(key, &failure.reason)),
    }
}

/// The receiver that a table describes; e-mail goes by `server`. None where that is missing because its own table,
/// which is there, is wrong.
///
/// # Errors
/// When a key is unknown, missing or wrong.
pub fn read(mut table: Section, server: Option<&Arc<MailServer>>, has_server: bool) -> Result<Option<Receiver>> {
    let name = table.required("name")?;
    let is_long = name.chars().count() > NAME_CHARS_MAX;
    if name.trim().is_empty() || is_long || name.chars().any(char::is_control) {
        let reason = format!("must have from 1 to {NAME_CHARS_MAX} characters, all printable");
        return Err(table.wrong("name", &reason));
    }
    let allow_private = table.flag("allow_private")?.unwrap_or(false);
    let webhook = web_address(&mut table, "webhook", allow_private)?;
    let hidden = secret_file::read(&mut table, "webhook_file")?;
    let hidden = match hidden {
        None => None,
        Some(text) => Some(checked(&table, "webhook_file", text.reveal(), allow_private)?),
    };
    let ntfy = web_address(&mut table, "ntfy", allow_private)?;
    let to = table.texts("email")?;
    let key = secret_file::read(&mut table, "secret_file")?;
    let token = secret_file::read(&mut table, "token_file")?;
    let has = (key.is_some(), token.is_some());
    let authorities = authorities(&mut table)?;
    let mut way = match (webhook, hidden, ntfy, to.is_empty()) {
        (Some(address), None, None, true) | (None, Some(address), None, true) => Way::Webhook { address, key },
        (None, None, Some(address), true) => Way::Ntfy { address, token },
        (None, None, None, false) if has_server && server.is_none() => return Ok(None),
        (None, None, None, false) => by_email(&table, to, server)?,
        _ => {
            let reason = format!("`{name}` must have one of webhook, webhook_file, ntfy and email (write exactly one)");
            return Err(table.wrong("name", &reason));
        }
    };
    match (has, &way) {
        ((true, _), Way::Ntfy { .. } | Way::Email { .. }) => {
            return Err(table.wrong("secret_file", "is the key of a webhook's signature (remove it)"));
        }
        ((_, true), Way::Webhook { .. } | Way::Email { .. }) => {
            return Err(table.wrong("token_file", "is the token of an ntfy topic (remove it)"));
        }
        _ => {}
    }
    if authorities.is_some() {
        match &mut way {
            Way::Webhook { address, .. } | Way::Ntfy { address, .. } if address.is_encrypted => {
                address.authorities = authorities;
            }
            Way::Webhook { .. } | Way::Ntfy { .. } => {
                return Err(table.wrong("ca_file", "is for an address that begins with https:// (remove it)"));
            }
            Way::Email { .. } => return Err(table.wrong("ca_file", "of e-mail stands in [smtp] (move it there)")),
        }
    }
    table.finish()?;
    Ok(Some(Receiver {
        name,
        way,
        allow_private,
    }))
}

fn web_address(table: &mut Section, key: &'static str, allow_private: bool) -> Result<Option<WebAddress>> {
    match table.text(key)? {
        None => Ok(None),
        Some(text) => checked(table, key, &text, allow_private).map(Some),
    }
}

fn checked(table: &Section, key: &str, text: &str, allow_private: bool) -> Result<WebAddress> {
    let address = WebAddress::parse(text).map_err(|reason| table.wrong(key, reason))?;
    if !address.is_encrypted && !allow_private {
        let reason = "is not encrypted (write https://, or allow_private = true if it is in your own network)";
        return Err(table.wrong(key, reason));
    }
    Ok(address)
}

fn by_email(table: &Section, to: Vec<String>, server: Option<&Arc<MailServer>>) -> Result<Way> {
    if to.len() > RECIPIENTS_MAX {
        return Err(table.wrong(
            "email",
            &format!("has more than {RECIPIENTS_MAX} addresses (use a list of the mail server)"),
        ));
    }
    for text in &to {
        email::mailbox(text).map_err(|failure| table.wrong("email", &failure.reason))?;
    }
    match server {
        Some(server) => Ok(Way::Email {
            to,
            server: Arc::clone(server),
        }),
        None => Err(table.wrong("email", "needs a mail server (add [smtp] with host and from)")),
    }
}

/// Refuses more receivers than there may be.
///
/// # Errors
/// When there are.
pub fn check_count(receivers: &[Receiver]) -> Result<()> {
    match receivers.len() > RECEIVERS_MAX {
        true => Err(Error::invalid(format!(
            "there are more than {RECEIVERS_MAX} receivers (a receiver of e-mail may have several addresses)"
        ))),
        false => Ok(()),
    }
}

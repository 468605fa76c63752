//! Sends e-mail to the mail server of the configuration.
//!
//! Its name is resolved and judged here; the connection is to the address that was judged, and the certificate must be
//! for the name. Nothing is said in plain text that the configuration wants protected.

use std::time::Duration;

use lettre::Message as Mail;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, SmtpConnection, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail as From, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};

use super::email;
use super::failure::Failure;
use super::payload::one_line;
use super::reach;
use super::receiver::{MailServer, Security};
use crate::db::outbox::Message;
use crate::uptime::interval::Micros;

/// How long a mail server may take for each step.
const STEP_WITHIN: Duration = Duration::from_secs(20);

/// How much of a mail server's words an error tells.
const WORDS_CHARS_MAX: usize = 200;

/// Sends a message as one e-mail to all recipients. Returns what is to be told beside: recipients that the server
/// refused for good. If it refuses one for now, nobody gets the e-mail yet.
///
/// # Errors
/// When it did not arrive at anybody, as far as the mail server tells.
pub fn to_recipients(
    server: &MailServer,
    allow_private: bool,
    to: &[String],
    message: &Message,
    at: Micros,
) -> Result<Option<String>, Failure> {
    let mail = email::mail(&server.from, to, message, at)?;
    let mut connection = connect(server, allow_private || server.allow_private)?;
    let outcome = deliver(&mut connection, &mail);
    match &outcome {
        // What comes after the e-mail was taken does not matter any more.
        Ok(_) => drop(connection.quit()),
        Err(_) => connection.abort(),
    }
    outcome
}

fn connect(server: &MailServer, allow_private: bool) -> Result<SmtpConnection, Failure> {
    let found = reach::resolve(&server.host, server.port)?;
    let allowed = reach::allowed(&server.host, found, allow_private);
    let addresses = allowed.map_err(|refused| Failure::later(format!("[smtp]: {refused}")))?;
    let cannot = |error: Error| Failure::later(format!("the mail server {}: {}", server.host, words(&error)));
    let tls = match server.security {
        Security::None => None,
        Security::StartTls | Security::Tls => Some(parameters(server).map_err(cannot)?),
    };
    let at_once = tls.as_ref().filter(|_| server.security == Security::Tls);
    let name = ClientId::default();
    let mut connection =
        SmtpConnection::connect(&addresses[..], Some(STEP_WITHIN), &name, at_once, None).map_err(cannot)?;
    if let (Security::StartTls, Some(tls)) = (server.security, &tls) {
        connection.starttls(tls, &name).map_err(cannot)?;
    }
    if let Some((user, password)) = &server.login {
        let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
        // Its words are not told: they answer to a password.
        connection
            .auth(&[Mechanism::Plain, Mechanism::Login], &credentials)
            .map_err(|error| Failure::later(refused_login(server, user, &error)))?;
    }
    Ok(connection)
}

fn refused_login(server: &MailServer, user: &str, error: &Error) -> String {
    let code = error.status().map_or(String::new(), |code| format!(" with {code}"));
    format!(
        "the mail server {} refuses the log-in of {user}{code} (correct user or password_file of [smtp])",
        server.host
    )
}

fn parameters(server: &MailServer) -> Result<TlsParameters, Error> {
    let mut builder = TlsParametersBuilder::new(server.host.trim_matches(['[', ']']).to_owned())
        .certificate_store(CertificateStore::WebpkiRoots);
    if let Some(authorities) = &server.authorities {
        builder = builder.add_root_certificate(Certificate::from_pem(authorities.pem())?);
    }
    builder.build()
}

fn deliver(connection: &mut SmtpConnection, mail: &Mail) -> Result<Option<String>, Failure> {
    let envelope = mail.envelope();
    let mut parameters = Vec::new();
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    if !addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii()) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Failure::never("the mail server takes no address that is not ASCII"));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    connection
        .command(From::new(envelope.from().cloned(), parameters))
        .map_err(|error| Failure::later(format!("the mail server refuses the sender: {}", words(&error))))?;
    let mut refused = Vec::new();
    for recipient in envelope.to() {
        match connection.command(Rcpt::new(recipient.clone(), Vec::new())) {
            Ok(_) => {}
            Err(error) if error.is_permanent() => refused.push(format!("{recipient} ({})", words(&error))),
            Err(error) => return Err(told(&format!("does not take mail for {recipient} now"), &error)),
        }
    }
    if refused.len() == envelope.to().len() {
        let _ = connection.command(Rset);
        return Err(Failure::never(format!(
            "the mail server refuses {}",
            refused.join(", ")
        )));
    }
    connection
        .command(Data)
        .map_err(|error| told("takes no mail", &error))?;
    connection
        .message(&mail.formatted())
        .map_err(|error| told("refuses the mail", &error))?;
    Ok((!refused.is_empty()).then(|| format!("sent, but not to {}", refused.join(", "))))
}

/// An answer that a mail server gave to a mail: one of 5xx is about this mail, and would come each time.
fn told(what: &str, error: &Error) -> Failure {
    let reason = format!("the mail server {what}: {}", words(error));
    match error.is_permanent() {
        true => Failure::never(reason),
        false => Failure::later(reason),
    }
}

/// The words of an error and its causes, in one line.
fn words(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    one_line(&text).chars().take(WORDS_CHARS_MAX).collect()
}

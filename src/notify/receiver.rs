//! Receivers: where messages go, and by which way.
//!
//! Passwords, keys and the addresses of webhooks are secrets: `Debug` hides them, and no error names them.

use std::fmt;
use std::sync::Arc;

use ureq::http::Uri;

use super::authorities::Authorities;

/// How many receivers there may be: each may be sent to by a thread of its own.
pub const RECEIVERS_MAX: usize = 64;

/// A text that no log, error or page may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the receiver alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden")
    }
}

/// The address of a webhook or an ntfy topic. What follows its host may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
    url: Hidden,
    /// The host, as it is written.
    pub host: String,
    /// Whether it is `https`.
    pub is_encrypted: bool,
    /// The authorities that alone are trusted; none: the well-known ones.
    pub authorities: Option<Authorities>,
}

impl WebAddress {
    /// The address that a text is.
    ///
    /// # Errors
    /// What is wrong with it, without the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let expected = "is no address (write it as https://host/path)";
        if !text.is_ascii() || text.contains('#') {
            return Err(expected);
        }
        let uri: Uri = text.parse().map_err(|_| expected)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(expected);
        };
        if authority.as_str().contains('@') {
            return Err("has a user or a password in it (leave them away; a webhook is proved by its secret_file)");
        }
        if authority.host().is_empty() || !matches!(scheme, "http" | "https") {
            return Err(expected);
        }
        Ok(Self {
            host: authority.host().to_owned(),
            is_encrypted: scheme == "https",
            authorities: None,
            url: Hidden::new(text),
        })
    }

    /// The whole address, for the client alone.
    pub fn url(&self) -> &str {
        self.url.reveal()
    }
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// By TLS once it stands; without STARTTLS nothing is sent.
    StartTls,
    /// By TLS from its first byte.
    Tls,
    /// Not at all.
    None,
}

impl Security {
    /// All.
    pub const ALL: [Self; 3] = [Self::StartTls, Self::Tls, Self::None];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StartTls => "starttls",
            Self::Tls => "tls",
            Self::None => "none",
        }
    }

    /// The port of a server, unless the configuration names another.
    pub const fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// `[smtp]`: the server that takes e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    /// Its host name, which its certificate must be for.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// User and password, if it wants them.
    pub login: Option<(String, Hidden)>,
    /// The sender, such as `Store Monitor <alerts@example.com>`.
    pub from: String,
    /// The authorities that are trusted beside the well-known ones.
    pub authorities: Option<Authorities>,
    /// Whether it may be in a private network.
    pub allow_private: bool,
}

/// By which way messages reach a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// A JSON body to an address.
    Webhook {
        /// The address.
        address: WebAddress,
        /// The key of signatures, if messages are signed.
        key: Option<Hidden>,
    },
    /// A topic of ntfy.
    Ntfy {
        /// The address of the topic.
        address: WebAddress,
        /// The access token, if the topic needs one.
        token: Option<Hidden>,
    },
    /// E-mail.
    Email {
        /// The recipients.
        to: Vec<String>,
        /// The server that takes it.
        server: Arc<MailServer>,
    },
}

/// A receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its name, by which alerts and digests call it.
    pub name: String,
    /// How it is reached.
    pub way: Way,
    /// Whether it may be in a private network, or on this machine.
    pub allow_private: bool,
}

impl Receiver {
    /// Where its messages go, without a secret: the kind and the host, or the recipients.
    pub fn place(&self) -> String {
        match &self.way {
            Way::Webhook { address, .. } => format!("webhook at {}", address.host),
            Way::Ntfy { address, .. } => format!("ntfy at {}", address.host),
            Way::Email { to, .. } => format!("e-mail to {}", to.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_scheme_and_a_host_and_shows_neither_path_nor_query() {
        let address = WebAddress::parse("https://hooks.example.com/T0/B0/s3cret?x=s3cret").unwrap();
        assert_eq!(
            (address.host.as_str(), address.is_encrypted),
            ("hooks.example.com", true)
        );
        assert!(!format!("{address:?}").contains("s3cret"));
        assert_eq!(address.url(), "https://hooks.example.com/T0/B0/s3cret?x=s3cret");
        assert_eq!(WebAddress::parse("http://[::1]:80/").unwrap().host, "[::1]");
        for wrong in [
            "",
            "hooks.example.com",
            "ftp://a/b",
            "https://",
            "https:///path",
            "https://user:s3cret@a/b",
            "https://a/b c",
            "https://a/\r\nX: y",
            "https://é.example/",
            "https://a/#b",
        ] {
            let refused = WebAddress::parse(wrong).unwrap_err();
            assert!(!refused.contains("s3cret"), "{wrong}");
        }
    }
}

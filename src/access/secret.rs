//! Secrets: 256 random bits behind a prefix that scanners of leaked secrets can look for.
//!
//! A secret is shown once. What is stored, and compared in constant time, is its SHA-256: 256 random bits need no slow
//! hash.

use std::fmt;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A token, which a program sends with each request and a person sends once to log in.
    Token,
    /// A session of a browser that has logged in.
    Session,
    /// A share link.
    Link,
    /// The link of an alert, by which its receiver acknowledges it.
    Acknowledgement,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Token, Self::Session, Self::Link, Self::Acknowledgement];

    /// The beginning of its secrets.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Token => "smt_",
            Self::Session => "sms_",
            Self::Link => "sml_",
            Self::Acknowledgement => "sma_",
        }
    }
}

/// The length of a secret in bytes, after its prefix.
const BYTES: usize = 32;

/// A secret. Its text is for the client alone: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    kind: Kind,
    bytes: [u8; BYTES],
}

/// The SHA-256 of a secret's text.
#[derive(Clone, Copy, Eq)]
pub struct Hash([u8; 32]);

impl Secret {
    /// A new secret from the system's random numbers.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn new(kind: Kind) -> Result<Self, getrandom::Error> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self { kind, bytes })
    }

    /// The secret that a text is; none if it is not one, exactly as it was shown.
    pub fn parse(text: &str) -> Option<Self> {
        let kind = Kind::ALL.into_iter().find(|kind| text.starts_with(kind.prefix()))?;
        let digits = text.as_bytes().get(kind.prefix().len()..)?;
        let mut bytes = [0; BYTES];
        if digits.len() != 2 * BYTES {
            return None;
        }
        HEXLOWER.decode_mut(digits, &mut bytes).ok()?;
        Some(Self { kind, bytes })
    }

    /// What it is for.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its text, to be shown once.
    pub fn text(&self) -> String {
        format!("{}{}", self.kind.prefix(), HEXLOWER.encode(&self.bytes))
    }

    /// What is stored of it.
    pub fn hash(&self) -> Hash {
        // Its text, laid out without allocating: each request with a token comes here.
        let mut digits = [0; 2 * BYTES];
        HEXLOWER.encode_mut(&self.bytes, &mut digits);
        let hash = Sha256::new_with_prefix(self.kind.prefix()).chain_update(digits);
        Hash(hash.finalize().into())
    }

    /// A second secret that follows from it for one use, and from which it cannot be found: 128 bits as text.
    pub fn derived(&self, used_for: &str) -> String {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(used_for)
            .chain_update([0])
            .chain_update(self.text())
            .finalize()
            .into();
        HEXLOWER.encode(&hash[..16])
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}…", self.kind.prefix())
    }
}

impl Hash {
    /// The hash that these stored bytes are; none if they are too few or too many.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its bytes, as stored.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its first eight bytes, by which its credential is looked up: they tell nothing of the secret.
    pub fn index(&self) -> u64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_le_bytes(first)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&HEXLOWER.encode(&self.0[..4]))
    }
}

/// In constant time.
impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Whether two texts are equal, in a time that depends on their lengths alone.
pub fn is_same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_recognised_as_it_was_shown_and_in_no_other_form() {
        for kind in Kind::ALL {
            let secret = Secret::new(kind).unwrap();
            let text = secret.text();
            assert_eq!(text.len(), 4 + 64);
            assert_eq!(Secret::parse(&text), Some(secret.clone()));
            assert_eq!(Secret::parse(&text).unwrap().hash(), secret.hash());
            assert_eq!(secret.hash().bytes()[..], Sha256::digest(&text)[..]);
            assert_ne!(Secret::new(kind).unwrap().hash(), secret.hash());
            let others = [
                text.to_uppercase(),
                format!("{text}0"),
                text[..text.len() - 1].to_owned(),
                format!(" {text}"),
                text[4..].to_owned(),
                text.replace("sm", "sn"),
            ];
            for other in others {
                assert_eq!(Secret::parse(&other), None, "{other}");
            }
            assert!(!format!("{secret:?}").contains(&text[4..10]), "no log may have it");
        }
        assert_eq!(Secret::parse("smt_é"), None);
        assert_eq!(Secret::parse(""), None);
    }

    #[test]
    fn a_derived_secret_is_of_its_use() {
        let secret = Secret::new(Kind::Session).unwrap();
        assert_eq!(secret.derived("a"), secret.derived("a"));
        assert_ne!(secret.derived("a"), secret.derived("b"));
        assert!(is_same("ab", "ab") && !is_same("ab", "ac") && !is_same("ab", "abc"));
    }
}

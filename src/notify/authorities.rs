//! Authorities that an operator trusts, from a `ca_file`: those of a network's own receivers and mail server.

use ureq::tls::{Certificate, PemItem, parse_pem};

/// Certificates in PEM, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities(Vec<u8>);

impl Authorities {
    /// The certificates of a file.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse(pem: Vec<u8>) -> Result<Self, &'static str> {
        let authorities = Self(pem);
        match authorities.certificates().is_empty() {
            true => Err("has no certificate in PEM (it begins with -----BEGIN CERTIFICATE-----)"),
            false => Ok(authorities),
        }
    }

    /// The file.
    pub fn pem(&self) -> &[u8] {
        &self.0
    }

    /// The certificates, for the client of HTTP.
    pub fn certificates(&self) -> Vec<Certificate<'static>> {
        let certificate = |item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        };
        parse_pem(&self.0).filter_map(certificate).collect()
    }
}

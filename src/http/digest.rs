//! The digest over HTTP: of a week, a month or a day, of the stores that exist for the visitor.

use serde_json::Value;

use super::app::App;
use super::query;
use super::request::Request;
use super::response::Response;
use crate::access::Scope;
use crate::error::{Error, Result};
use crate::jobs::digest::{self, Digest, DigestPeriod, Style, Told, Wanted};
use crate::uptime::period::By;
use crate::uptime::report::Question;

/// The fields that name a period; one of them at most.
pub const PERIODS: [By; 3] = [By::Week, By::Month, By::Day];

/// A digest, and all that was asked for.
#[derive(Debug)]
pub struct Answered {
    /// What was asked for.
    pub wanted: Wanted,
    /// The instant and the rule.
    pub question: Question,
    /// The digest.
    pub digest: Digest,
    /// Its words.
    pub told: Told,
}

impl Answered {
    /// The answer to the query of `request`. Without a period it is of the last whole week.
    ///
    /// # Errors
    /// When the query is malformed, or there is no such store or owner.
    pub fn new(app: &mut App, request: &Request<'_>) -> Result<Self> {
        let (question, _) = query::question(app, request)?;
        let mut period: Option<DigestPeriod> = None;
        for by in PERIODS {
            if let Some(name) = request.field(by.as_str())? {
                if period.is_some() {
                    return Err(Error::invalid("a digest has one period (give week, month or day)"));
                }
                // A week and a month are told apart by their names.
                period = Some(digest::period(by_name(by, name), name)?);
            }
        }
        let period = match period {
            Some(period) => period,
            None => {
                let (db, hot, audience) = app.window()?;
                digest::newest_whole(db, (&hot, &audience), By::Week, question.as_of)?
            }
        };
        let own = |text: &str| text.to_owned();
        let wanted = Wanted {
            period,
            store: request.field("store")?.map(own),
            group: request.field("group")?.map(own),
        };
        let (digest, told) = made(app, &wanted, question)?;
        Ok(Self {
            wanted,
            question,
            digest,
            told,
        })
    }

    /// The query of the same digest of another period.
    pub fn query(&self, period: &DigestPeriod) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(period.by.as_str(), &period.name());
        for (name, value) in [("store", &self.wanted.store), ("group", &self.wanted.group)] {
            query.extend_pairs(value.iter().map(|value| (name, value)));
        }
        query.finish()
    }

    fn facts(&self) -> Value {
        digest::facts(&self.digest, &self.told, self.question.rule)
    }
}

fn by_name(field: By, name: &str) -> By {
    match field {
        By::Day | By::Total => By::Day,
        By::Week | By::Month if name.contains('W') => By::Week,
        By::Week | By::Month => By::Month,
    }
}

/// The digest of stores that exist for the visitor, and its words. Receivers are an admin's business.
fn made(app: &mut App, wanted: &Wanted, question: Question) -> Result<(Digest, Told)> {
    let style = Style {
        locale: app.site.locale,
        currency: app.site.currency.clone(),
    };
    let (target, is_admin) = (app.site.target, app.visitor.may(Scope::Admin));
    let (db, hot, audience) = app.window()?;
    let found = digest::make(db, (&hot, &audience), wanted, question, target)?;
    let is_of_all = audience.is_all() && wanted.store.is_none() && wanted.group.is_none();
    let undelivered = match is_of_all && is_admin {
        true => digest::undelivered(db, &wanted.period)?,
        false => Vec::new(),
    };
    let whose = digest::whose(&found, wanted, &audience);
    let told = Told::new(&found, whose.as_deref(), question.rule, &style, &undelivered);
    Ok((found, told))
}

/// `GET /api/digest`.
pub fn get(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    Ok(Response::json(200, &Answered::new(app, request)?.facts()).revalidated())
}

//! A page's query: the instant, the rule and the owner that it was asked for. Every link of a page carries it, so
//! that no click returns to another instant.

use super::query;
use super::request::Request;
use crate::civil;
use crate::error::Result;
use crate::uptime::business_hours::ZoneTable;
use crate::uptime::interval::{DAY, Interval, Micros, SECOND};
use crate::uptime::timeline::Interpolation;

/// The field of a form with an instant by a wall clock; [`PageQuery::moved`] makes `as_of` of it.
pub const LOCAL: &str = "as_of_local";

/// The instant, the rule and the owner in a page's query; none where the query does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// The instant.
    pub as_of: Option<Micros>,
    /// The rule, unless it is the default.
    pub rule: Option<Interpolation>,
    /// The owner.
    pub group: Option<String>,
}

impl PageQuery {
    /// The query of a request. A malformed field counts as missing: the page's handler refuses it.
    pub fn of(request: &Request<'_>) -> Self {
        let field = |name| request.field(name).ok().flatten();
        let rule = query::rule(request).unwrap_or_default();
        Self {
            as_of: field("as_of").and_then(|text| civil::parse_query_instant(text).ok()),
            rule: (rule != Interpolation::default()).then_some(rule),
            group: field("group").map(str::to_owned),
        }
    }

    /// The same query at the newest instant.
    #[must_use]
    pub fn newest(&self) -> Self {
        Self {
            as_of: None,
            ..self.clone()
        }
    }

    /// The same query by another rule.
    #[must_use]
    pub fn by(&self, rule: Interpolation) -> Self {
        Self {
            rule: (rule != Interpolation::default()).then_some(rule),
            ..self.clone()
        }
    }

    /// The same query for an owner, or for all.
    #[must_use]
    pub fn owned_by(&self, group: Option<&str>) -> Self {
        Self {
            group: group.map(str::to_owned),
            ..self.clone()
        }
    }

    /// The fields of the query, with their values.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = Vec::new();
        if let Some(group) = &self.group {
            fields.push(("group", group.clone()));
        }
        if let Some(as_of) = self.as_of {
            fields.push(("as_of", civil::format_rfc3339(as_of)));
        }
        if let Some(rule) = self.rule {
            fields.push(("interpolation", rule.as_str().to_owned()));
        }
        fields
    }

    /// A link to `path`, which may have a query of its own. A field that it names itself is not added.
    pub fn link(&self, path: &str) -> String {
        let (bare, fragment) = path.find('#').map_or((path, ""), |at| path.split_at(at));
        let mut link = bare.to_owned();
        for (name, value) in self.fields() {
            let own = bare.split_once('?').map_or("", |(_, query)| query);
            if own.split('&').any(|field| field.split('=').next() == Some(name)) {
                continue;
            }
            link.push(if link.contains('?') { '&' } else { '?' });
            link.push_str(name);
            link.push('=');
            // Colons may stand in a query, and an instant is easier to read with them.
            match name {
                "as_of" => link.push_str(&value),
                _ => link.extend(form_urlencoded::byte_serialize(value.as_bytes())),
            }
        }
        link + fragment
    }

    /// Where a form with an instant by the wall clock of `zone` leads: the same page, with `as_of` in its query. None
    /// for a request without that field.
    ///
    /// # Errors
    /// When the field is not a wall time.
    pub fn moved(request: &Request<'_>, zone: chrono_tz::Tz) -> Result<Option<String>> {
        if !request.query.iter().any(|(name, _)| name == LOCAL) {
            return Ok(None);
        }
        let asked = Self::of(request);
        let as_of = match request.field(LOCAL)? {
            // The control shows no fraction of a second: what it was filled with stands for the exact instant.
            Some(text) if asked.as_of.is_some_and(|at| local(at, zone) == text) => asked.as_of,
            Some(text) => Some(instant(text, zone)?),
            None => None,
        };
        Ok(Some(Self { as_of, ..asked }.link(&bare(request))))
    }
}

/// The request's path, with the fields of its query that [`PageQuery`] has not.
pub fn bare(request: &Request<'_>) -> String {
    let own = ["group", "as_of", "interpolation", LOCAL];
    let kept = request.query.iter();
    let kept = kept.filter(|(name, value)| !value.is_empty() && !own.contains(&name.as_str()));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(kept);
    match query.finish().as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    }
}

/// The wall time of an instant as a form's control has it: `2026-11-07T15:05`, with seconds if there are any.
pub fn local(at: Micros, zone: chrono_tz::Tz) -> String {
    let wall = ZoneTable::new(zone, Interval::new(at - DAY, at + DAY)).wall(at);
    let whole = wall.div_euclid(SECOND) * SECOND;
    let text = civil::format_rfc3339(whole);
    let text = text.trim_end_matches('Z');
    text.strip_suffix(":00").unwrap_or(text).to_owned()
}

/// The instant of such a wall time.
///
/// # Errors
/// When it is neither a wall time nor an instant.
pub fn instant(text: &str, zone: chrono_tz::Tz) -> Result<Micros> {
    let wall = text.split_once(['T', ' ']).and_then(|(day, time)| {
        let time = civil::parse_local_time(time)?;
        Some(civil::parse_day(day).ok()? * DAY + time.us_local)
    });
    match wall {
        Some(wall) => Ok(ZoneTable::new(zone, Interval::new(wall - DAY, wall + DAY)).instant(wall)),
        // A query that was written by hand may have an instant.
        None => civil::parse_query_instant(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Tz;

    fn asked(target: &str) -> (PageQuery, Option<String>) {
        let mut body = std::io::empty();
        let request = Request::new("GET", target, &mut body);
        let moved = PageQuery::moved(&request, Tz::America__Chicago).expect("a wall time");
        (PageQuery::of(&request), moved)
    }

    #[test]
    fn every_link_carries_the_query() {
        let (query, _) = asked("/?as_of=2026-11-07T21:05:00Z&group=A+%26+B&interpolation=previous");
        let all = "group=A+%26+B&as_of=2026-11-07T21:05:00Z&interpolation=previous";
        assert_eq!(query.link("/stores"), format!("/stores?{all}"));
        assert_eq!(query.link("/stores?q=a#top"), format!("/stores?q=a&{all}#top"));
        assert_eq!(
            query.link("/?group=C"),
            "/?group=C&as_of=2026-11-07T21:05:00Z&interpolation=previous"
        );
        assert_eq!(query.newest().by(Interpolation::Nearest).link("/"), "/?group=A+%26+B");
        assert_eq!(
            query.owned_by(None).newest().by(Interpolation::default()).link("/"),
            "/"
        );
    }

    #[test]
    fn a_wall_time_becomes_an_instant_and_an_empty_one_the_newest() {
        let moved = |target| asked(target).1;
        let to = |link: &str| Some(link.to_owned());
        assert_eq!(moved("/?as_of=2026-11-07T21:05:00Z"), None);
        assert_eq!(
            moved("/stores?q=a+b&state=&as_of_local=2026-11-07T15:05"),
            to("/stores?q=a+b&as_of=2026-11-07T21:05:00Z")
        );
        assert_eq!(
            moved("/?group=A&as_of=2026-11-07T21:05:00Z&as_of_local="),
            to("/?group=A")
        );
        // Twice that morning: the first.
        assert_eq!(
            moved("/?as_of_local=2026-11-01T01:30"),
            to("/?as_of=2026-11-01T06:30:00Z")
        );
        assert_eq!(
            moved("/?as_of=2026-11-07T21:05:07.25Z&as_of_local=2026-11-07T15:05:07"),
            to("/?as_of=2026-11-07T21:05:07.25Z")
        );
    }
}

//! `GET /api/incidents`, and the same as CSV: the incidents of the fleet, the newest first.

use serde_json::{Value, json};

use super::app::App;
use super::json::{self, number};
use super::page_query::PageQuery;
use super::query;
use super::query_fields::{OFFSET_MAX, PAGE_LINES_MAX};
use super::request::Request;
use super::response::Response;
use super::spreadsheet;
use crate::civil;
use crate::db::incident_reasons::{Note, Reasons};
use crate::error::{Error, Result};
use crate::fleet_view::FleetView;
use crate::fleet_view::incidents::{Cause, FleetIncident};
use crate::uptime::hundredths::format as amount;
use crate::uptime::interval::Micros;
use crate::uptime::row::hours;
use crate::uptime::window::Unit;

/// How many incidents an answer has by default.
const PAGE_INCIDENTS: usize = 100;

/// The filters and the page of a list of incidents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentQuery {
    /// Words of the store's name, owner or id.
    pub text: String,
    /// The owner; none for all.
    pub group: Option<String>,
    /// Only those that go on, or only those that ended.
    pub open: Option<bool>,
    /// Only those of the shared causes that begin at this instant.
    pub cause: Option<Micros>,
    /// How many are skipped.
    pub offset: usize,
    /// How many are shown, at most.
    pub limit: usize,
}

impl IncidentQuery {
    /// The list in the query; its limit is `limit_default` unless given, and at most `limit_max`.
    ///
    /// # Errors
    /// When the query is malformed.
    pub fn read(request: &Request<'_>, limit_default: usize, limit_max: usize) -> Result<Self> {
        let open = match request.field("state")? {
            None => None,
            Some("ongoing") => Some(true),
            Some("ended") => Some(false),
            Some(other) => return Err(query::unknown("state", other, "`ongoing` or `ended`")),
        };
        Ok(Self {
            text: request.field("q")?.unwrap_or_default().to_owned(),
            group: request.field("group")?.map(str::to_owned),
            open,
            cause: request.field("cause")?.map(civil::parse_query_instant).transpose()?,
            offset: query::number(request, "offset", 0..=OFFSET_MAX, 0)?,
            limit: query::number(request, "limit", 1..=limit_max, limit_default)?,
        })
    }

    /// The same list as a query, without fields that have their default and without the owner.
    pub fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if !self.text.is_empty() {
            query.append_pair("q", &self.text);
        }
        if let Some(open) = self.open {
            query.append_pair("state", if open { "ongoing" } else { "ended" });
        }
        if let Some(cause) = self.cause {
            query.append_pair("cause", &civil::format_rfc3339(cause));
        }
        if self.offset > 0 {
            query.append_pair("offset", &self.offset.to_string());
        }
        query.finish()
    }

    /// The list's incidents, the newest first.
    ///
    /// # Errors
    /// When there is no such owner.
    pub fn select<'a>(&self, view: &'a FleetView) -> Result<Vec<&'a FleetIncident>> {
        view.knows(self.group.as_deref())?;
        let text = self.text.to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let incidents = view.incidents();
        let start = |cause: usize| incidents.causes[cause].event.stretch.start;
        let fits = |one: &&FleetIncident| {
            let label = &view.labels[one.place];
            self.group.as_ref().is_none_or(|group| label.group == *group)
                && self.open.is_none_or(|open| one.incident.open == open)
                && self
                    .cause
                    .is_none_or(|cause| one.cause.is_some_and(|own| start(own) == cause))
                && view.has_words(one.place, &words)
        };
        Ok(incidents.all.iter().filter(fits).collect())
    }
}

/// `GET /api/incidents`: a page of them, and the causes that they share.
pub fn list(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let asked = IncidentQuery::read(request, PAGE_INCIDENTS, PAGE_LINES_MAX)?;
    let (question, freshness) = query::question(app, request)?;
    let view = app.fleet(question)?;
    let reasons = app.reasons(&view)?;
    let selected = asked.select(&view)?;
    let page = selected.iter().skip(asked.offset).take(asked.limit);
    let end = asked.offset.saturating_add(asked.limit);
    let next = (end < selected.len()).then(|| {
        let next = IncidentQuery {
            offset: end,
            ..asked.clone()
        };
        let path = format!("/api/incidents?{}&limit={}", next.query(), asked.limit);
        PageQuery::of(request).link(&path)
    });
    let causes = view.incidents().causes.iter().filter(|cause| {
        let whose = cause.owner.as_ref();
        cause.stores > 0 && (asked.group.is_none() || whose.is_none() || whose == asked.group.as_ref())
    });
    Ok(Response::json(
        200,
        &json!({
            "as_of": civil::format_rfc3339(question.as_of),
            "freshness": json::freshness(&freshness),
            "interpolation": question.rule.as_str(),
            "total": selected.len(),
            "ongoing": selected.iter().filter(|one| one.incident.open).count(),
            "incidents": page.map(|one| described(&view, &reasons, one)).collect::<Vec<_>>(),
            "causes": causes.map(cause).collect::<Vec<_>>(),
            "next": next,
        }),
    )
    .revalidated())
}

/// What was noted for an incident.
pub fn reason<'a>(view: &FleetView, reasons: &'a Reasons, one: &FleetIncident) -> Option<&'a Note> {
    let (store, incident) = (view.store(one.place), &one.incident);
    reasons.of(store.key, incident.since, incident.stretch.end)
}

fn described(view: &FleetView, reasons: &Reasons, one: &FleetIncident) -> Value {
    let (store, label, incident) = (view.store(one.place), &view.labels[one.place], &one.incident);
    let cause = one
        .cause
        .map(|cause| view.incidents().causes[cause].event.stretch.start);
    let mut told = json!({
        "store_id": store.id,
        "name": label.name,
        "group": label.group,
        "from": civil::format_rfc3339(incident.stretch.start),
        "to": civil::format_rfc3339(incident.stretch.end),
        "open": incident.open,
        "began_before_window": incident.began_before,
        "downtime": number(&hours(incident.downtime)),
        "unit": "hours",
        "downtime_us": incident.downtime,
        "not_confirmed_us": incident.unconfirmed,
        "cause": json::instant(cause),
        "url": format!("/api/stores/{}", json::encoded(&store.id)),
    });
    json::bounds(&mut told, Some(incident.certainty), Unit::Hours);
    json::lost_sales(&mut told, view.lost_in(one));
    json::reason(&mut told, reason(view, reasons, one));
    told
}

fn cause(cause: &Cause) -> Value {
    let mut told = json::fleet_event(&cause.event);
    told["group"] = cause.owner.clone().into();
    told["stores"] = cause.stores.into();
    told["downtime_us"] = cause.downtime.into();
    told
}

/// `GET /api/incidents.csv`: all of the list, without pages.
pub fn csv(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let asked = IncidentQuery::read(request, PAGE_INCIDENTS, PAGE_LINES_MAX)?;
    let (question, _) = query::question(app, request)?;
    let view = app.fleet(question)?;
    let mut rows = csv::Writer::from_writer(Vec::new());
    let failed = |error: csv::Error| Error::failed("cannot write CSV").because(error);
    let columns = [
        "store_id",
        "name",
        "group",
        "from_utc",
        "to_utc",
        "ongoing",
        "began_before_week",
        "downtime_hours",
        "not_confirmed_hours",
        "shared_cause_utc",
        "downtime_least_hours",
        "downtime_most_hours",
        "lost_sales_least",
        "lost_sales",
        "lost_sales_most",
        "reason",
        "reason_line",
    ];
    rows.write_record(columns).map_err(failed)?;
    let yes = |is: bool| if is { "yes" } else { "no" };
    let reasons = app.reasons(&view)?;
    for one in asked.select(&view)? {
        let note = reason(&view, &reasons, one);
        let (label, incident) = (&view.labels[one.place], &one.incident);
        let cause = one
            .cause
            .map(|cause| view.incidents().causes[cause].event.stretch.start);
        let lost = view.lost_in(one).map(|lost| lost.hundredths().map(amount));
        let [lost_least, lost, lost_most] = lost.unwrap_or_default();
        let row = [
            &*view.store(one.place).id,
            &label.name,
            &label.group,
            &civil::format_utc(incident.stretch.start),
            &civil::format_utc(incident.stretch.end),
            yes(incident.open),
            yes(incident.began_before),
            &hours(incident.downtime),
            &hours(incident.unconfirmed),
            &cause.map_or(String::new(), civil::format_utc),
            &hours(incident.certainty.least()),
            &hours(incident.certainty.most()),
            &lost_least,
            &lost,
            &lost_most,
            note.map_or("", |note| note.reason.as_str()),
            note.map_or("", |note| &note.line),
        ];
        rows.write_record(row).map_err(failed)?;
    }
    let bytes = rows
        .into_inner()
        .map_err(|error| Error::failed("cannot write CSV").because(error.into_error()))?;
    let bytes = spreadsheet::wanted(request, bytes)?;
    Ok(Response::new(200, "text/csv; charset=utf-8", bytes)
        .with("Content-Disposition", "attachment; filename=\"incidents.csv\"")
        .revalidated())
}

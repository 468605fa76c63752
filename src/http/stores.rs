//! Stores over HTTP: the list, one store, its week, the inputs of its numbers, and deletion.

use data_encoding::HEXLOWER;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::app::App;
use super::json;
use super::query::{self, StoreView};
use super::query_fields::PAGE_LINES_MAX;
use super::request::Request;
use super::response::Response;
use super::spreadsheet;
use super::store_query::{Sort, StoreQuery};
use crate::civil;
use crate::db::audit::Action;
use crate::db::forget;
use crate::error::{Error, Result};
use crate::uptime::calendar::{LocalDate, WeeklyRow};
use crate::uptime::certainty::Certainty;
use crate::uptime::day_total::day_totals;
use crate::uptime::hundredths::format as amount;
use crate::uptime::interval::{Interval, Micros};
use crate::uptime::row::{Figures, hours};
use crate::uptime::segment::{Condition, Segment};
use crate::uptime::window::{Share, Window};

/// How many stores a page of the list has by default.
const PAGE_STORES: usize = 100;

/// `GET /api/stores`: the fleet, a page at a time.
pub fn list(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let asked = StoreQuery::read(request, Sort::Name, PAGE_STORES, PAGE_LINES_MAX)?;
    let (question, freshness) = query::question(app, request)?;
    let view = app.fleet(question)?;
    let places = asked.places(&view)?;
    let page = places.iter().skip(asked.offset).take(asked.limit);
    let months = app.months_left(&view)?;
    let stores: Vec<Value> = page
        .map(|&place| json::listed(&view, place, months[place].as_ref()))
        .collect();
    let end = asked.offset.saturating_add(asked.limit);
    let next = (end < places.len()).then(|| {
        let next = StoreQuery {
            offset: end,
            ..asked.clone()
        };
        let mut url = format!("/api/stores?{}&limit={}", next.query(), asked.limit);
        for name in ["as_of", "interpolation"] {
            if let Ok(Some(value)) = request.field(name) {
                let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
                url = format!("{url}&{name}={value}");
            }
        }
        url
    });
    Ok(Response::json(
        200,
        &json!({
            "as_of": civil::format_rfc3339(question.as_of),
            "freshness": json::freshness(&freshness),
            "interpolation": question.rule.as_str(),
            "total": places.len(),
            "stores": stores,
            "next": next,
        }),
    )
    .revalidated())
}

/// The header of the list as CSV.
const CSV_COLUMNS: [&str; 20] = [
    "store_id",
    "name",
    "group",
    "timezone",
    "state",
    "offline_since",
    "last_poll",
    "uptime_last_week",
    "downtime_last_week",
    "business_time_last_week",
    "online_percent",
    "coverage_percent",
    "vouched",
    "as_of",
    "is_live",
    "downtime_least_last_week",
    "downtime_most_last_week",
    "lost_sales_least_last_week",
    "lost_sales_last_week",
    "lost_sales_most_last_week",
];

/// `GET /api/stores.csv`: every store of the list in one file, in the list's order. The numbers have two decimals, and
/// unknown ones are empty.
pub fn csv(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let asked = StoreQuery::read(request, Sort::Name, PAGE_STORES, PAGE_LINES_MAX)?;
    let (question, freshness) = query::question(app, request)?;
    let view = app.fleet(question)?;
    let failed = |error| Error::failed("the list could not be written").because(error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(CSV_COLUMNS).map_err(failed)?;
    let instant = |at: Option<Micros>| at.map_or(String::new(), civil::format_rfc3339);
    let share = |share: Option<Share>| share.map_or(String::new(), |share| share.to_string());
    for place in asked.places(&view)? {
        let (store, label, summary) = (view.store(place), &view.labels[place], &view.overview.summaries[place]);
        let week = &summary.totals[Window::Week];
        let figures = Figures::of(week, Window::Week);
        let bound = |of: fn(Certainty) -> Micros| summary.certainty.map_or(String::new(), |sure| hours(of(sure)));
        let lost = view.lost(place).map(|lost| lost.hundredths().map(amount));
        let [lost_least, lost, lost_most] = lost.unwrap_or_default();
        let (uptime, downtime) = figures.map_or_else(Default::default, |week| (week.uptime, week.downtime));
        writer
            .write_record([
                &*store.id,
                &label.name,
                &label.group,
                view.inputs.fleet.patterns()[store.pattern].zone.name(),
                summary.state.as_str(),
                &instant(summary.offline_since),
                &instant(summary.last_poll.map(|poll| poll.at())),
                &uptime,
                &downtime,
                &hours(week.business()),
                &share(week.share()),
                &share(summary.seen()),
                if summary.is_vouched() { "true" } else { "false" },
                &civil::format_rfc3339(question.as_of),
                if freshness.is_live() { "true" } else { "false" },
                &bound(Certainty::least),
                &bound(Certainty::most),
                &lost_least,
                &lost,
                &lost_most,
            ])
            .map_err(failed)?;
    }
    let csv = writer
        .into_inner()
        .map_err(|error| Error::failed("the list could not be written").because(error.into_error()))?;
    let csv = spreadsheet::wanted(request, csv)?;
    let answer = Response::new(200, "text/csv; charset=utf-8", csv).revalidated();
    Ok(answer.with("Content-Disposition", "attachment; filename=\"stores.csv\""))
}

/// `GET /api/stores/ID`: one store, with its windows and incidents.
pub fn facts(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let shown = query::store(app, request)?;
    let rate = shown.label.sales_per_hour;
    let mut facts = describe(&shown);
    facts["sales_per_hour"] = rate.map_or(Value::Null, |rate| json::number(&amount(rate)));
    facts["target"] = json::month_left(query::month_left(app, &shown)?.as_ref());
    facts["windows"] = json::store_windows(&shown.standing, rate);
    facts["days"] = day_totals(&shown.standing)
        .iter()
        .map(|day| json::day(day, rate))
        .collect();
    let incidents = shown.standing.incidents.iter();
    let told = incidents.map(|one| {
        let mut told = json::incident(one, &shown.standing, rate, &shown.outages);
        json::reason(&mut told, shown.reason(one));
        told
    });
    facts["incidents"] = told.collect();
    Ok(Response::json(200, &facts).revalidated())
}

/// `GET /api/stores/ID/timeline`: the segments of the week before `as_of`, and every poll of eight days. The
/// segments of each condition sum to the week's number.
pub fn timeline(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let shown = query::store(app, request)?;
    let week = Window::Week.before(shown.standing.question.as_of);
    let mut told = describe(&shown);
    told["from"] = civil::format_rfc3339(week.start).into();
    told["to"] = civil::format_rfc3339(week.end).into();
    told["segments"] = shown.standing.segments.iter().map(|one| segment(&shown, one)).collect();
    told["polls"] = json::polls(&shown.standing);
    Ok(Response::json(200, &told).revalidated())
}

/// A segment; one that is offline has the reason of its incident.
fn segment(shown: &StoreView, one: &Segment) -> Value {
    let mut told = json::segment(one);
    if one.condition == Condition::Offline {
        let incidents = &shown.standing.incidents;
        let own = incidents
            .iter()
            .find(|incident| incident.stretch.contains(one.stretch.start));
        json::reason(&mut told, own.and_then(|incident| shown.reason(incident)));
    }
    told
}

/// `GET /api/stores/ID/inputs`: all inputs of the store's numbers, as text; its SHA-256 is the checksum on the
/// page.
pub fn inputs(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let shown = query::store(app, request)?;
    let text = inputs_of(&shown).into_bytes();
    Ok(Response::new(200, "text/plain; charset=utf-8", text).revalidated())
}

/// The inputs of a store's numbers: its zone, its hours, and its polls within reach, sorted.
pub fn inputs_of(shown: &StoreView) -> String {
    let question = shown.standing.question;
    let mut text = format!(
        "store_id {}\nas_of {}\ninterpolation {}\ntimezone {}\n",
        shown.store.id.escape_debug(),
        civil::format_utc(question.as_of),
        question.rule.as_str(),
        shown.pattern.zone.name(),
    );
    let calendar = &shown.pattern.calendar;
    for version in &calendar.versions {
        if let Some(date) = version.valid_from {
            text += &format!("from {}\n", civil::format_day(date));
        }
        for row in &version.rows {
            text += &match row.times_us_local.map(|times| times.map(civil::format_local_time)) {
                Some([start, end]) => format!("open {} {start} {end}\n", row.weekday),
                None => format!("closed {}\n", row.weekday),
            };
        }
    }
    for special in &calendar.special_days {
        let date = civil::format_day(special.date);
        if special.times_us_local.is_empty() {
            text += &format!("special {date} closed\n");
        }
        for [start, end] in special
            .times_us_local
            .iter()
            .map(|times| times.map(civil::format_local_time))
        {
            text += &format!("special {date} {start} {end}\n");
        }
    }
    for poll in &shown.standing.polls {
        text += &format!("{} {}\n", civil::format_utc(poll.at()), poll.status().as_str());
    }
    text
}

/// The SHA-256 of [`inputs_of`], in hexadecimal.
pub fn checksum(shown: &StoreView) -> String {
    HEXLOWER.encode(&Sha256::digest(inputs_of(shown)))
}

/// The common members of both answers about one store.
fn describe(shown: &StoreView) -> Value {
    let standing = &shown.standing;
    let hours = |row: &WeeklyRow, valid_from: Option<LocalDate>| {
        let times = row.times_us_local.map(|times| times.map(civil::format_local_time));
        let [start, end] = times.map_or([None, None], |times| times.map(Some));
        let mut hours = json!({"day": row.weekday, "start_time_local": start, "end_time_local": end});
        if let Some(date) = valid_from {
            hours["valid_from"] = civil::format_day(date).into();
        }
        hours
    };
    let versions = shown.pattern.calendar.versions.iter();
    let hours = versions.flat_map(|version| version.rows.iter().map(|row| hours(row, version.valid_from)));
    let special = shown.special_days.iter().flat_map(|(date, rows)| {
        rows.iter().map(|row| {
            let times = row.times_us_local.map(|times| times.map(civil::format_local_time));
            let [start, end] = times.map_or([None, None], |times| times.map(Some));
            json!({
                "date": civil::format_day(*date),
                "start_time_local": start,
                "end_time_local": end,
                "reason": row.reason,
            })
        })
    });
    let local = civil::format_rfc3339(standing.zone.wall(standing.question.as_of));
    let id = json::encoded(&shown.store.id);
    json!({
        "store_id": shown.store.id,
        "name": shown.label.name,
        "group": shown.label.group,
        "timezone": shown.pattern.zone.name(),
        "timezone_is_default": shown.zone_written.is_none(),
        "as_of": civil::format_rfc3339(standing.question.as_of),
        "freshness": json::freshness(&shown.freshness),
        "as_of_local": local.trim_end_matches('Z'),
        "interpolation": standing.question.rule.as_str(),
        "state": standing.state.as_str(),
        "offline_since": json::instant(standing.offline_since()),
        "last_poll": json::last_poll(standing),
        "business_hours": hours.collect::<Vec<_>>(),
        "special_hours": special.collect::<Vec<_>>(),
        "inputs": {
            "sha256": checksum(shown),
            "url": format!("/api/stores/{id}/inputs"),
        },
        "page": format!("/stores/{id}"),
    })
}

/// `DELETE /api/stores/ID/polls`: takes the store's polls from `from` to before `to` back; 404 if it is unknown.
pub fn delete_polls(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let instant = |name: &str| match request.field(name)? {
        Some(text) => civil::parse_query_instant(text),
        None => Err(Error::invalid(format!(
            "{name} is missing (DELETE /api/stores/ID/polls?from=T&to=T takes back the polls from one instant to before \
             another)"
        ))),
    };
    let (from, to) = (instant("from")?, instant("to")?);
    if from >= to {
        return Err(Error::invalid(format!(
            "from {} is not before to {} (polls at `to` stay)",
            civil::format_rfc3339(from),
            civil::format_rfc3339(to)
        )));
    }
    let (id, span) = (request.id.clone(), Interval::new(from, to));
    let removed = take_polls_back(app, id, span)?;
    let removed = removed.ok_or_else(|| unknown(&request.id))?;
    Ok(Response::json(
        200,
        &json!({"store_id": request.id, "removed": removed}),
    ))
}

/// The error for a store that no input names.
pub(super) fn unknown(id: &str) -> Error {
    Error::not_found(format!(
        "there is no store `{}` (GET /api/stores lists all)",
        id.escape_debug()
    ))
}

/// Deletes a store; returns how many polls went with it, or none if no input names it.
pub(super) fn delete_store(app: &App, id: String) -> Result<Option<u64>> {
    let author = app.author();
    app.site.writer.try_write(move |db| {
        let deleted = forget::store(db, &id)?;
        deleted.map_or(Ok(()), |polls| author.did(db, Action::DeleteStore, &id, polls))?;
        Ok(deleted)
    })
}

/// Takes a store's polls of a span back; returns how many, or none if no input names it.
pub(super) fn take_polls_back(app: &App, id: String, span: Interval) -> Result<Option<u64>> {
    let author = app.author();
    app.site.writer.try_write(move |db| {
        let removed = forget::polls_of(db, &id, span)?;
        removed.map_or(Ok(()), |polls| author.did(db, Action::DeletePolls, &id, polls))?;
        Ok(removed)
    })
}

/// `DELETE /api/stores/ID`: deletes a store with its polls, hours, zone and name; 404 if it is unknown.
pub fn delete(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    let id = request.id.clone();
    let polls = delete_store(app, id)?.ok_or_else(|| unknown(&request.id))?;
    Ok(Response::json(
        200,
        &json!({"store_id": request.id, "polls_deleted": polls}),
    ))
}

//! The core's values in JSON, under the names of the API.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::civil;
use crate::db::incident_reasons::Note;
use crate::fleet_view::{FleetView, Sum};
use crate::uptime::certainty::Certainty;
use crate::uptime::day_total::DayTotal;
use crate::uptime::evidence::Evidence;
use crate::uptime::fleet_event::FleetEvent;
use crate::uptime::freshness::Freshness;
use crate::uptime::hundredths::format as amount;
use crate::uptime::incident::Incident;
use crate::uptime::interval::{Interval, Intervals, MINUTE, Micros};
use crate::uptime::load::Load;
use crate::uptime::lost_sales::LostSales;
use crate::uptime::poll::Poll;
use crate::uptime::row::{Figures, figure, hours};
use crate::uptime::segment::Segment;
use crate::uptime::store_status::StoreStatus;
use crate::uptime::store_summary::StoreSummary;
use crate::uptime::target::MonthLeft;
use crate::uptime::window::{Coverage, PerWindow, Share, Unit, Window, WindowTotal};

/// A figure as a number, from the text in the report.
pub fn number(text: &str) -> Value {
    text.parse::<f64>().map_or(Value::Null, Value::from)
}

/// A share as a per cent; null without a share.
pub fn per_cent(share: Option<Share>) -> Value {
    share.map_or(Value::Null, |share| number(&share.to_string()))
}

/// An instant, or null.
pub fn instant(at: Option<Micros>) -> Value {
    at.map(civil::format_rfc3339).into()
}

/// Whether numbers are of now, and the polls that say so.
pub fn freshness(freshness: &Freshness) -> Value {
    json!({
        "is_live": freshness.is_live(),
        "is_stale": freshness.is_stale(),
        "as_of": civil::format_rfc3339(freshness.as_of),
        "newest_poll": instant(freshness.newest_poll),
        "usual_gap_minutes": freshness.usual_gap / MINUTE,
    })
}

fn coverage(coverage: Option<Coverage>) -> Value {
    coverage.map_or(Value::Null, |coverage| {
        json!({
            "per_cent": per_cent(coverage.share()),
            "seen_us": coverage.seen,
            "business_us": coverage.business,
        })
    })
}

fn evidence(evidence: Option<Evidence>) -> Value {
    evidence.map_or(Value::Null, |evidence| {
        json!({
            "counted": evidence.polls,
            "expected": evidence.expected,
            "longest_gap_us": evidence.longest_gap,
        })
    })
}

/// Adds how sure a downtime is: its least and its most, and the time whose status is certain. Null where nothing is
/// known.
pub fn bounds(told: &mut Value, certainty: Option<Certainty>, unit: Unit) {
    let bounds = [
        ("downtime_least", certainty.map(Certainty::least)),
        ("downtime_most", certainty.map(Certainty::most)),
        ("certain", certainty.map(Certainty::certain)),
    ];
    for (name, length) in bounds {
        told[name] = length.map_or(Value::Null, |length| number(&figure(length, unit)));
        told[format!("{name}_us")] = length.into();
    }
}

/// Adds what a downtime cost, its least and its most; null where the store's sales or its downtime are unknown.
pub fn lost_sales(told: &mut Value, lost: Option<LostSales>) {
    let amounts = lost.map(LostSales::hundredths);
    for (place, name) in ["lost_sales_least", "lost_sales", "lost_sales_most"]
        .into_iter()
        .enumerate()
    {
        told[name] = amounts.map_or(Value::Null, |amounts| number(&amount(amounts[place])));
    }
}

/// The month of a store with a target: its downtime so far, and what is left of it; null without a target.
pub fn month_left(month: Option<&MonthLeft>) -> Value {
    month.map_or(Value::Null, |month| {
        let left = month.left();
        json!({
            "per_cent": number(&amount(month.target)),
            "from": civil::format_day(month.month.first),
            "to": civil::format_day(month.month.last),
            "business_us": month.business,
            "downtime_us": month.downtime,
            "allowed_us": month.allowed(),
            "left_us": left,
            "left_minutes": left.map(|left| left.div_euclid(MINUTE)),
            "missed": left.map(|left| left < 0),
        })
    })
}

/// The windows, in the report's unit and exactly. Without business time they are zero; without a counted poll
/// they are null. `more` adds members to each.
fn windows_of(totals: &PerWindow<WindowTotal>, as_of: Micros, more: impl Fn(Window, &mut Value)) -> Value {
    let windows = Window::ALL.map(|one| {
        let (total, stretch) = (&totals[one], one.before(as_of));
        let (known, figures) = (total.known(), Figures::of(total, one));
        let figures = figures.as_ref();
        let mut window = json!({
            "from": civil::format_rfc3339(stretch.start),
            "to": civil::format_rfc3339(stretch.end),
            "unit": one.unit().as_str(),
            "uptime": figures.map(|figures| number(&figures.uptime)),
            "downtime": figures.map(|figures| number(&figures.downtime)),
            "uptime_us": known.map(|(uptime, _)| uptime),
            "downtime_us": known.map(|(_, downtime)| downtime),
            "business_us": total.business(),
            "per_cent": per_cent(total.share()),
        });
        more(one, &mut window);
        (format!("last_{}", one.name()), window)
    });
    windows.into_iter().collect::<serde_json::Map<_, _>>().into()
}

fn poll(poll: Option<Poll>) -> Value {
    poll.map_or(
        Value::Null,
        |poll| json!({"at": civil::format_rfc3339(poll.at()), "status": poll.status().as_str()}),
    )
}

/// The windows of one store, which sells `rate` hundredths an hour, if that is known.
pub fn store_windows(standing: &StoreStatus, rate: Option<i64>) -> Value {
    let row = &standing.row;
    windows_of(&row.totals, standing.question.as_of, |one, window| {
        window["coverage"] = coverage(row.coverage[one]);
        window["polls"] = evidence(standing.evidence[one]);
        let (certainty, downtime) = (standing.certainty[one], row.totals[one].known());
        bounds(window, certainty, one.unit());
        lost_sales(window, LostSales::known(rate, downtime, certainty));
    })
}

/// An incident of a store, which sells `rate` hundredths an hour, if that is known; `outages` are the poller's.
pub fn incident(incident: &Incident, standing: &StoreStatus, rate: Option<i64>, outages: &Intervals) -> Value {
    let unconfirmed = incident.unconfirmed(&standing.segments, outages);
    let mut told = json!({
        "from": civil::format_rfc3339(incident.stretch.start),
        "to": civil::format_rfc3339(incident.stretch.end),
        "open": incident.open,
        "began_before_window": incident.began_before,
        "downtime": number(&hours(incident.downtime)),
        "unit": "hours",
        "downtime_us": incident.downtime,
        "not_confirmed_us": unconfirmed.length(),
        "not_confirmed": unconfirmed.as_slice().iter().map(stretch).collect::<Vec<_>>(),
        "polls": {
            "active_before": instant(incident.active_before),
            "inactive": incident.inactive.iter().copied().map(civil::format_rfc3339).collect::<Vec<_>>(),
            "active_after": instant(incident.active_after),
        },
    });
    bounds(&mut told, Some(incident.certainty), Unit::Hours);
    let lost = rate.map(|rate| LostSales::new(rate, incident.downtime, incident.certainty));
    lost_sales(&mut told, lost);
    told
}

/// Why an incident was, as its owner said; null if nobody said.
pub fn reason(told: &mut Value, note: Option<&Note>) {
    told["reason"] = note.map(|note| note.reason.as_str()).into();
    told["reason_line"] = note.map(|note| note.line.as_str()).into();
}

/// A segment.
pub fn segment(segment: &Segment) -> Value {
    json!({
        "from": civil::format_rfc3339(segment.stretch.start),
        "to": civil::format_rfc3339(segment.stretch.end),
        "length_us": segment.stretch.length(),
        "state": segment.condition.as_str(),
        "seen": segment.seen,
    })
}

/// A day of the week of a store, which sells `rate` hundredths an hour, if that is known.
pub fn day(day: &DayTotal, rate: Option<i64>) -> Value {
    let known = day.total.known();
    let mut told = json!({
        "date": civil::format_day(day.date),
        "from": civil::format_rfc3339(day.stretch.start),
        "to": civil::format_rfc3339(day.stretch.end),
        "uptime_us": known.map(|(uptime, _)| uptime),
        "downtime_us": known.map(|(_, downtime)| downtime),
        "business_us": day.total.business(),
        "per_cent": per_cent(day.total.share()),
        "coverage": coverage(day.coverage),
        "vouched": day.is_vouched(),
    });
    bounds(&mut told, day.certainty, Unit::Hours);
    lost_sales(&mut told, LostSales::known(rate, known, day.certainty));
    told
}

/// One store of a list.
pub fn listed(view: &FleetView, place: usize, month: Option<&MonthLeft>) -> Value {
    let (store, label) = (view.store(place), &view.labels[place]);
    let summary: &StoreSummary = &view.overview.summaries[place];
    let told = windows_of(&summary.totals, view.question.as_of, |one, window| {
        if one == Window::Week {
            window["coverage"] = coverage(summary.coverage);
            bounds(window, summary.certainty, one.unit());
            lost_sales(window, view.lost(place));
        }
    });
    json!({
        "store_id": store.id,
        "name": label.name,
        "group": label.group,
        "sales_per_hour": label.sales_per_hour.map(|rate| number(&amount(rate))),
        "timezone": view.inputs.fleet.patterns()[store.pattern].zone.name(),
        "state": summary.state.as_str(),
        "offline_since": instant(summary.offline_since),
        "last_poll": poll(summary.last_poll),
        "vouched": summary.is_vouched(),
        "target": month_left(month),
        "windows": told,
        "url": format!("/api/stores/{}", encoded(&store.id)),
    })
}

/// A store's last poll, counted or not.
pub fn last_poll(standing: &StoreStatus) -> Value {
    poll(standing.last_poll())
}

/// A store's polls within reach, the oldest first.
pub fn polls(standing: &StoreStatus) -> Value {
    let told = |&poll: &Poll| {
        json!({
            "at": civil::format_rfc3339(poll.at()),
            "status": poll.status().as_str(),
            "counts": standing.counts(poll),
        })
    };
    standing.polls.iter().map(told).collect()
}

/// A week of several stores; null where nothing is known.
pub fn sum(sum: &Sum) -> Value {
    let (uptime, downtime) = sum.known().unzip();
    let rounded = |length: Option<Micros>| length.map(|length| number(&hours(length)));
    let mut told = json!({
        "stores": sum.stores,
        "uptime": rounded(uptime),
        "downtime": rounded(downtime),
        "unit": "hours",
        "uptime_us": uptime,
        "downtime_us": downtime,
        "vouched": sum.is_vouched(),
        "business_us": sum.business,
        "per_cent": per_cent(sum.online()),
        "coverage_per_cent": per_cent(sum.coverage()),
    });
    bounds(&mut told, uptime.map(|_| sum.certainty), Unit::Hours);
    lost_sales(&mut told, sum.lost);
    told
}

/// Business time of several stores in an hour, of those of which something is known, and its downtime.
pub fn load(load: &Load) -> Value {
    json!({
        "open_us": load.open,
        "business_us": load.business,
        "downtime_us": load.downtime,
        "per_cent": per_cent(load.share()),
    })
}

/// An event of the whole fleet.
pub fn fleet_event(event: &FleetEvent) -> Value {
    let mut told = stretch(&event.stretch);
    told["per_cent_offline"] = per_cent(Some(event.share));
    told["stores_offline"] = event.offline.into();
    told["stores_open"] = event.open.into();
    told
}

/// A stretch of time.
pub fn stretch(stretch: &Interval) -> Value {
    json!({
        "from": civil::format_rfc3339(stretch.start),
        "to": civil::format_rfc3339(stretch.end),
    })
}

/// A store id as a segment of a path.
pub fn encoded(id: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(id, KEPT).to_string()
}

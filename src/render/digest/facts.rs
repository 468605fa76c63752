//! The digest as facts for programs: the numbers of the statement under the names of its columns.

use serde_json::{Map, Number, Value, json};

use super::told::{NAMES_MAX, Told, WORST_MAX};
use crate::civil::{format_day, format_rfc3339};
use crate::uptime::bucket_total::BucketTotal;
use crate::uptime::digest::{Digest, Standing, StoreDigest};
use crate::uptime::hundredths;
use crate::uptime::interval::{HOUR, Interval, Micros};
use crate::uptime::statement_row::{COLUMN_NAMES, Measure, numbers};
use crate::uptime::timeline::Interpolation;

/// A digest as a JSON object.
pub fn facts(digest: &Digest, told: &Told, rule: Interpolation) -> Value {
    let count = |standing| digest.of(standing).count();
    let (worst, changed, compared) = (digest.worst(), digest.changed(), digest.compared());
    json!({
        "whose": told.whose,
        "period": digest.period.name(),
        "by": digest.period.by.as_str(),
        "from": format_day(digest.period.dates.first),
        "to": format_day(digest.period.dates.last),
        "as_of": format_rfc3339(digest.as_of),
        "is_over": !digest.is_cut,
        "interpolation": rule.as_str(),
        "subject": told.subject,
        "sentences": told.sentences,
        "stores": {
            "all": digest.stores.len(),
            "with_downtime": count(Standing::Down),
            "without_downtime": count(Standing::Up),
            "less_than_half_seen": count(Standing::Unseen),
            "unknown": count(Standing::Unknown),
            "closed": count(Standing::Closed),
        },
        "total": row(&digest.total()),
        "worst": worst.iter().take(WORST_MAX).map(|store| store_facts(store, digest.is_cut)).collect::<Vec<_>>(),
        "worst_not_listed": worst.len().saturating_sub(WORST_MAX),
        "compared": {
            "stores": compared.stores,
            "before": row(&compared.before),
            "now": row(&compared.total),
            "changed": changed.iter().take(NAMES_MAX).map(|store| change(store)).collect::<Vec<_>>(),
            "changed_not_listed": changed.len().saturating_sub(NAMES_MAX),
        },
        "poller_outages": digest.outages.as_slice().iter().map(stretch).collect::<Vec<_>>(),
        "reasons": digest.reasons.iter().map(|sum| json!({
            "reason": sum.reason,
            "incidents": sum.incidents,
            "downtime": hours(sum.downtime),
        })).collect::<Vec<_>>(),
    })
}

/// The columns of a statement's row.
fn row(total: &BucketTotal) -> Value {
    let columns = COLUMN_NAMES.iter().zip(numbers(total));
    let column = |(&(name, measure), number): (&(&str, Measure), Option<i64>)| {
        let value = match (number, measure) {
            (None, _) => Value::Null,
            (Some(number), Measure::Count) => number.into(),
            (Some(number), _) => decimal(number),
        };
        (name.to_owned(), value)
    };
    Value::Object(columns.map(column).collect::<Map<_, _>>())
}

/// A number of hundredths.
fn decimal(number: i64) -> Value {
    let number: Option<Number> = serde_json::from_str(&hundredths::format(number)).ok();
    number.map_or(Value::Null, Value::Number)
}

fn hours(micros: Micros) -> Value {
    decimal((micros * 100 + HOUR / 2).div_euclid(HOUR))
}

fn stretch(stretch: &Interval) -> Value {
    json!({"from": format_rfc3339(stretch.start), "to": format_rfc3339(stretch.end)})
}

fn store_facts(store: &StoreDigest, is_cut: bool) -> Value {
    let mut facts = row(&store.total);
    facts["store_id"] = store.id.clone().into();
    facts["name"] = store.name.clone().into();
    if let Some(longest) = &store.longest {
        let mut told = stretch(&longest.incident.stretch);
        told["downtime"] = hours(longest.incident.downtime);
        told["open"] = (longest.incident.open && is_cut).into();
        told["began_before_period"] = longest.incident.began_before.into();
        told["reason"] = longest.reason.clone().into();
        facts["longest_incident"] = told;
    }
    if let Some(target) = &store.target {
        facts["target"] = json!({
            "percent": decimal(target.target),
            "allowed": hours(target.allowed()),
            "missed": target.is_missed(),
        });
    }
    facts
}

fn change(store: &StoreDigest) -> Value {
    let percent = store
        .shares()
        .map(|shares| shares.map(|share| decimal(share.hundredths)));
    let [before, now] = percent.unwrap_or_default();
    json!({
        "store_id": store.id,
        "name": store.name,
        "uptime_percent_before": before,
        "uptime_percent": now,
    })
}

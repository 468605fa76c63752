//! A query for a statement that is shown at once: a month, a week or dates, an owner or a store, and how it is cut.
//!
//! The page `/statements` and `GET /api/statements.csv` both use it. A longer statement is a job.

use super::app::App;
use super::field::PERIODS;
use super::query;
use super::request::Request;
use super::response::Response;
use super::spreadsheet;
use crate::civil;
use crate::error::{Error, Result};
use crate::fleet_view::FleetView;
use crate::jobs::statement::Parameters;
use crate::jobs::{Format, Product};
use crate::uptime::business_hours::ZoneTable;
use crate::uptime::interval::{DAY, Interval, Micros};
use crate::uptime::period::{self, Bucket, By, Period, month_of, week_of};
use crate::uptime::report::Question;

/// How many days of stores a statement that is shown at once may have: those of a month of 600 stores.
const STORE_DAYS_AT_ONCE_MAX: usize = 20_000;

/// The month or ISO week with a name such as `2026-10` or `2026-W44`.
///
/// # Errors
/// When there is none.
pub fn named(name: &str) -> Result<Bucket> {
    let found = period::named(name).filter(|(by, _)| *by != By::Day);
    found
        .map(|(_, bucket)| bucket)
        .ok_or_else(|| query::unknown("period", name, PERIODS))
}

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Everything that decides the numbers but the instant and the rule.
    pub parameters: Parameters,
    /// The name of the month or the week; none for dates.
    pub name: Option<String>,
}

impl Asked {
    /// The statement in the query. Dates win over a period; without both it is of `default`.
    ///
    /// # Errors
    /// When the query is malformed.
    pub fn read(request: &Request<'_>, default: &Bucket) -> Result<Self> {
        let has_dates = request.field("from")?.is_some() || request.field("to")?.is_some();
        let wants_period = request.field("choice")? == Some("period");
        let name = match request.field("period")? {
            Some(name) if wants_period || !has_dates => Some(name.to_owned()),
            _ => None,
        };
        let dates = match &name {
            Some(name) => Some(named(name)?),
            None if has_dates => None,
            None => Some(*default),
        };
        let dates = dates.map(|dates| [dates.first, dates.last].map(civil::format_day));
        let by_default = if request.field("store")?.is_some() {
            By::Day
        } else {
            By::Total
        };
        let parameters = Parameters::parse(|field| match (field, &dates) {
            ("from", Some([from, _])) => Ok(Some(from.as_str())),
            ("to", Some([_, to])) => Ok(Some(to.as_str())),
            ("by", _) => Ok(request.field("by")?.or(Some(by_default.as_str()))),
            _ => request.field(field),
        })?;
        let period = parameters.period;
        let name = name.or_else(|| name_of(&period));
        Ok(Self { parameters, name })
    }

    /// The same of a job's parameters.
    ///
    /// # Errors
    /// When they are malformed.
    pub fn of_job(parameters: &str) -> Result<Self> {
        let parameters = Parameters::from_json(parameters)?;
        let name = name_of(&parameters.period);
        Ok(Self { parameters, name })
    }

    /// The query of the same statement, cut and restricted as it is.
    pub fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let object = self.parameters.json();
        let fields = object.as_object().into_iter().flatten();
        for (name, value) in fields {
            if self.name.is_none() || !matches!(name.as_str(), "from" | "to") {
                query.append_pair(name, value.as_str().unwrap_or_default());
            }
        }
        if let Some(name) = &self.name {
            query.append_pair("period", name);
        }
        query.finish()
    }

    /// How many stores it is about.
    pub fn stores(&self, view: &FleetView) -> usize {
        let Parameters { store, group, .. } = &self.parameters;
        let fits = |place: &usize| {
            store.as_ref().is_none_or(|id| *view.store(*place).id == **id)
                && group.as_ref().is_none_or(|group| view.labels[*place].group == *group)
        };
        (0..view.labels.len()).filter(fits).count()
    }

    /// Whether it is quickly computed, so that it needs no job.
    pub fn is_quick(&self, view: &FleetView) -> bool {
        let Period { from, to, .. } = self.parameters.period;
        let days = usize::try_from(to - from + 1).unwrap_or(usize::MAX);
        self.stores(view).saturating_mul(days) <= STORE_DAYS_AT_ONCE_MAX
    }
}

/// The name of a whole month or week.
fn name_of(period: &Period) -> Option<String> {
    [By::Month, By::Week].into_iter().find_map(|by| {
        let whole = match by {
            By::Month => month_of(period.from),
            _ => week_of(period.from),
        };
        let named = Period { by, ..*period };
        (whole.first == period.from && whole.last == period.to).then(|| named.name_of(&whole))
    })
}

/// The month of `question`'s instant, as the clock of most stores has it.
pub fn newest_month(zone: chrono_tz::Tz, question: Question) -> Bucket {
    let table = ZoneTable::new(zone, Interval::new(question.as_of - DAY, question.as_of + DAY));
    month_of(table.wall(question.as_of).div_euclid(DAY))
}

/// The month before the newest one, or the newest one if polls have less than half of that: whose statement is asked
/// for most.
pub fn usual_month(zone: chrono_tz::Tz, question: Question, oldest: Option<Micros>) -> Bucket {
    let newest = newest_month(zone, question);
    let before = month_of(newest.first - 1);
    let middle = (before.first + before.last + 1) / 2 * DAY;
    if oldest.is_some_and(|oldest| oldest < middle) {
        before
    } else {
        newest
    }
}

/// `GET /api/statements.csv`: a statement at once.
pub fn csv(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    file(app, request, Format::Csv)
}

/// `GET /api/statements.xlsx`: the same as a workbook.
pub fn xlsx(app: &mut App, request: &mut Request<'_>) -> Result<Response> {
    file(app, request, Format::Xlsx)
}

fn file(app: &mut App, request: &Request<'_>, format: Format) -> Result<Response> {
    let (question, _) = query::question(app, request)?;
    let view = app.fleet(question)?;
    let asked = Asked::read(request, &newest_month(chrono_tz::Tz::UTC, question))?;
    if !asked.is_quick(&view) {
        return Err(Error::invalid(format!(
            "this statement has more than {STORE_DAYS_AT_ONCE_MAX} days of stores (POST /api/statements makes it, or choose \
             an owner, a store or a shorter period)"
        )));
    }
    let name = format!(
        "attachment; filename=\"statement-{}.{}\"",
        file_name(&asked),
        format.as_str()
    );
    let statement = app.statement(asked.parameters, question)?;
    let bytes = statement.render(format)?;
    let bytes = match format {
        Format::Csv => spreadsheet::wanted(request, bytes)?,
        _ => bytes,
    };
    Ok(Response::new(200, format.media_type(), bytes)
        .with("Content-Disposition", name)
        .revalidated())
}

fn file_name(asked: &Asked) -> String {
    let Period { from, to, .. } = asked.parameters.period;
    asked
        .name
        .clone()
        .unwrap_or_else(|| format!("{}-{}", civil::format_day(from), civil::format_day(to)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uptime::calendar::LocalDate;

    fn day(text: &str) -> LocalDate {
        civil::parse_day(text).unwrap()
    }

    #[test]
    fn months_and_weeks_are_found_by_date_and_by_name() {
        let months = [
            ("2026-02-28", "2026-02", "2026-02-01", "2026-02-28"),
            ("2024-02-29", "2024-02", "2024-02-01", "2024-02-29"),
            ("2026-12-01", "2026-12", "2026-12-01", "2026-12-31"),
        ];
        for (date, name, first, last) in months {
            let month = month_of(day(date));
            assert_eq!((month.first, month.last), (day(first), day(last)));
            assert_eq!(named(name).unwrap(), month);
        }
        // The first of January 2023 is a Sunday.
        let weeks = [
            ("2023-01-01", "2022-W52", "2022-12-26"),
            ("2026-12-31", "2026-W53", "2026-12-28"),
        ];
        for (date, name, first) in weeks {
            let week = week_of(day(date));
            assert_eq!((week.first, week.last), (day(first), day(first) + 6));
            assert_eq!(named(name).unwrap(), week);
        }
        for name in [
            "2026", "2026-13", "2026-W54", "2025-W53", "2026-W00", "October", "2026-1",
        ] {
            assert!(named(name).is_err(), "{name}");
        }
    }

    #[test]
    fn dates_win_over_a_period_unless_the_period_was_chosen() {
        let asked = |target: &str| {
            let mut body = std::io::empty();
            let request = Request::new("GET", target, &mut body);
            let asked = Asked::read(&request, &month_of(day("2026-10-07"))).unwrap();
            (asked.name.clone(), asked.query())
        };
        let of = |name: &str, query: &str| (Some(name.to_owned()), query.to_owned());
        assert_eq!(asked("/statements"), of("2026-10", "by=total&per=store&period=2026-10"));
        assert_eq!(
            asked("/statements?store=a+b&period=2026-W44"),
            of("2026-W44", "by=day&per=store&store=a+b&period=2026-W44")
        );
        let dates = "from=2026-10-01&to=2026-10-02";
        assert_eq!(
            asked(&format!("/statements?period=2026-09&{dates}")),
            (None, format!("by=total&{}", "from=2026-10-01&per=store&to=2026-10-02"))
        );
        assert_eq!(
            asked(&format!("/statements?choice=period&period=2026-09&{dates}")).0,
            Some("2026-09".to_owned())
        );
        // Dates that are a month are called so.
        assert_eq!(
            asked("/statements?from=2026-09-01&to=2026-09-30").0,
            Some("2026-09".to_owned())
        );
    }
}

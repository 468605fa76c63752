//! Properties for any zone, hours and polls: thousands of random cases, and the failures found so far.
//!
//! Each test compares the code with a naive form, written from the definition alone. It finds wall times
//! minute by minute or by chrono, and the status of an instant by looking at every poll. It shares no code with
//! its subject. Only the generators may ask the code for opening hours, to put polls and `as_of` right there.
//!
//! `PROPTEST_CASES` sets another number of cases.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Datelike, Days, LocalResult, NaiveDate, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;
use rusqlite::Connection;
use uuid::Uuid;

use store_monitor::civil::{format_local_time, format_utc, parse_instant};
use store_monitor::db::reports::KeptRows;
use store_monitor::db::{fleet, polls};
use store_monitor::hot_window::Inputs;
use store_monitor::ingest::batch;
use store_monitor::ingest::load;
use store_monitor::ingest::machine_time::MachineTime;
use store_monitor::ingest::source::Source;
use store_monitor::product::report::FleetReport;
use store_monitor::product::{self, Product};
use store_monitor::render::csv;
use store_monitor::render::store_list::StoreList;
use store_monitor::scratch::Scratch;
use store_monitor::uptime::business_hours::{Pattern, ZoneTable};
use store_monitor::uptime::calendar::WeeklyRow;
use store_monitor::uptime::certainty::Certainty;
use store_monitor::uptime::fleet::{BusinessTime, Fleet, StoreKey};
use store_monitor::uptime::history::History;
use store_monitor::uptime::history_builder::{Builder, history_of};
use store_monitor::uptime::interval::{DAY, HOUR, Interval, Intervals, MINUTE, Micros, SECOND};
use store_monitor::uptime::open_time::OpenTime;
use store_monitor::uptime::pass::{self, Known, WindowMarks};
use store_monitor::uptime::poll::{Poll, Status};
use store_monitor::uptime::report::{Question, ReportRow};
use store_monitor::uptime::row::{Cells, cells};
use store_monitor::uptime::target::{MonthLeft, MonthTime};
use store_monitor::uptime::timeline::{self, Interpolation, Timeline};
use store_monitor::uptime::window::{PerWindow, REACH, Window, WindowTotal, reach};

/// How often each property is tried.
pub(crate) const CASES: u32 = 10_000;

/// How often one is that goes through a database.
const CASES_DB: u32 = 300;

/// `cases`, or the share that `PROPTEST_CASES` asks for; failures are shown and leave no file.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let asked = ProptestConfig::default();
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => (u64::from(asked.cases) * u64::from(cases)).div_ceil(u64::from(CASES)),
        None => u64::from(cases),
    };
    ProptestConfig {
        cases: u32::try_from(cases).unwrap_or(u32::MAX),
        failure_persistence: None,
        ..asked
    }
}

// ---------------------------------------------------------------------------------------------
// Random cases
// ---------------------------------------------------------------------------------------------

/// Zones that change their clocks often, by odd steps, at midnight, or by a whole day.
const ODD_ZONES: [Tz; 13] = [
    Tz::America__New_York,
    Tz::America__Chicago,
    Tz::America__Santiago,
    Tz::America__St_Johns,
    Tz::Africa__Cairo,
    Tz::Africa__Casablanca,
    Tz::Antarctica__Troll,
    Tz::Asia__Beirut,
    Tz::Asia__Gaza,
    Tz::Asia__Kathmandu,
    Tz::Australia__Lord_Howe,
    Tz::Europe__Dublin,
    Tz::Pacific__Apia,
];

/// 2005-01-01 and 2035-01-01.
pub(crate) const YEARS: Interval = Interval::new(12_784 * DAY, 23_741 * DAY);

/// One store and the instant of its report.
#[derive(Clone, Debug)]
struct Case {
    zone: Tz,
    rows: Vec<WeeklyRow>,
    as_of: Micros,
    /// Sorted, one an instant.
    polls: Vec<Poll>,
}

impl Case {
    fn pattern(&self) -> Pattern {
        Pattern::weekly(self.zone, self.rows.clone())
    }

    /// More than a report looks at.
    fn span(&self) -> Interval {
        Interval::new(self.as_of - 9 * DAY, self.as_of + DAY)
    }

    fn open(&self) -> Intervals {
        open(self.zone, &self.rows, self.span())
    }

    fn row(&self, rule: Interpolation) -> ReportRow {
        let as_of = self.as_of;
        ReportRow::new(&self.polls, &self.pattern(), Question { as_of, rule })
    }
}

fn open(zone: Tz, rows: &[WeeklyRow], span: Interval) -> Intervals {
    let rows = rows.to_vec();
    Pattern::weekly(zone, rows).open(&ZoneTable::new(zone, span), span)
}

/// The polls of a case that count.
fn counted(case: &Case) -> Vec<Poll> {
    timeline::counted(&case.polls, &case.open(), reach(case.as_of))
}

fn offset(zone: Tz, at: Micros) -> Micros {
    let offset = zone.offset_from_utc_datetime(&civil(at)).fix();
    i64::from(offset.local_minus_utc()) * SECOND
}

/// Microseconds since 1970 as a civil time without a zone.
fn civil(at: Micros) -> NaiveDateTime {
    DateTime::from_timestamp_micros(at)
        .expect("a year that has a name")
        .naive_utc()
}

/// The instants at which the clocks of a zone are changed in [`YEARS`].
pub(crate) fn transitions(zone: Tz) -> &'static [Micros] {
    static KNOWN: [OnceLock<Vec<Micros>>; 1_000] = [const { OnceLock::new() }; 1_000];
    let place = TZ_VARIANTS.iter().position(|&known| known == zone);
    KNOWN[place.expect("a zone")].get_or_init(|| {
        let mut found = Vec::new();
        let mut day = YEARS.start;
        let mut before = offset(zone, day);
        while day < YEARS.end {
            let after = offset(zone, day + DAY);
            if after != before {
                let (mut same, mut other) = (day, day + DAY);
                while other - same > SECOND {
                    let middle = same + (other - same) / 2 / SECOND * SECOND;
                    if offset(zone, middle) == before {
                        same = middle;
                    } else {
                        other = middle;
                    }
                }
                found.push(other);
            }
            (day, before) = (day + DAY, after);
        }
        found
    })
}

/// The `number` reduced to a place in a list of `len`.
pub(crate) fn pick(number: u64, len: usize) -> usize {
    let len = u64::try_from(len).expect("a length");
    usize::try_from(number % len).expect("a place in memory")
}

/// The `number` reduced to `[0, length)`.
pub(crate) fn below(number: u64, length: Micros) -> Micros {
    (number % length.unsigned_abs()).cast_signed()
}

pub(crate) fn zones() -> impl Strategy<Value = Tz> {
    (0..2_u8, any::<u16>()).prop_map(|(kind, number)| {
        let zones: &[Tz] = if kind == 0 { &ODD_ZONES } else { &TZ_VARIANTS };
        zones[pick(number.into(), zones.len())]
    })
}

/// What a time of day, an `as_of` or a poll is made of: which kind of it, and a number to choose by.
pub(crate) type Choice = (u8, u64);

pub(crate) fn choice() -> impl Strategy<Value = Choice> {
    (0..20_u8, any::<u64>())
}

/// A time of day in `[0, 24 h)`: mostly whole hours and minutes.
fn time_of_day((kind, number): Choice) -> Micros {
    match kind {
        0..7 => below(number, 24) * HOUR,
        7..13 => below(number, 1_440) * MINUTE,
        13..15 => below(number, 4 * 60) * MINUTE,
        15..17 => 0,
        17..19 => below(number, 86_400) * SECOND,
        _ => below(number, DAY),
    }
}

/// A closing time for what opens at `start`.
fn closing((kind, number): Choice, start: Micros) -> Micros {
    match kind {
        0..2 => DAY,
        2 => DAY - MINUTE,
        3 => DAY - SECOND,
        4..6 => start,
        6..9 => (start + below(number, 90) * MINUTE) % DAY,
        9 => (start - below(number, 90) * MINUTE).rem_euclid(DAY),
        _ => time_of_day((kind, number >> 8)),
    }
}

/// Weekly rows: each one kind of row, or of two rows, or of a week.
pub(crate) fn weekly_rows() -> impl Strategy<Value = Vec<WeeklyRow>> {
    let one = (0..10_u8, 0..7_u8, choice(), choice());
    prop::collection::vec(one, 0..=8).prop_map(|choices| {
        let mut rows = Vec::new();
        for (kind, weekday, opens, closes) in choices {
            let start_us_local = time_of_day(opens);
            let end_us_local = closing(closes, start_us_local);
            let row = |weekday| WeeklyRow::open(weekday, start_us_local, end_us_local);
            match kind {
                0 => rows.push(WeeklyRow::closed(weekday)),
                1..6 => rows.push(row(weekday)),
                // The same on many days, as most sources have it.
                6..8 => rows.extend((0..=weekday).map(row)),
                // One more, 59 to 61 seconds, nothing or a microsecond after it.
                _ => {
                    let seams = [59, 60, 61].map(|seconds| seconds * SECOND);
                    let seams = [&seams[..], &[0, 1, MINUTE + 1]].concat();
                    let start = end_us_local + seams[pick(opens.1 >> 32, seams.len())];
                    let overnight = start_us_local >= end_us_local;
                    let days = start.div_euclid(DAY) + i64::from(overnight);
                    let start = start.rem_euclid(DAY);
                    rows.push(row(weekday));
                    rows.push(WeeklyRow::open(
                        weekday_after(weekday, days),
                        start,
                        closing((closes.0 / 2, closes.1 >> 16), start),
                    ));
                }
            }
        }
        rows.truncate(8);
        rows
    })
}

fn weekday_after(weekday: u8, days: i64) -> u8 {
    u8::try_from((i64::from(weekday) + days).rem_euclid(7)).expect("a weekday")
}

/// An instant for a report: anywhere in [`YEARS`], near a change of clocks, or where hours begin.
fn as_of_of((kind, number): Choice, zone: Tz, rows: &[WeeklyRow]) -> Micros {
    let anywhere = YEARS.start + below(number, YEARS.length());
    let changes = transitions(zone);
    let change = if changes.is_empty() {
        anywhere
    } else {
        changes[pick(number >> 40, changes.len())]
    };
    match kind {
        0..4 => anywhere / SECOND * SECOND,
        4 => anywhere,
        5..10 => change - 2 * HOUR + below(number, 26 * 60) * MINUTE,
        10..14 => change - HOUR + below(number, 8 * DAY),
        14 => change - 1 + below(number, 3),
        kind => {
            let near = if kind < 18 { change } else { anywhere };
            let edges = edges(&open(zone, rows, Interval::new(near - DAY, near + 2 * DAY)));
            if edges.is_empty() {
                near
            } else {
                edges[pick(number, edges.len())] - 1 + below(number >> 8, 3)
            }
        }
    }
}

pub(crate) fn edges(open: &Intervals) -> Vec<Micros> {
    let ends = |interval: &Interval| [interval.start, interval.end];
    open.as_slice().iter().flat_map(ends).collect()
}

/// When one poll comes.
fn poll_at((kind, number): Choice, as_of: Micros, edges: &[Micros]) -> Micros {
    match kind {
        0..5 => as_of - below(number, 9 * DAY),
        5..8 => as_of - below(number, 3 * HOUR),
        8 => as_of - below(number, DAY),
        // A minute around one of eight instants.
        9..11 => as_of - below(number, 8) * 5 * HOUR - below(number >> 8, MINUTE),
        // Neighbours a few microseconds apart.
        11 => as_of - below(number, 6),
        12 => as_of + below(number, HOUR + 1),
        13 => {
            let [a, b, c, d, e] = [0, -1, 1, -REACH, -REACH - 1];
            as_of + [a, b, c, d, e, 1 - REACH][pick(number, 6)]
        }
        14 => as_of - Window::ALL[pick(number, 3)].length() - 1 + below(number >> 8, 3),
        _ if edges.is_empty() => as_of - below(number, 2 * DAY) / HOUR * HOUR,
        _ => edges[pick(number, edges.len())] - 1 + below(number >> 32, 3),
    }
}

pub(crate) fn poll_choices() -> impl Strategy<Value = Vec<(Choice, bool)>> {
    let some = |most| prop::collection::vec((choice(), any::<bool>()), 0..=most);
    prop_oneof![2 => some(5), 3 => some(20), 1 => some(60)]
}

pub(crate) fn poll(at: Micros, active: bool) -> Poll {
    let status = if active {
        Status::Active
    } else {
        Status::Inactive
    };
    Poll::new(at, status)
}

fn polls_of(choices: &[(Choice, bool)], as_of: Micros, open: &Intervals) -> Vec<Poll> {
    let edges = edges(open);
    let made = |&(choice, active): &(Choice, bool)| poll(poll_at(choice, as_of, &edges), active);
    sorted(choices.iter().map(made).collect())
}

/// In order of time, one an instant.
fn sorted(mut polls: Vec<Poll>) -> Vec<Poll> {
    polls.sort_by_key(|poll| poll.at());
    polls.dedup_by_key(|poll| poll.at());
    polls
}

fn cases() -> impl Strategy<Value = Case> {
    (zones(), weekly_rows(), choice(), poll_choices()).prop_map(|(zone, rows, as_of, polls)| {
        let as_of = as_of_of(as_of, zone, &rows);
        let mut case = Case {
            zone,
            rows,
            as_of,
            polls: Vec::new(),
        };
        case.polls = polls_of(&polls, as_of, &case.open());
        case
    })
}

/// A case all of whose times are whole seconds.
fn whole_second_cases() -> impl Strategy<Value = Case> {
    cases().prop_map(|case| Case {
        as_of: whole_second(case.as_of),
        rows: whole_second_rows(&case.rows),
        polls: sorted(
            case.polls
                .iter()
                .map(|known| poll(whole_second(known.at()), known.is_active()))
                .collect(),
        ),
        ..case
    })
}

fn whole_second(at: Micros) -> Micros {
    at.div_euclid(SECOND) * SECOND
}

fn whole_second_rows(rows: &[WeeklyRow]) -> Vec<WeeklyRow> {
    let whole = |row: &WeeklyRow| WeeklyRow {
        times_us_local: row.times_us_local.map(|times| times.map(whole_second)),
        ..*row
    };
    rows.iter().map(whole).collect()
}

/// Stores of one report, with ids that are all different.
type SmallFleet = (Vec<(StoreKey, String, Case)>, Micros);

fn fleets() -> impl Strategy<Value = SmallFleet> {
    let store = (zones(), weekly_rows(), poll_choices());
    let stores = prop::collection::vec((store, 0..2_000_u32, 0..6_usize), 0..=6);
    (stores, choice()).prop_map(|(stores, as_of)| {
        let first = stores
            .first()
            .map(|((zone, rows, _), ..)| (*zone, &rows[..]));
        let (zone, rows) = first.unwrap_or((Tz::UTC, &[]));
        let as_of = as_of_of(as_of, zone, rows);
        let mut made: Vec<(StoreKey, String, Case)> = Vec::new();
        for ((zone, rows, polls), key, form) in stores {
            if made.iter().any(|(known, ..)| *known == key) {
                continue;
            }
            let mut case = Case {
                zone,
                rows,
                as_of,
                polls: Vec::new(),
            };
            case.polls = polls_of(&polls, as_of, &case.open());
            let forms = ["", "é", "a,", "\"", "=1+", "line\n"];
            made.push((key, format!("{}{key}", forms[form]), case));
        }
        (made, as_of)
    })
}

/// `list` in another order, the same for the same seed.
fn shuffled<T: Clone>(list: &[T], mut seed: u64) -> Vec<T> {
    let mut list = list.to_vec();
    for last in (1..list.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        list.swap(last, pick(seed >> 33, last + 1));
    }
    list
}

// ---------------------------------------------------------------------------------------------
// The naive form
// ---------------------------------------------------------------------------------------------

/// The instant that a wall time names, as chrono has it.
fn instant_by_chrono(zone: Tz, local: Micros) -> Micros {
    let mut local = local;
    loop {
        match zone.from_local_datetime(&civil(local)) {
            LocalResult::Single(at) => return at.timestamp_micros(),
            LocalResult::Ambiguous(a, b) => return a.min(b).timestamp_micros(),
            // Clocks go on from the first whole minute that they show again.
            LocalResult::None => local = (local.div_euclid(MINUTE) + 1) * MINUTE,
        }
    }
}

/// What a zone's clocks show at every minute of a stretch of UTC time.
struct WallClock {
    start: Micros,
    shown: Vec<Micros>,
}

impl WallClock {
    fn new(zone: Tz, span: Interval) -> Self {
        let start = span.start.div_euclid(MINUTE) * MINUTE;
        let minutes = (span.end - start) / MINUTE + 1;
        let shown = |minute| {
            let at = start + minute * MINUTE;
            at + offset(zone, at)
        };
        Self {
            start,
            shown: (0..minutes).map(shown).collect(),
        }
    }

    /// When the clocks first show `local`, else when they first show something later; at the start
    /// or the end of the stretch where they do neither.
    fn instant(&self, local: Micros) -> Micros {
        let minute = |place: usize| self.start + i64::try_from(place).expect("short") * MINUTE;
        let within = |shown: &Micros| (*shown..*shown + MINUTE).contains(&local);
        if let Some(place) = self.shown.iter().position(within) {
            return minute(place) + local - self.shown[place];
        }
        let later = self.shown.iter().position(|&shown| shown > local);
        minute(later.unwrap_or(self.shown.len()))
    }
}

/// Business time from its definition, as start and end.
fn naive_hours(
    rows: &[WeeklyRow],
    span: Interval,
    instant: impl Fn(Micros) -> Micros,
) -> Vec<(Micros, Micros)> {
    let mut stretches = Vec::new();
    let first = civil(span.start - 4 * DAY).date();
    let last = civil(span.end + 3 * DAY).date();
    let dates = (0..).map(|days| first + Days::new(days));
    for date in dates.take_while(|&date| date <= last) {
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).expect("a date");
        let midnight = date.signed_duration_since(epoch).num_days() * DAY;
        for row in rows {
            if u32::from(row.weekday) != date.weekday().num_days_from_monday() {
                continue;
            }
            let Some([start, mut end]) = row.times_us_local else {
                continue;
            };
            if end <= start {
                end += DAY;
            }
            let stretch = (instant(midnight + start), instant(midnight + end));
            if stretch.0 < stretch.1 {
                stretches.push(stretch);
            }
        }
    }
    if rows.is_empty() {
        stretches.push((span.start, span.end));
    }
    stretches.sort_unstable();
    let mut hours: Vec<(Micros, Micros)> = Vec::new();
    for (start, end) in stretches {
        match hours.last_mut() {
            Some(last) if start - last.1 <= 60_000_000 => last.1 = last.1.max(end),
            _ => hours.push((start, end)),
        }
    }
    let clip = |(start, end): (Micros, Micros)| (start.max(span.start), end.min(span.end));
    let hours = hours.into_iter().map(clip);
    hours.filter(|(start, end)| start < end).collect()
}

fn hours_by_chrono(case: &Case) -> Vec<(Micros, Micros)> {
    naive_hours(&case.rows, case.span(), |local| {
        instant_by_chrono(case.zone, local)
    })
}

fn is_open(hours: &[(Micros, Micros)], at: Micros) -> bool {
    hours.iter().any(|&(start, end)| start <= at && at < end)
}

fn naive_counted(case: &Case, hours: &[(Micros, Micros)]) -> Vec<Poll> {
    let counts = |poll: &&Poll| {
        let age = case.as_of - poll.at();
        (0..=8 * 86_400_000_000).contains(&age) && is_open(hours, poll.at())
    };
    case.polls.iter().filter(counts).copied().collect()
}

/// The status of an instant, by a look at every poll.
fn naive_is_up(counted: &[Poll], at: Micros, rule: Interpolation) -> Option<bool> {
    let found = match rule {
        // Of two as near, the later; so too where halfway lies between two microseconds.
        Interpolation::Nearest => counted.iter().min_by_key(|poll| {
            let ahead = poll.at() - at;
            if ahead > 0 {
                2 * ahead - 1
            } else {
                2 - 2 * ahead
            }
        }),
        Interpolation::Previous => counted
            .iter()
            .filter(|poll| poll.at() <= at)
            .max_by_key(|poll| poll.at())
            .or(counted.iter().min_by_key(|poll| poll.at())),
    };
    found.map(|poll| poll.is_active())
}

/// The report by the plain form, row by row.
fn plain_csv(stores: &[(StoreKey, String, Case)], rule: Interpolation) -> String {
    let mut by_id: Vec<_> = stores.iter().collect();
    by_id.sort_by_key(|(_, id, _)| id.as_bytes());
    let rows = by_id.iter().map(|(.., case)| cells(&case.row(rule).totals));
    let ids = StoreList::new(by_id.iter().map(|(_, id, _)| &**id));
    String::from_utf8(csv::report(&ids, &rows.collect::<Vec<_>>(), 1)).expect("text")
}

// ---------------------------------------------------------------------------------------------
// The fast form
// ---------------------------------------------------------------------------------------------

fn fleet_of(stores: &[(StoreKey, String, Case)]) -> Fleet {
    let store = |(key, id, case): &(_, String, Case)| (*key, Box::from(&**id), case.pattern());
    Fleet::new(stores.iter().map(store))
}

/// All polls with their stores, in order of time.
fn ordered(stores: &[(StoreKey, String, Case)]) -> Vec<(StoreKey, Poll)> {
    let of_store = |(key, _, case): &(StoreKey, String, Case)| {
        let key = *key;
        let polls = case.polls.clone().into_iter();
        polls.map(move |poll| (key, poll))
    };
    let mut polls: Vec<_> = stores.iter().flat_map(of_store).collect();
    polls.sort_by_key(|(_, poll)| poll.at());
    polls
}

fn fast_csv(
    fleet: &Fleet,
    history: &History,
    as_of: Micros,
    rule: Interpolation,
    threads: usize,
) -> String {
    let business = Arc::new(BusinessTime::new(fleet, BusinessTime::span_for(as_of)));
    let inputs = Inputs::new(Arc::new(fleet.clone()), business, Arc::new(history.clone()));
    let report = FleetReport::new(&inputs, Question { as_of, rule }, threads);
    let csv = report.csv();
    assert_eq!(csv.len(), report.csv_bytes());
    // As one that was kept is rendered.
    let kept = KeptRows {
        kind: "report".to_owned(),
        parameters: "{}".to_owned(),
        question: Question { as_of, rule },
        stores: report.stores().json().to_owned(),
        rows: report.rows().to_vec(),
    };
    let kept = product::restore(Uuid::nil(), &kept).expect("its own rows");
    assert!(kept.csv() == csv);
    // Every second store, by the same business time and flips.
    let mut number = 0;
    let some = inputs.only(|_| {
        number += 1;
        number % 2 == 0
    });
    let some = FleetReport::new(&some, Question { as_of, rule }, threads);
    let all = report.rows().chunks(size_of::<Cells>());
    let all = all.skip(1).step_by(2).flatten();
    assert!(some.rows().iter().eq(all));
    String::from_utf8(csv).expect("text")
}

// ---------------------------------------------------------------------------------------------
// Properties
// ---------------------------------------------------------------------------------------------

/// Seven full days: for each a way to write it and a time to cut it at; or 24 hours from one time on.
fn full_weeks() -> impl Strategy<Value = (Vec<WeeklyRow>, bool)> {
    let days = prop::collection::vec((0..8_u8, 1..1_439_i64), 7);
    (days, any::<bool>(), choice()).prop_map(|(days, turn, from)| {
        let row = WeeklyRow::open;
        if turn {
            let from = time_of_day(from);
            return (
                (0..7).map(|weekday| row(weekday, from, from)).collect(),
                true,
            );
        }
        let mut rows = Vec::new();
        let mut meets = true;
        for (weekday, (form, cut)) in (0..).zip(days) {
            let cut = cut * MINUTE;
            meets &= form < 4;
            match form {
                0 => rows.push(row(weekday, 0, DAY)),
                1 => rows.push(row(weekday, 0, 0)),
                2 => rows.extend([row(weekday, cut, DAY), row(weekday, 0, cut)]),
                3 => rows.extend([row(weekday, 0, cut), row(weekday, cut, 0)]),
                4 => rows.push(row(weekday, 0, DAY - MINUTE)),
                5 => rows.push(row(weekday, 0, DAY - SECOND)),
                6 => rows.extend([row(weekday, 0, cut), row(weekday, cut + MINUTE, DAY)]),
                _ => rows.extend([row(weekday, 0, cut - SECOND), row(weekday, cut, DAY)]),
            }
        }
        (rows, meets)
    })
}

/// The same hours in more rows: each cut at the given parts of a thousand, some twice.
fn in_pieces(rows: &[WeeklyRow], cuts: &[(i64, bool)]) -> Vec<WeeklyRow> {
    let mut pieces = Vec::new();
    for row in rows {
        let Some([start_us_local, end_us_local]) = row.times_us_local else {
            pieces.push(*row);
            continue;
        };
        let mut length = end_us_local - start_us_local;
        if length <= 0 {
            length += DAY;
        }
        let mut marks: Vec<Micros> = cuts.iter().map(|(part, _)| length * part / 1_000).collect();
        marks.extend([0, length]);
        marks.sort_unstable();
        marks.dedup();
        for ends in marks.windows(2) {
            let [start, end] = [ends[0], ends[1]].map(|mark| start_us_local + mark);
            let days = start.div_euclid(DAY);
            let end = end - days * DAY;
            pieces.push(WeeklyRow::open(
                weekday_after(row.weekday, days),
                start - days * DAY,
                if end > DAY { end - DAY } else { end },
            ));
        }
    }
    let again = |(place, piece): (usize, &WeeklyRow)| {
        let (_, twice) = cuts.get(place % cuts.len().max(1))?;
        twice.then_some(*piece)
    };
    let twice: Vec<_> = pieces.iter().enumerate().filter_map(again).collect();
    pieces.extend(twice);
    pieces
}

proptest! {
    #![proptest_config(config(CASES))]

    #[test]
    fn the_pass_makes_the_numbers_of_the_plain_form(case in cases()) {
        let as_of = case.as_of;
        let store = [(7, String::from("store"), case)];
        let fleet = fleet_of(&store);
        let business = BusinessTime::new(&fleet, BusinessTime::span_for(as_of));
        let history = history_of(ordered(&store));
        let open = business.of(fleet.stores()[0].pattern);
        let marks = WindowMarks::new(open, as_of);
        for rule in Interpolation::ALL {
            let mut flips = Vec::new();
            let mut apart = Vec::new();
            let polls = history.of(7, reach(as_of), &mut apart);
            let last = pass::walk(polls, open, rule, None, &mut flips);
            let totals = pass::totals(Known { flips: &flips, last }, &marks, as_of);
            prop_assert_eq!(totals, store[0].2.row(rule).totals, "{:?}", rule);
        }
    }

    #[test]
    fn the_csv_is_the_plain_rows_on_any_number_of_threads(
        (stores, as_of) in fleets(),
        threads in 0..5_usize,
    ) {
        let (fleet, history) = (fleet_of(&stores), history_of(ordered(&stores)));
        for rule in Interpolation::ALL {
            let csv = fast_csv(&fleet, &history, as_of, rule, threads);
            prop_assert_eq!(csv, plain_csv(&stores, rule));
        }
    }

    #[test]
    fn what_reports_keep_for_the_next_never_changes_a_number(
        (mut stores, as_of) in fleets(),
        pieces in prop::collection::vec((any::<u32>(), -9..9_i64, any::<bool>()), 1..6),
        seed in any::<u64>(),
    ) {
        let fleet = Arc::new(fleet_of(&stores));
        let mut rest = shuffled(&ordered(&stores), seed);
        if seed % 2 == 0 {
            // As they mostly come: in order of time.
            rest.sort_by_key(|(_, poll)| poll.at());
        }
        for (_, _, case) in &mut stores {
            case.polls.clear();
        }
        let mut history = History::default();
        let mut business = HashMap::new();
        for (share, hours, previous) in pieces {
            let mut some: Vec<_> = rest.drain(..pick(share.into(), rest.len() + 1)).collect();
            if share % 4 == 0
                && let Some((key, _, case)) = stores.iter().find(|(.., case)| !case.polls.is_empty())
            {
                // A poll is corrected, which lays out its block anew.
                let poll = case.polls[pick(share.into(), case.polls.len())];
                let other = if poll.is_active() { Status::Inactive } else { Status::Active };
                some.push((*key, Poll::new(poll.at(), other)));
            }
            for &(key, poll) in &some {
                let store = stores.iter_mut().find(|(known, ..)| *known == key).expect("a store");
                store.2.polls.retain(|known| known.at() != poll.at());
                store.2.polls.push(poll);
                store.2.polls.sort_unstable();
            }
            history = history.with(&some, Micros::MIN);
            // Back and forth over the polls, and sometimes right at one.
            let at = some.last().filter(|_| hours % 3 == 0).map_or(as_of, |(_, poll)| poll.at());
            let as_of = at + hours * HOUR;
            let business = business
                .entry(BusinessTime::span_for(as_of).start)
                .or_insert_with(|| Arc::new(BusinessTime::new(&fleet, BusinessTime::span_for(as_of))));
            for (_, _, case) in &mut stores {
                case.as_of = as_of;
            }
            let rule = Interpolation::ALL[usize::from(previous)];
            let inputs = Inputs::new(Arc::clone(&fleet), Arc::clone(business), Arc::new(history.clone()));
            let report = FleetReport::new(&inputs, Question { as_of, rule }, 2);
            let csv = report.csv();
            prop_assert_eq!(String::from_utf8(csv).expect("text"), plain_csv(&stores, rule));
        }
    }

    #[test]
    fn uptime_and_downtime_are_the_business_time_of_the_window(case in cases()) {
        let hours = hours_by_chrono(&case);
        let counted = naive_counted(&case, &hours);
        for rule in Interpolation::ALL {
            let totals = case.row(rule).totals;
            for (&total, length) in totals.iter().zip([1, 24, 7 * 24]) {
                let from = case.as_of - length * 3_600_000_000;
                let inside = |&(start, end): &(Micros, Micros)| {
                    (end.min(case.as_of) - start.max(from)).max(0)
                };
                let expected: Micros = hours.iter().map(inside).sum();
                match total {
                    WindowTotal::Closed => prop_assert_eq!(expected, 0),
                    WindowTotal::Unknown { business } => {
                        prop_assert_eq!(expected, business);
                        prop_assert!(counted.is_empty() && business > 0);
                    }
                    WindowTotal::Known { uptime, downtime } => {
                        prop_assert_eq!(uptime + downtime, expected);
                        prop_assert!(uptime >= 0 && downtime >= 0 && expected > 0);
                        prop_assert!(!counted.is_empty());
                    }
                }
            }
        }
    }

    #[test]
    fn business_time_is_what_the_clocks_on_the_wall_show(
        zone in zones(),
        rows in weekly_rows(),
        at in choice(),
    ) {
        let at = as_of_of(at, zone, &rows);
        let span = Interval::new(at - 18 * HOUR, at + 6 * HOUR);
        // Wider by more than clocks are ever set back or forward at once.
        let clock = WallClock::new(zone, Interval::new(span.start - 26 * HOUR, span.end + 26 * HOUR));
        let expected = naive_hours(&rows, span, |local| clock.instant(local));
        let open: Vec<_> = open(zone, &rows, span)
            .as_slice()
            .iter()
            .map(|interval| (interval.start, interval.end))
            .collect();
        prop_assert_eq!(open, expected);
    }

    #[test]
    fn business_time_is_the_same_for_every_span_that_is_asked(
        case in cases(),
        start in 0..9 * DAY,
        length in 0..DAY,
    ) {
        let start = case.span().start + start;
        let part = Interval::new(start, start + length);
        prop_assert_eq!(open(case.zone, &case.rows, part), case.open().clip(part));
    }

    #[test]
    fn each_half_second_of_the_last_hour_has_the_status_that_the_polls_give_it(
        case in whole_second_cases(),
    ) {
        const HALF: Micros = 500_000;
        let hours = hours_by_chrono(&case);
        let counted = naive_counted(&case, &hours);
        for rule in Interpolation::ALL {
            let (mut business, mut up) = (0, 0);
            for half in 0..7_200 {
                let at = case.as_of - HOUR + half * HALF;
                if is_open(&hours, at) {
                    business += HALF;
                    up += HALF * i64::from(naive_is_up(&counted, at, rule) == Some(true));
                }
            }
            let expected = if business == 0 {
                WindowTotal::Closed
            } else if counted.is_empty() {
                WindowTotal::Unknown { business }
            } else {
                WindowTotal::Known { uptime: up, downtime: business - up }
            };
            prop_assert_eq!(case.row(rule).totals[Window::Hour], expected, "{:?}", rule);
        }
    }

    #[test]
    fn any_instant_has_the_status_that_the_polls_give_it(
        case in cases(),
        instants in prop::collection::vec(any::<u64>(), 8),
    ) {
        let counts = counted(&case);
        prop_assert_eq!(&counts, &naive_counted(&case, &hours_by_chrono(&case)));
        let span = case.span();
        let mut at: Vec<_> = instants
            .iter()
            .map(|&number| span.start + below(number, span.length()))
            .collect();
        // Around halfway between two polls, and around the polls themselves.
        let halfway = counts.windows(2).map(|pair| i64::midpoint(pair[0].at(), pair[1].at()));
        let odd: Vec<_> = halfway.chain(counts.iter().map(|poll| poll.at())).collect();
        at.extend(odd.iter().flat_map(|&at| [at - 1, at, at + 1]));
        for rule in Interpolation::ALL {
            let Some(timeline) = Timeline::new(&counts, rule, span) else {
                prop_assert!(counts.is_empty());
                continue;
            };
            for &at in &at {
                let is_up = timeline.up.contains(at);
                prop_assert_eq!(Some(is_up), naive_is_up(&counts, at, rule), "{} {:?}", at, rule);
                prop_assert_eq!(is_up, !timeline.down.contains(at), "{} {:?}", at, rule);
            }
        }
    }

    #[test]
    fn a_poll_has_its_own_status_at_its_own_instant(case in cases()) {
        let counts = counted(&case);
        for rule in Interpolation::ALL {
            let Some(timeline) = Timeline::new(&counts, rule, case.span()) else {
                continue;
            };
            for (place, poll) in counts.iter().enumerate() {
                // Halfway to a poll one microsecond later, rounded down, is the instant itself.
                let next = counts.get(place + 1);
                let next = next.filter(|next| next.at() == poll.at() + 1);
                let own = match rule {
                    Interpolation::Nearest => next.unwrap_or(poll),
                    Interpolation::Previous => poll,
                };
                prop_assert_eq!(timeline.up.contains(poll.at()), own.is_active(), "{:?}", poll);
            }
        }
    }

    #[test]
    fn coverage_never_sees_more_than_the_business_time(case in cases()) {
        let row = case.row(Interpolation::Nearest);
        let counts = counted(&case);
        for (&coverage, &total) in row.coverage.iter().zip(row.totals.iter()) {
            let business = match total {
                WindowTotal::Closed => {
                    prop_assert_eq!(coverage, None);
                    continue;
                }
                WindowTotal::Unknown { business } => business,
                WindowTotal::Known { uptime, downtime } => uptime + downtime,
            };
            let coverage = coverage.expect("there is business time");
            prop_assert_eq!(coverage.business, business);
            prop_assert!((0..=business).contains(&coverage.seen));
            // A poll sees an hour either way, and no two see more than both.
            let most = i64::try_from(counts.len()).expect("few") * 2 * HOUR;
            prop_assert!(coverage.seen <= most);
        }
        let in_last_hour = |poll: &&Poll| poll.at() >= case.as_of - HOUR && poll.at() < case.as_of;
        if let (Some(coverage), Some(_)) = (row.coverage[Window::Hour], counts.iter().find(in_last_hour)) {
            prop_assert_eq!(coverage.seen, coverage.business);
        }
    }

    #[test]
    fn downtime_lies_between_the_least_and_the_most_under_both_rules(case in cases()) {
        let (counts, open) = (counted(&case), case.open());
        for window in Window::ALL {
            let stretch = window.before(case.as_of);
            let certainty = Certainty::measure(&counts, &open, stretch);
            prop_assert_eq!(certainty, Certainty::of(&counts, &OpenTime::new(open.clone()), stretch));
            let Some(certainty) = certainty else {
                prop_assert!(counts.is_empty());
                continue;
            };
            if counts.is_empty() {
                prop_assert_eq!(certainty, Certainty::default());
                continue;
            }
            let uncertain = certainty.most() - certainty.least();
            prop_assert!(certainty.up >= 0 && certainty.down >= 0 && uncertain >= 0);
            prop_assert_eq!(certainty.up + certainty.down + uncertain, certainty.business);
            for rule in Interpolation::ALL {
                let total = case.row(rule).totals[window];
                let (uptime, downtime) = total.known().expect("polls count");
                prop_assert_eq!(uptime + downtime, certainty.business);
                prop_assert!(certainty.least() <= downtime && downtime <= certainty.most());
            }
        }
    }

    #[test]
    fn what_is_left_of_a_month_is_the_same_however_its_past_is_carried(
        case in cases(),
        older in prop::collection::vec((choice(), any::<bool>()), 0..40),
        until_days in 0_i64..34,
        target in 9_000_i64..=10_000,
    ) {
        let (as_of, pattern) = (case.as_of, case.pattern());
        let past = older.iter().map(|&((_, number), active)| poll(as_of - below(number, 34 * DAY), active));
        let polls = sorted(case.polls.iter().copied().chain(past).collect());
        let until = as_of - until_days * DAY;
        let time = MonthTime::new(&pattern, as_of);
        for rule in Interpolation::ALL {
            let question = Question { as_of, rule };
            let mut scratch = Vec::new();
            let carry = time.carry(&polls, rule, until, &mut scratch);
            let later = polls.partition_point(|poll| poll.at() <= until);
            let left = time.left((carry, until), &polls[later..], question, target, &mut scratch);
            prop_assert_eq!(left, MonthLeft::measure(&polls, &pattern, question, target));
        }
    }

    #[test]
    fn an_instant_is_certain_near_a_poll_and_not_between_two_of_different_status(
        case in cases(),
        asked in prop::collection::vec(choice(), 1..40),
    ) {
        let (counts, open) = (counted(&case), case.open());
        for choice in asked {
            let at = poll_at(choice, case.as_of, &edges(&open)).min(case.as_of - 1);
            let near = counts.iter().any(|poll| poll.at() - HOUR <= at && at < poll.at() + HOUR);
            let between = |pair: &[Poll]| pair[0].at() <= at && at < pair[1].at();
            let changes = counts.windows(2).any(|pair| between(pair) && pair[0].status() != pair[1].status());
            let is_certain = open.contains(at) && near && !changes;
            let certainty = Certainty::measure(&counts, &open, Interval::new(at, at + 1));
            prop_assert_eq!(certainty.map_or(0, Certainty::certain), Micros::from(is_certain));
            if let (true, Some(certainty)) = (is_certain, certainty) {
                for rule in Interpolation::ALL {
                    let up = naive_is_up(&counts, at, rule).expect("a poll is near");
                    prop_assert_eq!((certainty.up, certainty.down), (Micros::from(up), Micros::from(!up)));
                }
            }
        }
    }

    #[test]
    fn seven_full_days_are_no_rows(case in cases(), (rows, meets) in full_weeks(), order: u64) {
        let rows = shuffled(&rows, order);
        let span = case.span();
        let near = Interval::new(span.start - 2 * DAY, span.end + 2 * DAY);
        let goes_back = |&&at: &&Micros| {
            near.contains(at) && offset(case.zone, at) < offset(case.zone, at - 1)
        };
        // A seam in the hour that clocks repeat is longer than a seam: see the cases below.
        if !meets && transitions(case.zone).iter().any(|at| goes_back(&at)) {
            return Ok(());
        }
        prop_assert_eq!(open(case.zone, &rows, span), open(case.zone, &[], span));
        let always = Case { rows: Vec::new(), ..case.clone() };
        let spelled = Case { rows, ..case };
        for rule in Interpolation::ALL {
            prop_assert_eq!(spelled.row(rule), always.row(rule));
        }
    }

    #[test]
    fn splitting_reordering_and_repeating_rows_changes_nothing(
        case in cases(),
        cuts in prop::collection::vec((0..=1_000_i64, any::<bool>()), 0..4),
        order: u64,
    ) {
        let rows = shuffled(&in_pieces(&case.rows, &cuts), order);
        let other = Case { rows, ..case.clone() };
        prop_assert_eq!(other.open(), case.open(), "{:?}", other.rows);
        for rule in Interpolation::ALL {
            prop_assert_eq!(other.row(rule), case.row(rule));
        }
    }

    #[test]
    fn stores_may_come_in_any_order_in_a_history(
        (stores, as_of) in fleets(),
        order: u64,
        threads in 1..3_usize,
    ) {
        let fleet = fleet_of(&stores);
        let by_time = history_of(ordered(&stores));
        let mut by_store = Builder::default();
        for (key, _, case) in shuffled(&stores, order) {
            case.polls.iter().for_each(|&poll| by_store.push(key, poll));
        }
        // As stores take turns in an order that changes all the time.
        let mut by_turns = Builder::default();
        let turns = stores.iter().flat_map(|(key, _, case)| vec![*key; case.polls.len()]);
        let mut queues: Vec<_> = stores.iter().map(|(key, _, case)| (*key, case.polls.iter())).collect();
        for turn in shuffled(&turns.collect::<Vec<_>>(), order) {
            for (key, queue) in queues.iter_mut().filter(|(key, _)| *key == turn) {
                by_turns.push(*key, *queue.next().expect("as many as turns"));
            }
        }
        // As changes come in, a few polls at a time, some of them corrections of what was wrong before.
        let polls = stores.iter().flat_map(|(key, _, case)| case.polls.iter().map(|&poll| (*key, poll)));
        let polls = shuffled(&polls.collect::<Vec<_>>(), order);
        let wrong = |&(key, poll): &(_, Poll)| {
            let status = if poll.is_active() { Status::Inactive } else { Status::Active };
            (key, Poll::new(poll.at(), status))
        };
        let at_first: Vec<_> = polls.iter().step_by(3).map(wrong).collect();
        let by_change = polls
            .chunks(7)
            .fold(history_of(at_first), |history, change| history.with(change, Micros::MIN));
        let finish = |builder| Builder::finish(&[()], &[builder], 3);
        let others = [finish(by_store), finish(by_turns), by_change];
        for rule in Interpolation::ALL {
            let expected = fast_csv(&fleet, &by_time, as_of, rule, 1);
            for history in &others {
                prop_assert_eq!(history.len(), by_time.len());
                prop_assert_eq!(&fast_csv(&fleet, history, as_of, rule, threads), &expected);
            }
        }
    }

    #[test]
    fn polls_after_as_of_or_before_its_reach_change_nothing(
        case in cases(),
        others in prop::collection::vec((0..4_u8, 1..40 * DAY, any::<bool>()), 1..20),
    ) {
        let as_of = case.as_of;
        let mut polls = case.polls.clone();
        polls.extend(others.iter().map(|&(kind, distance, active)| match kind {
            0 => poll(as_of + 1 + distance % 3, active),
            1 => poll(as_of + distance, active),
            2 => poll(as_of - REACH - 1 - distance % 3, active),
            _ => poll(as_of - REACH - distance, active),
        }));
        // Which of two at one instant stands does not matter either: neither counts.
        let later = Case { polls: sorted(polls), ..case.clone() };
        let [before, after] = [case, later].map(|case| [(300, String::from("store"), case)]);
        let fleet = fleet_of(&before);
        let history = history_of(ordered(&after));
        for rule in Interpolation::ALL {
            prop_assert_eq!(before[0].2.row(rule), after[0].2.row(rule));
            let csv = fast_csv(&fleet, &history, as_of, rule, 1);
            prop_assert_eq!(csv, plain_csv(&before, rule));
        }
    }

    #[test]
    fn what_is_printed_is_within_half_a_hundredth(
        numbers in prop::array::uniform3((0..4_u8, any::<u64>(), any::<u64>())),
    ) {
        // The exact values of a hundredth: of a minute, and twice of an hour.
        let units = [600_000, 36_000_000, 36_000_000];
        let mut exact = [(0, 0); 3];
        for (window, (kind, up, down)) in numbers.into_iter().enumerate() {
            let length = Window::ALL[window].length();
            let uptime = match kind {
                0 => below(up, length + 1),
                1 => below(up, 10_000) % (length / units[window]) * units[window],
                _ => below(up, length / units[window]) * units[window] + units[window] / 2 - below(up >> 40, 2),
            };
            let downtime = if kind == 3 { length - uptime } else { below(down, length - uptime + 1) };
            exact[window] = (uptime, downtime);
        }
        let totals = PerWindow::new(|window| {
            let (uptime, downtime) = exact[window as usize];
            WindowTotal::Known { uptime, downtime }
        });
        let csv = csv::report(&StoreList::new(["store"]), &[cells(&totals)], 1);
        let csv = String::from_utf8(csv).expect("text");
        let line = csv.lines().nth(1).expect("a line");
        let printed: Vec<i64> = line
            .trim_end()
            .split(',')
            .skip(1)
            .map(|number| {
                let (whole, hundredths) = number.split_once('.').expect("a point");
                assert_eq!(hundredths.len(), 2, "{number}");
                format!("{whole}{hundredths}").parse().expect("a number")
            })
            .collect();
        let ups = exact.iter().map(|&(up, _)| up);
        let downs = exact.iter().map(|&(_, down)| down);
        for (place, exact) in ups.chain(downs).enumerate() {
            let unit = units[place % 3];
            let off = 2 * (printed[place] * unit - exact);
            prop_assert!(-unit < off && off <= unit, "{} for {}", line, exact);
        }
        prop_assert_eq!(printed.len(), 6);
    }
}

// ---------------------------------------------------------------------------------------------
// Through a database
// ---------------------------------------------------------------------------------------------

/// One call that loads these files' texts.
fn load(db: &mut Connection, latest: Micros, texts: &[String]) {
    let sources = texts
        .iter()
        .map(|text| Source::new("input.csv", text.as_bytes()));
    let folder = std::env::temp_dir();
    let batch = batch::read(
        sources,
        MachineTime::until(latest),
        &Scratch::unbounded(&folder),
        &mut |_, bad| panic!("line {}: {}", bad.line, bad.reason),
    );
    let batch = batch.expect("good input");
    store_monitor::db::write(db, |db| load::write(db, batch)).expect("a database in memory");
}

fn polls_csv(polls: &[(StoreKey, Poll)]) -> String {
    let mut text = String::from("store_id,timestamp_utc,status\n");
    for (key, poll) in polls {
        let status = poll.status().as_str();
        text.push_str(&format!("s{key},{},{status}\n", format_utc(poll.at())));
    }
    text
}

proptest! {
    #![proptest_config(config(CASES_DB))]

    #[test]
    fn polls_loaded_in_any_order_twice_or_in_pieces_make_the_same_report(
        (stores, as_of) in fleets(),
        order: u64,
        piece in 1..40_usize,
        twice: bool,
        one_call: bool,
    ) {
        let stores: Vec<_> = stores
            .into_iter()
            .map(|(key, _, case)| {
                let rows = whole_second_rows(&case.rows);
                (key, format!("s{key}"), Case { rows, ..case })
            })
            .collect();
        let mut zones = String::from("store_id,timezone_str\n");
        let mut hours = String::from("store_id,day,start_time_local,end_time_local\n");
        for (key, _, case) in &stores {
            zones.push_str(&format!("s{key},{}\n", case.zone.name()));
            for row in &case.rows {
                let times = row.times_us_local.map(|times| times.map(format_local_time));
                let [start, end] = times.unwrap_or_default();
                hours.push_str(&format!("s{key},{},{start},{end}\n", row.weekday));
            }
        }
        let polls_in_order = ordered(&stores);
        let mut loaded = shuffled(&polls_in_order, order);
        if twice {
            loaded.extend(shuffled(&polls_in_order, !order));
        }
        // Some are first said to be the other way round: what came in last stands.
        let wrong = |(key, known): &(StoreKey, Poll)| (*key, poll(known.at(), !known.is_active()));
        let wrong: Vec<_> = loaded.iter().step_by(3).map(wrong).collect();
        loaded.splice(0..0, wrong);

        let mut db = Connection::open_in_memory().expect("memory");
        db.execute_batch(include_str!("../../schema.sql")).expect("a schema");
        let texts: Vec<_> = loaded.chunks(piece).map(polls_csv).collect();
        let latest = as_of + 2 * DAY;
        load(&mut db, latest, &[zones, hours]);
        if one_call {
            load(&mut db, latest, &texts);
        } else {
            texts.into_iter().for_each(|text| load(&mut db, latest, &[text]));
        }

        let fleet = fleet::load(&db).expect("a fleet");
        let history = polls::history(&db, reach(as_of), 2).expect("polls");
        for rule in Interpolation::ALL {
            prop_assert_eq!(fast_csv(&fleet, &history, as_of, rule, 2), plain_csv(&stores, rule));
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Odd ones
// ---------------------------------------------------------------------------------------------

fn at(text: &str) -> Micros {
    parse_instant(text).expect("an instant")
}

/// How long a store with these hours, every day, is open in a span.
fn open_every_day(
    zone: Tz,
    start_us_local: Micros,
    end_us_local: Micros,
    span: [&str; 2],
) -> Micros {
    let row = |weekday| WeeklyRow::open(weekday, start_us_local, end_us_local);
    let rows: Vec<_> = (0..7).map(row).collect();
    open(zone, &rows, Interval::new(at(span[0]), at(span[1]))).length()
}

#[test]
fn a_seam_in_the_hour_that_clocks_repeat_is_an_hour_longer_and_so_a_closing() {
    // Santiago's clocks go from 24:00 back to 23:00: 23:59 is first shown 61 minutes before midnight.
    let night = ["2026-04-04 12:00:00 UTC", "2026-04-05 12:00:00 UTC"];
    let length = |end| open_every_day(Tz::America__Santiago, 0, end, night);
    assert_eq!(length(DAY), DAY);
    assert_eq!(length(0), DAY);
    assert_eq!(length(DAY - MINUTE), DAY - HOUR - MINUTE);
    assert_eq!(length(DAY - SECOND), DAY - HOUR - SECOND);
}

#[test]
fn of_polls_a_microsecond_apart_the_later_has_both_instants() {
    let span = Interval::new(0, 10);
    let polls = [poll(4, true), poll(5, false)];
    let up_until = |rule| {
        let timeline = Timeline::new(&polls, rule, span).expect("there are polls");
        timeline.up.as_slice()[0].end
    };
    assert_eq!(Interpolation::ALL.map(up_until), [4, 5]);
}

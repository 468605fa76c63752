//! Facts about outages: their starts and ends, and the effect of closed hours and late polls.

use proptest::prelude::*;

use chrono_tz::Tz;

use super::super::business_hours::Pattern;
use super::super::calendar::WeeklyRow;
use super::super::history_builder::history_of;
use super::super::poll::Status;
use super::*;

/// A midnight between a Thursday and a Friday.
const AS_OF: Micros = 20_000 * DAY;
const NONE: [[(Micros, Micros); 2]; 0] = [];

/// The instants of a store's polls, and its weekly hours in UTC.
type Store = (Vec<Micros>, Vec<WeeklyRow>);

/// The outages of stores that never close; each is given by the instants of its polls.
fn found(stores: &[Vec<Micros>]) -> Intervals {
    let stores = stores.iter().map(|polls| (polls.clone(), Vec::new()));
    found_among(&stores.collect::<Vec<_>>())
}

fn found_among(stores: &[Store]) -> Intervals {
    let polls = (0..).zip(stores).flat_map(|(key, (polls, _))| {
        let poll = move |&at: &Micros| (key, Poll::new(at, Status::Active));
        polls.iter().map(poll)
    });
    let fleet = Fleet::new((0..).zip(stores).map(|(key, (_, rows))| {
        let (zone, rows) = (Tz::UTC, rows.clone());
        (key, key.to_string().into(), Pattern::weekly(zone, rows))
    }));
    let business = BusinessTime::new(&fleet, BusinessTime::span_for(AS_OF));
    outages(&fleet, &business, &history_of(polls), AS_OF)
}

/// The outages, in hours and minutes after `AS_OF`.
fn found_at(stores: &[Vec<Micros>]) -> Vec<[(Micros, Micros); 2]> {
    in_hours(&found(stores))
}

fn in_hours(found: &Intervals) -> Vec<[(Micros, Micros); 2]> {
    let at = |at: Micros| {
        let minutes = (at - AS_OF) / MINUTE;
        (minutes.div_euclid(60), minutes.rem_euclid(60))
    };
    let found = found.as_slice().iter();
    found.map(|out| [at(out.start), at(out.end)]).collect()
}

/// Stores 0 to 9, each polled two minutes after the one before it. `polled` selects the hours, from -100 to -1
/// before `AS_OF`.
fn ten(polled: impl Fn(usize, i32) -> bool) -> Vec<Vec<Micros>> {
    let at = |store: Micros, hour: i32| AS_OF + Micros::from(hour) * HOUR + store * 2 * MINUTE;
    let polls = |(store, minute)| {
        let hours = (-100..0).filter(|&hour| polled(store, hour));
        hours.map(|hour| at(minute, hour)).collect()
    };
    (0..10).zip(0..10).map(polls).collect()
}

#[test]
fn steady_polls_know_no_outage() {
    assert_eq!(found_at(&ten(|_, _| true)), NONE);
    assert_eq!(found_at(&ten(|_, _| false)), NONE);
    assert_eq!(found_at(&[]), NONE);
}

#[test]
fn an_outage_lasts_while_more_than_eighty_per_cent_are_silent() {
    // The ninth store falls silent at 16 minutes past, the second is heard again at 2 past.
    let all = ten(|_, hour| !(-50..-40).contains(&hour));
    assert_eq!(found_at(&all), [[(-51, 16), (-40, 2)]]);
    let nine = ten(|store, hour| store == 9 || !(-50..-40).contains(&hour));
    assert_eq!(found_at(&nine), [[(-51, 16), (-40, 0)]]);
    let eight = ten(|store, hour| store >= 8 || !(-50..-40).contains(&hour));
    assert_eq!(found_at(&eight), NONE);
    let one = ten(|store, hour| store > 0 || !(-50..-40).contains(&hour));
    assert_eq!(found_at(&one), NONE);
}

#[test]
fn three_usual_gaps_are_no_silence_yet() {
    assert_eq!(found_at(&ten(|_, hour| !(-50..-48).contains(&hour))), NONE);
    let four = ten(|_, hour| !(-50..-47).contains(&hour));
    assert_eq!(found_at(&four), [[(-51, 16), (-47, 2)]]);
}

#[test]
fn an_outage_that_goes_on_ends_at_as_of_however_long_it_is() {
    assert_eq!(found_at(&ten(|_, hour| hour < -2)), NONE);
    let hours = ten(|_, hour| hour < -5);
    assert_eq!(found_at(&hours), [[(-6, 16), (0, 0)]]);
    let days = ten(|_, hour| hour < -70);
    assert_eq!(found_at(&days), [[(-71, 16), (0, 0)]]);
    // A single poll in the middle does not end the outage.
    let stray = ten(|store, hour| hour < -70 || (store == 3 && hour == -20));
    assert_eq!(found_at(&stray), [[(-71, 16), (0, 0)]]);
}

#[test]
fn polls_that_begin_late_are_no_outage() {
    assert_eq!(found_at(&ten(|_, hour| hour >= -20)), NONE);
}

#[test]
fn stores_are_not_expected_before_their_first_poll() {
    // Two of ten exist early on, and their poller fails.
    let stores = ten(|store, hour| hour >= -30 || (store < 2 && !(-60..-50).contains(&hour)));
    assert_eq!(found_at(&stores), [[(-61, 2), (-50, 0)]]);
}

#[test]
fn stores_closed_for_good_are_not_expected() {
    let closed = |store, hour| store >= 2 && hour >= -70;
    // Eight are gone: the ninth's silence is not that of nine out of ten.
    let one = ten(|store, hour| !closed(store, hour) || (store == 2 && hour >= -9));
    let alone = ten(|store, hour| !(closed(store, hour) || (store == 0 && (-50..-40).contains(&hour))));
    assert_eq!(found_at(&one), NONE);
    assert_eq!(found_at(&alone), NONE);
    let both = ten(|store, hour| !(closed(store, hour) || (-50..-40).contains(&hour)));
    assert_eq!(found_at(&both), [[(-51, 2), (-40, 0)]]);
}

#[test]
fn a_store_alone_falls_silent_with_nobody() {
    let one = ten(|store, hour| store == 0 && !(-50..-40).contains(&hour));
    assert_eq!(found_at(&one), NONE);
}

#[test]
fn a_minute_between_two_outages_is_a_seam() {
    // Two of ten are polled twice in the silence; the time between the two polls is their silence alone.
    let parted = |between: Micros| {
        let mut stores = ten(|_, hour| !(-50..-30).contains(&hour));
        for polls in &mut stores[..2] {
            polls.extend([AS_OF - 40 * HOUR, AS_OF - 40 * HOUR + between]);
            polls.sort_unstable();
        }
        found_at(&stores)
    };
    assert_eq!(parted(MINUTE), [[(-51, 16), (-30, 2)]]);
    let two = [[(-51, 16), (-40, 0)], [(-40, 2), (-30, 2)]];
    assert_eq!(parted(2 * MINUTE), two);
}

#[test]
fn stores_with_too_few_polls_take_no_part() {
    let stores = ten(|store, hour| {
        if store < 8 {
            hour == -90 || hour == -45
        } else {
            !(-50..-40).contains(&hour)
        }
    });
    assert_eq!(found_at(&stores), [[(-51, 18), (-40, 16)]]);
}

#[test]
fn two_pollers_that_take_turns_within_minutes_are_no_outage() {
    let twice = |polls: Vec<Micros>| -> Vec<_> {
        let turns = polls.iter().flat_map(|&at| [at, at + 5 * MINUTE]);
        turns.collect()
    };
    let steady = ten(|_, _| true).into_iter().map(twice);
    assert_eq!(found_at(&steady.collect::<Vec<_>>()), NONE);
    let silent = ten(|_, hour| !(-50..-40).contains(&hour));
    let silent: Vec<_> = silent.into_iter().map(twice).collect();
    assert_eq!(found_at(&silent), [[(-51, 21), (-40, 2)]]);
}

#[test]
fn polls_out_of_reach_say_nothing() {
    let mut stores = ten(|_, _| true);
    for polls in &mut stores {
        polls.insert(0, AS_OF - 9 * DAY);
        polls.push(AS_OF + 9 * HOUR);
    }
    assert_eq!(found_at(&stores), NONE);
}

/// Open from hour to hour on every day of the week.
fn daily(start: Micros, end: Micros) -> Vec<WeeklyRow> {
    let row = |weekday| WeeklyRow::open(weekday, start * HOUR, end * HOUR);
    (0..7).map(row).collect()
}

/// The outages of [`ten`] with these hours, in hours and minutes after `AS_OF`.
fn found_with(hours: &[WeeklyRow], polled: impl Fn(usize, i32) -> bool) -> Vec<[(Micros, Micros); 2]> {
    let stores = ten(polled).into_iter();
    let stores: Vec<Store> = stores.map(|polls| (polls, hours.to_vec())).collect();
    in_hours(&found_among(&stores))
}

/// Whether a store that is open from 9 to 22 h is polled in that hour before `AS_OF`: by day, and once after
/// closing.
fn by_day(hour: i32) -> bool {
    (9..=22).contains(&hour.rem_euclid(24))
}

#[test]
fn stores_that_are_polled_when_open_are_not_silent_while_they_are_closed() {
    assert_eq!(found_with(&daily(9, 22), |_, hour| by_day(hour)), NONE);
    let mut but_tuesdays = daily(9, 22);
    but_tuesdays.remove(1);
    let closed = |hour: i32| (-72..-48).contains(&hour);
    assert_eq!(found_with(&but_tuesdays, |_, hour| by_day(hour) && !closed(hour)), NONE);
    // Two hours of the evening, and one of the morning, are no silence yet.
    let night = |hour: i32| (-27..-14).contains(&hour);
    assert_eq!(found_with(&daily(9, 22), |_, hour| by_day(hour) && !night(hour)), NONE);
}

#[test]
fn stores_that_are_polled_when_open_have_outages_by_day_and_over_night() {
    let found =
        |silent: std::ops::Range<i32>| found_with(&daily(9, 22), |_, hour| by_day(hour) && !silent.contains(&hour));
    assert_eq!(found(-34..-29), [[(-35, 16), (-29, 2)]]);
    // From Wednesday evening to Thursday noon it is one.
    assert_eq!(found(-30..-12), [[(-31, 16), (-12, 2)]]);
    // It ends when the last store closes: no later time is known.
    assert_eq!(found(-10..0), [[(-11, 16), (-2, 0)]]);
}

#[test]
fn stores_that_close_but_are_polled_around_the_clock_have_outages_at_night() {
    let polled = |_, hour: i32| !(-52..-44).contains(&hour);
    assert_eq!(found_with(&daily(9, 22), polled), [[(-53, 16), (-44, 2)]]);
}

#[test]
fn each_store_is_expected_in_its_own_time() {
    // By night there are only two.
    let store = |store: usize, silent: fn(usize, i32) -> bool| -> Store {
        let by_day = |hour: i32| store < 2 || by_day(hour);
        let polls = ten(|other, hour| other == store && by_day(hour) && !silent(store, hour));
        let hours = if store < 2 { Vec::new() } else { daily(9, 22) };
        (polls[store].clone(), hours)
    };
    let found = |silent| {
        let stores: Vec<_> = (0..10).map(|number| store(number, silent)).collect();
        in_hours(&found_among(&stores))
    };
    assert_eq!(found(|_, _| false), NONE);
    assert_eq!(found(|_, hour| (-50..-44).contains(&hour)), [[(-50, 0), (-44, 0)]]);
    assert_eq!(found(|store, hour| store == 0 && (-50..-44).contains(&hour)), NONE);
}

/// A twelfth of an hour is enough for the property, and two minutes are longer than a seam.
const STEP: Micros = 2 * MINUTE;

/// How many steps before `AS_OF` a store may be polled in.
const STEPS: usize = 90 * 30;

fn instant(step: usize) -> Micros {
    AS_OF - Micros::try_from(STEPS - step).expect("few") * STEP
}

/// One store by the definition, word for word.
struct Defined {
    polls: Vec<usize>,
    /// Steps that pass for it before each step.
    passed: Vec<usize>,
    patience: usize,
}

impl Defined {
    fn new((polls, rows): &Store) -> Option<Self> {
        let is_open = |at: Micros| {
            let (day, time) = (at.div_euclid(DAY), at.rem_euclid(DAY));
            let opens = |row: &WeeklyRow| {
                (day + 3).rem_euclid(7) == i64::from(row.weekday)
                    && row
                        .times_us_local
                        .is_some_and(|[start, end]| (start..end).contains(&time))
            };
            rows.is_empty() || rows.iter().any(opens)
        };
        let steps: Vec<usize> = (0..STEPS)
            .filter(|&step| polls.binary_search(&instant(step)).is_ok())
            .collect();
        let (&first, &last) = (steps.first()?, steps.last()?);
        // Within an hour of business time, or of its end.
        let near = |at: &&Micros| (-30..=30).any(|step| is_open(**at + step * STEP)) || is_open(**at - EDGE_MAX - 1);
        let near = polls.iter().filter(near).count();
        let closes = !(first..last).all(|step| is_open(instant(step)));
        let when_open = closes && near * 20 >= polls.len() * 19;
        let mut passed = vec![0];
        for step in 0..STEPS {
            let passes = !when_open || is_open(instant(step));
            passed.push(passed[step] + usize::from(passes));
        }
        let median = |step: usize| {
            let pairs = steps.iter().zip(steps.iter().skip(step));
            let mut gaps: Vec<_> = pairs.map(|(&a, &b)| passed[b] - passed[a]).collect();
            gaps.sort_unstable();
            gaps.get(gaps.len() / 2).copied()
        };
        // Doubled, so that half a gap is whole.
        let gap = (2 * median(1)?).max(median(2)?);
        (steps.len() >= POLLS_MIN && gap > 0).then(|| Self {
            patience: 3 * gap,
            polls: steps,
            passed,
        })
    }

    fn is_silence(&self, from: usize, to: usize) -> bool {
        2 * (self.passed[to] - self.passed[from]) > self.patience
    }

    fn last(&self) -> usize {
        *self.polls.last().expect("three")
    }

    fn is_gone(&self, all: &[Self]) -> bool {
        let later = |other: &&Self| {
            instant(other.last()) - instant(self.last()) > GONE_AFTER && self.is_silence(self.last(), other.last())
        };
        all.iter().filter(later).count() * 5 >= all.len()
    }

    /// Whether it is expected in a step, and whether it is silent.
    fn state(&self, step: usize, all: &[Self]) -> (bool, bool) {
        let in_its_time = self.passed[step + 1] > self.passed[step];
        let gone = step >= self.last() && self.is_gone(all);
        if step < self.polls[0] || !in_its_time || gone {
            return (false, false);
        }
        let next = self.polls.partition_point(|&poll| poll <= step);
        let end = self.polls.get(next).copied().unwrap_or(STEPS);
        (true, self.is_silence(self.polls[next - 1], end))
    }
}

/// The definition, word for word: whether the poller is out in each step.
fn out_by_definition(stores: &[Store]) -> Vec<bool> {
    let stores: Vec<_> = stores.iter().filter_map(Defined::new).collect();
    // Whether it is out; none if no store is expected.
    let state = |step: usize| {
        let states = stores.iter().map(|store| store.state(step, &stores));
        let (expected, silent) = states.fold((0, 0), |(expected, silent), state| {
            (expected + usize::from(state.0), silent + usize::from(state.1))
        });
        (expected > 0).then_some(silent >= 2 && silent * 5 > expected * 4)
    };
    let states: Vec<_> = (0..STEPS).map(state).collect();
    let out = |step: usize| {
        states[step].unwrap_or_else(|| {
            let before = states[..step].iter().rev().find_map(|state| *state);
            let after = states[step..].iter().find_map(|state| *state);
            before == Some(true) && after == Some(true)
        })
    };
    (0..STEPS).map(out).collect()
}

/// A store that is polled in any of the steps; it may close, and may be polled only when open.
fn any_store() -> impl Strategy<Value = Store> {
    let steps = proptest::collection::btree_set(0..STEPS, 0..60);
    let hours = (0_i64..23, 1_i64..24, 0_usize..=7);
    (steps, hours, 0..3_u8).prop_map(|(steps, (start, hours, days), kind)| {
        let mut rows = daily(start, (start + hours).min(24));
        rows.truncate(if kind == 0 { 0 } else { days });
        let open = |at: Micros| {
            let hour = at.rem_euclid(DAY) / HOUR;
            (start..=start + hours).contains(&hour)
        };
        let polls = steps.into_iter().map(instant);
        let polls = polls.filter(|&at| kind < 2 || open(at));
        (polls.collect(), rows)
    })
}

proptest! {
    #[test]
    fn outages_are_what_the_definition_says(
        mut stores in proptest::collection::vec(any_store(), 0..8),
        hole in 0_i64..90,
        hours in 0_i64..60,
    ) {
        let start = AS_OF - hole * HOUR;
        for (polls, _) in &mut stores {
            polls.retain(|&at| !(start..start + hours * HOUR).contains(&at));
        }
        let out = found_among(&stores);
        for (step, expected) in out_by_definition(&stores).into_iter().enumerate() {
            for at in [instant(step), instant(step + 1) - 1] {
                prop_assert_eq!(out.contains(at), expected, "{}", at - AS_OF);
            }
        }
        prop_assert!(!out.contains(AS_OF));
    }

    #[test]
    fn a_silence_of_all_stores_is_one_outage_and_that_of_one_is_none(
        offsets in proptest::collection::vec(0..10 * MINUTE, 2..40),
        before in 30_i64..60,
        after in 30_i64..60,
        silence in 3 * HOUR + 1..60 * HOUR,
    ) {
        let start = AS_OF - HOUR - silence - after * HOUR;
        let polls = |offset: Micros, shift: Micros| -> Vec<_> {
            let early = (-before..=0).map(|hour| start + hour * HOUR + offset);
            early.chain((0..=after).map(|hour| start + shift + hour * HOUR + offset)).collect()
        };
        let all: Vec<_> = offsets.iter().map(|&offset| polls(offset, silence)).collect();
        let out = found(&all);
        prop_assert_eq!(out.as_slice().len(), 1);
        let out = out.as_slice()[0];
        let (first, last) = (*offsets.iter().min().expect("two"), *offsets.iter().max().expect("two"));
        // All are silent from the last poll before it to the first one after it.
        prop_assert!(out.start <= start + last && start + silence + first <= out.end);
        prop_assert!(start + first <= out.start && out.end <= start + silence + last);

        let hours = silence / HOUR + before + after;
        let steady = |&offset: &Micros| (0..=hours).map(|hour| AS_OF - HOUR + offset - hour * HOUR).rev().collect();
        let mut one: Vec<Vec<Micros>> = offsets.iter().map(steady).collect();
        one[0] = polls(offsets[0], silence);
        prop_assert_eq!(found(&one), Intervals::default());
    }
}

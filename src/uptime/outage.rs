//! Poller outages: when most stores that should have been polled fell silent together.
//!
//! One store's silence may be its own. When nearly all are silent at once it is the poller that was
//! away, and whatever the report says of that time is a guess for every store.
//!
//! # Definition
//! All of it rests on the polls within [`reach`] of `as_of`, whatever their status, and on elapsed
//! time: for one `as_of` over the same polls the outages are the same.
//!
//! - A store's *usual gap* is the median of the gaps between consecutive polls (of two in the middle,
//!   the longer). Where two pollers take turns within minutes, most gaps are short although the store
//!   is heard of but once an hour; so it is half the median gap between a poll and the next but one
//!   where that is longer. With fewer than [`POLLS_MIN`] polls there is none: the store takes no part.
//! - A *silence* is a stretch `[poll, next poll)`, or `[last poll, as_of)`, longer than
//!   [`SILENCE_GAPS`] usual gaps of its store.
//! - A store is *expected* from its first poll on, for what came before may have been before it opened
//!   or before polling began. It is expected until `as_of`, unless it is gone.
//! - A store is *gone*, from its last poll on, when the poller was at work long after: when a fifth of
//!   the stores have polls more than [`GONE_AFTER`] and [`SILENCE_GAPS`] of its usual gaps later. So
//!   stores closed for good weigh on nothing, and while nobody is polled nobody is gone, however long
//!   that takes.
//! - The poller is *out* wherever more than [`SILENT_PER_CENT`] of the expected stores, and no fewer
//!   than [`STORES_MIN`], are within a silence. Two such stretches with at most [`SEAM_MAX`] between
//!   them are one: near the limit, a single poll would cut them.
//!
//! A store whose silences meet in one poll is silent on both sides of it: a lone sweep between two
//! long silences need not part them.
//!
//! It must never know business hours or interpolation: the report's numbers do not depend on this.

use super::fleet::StoreKey;
use super::history::History;
use super::interval::{DAY, Interval, Intervals, MINUTE, Micros};
use super::poll::Poll;
use super::timeline::reach;

/// A store with fewer polls has no usual gap.
pub const POLLS_MIN: usize = 3;

/// A stretch without polls that is longer than so many usual gaps is a silence.
pub const SILENCE_GAPS: Micros = 3;

/// When more of the expected stores than this are silent, it is the poller that is out.
pub const SILENT_PER_CENT: u8 = 80;

/// One store cannot fall silent together with others.
pub const STORES_MIN: i64 = 2;

/// A store is not gone before the poller was at work for so long without it.
pub const GONE_AFTER: Micros = DAY;

/// The longest time between two stretches without the poller that are one outage.
pub const SEAM_MAX: Micros = MINUTE;

/// A store with a usual gap, as far as it matters beyond the silences between its polls.
struct Polled {
    first: Micros,
    last: Micros,
    /// The longest stretch without polls that is no silence.
    patience: Micros,
}

/// How many more stores are expected and silent from an instant on.
struct Edge {
    at: Micros,
    expected: i32,
    silent: i32,
}

/// When the poller was out within the eight days before `as_of`.
///
/// `history` must hold every poll within [`reach`] of `as_of`; `stores` names each store once.
///
/// The cost is linear in polls, plus a sort of two edges a store and two a silence.
pub fn outages(
    history: &History,
    stores: impl IntoIterator<Item = StoreKey>,
    as_of: Micros,
) -> Intervals {
    let (mut apart, mut gaps) = (Vec::new(), Vec::new());
    let (mut polled, mut edges) = (Vec::new(), Vec::new());
    for store in stores {
        let polls = history.of(store, reach(as_of), &mut apart);
        let ([first, .., last], Some(usual_gap)) = (polls, usual_gap(polls, &mut gaps)) else {
            continue;
        };
        let store = Polled {
            first: first.at(),
            last: last.at(),
            patience: SILENCE_GAPS * usual_gap,
        };
        for pair in polls.windows(2) {
            push_silence(&mut edges, &store, pair[0].at(), pair[1].at());
        }
        polled.push(store);
    }
    let Some(at_work) = last_at_work(&polled) else {
        return Intervals::default();
    };
    for store in &polled {
        let gone = at_work - store.last > store.patience.max(GONE_AFTER);
        let end = if gone { store.last } else { as_of };
        push(&mut edges, Interval::new(store.first, end), 1, 0);
        push_silence(&mut edges, store, store.last, end);
    }
    sweep(edges)
}

/// How long a store with these polls mostly goes without one; none where they are too few to tell.
/// `gaps` is room to work in.
fn usual_gap(polls: &[Poll], gaps: &mut Vec<Micros>) -> Option<Micros> {
    if polls.len() < POLLS_MIN {
        return None;
    }
    let mut median = |step: usize| {
        gaps.clear();
        let later = polls.iter().skip(step);
        gaps.extend(polls.iter().zip(later).map(|(a, b)| b.at() - a.at()));
        let middle = gaps.len() / 2;
        *gaps.select_nth_unstable(middle).1
    };
    Some(median(1).max(median(2) / 2))
}

/// The latest instant at or after which enough stores were polled for the poller not to be out.
fn last_at_work(polled: &[Polled]) -> Option<Micros> {
    let mut lasts: Vec<_> = polled.iter().map(|store| store.last).collect();
    let silent_max = lasts.len() * usize::from(SILENT_PER_CENT) / 100;
    (silent_max < lasts.len()).then(|| *lasts.select_nth_unstable(silent_max).1)
}

/// A silence of `store`, if the stretch between `poll` and `next` is one.
fn push_silence(edges: &mut Vec<Edge>, store: &Polled, poll: Micros, next: Micros) {
    if next - poll > store.patience {
        push(edges, Interval::new(poll, next), 0, 1);
    }
}

fn push(edges: &mut Vec<Edge>, stretch: Interval, expected: i32, silent: i32) {
    edges.push(Edge {
        at: stretch.start,
        expected,
        silent,
    });
    edges.push(Edge {
        at: stretch.end,
        expected: -expected,
        silent: -silent,
    });
}

/// Passes over the edges in time and keeps the stretches in which the poller is out.
fn sweep(mut edges: Vec<Edge>) -> Intervals {
    edges.sort_unstable_by_key(|edge| edge.at);
    let (mut expected, mut silent) = (0, 0);
    let mut out_since = None;
    let mut outages = Vec::new();
    for edges in edges.chunk_by(|a, b| a.at == b.at) {
        for edge in edges {
            expected += i64::from(edge.expected);
            silent += i64::from(edge.silent);
        }
        let at = edges[0].at;
        match (out_since, is_out(expected, silent)) {
            (None, true) => out_since = Some(at),
            (Some(start), false) => {
                outages.push(Interval::new(start, at));
                out_since = None;
            }
            // Every silence has ended with the last edge, so none is left open.
            (None, false) | (Some(_), true) => {}
        }
    }
    Intervals::union_across(outages, SEAM_MAX)
}

fn is_out(expected: i64, silent: i64) -> bool {
    silent >= STORES_MIN && silent * 100 > expected * i64::from(SILENT_PER_CENT)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::interval::HOUR;
    use super::super::poll::Status;
    use super::*;

    const AS_OF: Micros = 20_000 * DAY;
    const NONE: [[(Micros, Micros); 2]; 0] = [];

    /// The outages of stores given by the instants of their polls.
    fn found(stores: &[Vec<Micros>]) -> Intervals {
        let polls = (0..).zip(stores).flat_map(|(store, polls)| {
            let poll = move |&at: &Micros| (store, Poll::new(at, Status::Active));
            polls.iter().map(poll)
        });
        let stores = 0..StoreKey::try_from(stores.len()).expect("few");
        outages(&History::from_polls(polls), stores, AS_OF)
    }

    /// The outages, in hours and minutes after `AS_OF`.
    fn found_at(stores: &[Vec<Micros>]) -> Vec<[(Micros, Micros); 2]> {
        let at = |at: Micros| {
            let minutes = (at - AS_OF) / MINUTE;
            (minutes.div_euclid(60), minutes.rem_euclid(60))
        };
        let found = found(stores);
        let found = found.as_slice().iter();
        found.map(|out| [at(out.start), at(out.end)]).collect()
    }

    /// Stores 0 to 9, each polled two minutes after the one before it, in those of the 100 hours
    /// before `AS_OF` in which it is polled: hour -100 to hour -1.
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
        // A single answer in between is no sign of the poller's being at work.
        let stray = ten(|store, hour| hour < -70 || (store == 3 && hour == -20));
        assert_eq!(found_at(&stray), [[(-71, 16), (0, 0)]]);
    }

    #[test]
    fn polls_that_begin_late_are_no_outage() {
        assert_eq!(found_at(&ten(|_, hour| hour >= -20)), NONE);
    }

    #[test]
    fn stores_are_not_expected_before_their_first_poll() {
        // Two of ten are open early on, and their poller fails.
        let stores = ten(|store, hour| hour >= -30 || (store < 2 && !(-60..-50).contains(&hour)));
        assert_eq!(found_at(&stores), [[(-61, 2), (-50, 0)]]);
    }

    #[test]
    fn stores_closed_for_good_are_not_expected() {
        let closed = |store, hour| store >= 2 && hour >= -70;
        // Eight are gone: the ninth's silence is not that of nine out of ten.
        let one = ten(|store, hour| !closed(store, hour) || (store == 2 && hour >= -9));
        let alone =
            ten(|store, hour| !(closed(store, hour) || (store == 0 && (-50..-40).contains(&hour))));
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
        // Two of ten are heard twice amid the silence, and between the two polls it is theirs alone.
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

    /// The definition, word for word: whether the poller is out at `at`.
    fn is_out_by_definition(stores: &[Vec<Micros>], at: Micros) -> bool {
        let median = |polls: &[Micros], step: usize| {
            let mut gaps: Vec<_> = (step..polls.len())
                .map(|poll| polls[poll] - polls[poll - step])
                .collect();
            gaps.sort_unstable();
            gaps[gaps.len() / 2]
        };
        let polled = || stores.iter().filter(|polls| polls.len() >= POLLS_MIN);
        let (mut expected, mut silent) = (0, 0);
        for polls in polled() {
            let patience = 3 * median(polls, 1).max(median(polls, 2) / 2);
            let last = *polls.last().expect("three");
            let later = |other: &&Vec<Micros>| {
                other.last().expect("three") - last > patience.max(GONE_AFTER)
            };
            let gone = polled().filter(later).count() * 5 >= polled().count();
            if at < polls[0] || (gone && at >= last) {
                continue;
            }
            expected += 1;
            let next = polls.partition_point(|&poll| poll <= at);
            let end = polls.get(next).copied().unwrap_or(AS_OF);
            if end - polls[next - 1] > patience {
                silent += 1;
            }
        }
        silent >= 2 && silent * 5 > expected * 4
    }

    /// The polls of one store, at any even minutes of some days: no seam is as short as a minute.
    fn any_polls() -> impl Strategy<Value = Vec<Micros>> {
        let minutes = proptest::collection::btree_set(0_i64..90 * 30, 0..30);
        minutes.prop_map(|minutes| {
            minutes
                .iter()
                .map(|at| AS_OF - 90 * HOUR + at * 2 * MINUTE)
                .collect()
        })
    }

    proptest! {
        #[test]
        fn outages_are_what_the_definition_says(
            mut stores in proptest::collection::vec(any_polls(), 0..8),
            hole in 0_i64..90,
            hours in 0_i64..60,
        ) {
            let start = AS_OF - hole * HOUR;
            for polls in &mut stores {
                polls.retain(|&at| !(start..start + hours * HOUR).contains(&at));
            }
            let out = found(&stores);
            for at in stores.iter().flatten().flat_map(|&at| [at - 1, at]).chain([AS_OF - 1]) {
                prop_assert_eq!(out.contains(at), is_out_by_definition(&stores, at), "{}", at - AS_OF);
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
}

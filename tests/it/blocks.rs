//! Reading a long span block by block: the same polls as in one history, within any bound of memory.

use std::time::Duration;

use proptest::prelude::*;
use rusqlite::Connection;

use store_monitor::db::connection::open_writer;
use store_monitor::db::polls::{self, ReadLimits};
use store_monitor::db::{self, packed};
use store_monitor::uptime::history::StoreBlock;
use store_monitor::uptime::interval::{HOUR, Interval, Micros};
use store_monitor::uptime::poll::{Poll, Status};

const BEGAN: Micros = 496_000 * HOUR;

/// A poll by what a generator gives: its store, its second and its status.
fn poll((store, second, active): (u32, u16, bool)) -> (u32, Poll) {
    let status = [Status::Inactive, Status::Active][usize::from(active)];
    let at = BEGAN + Micros::from(second) * 1_000_000;
    (store, Poll::new(at, status))
}

/// Polls by store and instant, each once.
fn ordered(polls: impl IntoIterator<Item = (u32, u16, bool)>) -> Vec<(u32, Poll)> {
    let mut polls: Vec<_> = polls.into_iter().map(poll).collect();
    polls.sort_by_key(|&(store, poll)| (poll.at(), store));
    polls.dedup_by_key(|&mut (store, poll)| (poll.at(), store));
    polls
}

/// Adds polls to a database; `late` ones come afterwards, and unpack their hours.
fn fill(db: &mut Connection, polls: &[(u32, Poll)], late: &[(u32, Poll)], is_packed: bool) {
    for polls in [polls, late] {
        let polls = polls.iter().copied().map(Ok);
        db::write(db, |db| polls::add(db, polls)).expect("added");
    }
    if is_packed {
        packed::pack_all(db, Duration::MAX).expect("packed");
    }
}

/// Each store with its polls, as the blocks have them.
fn read(
    view: &Connection,
    span: Interval,
    stores: &[u32],
    limits: ReadLimits,
) -> Vec<(u32, Vec<Poll>)> {
    let of_block = |block: &StoreBlock| -> Vec<_> {
        let own = |store: &&u32| StoreBlock::number_of(**store) == block.number();
        let polls = |&store: &u32| (store, block.of(store).to_vec());
        stores.iter().filter(own).map(polls).collect()
    };
    let blocks = polls::by_blocks(view, span, stores, limits, of_block).expect("read");
    blocks.into_iter().flatten().collect()
}

/// The same by one history of all polls.
fn whole(view: &Connection, span: Interval, stores: &[u32]) -> Vec<(u32, Vec<Poll>)> {
    let history = polls::history(view, span, 1).expect("read");
    let of = |&store: &u32| (store, history.of(store, span, &mut Vec::new()).to_vec());
    stores.iter().map(of).collect()
}

fn in_memory() -> Connection {
    let db = Connection::open_in_memory().expect("memory");
    db.execute_batch(include_str!("../../schema.sql"))
        .expect("a schema");
    db
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn blocks_have_the_polls_of_one_history_whatever_memory_they_may_take(
        stretch in prop::collection::vec((0..2000_u32, any::<u16>(), any::<bool>()), 0..1500),
        dense in prop::collection::vec((0..600_u32, 7200..9000_u16, any::<bool>()), 0..400),
        late in prop::collection::vec((0..2000_u32, any::<u16>(), any::<bool>()), 0..20),
        wanted in prop::collection::btree_set(0..2500_u32, 1..200),
        is_packed: bool,
        memory_max in prop_oneof![Just(0), 0..60_000_usize, Just(usize::MAX)],
        threads in 1..4_usize,
        cut in (any::<u16>(), any::<u16>()),
    ) {
        let mut db = in_memory();
        fill(&mut db, &ordered(stretch.into_iter().chain(dense)), &ordered(late), is_packed);
        let wanted: Vec<_> = wanted.into_iter().collect();
        let limits = ReadLimits { threads, memory_max };
        let instant = |second: u16| BEGAN + Micros::from(second) * 1_000_000;
        let spans = [
            Interval::new(BEGAN - HOUR, BEGAN + 30 * HOUR),
            Interval::new(instant(cut.0.min(cut.1)), instant(cut.0.max(cut.1))),
        ];
        for span in spans {
            prop_assert_eq!(read(&db, span, &wanted, limits), whole(&db, span, &wanted));
        }
    }
}

/// A database file with polls of some blocks.
fn on_disk() -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut db = open_writer(&folder.path().join("blocks.db")).expect("a database");
    let polls = (0..20_000_u32).map(|number| {
        let second = u16::try_from(number * 3).expect("within a day");
        (number * 7 % 1500, second, number % 5 > 0)
    });
    // Of the two late hours one stays as it is, and is read from its rows.
    fill(
        &mut db,
        &ordered(polls),
        &ordered([(3, 1, true), (700, 40_001, false)]),
        false,
    );
    (folder, db)
}

#[test]
fn passes_over_a_file_on_several_threads_give_the_same_polls() {
    let (_folder, db) = on_disk();
    let stores: Vec<u32> = (0..1600).collect();
    let span = Interval::new(BEGAN, BEGAN + 24 * HOUR);
    let expected = whole(&db, span, &stores);
    assert_eq!(
        expected.iter().map(|(_, polls)| polls.len()).sum::<usize>(),
        20_002
    );
    for memory_max in [0, 1 << 14, 1 << 16, 1 << 18, 1 << 20] {
        for threads in [1, 2] {
            let limits = ReadLimits {
                threads,
                memory_max,
            };
            assert!(
                read(&db, span, &stores, limits) == expected,
                "{memory_max}, {threads}"
            );
        }
    }
    assert_eq!(
        read(
            &db,
            span,
            &[],
            ReadLimits {
                threads: 2,
                memory_max: 0
            }
        ),
        []
    );
}

#[test]
fn every_pass_verifies_packed_hours_and_rows() {
    let (_folder, db) = on_disk();
    let stores: Vec<u32> = (0..1600).collect();
    let span = Interval::new(BEGAN, BEGAN + 24 * HOUR);
    let limits = ReadLimits {
        threads: 2,
        memory_max: 1 << 14,
    };
    let before = read(&db, span, &stores, limits);
    // The last byte of a list's first entry and one of a poll: both hours are read from their rows.
    let damage = |hour: i64, place: i64| {
        let changed = db.execute(
            "UPDATE packed_hour SET polls = CAST(substr(polls, 1, ?2) || x'7e' || substr(polls, ?2 + 2) AS BLOB)
             WHERE hour = ?1",
            (BEGAN / HOUR + hour, place),
        );
        assert_eq!(changed.expect("damaged"), 1);
    };
    damage(2, 11);
    damage(3, 500);
    assert!(read(&db, span, &stores, limits) == before);
    // A row of an hour that is not packed has changed: whichever block it is in, no pass takes the hour.
    let changed = db.execute(
        "UPDATE poll SET active = 1 - active WHERE store = 3 AND at / 3600000000 = ?1",
        [BEGAN / HOUR],
    );
    assert!(changed.expect("damaged") > 0);
    let error = polls::by_blocks(&db, span, &[1500], limits, |_| ()).expect_err("damaged");
    assert!(
        error.to_string().contains("not those that were stored"),
        "{error}"
    );
}

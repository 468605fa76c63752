//! Packed hours through every change of their polls.

use super::super::{forget as forgetting, polls, repair, store_keys};
use super::*;
use crate::db::audit::Author;
use crate::uptime::interval::HOUR;
use crate::uptime::poll::Status::{Active, Inactive};

const HOURS: i64 = 400 * 24;
const BEGAN: i64 = 480_000;

/// The polls of every tenth hour of more than a year, forty an hour, of two stores.
fn year() -> impl Iterator<Item = (StoreKey, Poll)> {
    let hours = (BEGAN..BEGAN + HOURS).step_by(10);
    hours.flat_map(|hour| (0..40).map(move |number| poll(hour, number)))
}

fn poll(hour: i64, number: i64) -> (StoreKey, Poll) {
    let status = if number % 3 == 0 { Inactive } else { Active };
    let store = if number % 2 == 0 { 1 } else { 2 };
    (store, Poll::new(hour * HOUR + number * 1_000_000, status))
}

fn database() -> Connection {
    let mut db = Connection::open_in_memory().unwrap();
    db.execute_batch(include_str!("../../../schema.sql")).unwrap();
    write(&mut db, |db| {
        store_keys::keys(db, &["one", "two"].map(Box::from))?;
        polls::add(db, year().map(Ok))
    })
    .unwrap();
    db
}

fn add(db: &mut Connection, polls: impl IntoIterator<Item = (StoreKey, Poll)>) {
    write(db, |db| polls::add(db, polls.into_iter().map(Ok))).unwrap();
}

/// The hours that are packed.
fn packed(db: &Connection) -> Vec<i64> {
    let mut select = db.prepare("SELECT hour FROM packed_hour ORDER BY hour").unwrap();
    let hours = select.query_map([], |row| row.get(0)).unwrap();
    hours.collect::<rusqlite::Result<_>>().unwrap()
}

/// The hours that have polls and are not packed; what is packed is right.
fn missing(db: &Connection) -> Vec<i64> {
    assert_eq!(wrong(db).unwrap(), [0_i64; 0]);
    let packed = packed(db);
    let mut select = db.prepare("SELECT hour FROM hour_digest ORDER BY hour").unwrap();
    let hours = select.query_map([], |row| row.get(0)).unwrap();
    let hours = hours.collect::<rusqlite::Result<Vec<i64>>>().unwrap();
    hours.into_iter().filter(|hour| !packed.contains(hour)).collect()
}

/// Packs, after which every hour is packed.
fn pack_again(db: &mut Connection) {
    pack_all(db, Duration::MAX).unwrap();
    assert_eq!(missing(db), [0_i64; 0]);
}

#[test]
fn polls_that_come_in_order_are_packed_whatever_their_age() {
    let db = database();
    assert_eq!(i64::try_from(packed(&db).len()).unwrap(), HOURS / 10);
    assert_eq!(missing(&db), [0_i64; 0]);
    assert_eq!(unpacked(&db).unwrap(), []);
}

#[test]
fn late_polls_of_a_year_ago_unpack_their_hour_alone_and_it_is_packed_again_once() {
    let mut db = database();
    let old = BEGAN + 100;
    for number in 100..110 {
        add(&mut db, [poll(old, number)]);
        assert_eq!(missing(&db), [old], "a poll costs no packing of its own");
    }
    assert_eq!(unpacked(&db).unwrap(), [Unpacked { hour: old, polls: 50 }]);
    pack_all(&mut db, Duration::ZERO).unwrap();
    assert_eq!(missing(&db), [old]);
    pack_again(&mut db);
    // The same polls again change nothing, and a poll that is corrected does.
    add(&mut db, [poll(old, 101)]);
    assert_eq!(missing(&db), [0_i64; 0]);
    let (store, known) = poll(old, 101);
    add(&mut db, [(store, Poll::new(known.at(), known.status().other()))]);
    assert_eq!(missing(&db), [old]);
    pack_again(&mut db);
    assert_eq!(polls_of(&db, old).unwrap().unwrap().len(), 50);
}

#[test]
fn a_past_that_comes_in_after_the_present_is_packed_too() {
    let mut db = database();
    let before = (BEGAN - 50..BEGAN).flat_map(|hour| (0..40).map(move |number| poll(hour, number)));
    add(&mut db, before);
    assert_eq!(missing(&db), [0_i64; 0]);
    // One at a time, it waits for the next round.
    for number in 0..40 {
        add(&mut db, [poll(BEGAN + 1, number)]);
    }
    assert_eq!(missing(&db), [BEGAN + 1]);
    pack_again(&mut db);
    // An hour of few polls is read from its rows.
    add(&mut db, (0..31).map(|number| poll(BEGAN + 2, number)));
    assert_eq!(missing(&db), [BEGAN + 2]);
    assert_eq!(unpacked(&db).unwrap(), []);
}

#[test]
fn the_newest_hour_is_not_packed_while_its_polls_come_in() {
    let mut db = database();
    let newest = BEGAN + HOURS;
    for number in 0..60 {
        add(&mut db, [poll(newest, number)]);
    }
    assert_eq!(unpacked(&db).unwrap(), []);
    assert_eq!(missing(&db), [newest]);
    add(&mut db, [poll(newest + 1, 0)]);
    assert_eq!(
        unpacked(&db).unwrap(),
        [Unpacked {
            hour: newest,
            polls: 60
        }]
    );
}

#[test]
fn polls_that_are_taken_back_unpack_the_hours_that_had_them() {
    let mut db = database();
    let span = Interval::new((BEGAN + 95) * HOUR, (BEGAN + 120) * HOUR + 1);
    let taken = write(&mut db, |db| forgetting::polls_of(db, "one", span)).unwrap();
    assert_eq!(taken, Some(41));
    assert_eq!(missing(&db), [BEGAN + 100, BEGAN + 110, BEGAN + 120]);
    add(
        &mut db,
        [BEGAN + 100, BEGAN + 110]
            .map(|hour| (0..40).map(move |number| poll(hour, number)))
            .into_iter()
            .flatten(),
    );
    pack_again(&mut db);
}

#[test]
fn a_store_that_goes_unpacks_the_hours_that_had_its_polls() {
    let mut db = database();
    let alone = BEGAN + 1;
    add(&mut db, (0..40).map(|number| (2, poll(alone, number).1)));
    let more = |hour| (0..40).map(move |number| (2, poll(hour, number + 100).1));
    add(&mut db, (BEGAN..BEGAN + HOURS).step_by(10).flat_map(more));
    pack_all(&mut db, Duration::MAX).unwrap();
    write(&mut db, |db| forgetting::store(db, "one")).unwrap();
    assert_eq!(packed(&db), [alone]);
    pack_all(&mut db, Duration::MAX).unwrap();
    // The newest hour waits.
    assert_eq!(missing(&db), [BEGAN + HOURS - 10]);
}

#[test]
fn retention_takes_packed_hours_with_their_polls_and_unpacks_the_one_that_it_cuts() {
    let mut db = database();
    let cut = BEGAN + 500;
    write(&mut db, |db| {
        forgetting::prune_some(db, cut * HOUR + 3_000_000, &Author::command(0))
    })
    .unwrap();
    assert_eq!(missing(&db), [cut]);
    assert_eq!(packed(&db).first(), Some(&(cut + 10)));
    pack_again(&mut db);
    assert_eq!(polls_of(&db, cut).unwrap().unwrap().len(), 37);
}

#[test]
fn a_repair_mends_rows_and_copies_of_a_year_ago() {
    let mut db = database();
    let (rows, copy) = (BEGAN + 30, BEGAN + 40);
    db.execute("DELETE FROM poll WHERE at = ?1", [rows * HOUR]).unwrap();
    db.execute("UPDATE packed_hour SET polls = x'00' WHERE hour = ?1", [copy])
        .unwrap();
    assert_eq!(wrong(&db).unwrap(), [copy]);
    assert_eq!(write(&mut db, repair::repair).unwrap().len(), 2);
    assert_eq!(missing(&db), [copy]);
    pack_again(&mut db);
    assert!(poll_table::differences(&db).unwrap().is_empty());
}

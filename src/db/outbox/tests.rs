//! Tests of the outbox.

use super::*;
use crate::db::connection::open_writer;
use crate::db::write;

fn open() -> (tempfile::TempDir, Connection) {
    let folder = tempfile::tempdir().unwrap();
    let db = open_writer(&folder.path().join("a.db")).unwrap();
    (folder, db)
}

fn message(key: &str, receiver: &str) -> Message {
    Message {
        key: key.to_owned(),
        receiver: receiver.to_owned(),
        kind: Kind::Alert,
        subject: "1 store is offline".to_owned(),
        text: "Pike Place is offline.".to_owned(),
        html: None,
        facts: "{}".to_owned(),
    }
}

fn numbers(entries: &[Entry]) -> Vec<i64> {
    entries.iter().map(|entry| entry.number).collect()
}

fn failed(number: i64, at: Micros, next_attempt_at: Option<Micros>) -> Attempt {
    Attempt {
        number,
        at,
        next_attempt_at,
        is_sent: false,
        error: Some(format!("failed at {at}")),
    }
}

fn sent(number: i64, at: Micros) -> Attempt {
    Attempt {
        next_attempt_at: None,
        is_sent: true,
        error: None,
        ..failed(number, at, None)
    }
}

#[test]
fn a_message_is_due_once_and_a_second_with_its_key_is_none() {
    let (_folder, mut db) = open();
    let message = message("rule/offline/7", "phone");
    let added = write(&mut db, |db| Ok([add(db, &message, 5)?, add(db, &message, 6)?])).unwrap();
    assert_eq!(added, [true, false]);
    assert_eq!(receivers_due(&db, 4).unwrap(), [""; 0]);
    assert_eq!(receivers_due(&db, 5).unwrap(), ["phone"]);
    assert_eq!(due(&db, "phone", 4, false, 10).unwrap(), []);
    assert_eq!(due(&db, "other", 5, true, 10).unwrap(), []);
    let found = due(&db, "phone", 5, false, 10).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, message);
    assert_eq!(
        (found[0].created_at, found[0].attempts, found[0].state()),
        (5, 0, State::Waiting)
    );
    assert_eq!(newest(&db, None, i64::MAX, 10).unwrap(), found);
    assert_eq!(newest(&db, Some("other"), i64::MAX, 10).unwrap(), []);
}

#[test]
fn attempts_are_noted_and_what_waits_is_due_in_the_order_of_writing() {
    let (_folder, mut db) = open();
    write(&mut db, |db| {
        for key in ["a", "b", "c"] {
            add(db, &message(key, "phone"), 5)?;
        }
        note(db, &failed(1, 6, Some(20)))?;
        note(db, &failed(2, 7, Some(9)))
    })
    .unwrap();
    let due_at = |db: &Connection, at, or_oldest| numbers(&due(db, "phone", at, or_oldest, 10).unwrap());
    assert_eq!(due_at(&db, 8, false), [3]);
    assert_eq!(due_at(&db, 8, true), [1, 3]);
    assert_eq!(due_at(&db, 9, false), [2, 3]);
    let count = counts(&db).unwrap().remove(0);
    assert_eq!((count.waiting, count.sent, count.given_up), (3, 0, 0));
    assert_eq!(count.last_failure, Some((7, "failed at 7".to_owned())));
    assert_eq!(count.failing_since, Some(5));
    assert!(!count.is_failing(5 + HOUR) && count.is_failing(6 + HOUR));

    write(&mut db, |db| {
        note(db, &sent(3, 10))?;
        // It was sent: a second note changes nothing.
        note(db, &failed(3, 11, Some(12)))?;
        hasten(db, "phone", 11)?;
        note(db, &failed(2, 12, None))
    })
    .unwrap();
    assert_eq!(due_at(&db, 11, false), [1]);
    let states: Vec<_> = newest(&db, None, i64::MAX, 10)
        .unwrap()
        .iter()
        .map(Entry::state)
        .collect();
    assert_eq!(states, [State::Sent, State::GivenUp, State::Waiting]);
    let count = counts(&db).unwrap().remove(0);
    assert_eq!((count.waiting, count.sent, count.given_up), (1, 1, 1));
    assert_eq!(count.last_sent_at, Some(10));
}

#[test]
fn a_receiver_whose_last_message_was_given_up_fails_until_one_arrives() {
    let (_folder, mut db) = open();
    let one = |db: &mut Connection, key: &str, attempt: &dyn Fn(i64) -> Attempt| {
        write(db, |db| {
            add(db, &message(key, "phone"), 5)?;
            note(db, &attempt(db.last_insert_rowid()))
        })
        .unwrap();
        counts(db).unwrap().remove(0).is_failing(100)
    };
    assert!(one(&mut db, "a", &|number| failed(number, 6, None)));
    assert!(!one(&mut db, "b", &|number| sent(number, 7)));
    assert!(one(&mut db, "c", &|number| failed(number, 8, None)));
}

#[test]
fn old_messages_are_forgotten_in_steps_and_those_that_wait_are_kept() {
    let (_folder, mut db) = open();
    write(&mut db, |db| {
        for number in 1..=2500 {
            add(db, &message(&number.to_string(), "phone"), number)?;
            if number > 1 {
                note(db, &sent(number, number))?;
            }
        }
        Ok(())
    })
    .unwrap();
    let now = 90 * DAY + 2400;
    let more: Vec<_> = (0..3).map(|_| write(&mut db, |db| forget(db, now)).unwrap()).collect();
    assert_eq!(more, [true, true, false]);
    let left = numbers(&newest(&db, None, i64::MAX, 3000).unwrap());
    assert_eq!((left.len(), left[0], left[100], left[101]), (102, 2500, 2400, 1));
}

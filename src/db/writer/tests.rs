//! Tests of the writer: its queue, its patience, and what a reader sees of a commit.

use std::time::Instant;

use std::path::Path;

use super::super::connection::open_writer;
use super::*;
use crate::error::ErrorKind;

/// A database with one more table, and its writer.
fn database(file: &Path) -> Connection {
    let db = open_writer(file).unwrap();
    db.execute_batch("CREATE TABLE written (number)").unwrap();
    db
}

#[test]
fn who_comes_to_a_full_queue_is_turned_away_and_nobody_who_waits_is() {
    let folder = tempfile::tempdir().unwrap();
    let db = database(&folder.path().join("a.db"));
    let (writer, thread) = Writer::start_with(db, (), 3, PATIENCE).unwrap();
    let write = |number: i64| {
        let sql = "INSERT INTO written VALUES (?1)";
        writer.try_write(move |db| Ok(db.execute(sql, [number])?))
    };
    let (at_work, is_at_work) = bounded(1);
    let (go_on, may_go_on) = bounded::<()>(0);
    thread::scope(|scope| {
        let first = scope.spawn(|| {
            writer.write(move |_| {
                at_work.send(()).unwrap();
                may_go_on.recv().unwrap();
                Ok(())
            })
        });
        is_at_work.recv().unwrap();
        // Three fit beside the running one; the other five are refused.
        let (told, outcomes) = bounded(8);
        let others: Vec<_> = (0..8)
            .map(|number| {
                let told = told.clone();
                scope.spawn(move || told.send(write(number)).unwrap())
            })
            .collect();
        for _ in 0..5 {
            let refused = outcomes.recv().unwrap().unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Unavailable);
        }
        go_on.send(()).unwrap();
        others.into_iter().for_each(|other| other.join().unwrap());
        first.join().unwrap().unwrap();
        assert!(outcomes.try_iter().all(|outcome| outcome.unwrap() == 1));
    });
    drop(writer);
    let db = thread.join().unwrap();
    let count = db.query_row("SELECT count(*) FROM written", [], |row| row.get(0));
    assert_eq!(count, Ok(3));
}

#[test]
fn a_change_waits_for_a_long_one_and_is_taken_back_only_after_its_patience() {
    for (patience, is_made) in [(PATIENCE, true), (Duration::ZERO, false)] {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder.path().join("a.db"));
        let (writer, thread) = Writer::start_with(db, (), 3, patience).unwrap();
        let (go_on, may_go_on) = bounded::<()>(0);
        let (at_work, is_at_work) = bounded(1);
        let long = move |_: &Connection| {
            at_work.send(()).unwrap();
            may_go_on.recv().unwrap();
            Ok(())
        };
        let long = writer.queue(long, |()| {}).unwrap();
        is_at_work.recv().unwrap();
        let insert = |db: &Connection| Ok(db.execute("INSERT INTO written VALUES (1)", [])?);
        let change = thread::scope(|scope| {
            let change = scope.spawn(|| writer.try_write(insert));
            if is_made {
                // This one waits longer than the short patience.
                let deadline = Instant::now() + PATIENCE;
                while writer.patient.load(Ordering::SeqCst) == 0 {
                    assert!(Instant::now() < deadline);
                    thread::yield_now();
                }
                go_on.send(()).unwrap();
                return change.join().unwrap();
            }
            let change = change.join().unwrap();
            go_on.send(()).unwrap();
            change
        });
        long.wait().unwrap();
        assert_eq!(change.is_ok(), is_made);
        drop(writer);
        let db = thread.join().unwrap();
        let count = db.query_row("SELECT count(*) FROM written", [], |row| row.get(0));
        assert_eq!(count, Ok(i64::from(is_made)));
    }
}

struct Told(Telling);

impl Follow for Told {
    fn follow(&self, _: PollChange) {}

    fn telling(&self) -> Telling {
        self.0.clone()
    }
}

#[test]
fn who_sees_a_commit_and_waits_for_the_telling_sees_what_was_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.db");
    let db = database(&file);
    let telling = Telling::default();
    let (writer, _) = Writer::start(db, Told(telling.clone())).unwrap();
    let (at_work, is_at_work) = bounded(1);
    let (go_on, may_go_on) = bounded::<()>(0);
    let was_told = Arc::new(AtomicBool::new(false));
    let tell = Arc::clone(&was_told);
    thread::scope(|scope| {
        let insert = |db: &Connection| Ok(db.execute("INSERT INTO written VALUES (1)", [])?);
        let then = move |_: &mut usize| {
            at_work.send(()).unwrap();
            may_go_on.recv().unwrap();
            tell.store(true, Ordering::SeqCst);
        };
        let writer = &writer;
        let change = scope.spawn(move || writer.try_write_then(insert, then));
        is_at_work.recv().unwrap();
        let reader = Connection::open(&file).unwrap();
        let count = reader.query_row("SELECT count(*) FROM written", [], |row| row.get(0));
        assert_eq!(count, Ok(1));
        assert!(telling.0.try_lock().is_err());
        go_on.send(()).unwrap();
        telling.wait();
        assert!(was_told.load(Ordering::SeqCst));
        change.join().unwrap().unwrap();
    });
}

//! Retention of reports: which of them are too many.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use rusqlite::Connection;
use uuid::Uuid;

use super::{forget_lists, id};
use crate::error::Result;

/// How many times the usual number of reports there may be, if they are wanted, or are of several credentials.
pub const ALL_REPORTS_FACTOR: usize = 10;

/// Deletes the oldest finished reports of each credential beyond its newest `keep`, except those that are wanted;
/// returns their ids.
///
/// All together are [`ALL_REPORTS_FACTOR`] times as many at most. Then those go first that have the most newer ones of
/// the same credential, so nobody's flood forgets another's reports.
///
/// # Errors
/// When the database cannot be written.
pub fn forget_old(db: &Connection, keep: u32, is_wanted: impl Fn(Uuid) -> bool) -> Result<Vec<Uuid>> {
    let keep = keep as usize;
    // From the index alone: the rows of a report are long.
    let mut select = db.prepare_cached(
        "SELECT number, credential, state <> 'Running' FROM report INDEXED BY report_of
         ORDER BY credential, number DESC",
    )?;
    let mut rows = select.query([])?;
    let (mut last, mut newer) = (None, 0);
    // The finished ones, each with how many newer ones its credential has.
    let mut finished: Vec<(usize, i64)> = Vec::new();
    while let Some(row) = rows.next()? {
        let credential: Option<i64> = row.get(1)?;
        if last.replace(credential) != Some(credential) {
            newer = 0;
        }
        if row.get(2)? {
            finished.push((newer, row.get(0)?));
        }
        newer += 1;
    }
    let mut find = db.prepare_cached("SELECT id FROM report WHERE number = ?1")?;
    let (mut stay, mut gone) = (Vec::new(), Vec::new());
    for (newer, number) in finished {
        if newer < keep || is_wanted(find.query_row([number], id)?) {
            stay.push((newer, number));
        } else {
            gone.push(number);
        }
    }
    stay.sort_unstable_by_key(|&(newer, number)| (newer, Reverse(number)));
    let all = keep.saturating_mul(ALL_REPORTS_FACTOR);
    gone.extend(stay.iter().skip(all).map(|&(_, number)| number));

    let mut delete = db.prepare_cached("DELETE FROM report WHERE number = ?1 RETURNING id, stores")?;
    let (mut ids, mut lists) = (Vec::new(), BTreeSet::new());
    for number in gone {
        let (id, list): (_, Option<String>) = delete.query_row([number], |row| Ok((id(row)?, row.get(1)?)))?;
        ids.push(id);
        lists.extend(list);
    }
    forget_lists(db, lists)?;
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::super::list;
    use super::*;
    use crate::access::Audience;
    use crate::db::connection::open_writer;
    use crate::db::write;

    /// Adds finished reports, each with its credential.
    fn fill(db: &Connection, credentials: impl IntoIterator<Item = Option<i64>>) -> Vec<Uuid> {
        let mut insert = db
            .prepare(
                "INSERT INTO report (id, state, as_of, interpolation, triggered_at, finished_at, error, credential)
                 VALUES (?1, 'Failed', 0, 'nearest', 0, 0, 'a test', ?2)",
            )
            .unwrap();
        let add = |credential: Option<i64>| {
            let id = Uuid::new_v4();
            insert.execute((id.to_string(), credential)).unwrap();
            id
        };
        credentials.into_iter().map(add).collect()
    }

    fn stored(db: &Connection) -> Vec<Uuid> {
        let mut ids: Vec<_> = list(db, None, 10_000, &Audience::All)
            .unwrap()
            .iter()
            .map(|report| report.id)
            .collect();
        ids.reverse();
        ids
    }

    #[test]
    fn each_credential_has_its_own_number_of_reports_and_wanted_ones_outlive_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        let mut ids = Vec::new();
        write(&mut db, |db| {
            ids = fill(db, [None, Some(1), None, Some(1), Some(1), Some(1), None]);
            let wanted = ids[1];
            let gone = forget_old(db, 2, |id| id == wanted)?;
            assert_eq!(gone, [ids[0], ids[3]]);
            Ok(())
        })
        .unwrap();
        assert_eq!(stored(&db), [ids[1], ids[2], ids[4], ids[5], ids[6]]);
    }

    #[test]
    fn a_flood_of_wanted_reports_is_bounded_and_forgets_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open_writer(&folder.path().join("a.db")).unwrap();
        write(&mut db, |db| {
            let theirs = fill(db, [Some(1), Some(1), None]);
            let flood = fill(db, [Some(2); 50]);
            forget_old(db, 3, |_| true)?;
            let expected: Vec<_> = theirs.into_iter().chain(flood[50 - 27..].iter().copied()).collect();
            assert_eq!(stored(db), expected);
            Ok(())
        })
        .unwrap();
    }
}

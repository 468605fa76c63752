//! Reports of schema 5 and before, in the form of schema 6. Migration alone reads this.

use rusqlite::Connection;

use super::reports::keep_list;
use crate::render::store_list::StoreList;

/// Converts the reports of schemas up to 5 to the form of schema 6, in the caller's transaction.
///
/// Schemas older than 4 have the CSV itself, which stays. Schema 4 has the rows of all stores in `numbers`.
/// Schema 5 has only unshared rows in `numbers`. Its `shared` has each store's index among the shared rows, or
/// [`u16::MAX`], and then these rows.
///
/// # Errors
/// When the database cannot be read or written.
pub(super) fn migrate_to_6(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(
        // The schema creates the views again. SQLite drops no column while a view names a missing table.
        "DROP VIEW IF EXISTS reports_readable;
         DROP VIEW IF EXISTS polls_readable;
         DROP VIEW IF EXISTS business_hours_readable;
         CREATE TABLE IF NOT EXISTS report_fleet (generation INTEGER PRIMARY KEY, store_ids TEXT);
         ALTER TABLE report ADD COLUMN kind TEXT NOT NULL DEFAULT 'report';
         ALTER TABLE report ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}';
         ALTER TABLE report ADD COLUMN stores TEXT;
         ALTER TABLE report ADD COLUMN rows BLOB;
         CREATE TABLE store_list (hash TEXT PRIMARY KEY, store_ids TEXT NOT NULL) STRICT;",
    )?;
    let mut select = db.prepare(
        "SELECT report.rowid, numbers, shared, coalesce(store_ids, '')
         FROM report LEFT JOIN report_fleet ON generation = fleet WHERE numbers IS NOT NULL",
    )?;
    let mut update = db.prepare("UPDATE report SET stores = ?2, rows = ?3 WHERE rowid = ?1")?;
    let mut reports = select.query([])?;
    while let Some(row) = reports.next()? {
        let key: i64 = row.get(0)?;
        let (own, shared) = (row.get_ref(1)?.as_blob()?, row.get_ref(2)?.as_blob_or_null()?);
        let stores = StoreList::from_json(row.get_ref(3)?.as_str()?).unwrap_or_default();
        let rows = shared.map_or(own.into(), |shared| own_rows(stores.len(), own, shared));
        keep_list(db, &stores)?;
        update.execute((key, stores.hash(), rows))?;
    }
    drop(reports);
    drop((select, update));
    db.execute_batch(
        "ALTER TABLE report DROP COLUMN fleet;
         ALTER TABLE report DROP COLUMN numbers;
         ALTER TABLE report DROP COLUMN shared;
         DROP TABLE IF EXISTS report_fleet;",
    )
}

/// All rows of a report of schema 5. Those of a damaged report end early, and `check` reports it.
fn own_rows(stores: usize, own: &[u8], shared: &[u8]) -> Vec<u8> {
    const ROW_BYTES: usize = 12;
    let mut own = own.chunks_exact(ROW_BYTES);
    let (numbers, shared) = shared.split_at_checked(2 * stores).unwrap_or_default();
    let (numbers, _) = numbers.as_chunks();
    let row = |&number: &[u8; 2]| match u16::from_le_bytes(number) {
        u16::MAX => own.next(),
        number => shared.chunks_exact(ROW_BYTES).nth(number.into()),
    };
    numbers.iter().map_while(row).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_schema_5_shared_are_each_stores_own_again() {
        let rows = [[1; 12], [2; 12], [3; 12]];
        let numbers = [[1, 0], [255, 255], [0, 0], [1, 0]].as_flattened().to_vec();
        let shared = [numbers, rows[1..].as_flattened().to_vec()].concat();
        let all = [rows[2], rows[0], rows[1], rows[2]];
        assert_eq!(own_rows(4, &rows[0], &shared), all.as_flattened());
        assert_eq!(own_rows(4, &[], &shared), rows[2]);
        assert!(own_rows(400, &rows[0], &shared).is_empty());
    }
}

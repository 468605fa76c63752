//! Migration: an empty database gets the schema, and one of an earlier version becomes one of the present.
//!
//! The caller holds one transaction, so that a database is wholly of one version. `schema.sql` adds the
//! tables that are missing; here is the rest. `tests/data/schemas/` has a database of every version.

use rusqlite::Connection;

use super::reports;
use crate::error::Result;

/// The schema, with the application id and version it sets.
const SCHEMA: &str = include_str!("../../schema.sql");

/// The version of the schema that this program writes and reads.
pub(super) const SCHEMA_VERSION: i32 = 6;

/// What version 4 changed. The bytes of packed hours meant something else: they are packed anew.
const TO_4: &str = "
    DROP TABLE IF EXISTS packed_hour;
    ALTER TABLE report ADD COLUMN csv_bytes INTEGER;
    ALTER TABLE report ADD COLUMN fleet INTEGER;
    ALTER TABLE report ADD COLUMN numbers BLOB;
    UPDATE report SET csv_bytes = length(csv);
    CREATE TABLE report_fleet (generation INTEGER PRIMARY KEY, store_ids TEXT NOT NULL) STRICT;";

/// What version 5 changed.
const TO_5: &str = "ALTER TABLE report ADD COLUMN shared BLOB;";

/// Versions 2 to 5 kept a large load apart, polls and new stores, until its last transaction set `landed`.
/// From then on it counted, each poll in the place of that in `poll`; before, it had never happened.
const LANDED: &str = "
    INSERT INTO poll SELECT at, store, active FROM landing_poll
        WHERE EXISTS (SELECT 1 FROM landing WHERE landed)
        ON CONFLICT DO UPDATE SET active = excluded.active;
    DROP TABLE landing;
    DROP TABLE landing_poll;
    DROP TABLE landing_store;";

/// Until version 5 each store had rows of its own for its hours.
const SCHEDULES: &str = "
    CREATE TEMP TABLE week AS
        SELECT store, json_group_array(json_array(weekday, start_local, end_local)) AS week
        FROM (SELECT * FROM business_hours ORDER BY store, weekday, start_local, end_local)
        GROUP BY store;
    INSERT INTO schedule (week) SELECT DISTINCT week FROM temp.week ORDER BY week;
    INSERT INTO store_hours (store, schedule)
        SELECT store, key FROM temp.week JOIN schedule USING (week);
    DROP TABLE temp.week;
    DROP TABLE business_hours;
    DROP TABLE IF EXISTS packed_fleet;";

/// Brings a database of `version` up to date; 0 is an empty one.
///
/// # Errors
/// When the database cannot be written; the transaction must then be rolled back.
pub(super) fn migrate(db: &Connection, version: i32) -> Result<()> {
    let is_older = |than: i32| (1..than).contains(&version);
    if is_older(4) {
        db.execute_batch(TO_4)?;
    }
    if is_older(5) {
        db.execute_batch(TO_5)?;
    }
    if is_older(6) {
        reports::migrate_to_6(db)?;
    }
    db.execute_batch(SCHEMA)?;
    if is_older(6) {
        if version >= 2 {
            db.execute_batch(LANDED)?;
        }
        db.execute_batch(SCHEDULES)?;
    }
    Ok(())
}

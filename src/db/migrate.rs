//! Migration: gives an empty database the schema, and upgrades a database of an earlier version.
//!
//! The caller holds one transaction, so a database is always of one version. `schema.sql` creates missing
//! tables; this file does the rest. `tests/data/schemas/` has a database of every version.

use rusqlite::Connection;

use super::digest::{self, HourDigests};
use super::{generation, old_reports, poll_table};
use crate::error::Result;

/// The schema, with the application id and version it sets.
const SCHEMA: &str = include_str!("../../schema.sql");

/// The version of the schema that this program writes and reads.
pub(super) const SCHEMA_VERSION: i32 = 11;

/// Changes of version 4. The packed format is new, so hours are packed again.
const TO_4: &str = "
    DROP TABLE IF EXISTS packed_hour;
    ALTER TABLE report ADD COLUMN csv_bytes INTEGER;
    ALTER TABLE report ADD COLUMN fleet INTEGER;
    ALTER TABLE report ADD COLUMN numbers BLOB;
    UPDATE report SET csv_bytes = length(csv);
    CREATE TABLE report_fleet (generation INTEGER PRIMARY KEY, store_ids TEXT NOT NULL) STRICT;";

/// Changes of version 5.
const TO_5: &str = "ALTER TABLE report ADD COLUMN shared BLOB;";

/// Versions 2 to 5 kept the polls and new stores of a large load in separate tables, until its last transaction
/// set `landed`. A landed load counts, and its polls replace those of `poll`. A load without it is dropped.
const LANDED: &str = "
    INSERT INTO poll SELECT at, store, active FROM landing_poll
        WHERE EXISTS (SELECT 1 FROM landing WHERE landed)
        ON CONFLICT DO UPDATE SET active = excluded.active;
    DROP TABLE landing;
    DROP TABLE landing_poll;
    DROP TABLE landing_store;";

/// Before version 6 each store had its own rows of hours.
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

/// Changes of version 7. Hours may say *closed* since, too.
const TO_7: &str = "
    ALTER TABLE store ADD COLUMN polled INTEGER NOT NULL DEFAULT 0 CHECK (polled IN (0, 1));
    UPDATE store SET polled = 1 WHERE key IN (SELECT DISTINCT store FROM poll);";

/// Before version 8 reports were in the order of clocks, and nothing had a checksum. Views would follow the renamed
/// tables.
const BEFORE_8: &str = "
    DROP VIEW IF EXISTS reports_readable;
    DROP INDEX IF EXISTS report_by_age;
    ALTER TABLE report RENAME TO report_7;
    DROP TABLE IF EXISTS packed_hour;";

/// Changes of version 8.
const TO_8: &str = "
    INSERT INTO report (id, state, kind, parameters, as_of, interpolation, triggered_at,
                        finished_at, error, csv, csv_bytes, stores, rows, checksum)
        SELECT id, state, kind, parameters, as_of, interpolation, triggered_at,
               finished_at, error, csv, csv_bytes, stores, rows, checksum(coalesce(csv, rows))
        FROM report_7 ORDER BY triggered_at, id;
    DROP TABLE report_7;";

/// Changes of version 9: hours may have versions and special days, stores a rate and a target.
const TO_9: &str = "
    ALTER TABLE store ADD COLUMN special_days INTEGER;
    ALTER TABLE store ADD COLUMN sales_per_hour INTEGER;
    ALTER TABLE store ADD COLUMN target INTEGER;";

/// Before version 10 kept answers had a checksum that can be forged. They go: at worst a request that was answered
/// before the upgrade is loaded a second time, which changes nothing.
const BEFORE_10: &str = "
    DROP TABLE IF EXISTS idempotency;
    ALTER TABLE generation RENAME TO generation_9;";

/// Changes of version 10: who may do what.
const TO_10: &str = "
    INSERT OR REPLACE INTO generation SELECT what, value FROM generation_9;
    DROP TABLE generation_9;";

/// Before version 8 the table of reports is made anew.
const REPORTS_TO_10: &str = "
    ALTER TABLE report ADD COLUMN credential INTEGER;
    ALTER TABLE report ADD COLUMN audience TEXT;";

/// The same of version 11.
const REPORTS_TO_11: &str = "ALTER TABLE report ADD COLUMN callback TEXT;";

/// Upgrades a database of `version`; 0 means an empty one.
///
/// # Errors
/// When the database cannot be written; the caller must then roll the transaction back.
pub(super) fn migrate(db: &Connection, version: i32) -> Result<()> {
    let is_older = |than: i32| (1..than).contains(&version);
    if is_older(4) {
        db.execute_batch(TO_4)?;
    }
    if is_older(5) {
        db.execute_batch(TO_5)?;
    }
    if is_older(6) {
        old_reports::migrate_to_6(db)?;
    }
    if is_older(8) {
        db.execute_batch(BEFORE_8)?;
    }
    if is_older(10) {
        db.execute_batch(BEFORE_10)?;
    }
    if (8..10).contains(&version) {
        db.execute_batch(REPORTS_TO_10)?;
    }
    if (8..11).contains(&version) {
        db.execute_batch(REPORTS_TO_11)?;
    }
    db.execute_batch(SCHEMA)?;
    if is_older(10) {
        db.execute_batch(TO_10)?;
    }
    if is_older(6) {
        if version >= 2 {
            db.execute_batch(LANDED)?;
        }
        db.execute_batch(SCHEDULES)?;
    }
    if is_older(7) {
        db.execute_batch(TO_7)?;
    }
    if is_older(8) {
        digest::with_function(db, |db| Ok(db.execute_batch(TO_8)?))?;
        let mut digests = HourDigests::default();
        poll_table::for_each_unverified(db, |store, poll| digests.add(poll.at(), store, poll.status()))?;
        digests.store(db)?;
    }
    if is_older(9) {
        db.execute_batch(TO_9)?;
        // The digest covers the new columns.
        generation::advance(db, generation::Kind::Fleet)?;
    }
    digest::seal_fleet(db)
}

-- store-monitor's database: one SQLite file that any SQLite tool can read.
--
-- Instants are integers: microseconds since 1970-01-01T00:00:00Z. Wall times are text, `HH:MM:SS`.
-- Try it in the sqlite3 shell, beside a running server:
--
--   SELECT * FROM polls_readable WHERE store_id = 'seattle-pike-place' ORDER BY timestamp_utc DESC LIMIT 10;
--   SELECT * FROM reports_readable;
--
-- Change nothing by hand: a server keeps what it has read in memory, and would not notice.
--
-- This file makes a new database and brings an older one up to date: every statement leaves alone what
-- is there already.

PRAGMA application_id = 0x53746F72; -- "Stor"
PRAGMA user_version = 6;

-- A store exists once any source names it.
CREATE TABLE IF NOT EXISTS store (
    key         INTEGER PRIMARY KEY,  -- what its polls and hours carry in place of the id
    store_id    TEXT NOT NULL UNIQUE, -- opaque
    timezone    TEXT,                 -- an IANA name as it was written; NULL: none, so America/Chicago
    name        TEXT,                 -- what people call it; NULL: not in any stores file
    store_group TEXT                  -- who owns it; NULL together with `name`
) STRICT;

-- One answer of one store. Instant first: an hour's batch lands on neighbouring pages, retention is a
-- range delete, a report reads one range, and the newest poll is the last row.
CREATE TABLE IF NOT EXISTS poll (
    at     INTEGER NOT NULL,
    store  INTEGER NOT NULL, -- store.key
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    PRIMARY KEY (at, store)
) STRICT, WITHOUT ROWID;

-- A copy of the newest polls, for reading them faster: each row holds an hour of them in one value. The
-- rows of `poll` are the truth. Whatever changes one of them deletes its hour here in the same
-- transaction; where an hour is missing, its rows are read. src/db/packed_bytes.rs explains the bytes.
CREATE TABLE IF NOT EXISTS packed_hour (
    hour  INTEGER PRIMARY KEY, -- poll.at / 3,600,000,000
    polls BLOB NOT NULL
) STRICT;

-- A copy of all stores with their zones and hours, for reading them faster: good for as long as
-- generation.fleet is what it was when it was made. src/db/packed_fleet.rs explains the bytes.
CREATE TABLE IF NOT EXISTS packed_fleet (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL,
    fleet      BLOB NOT NULL
) STRICT;

-- Weekly hours as they were loaded: overlaps and seams are united when computed, never here.
-- A store without rows is always open.
CREATE TABLE IF NOT EXISTS business_hours (
    store       INTEGER NOT NULL, -- store.key
    weekday     INTEGER NOT NULL CHECK (weekday BETWEEN 0 AND 6), -- 0 = Monday
    start_local TEXT NOT NULL,    -- HH:MM:SS
    end_local   TEXT NOT NULL,    -- HH:MM:SS, 24:00:00 at most; not after the start: on the next day
    PRIMARY KEY (store, weekday, start_local, end_local)
) STRICT, WITHOUT ROWID;

-- One report: a row before its id is given out, so that a restart finds it.
CREATE TABLE IF NOT EXISTS report (
    id            TEXT PRIMARY KEY, -- a UUID
    state         TEXT NOT NULL CHECK (state IN ('Running', 'Complete', 'Failed')),
    as_of         INTEGER NOT NULL,
    interpolation TEXT NOT NULL CHECK (interpolation IN ('nearest', 'previous')),
    triggered_at  INTEGER NOT NULL,
    finished_at   INTEGER, -- NULL while Running
    error         TEXT,    -- why it Failed
    csv           BLOB,    -- once Complete, if the schema was older than 4; NULL since: `numbers` have it
    csv_bytes     INTEGER, -- how long its CSV is, once Complete
    fleet         INTEGER, -- report_fleet.generation: the stores that it has rows of, once Complete
    numbers       BLOB,    -- the rows of those that share none, and
    shared        BLOB     -- what stores share rows, and these; src/uptime/rows.rs explains both
) STRICT;

-- The stores of reports, once for all that have the same.
CREATE TABLE IF NOT EXISTS report_fleet (
    generation INTEGER PRIMARY KEY, -- of the fleet, when the reports were made
    store_ids  TEXT NOT NULL        -- a JSON array, in the order of the rows
) STRICT;

CREATE INDEX IF NOT EXISTS report_by_age ON report (triggered_at, id);

-- Answers to requests that came with an Idempotency-Key, for a day.
CREATE TABLE IF NOT EXISTS idempotency (
    key         TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL, -- of the request: its kind, length and checksum
    answer      TEXT NOT NULL,
    answered_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS idempotency_by_age ON idempotency (answered_at);

-- How often each kind of data has changed: what a server has in memory is good for as long as these
-- stand still. Every transaction that changes polls, or stores and hours, adds one.
CREATE TABLE IF NOT EXISTS generation (
    what  TEXT PRIMARY KEY CHECK (what IN ('polls', 'fleet')),
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO generation VALUES ('polls', 0), ('fleet', 0);

DROP VIEW IF EXISTS polls_readable;
CREATE VIEW polls_readable AS
SELECT store.store_id,
       strftime('%Y-%m-%d %H:%M:%S', poll.at / 1000000, 'unixepoch')
           || printf('.%06d UTC', poll.at % 1000000) AS timestamp_utc,
       iif(poll.active, 'active', 'inactive') AS status
FROM poll JOIN store ON store.key = poll.store;

DROP VIEW IF EXISTS business_hours_readable;
CREATE VIEW business_hours_readable AS
SELECT store.store_id,
       substr('MonTueWedThuFriSatSun', weekday * 3 + 1, 3) AS weekday,
       start_local,
       end_local,
       coalesce(store.timezone, 'America/Chicago') AS timezone
FROM business_hours JOIN store ON store.key = business_hours.store;

DROP VIEW IF EXISTS reports_readable;
CREATE VIEW reports_readable AS
SELECT id,
       state,
       strftime('%Y-%m-%d %H:%M:%S', as_of / 1000000, 'unixepoch')
           || printf('.%06d UTC', as_of % 1000000) AS as_of,
       interpolation,
       (finished_at - triggered_at) / 1000.0 AS took_ms,
       csv_bytes,
       error
FROM report ORDER BY triggered_at;

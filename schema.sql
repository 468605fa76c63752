-- store-monitor's database: one SQLite file that any SQLite tool can read.
--
-- Instants are integers: microseconds since 1970-01-01T00:00:00Z. Wall times are text, `HH:MM:SS`.
-- Try it in the sqlite3 shell, beside a running server:
--
--   SELECT * FROM polls_readable WHERE store_id = 'seattle-pike-place' ORDER BY timestamp_utc DESC LIMIT 10;
--   SELECT * FROM reports_readable;
--
-- Change nothing by hand: a running server keeps data in memory and does not see such changes.
--
-- This file creates a new database, and the missing tables of an older one. No statement changes an existing
-- table. src/db/migrate.rs does the rest.

PRAGMA application_id = 0x53746F72; -- "Stor"
PRAGMA user_version = 11;

-- A store exists once any input names it.
CREATE TABLE IF NOT EXISTS store (
    key         INTEGER PRIMARY KEY,  -- its polls and hours carry this in place of the id
    store_id    TEXT NOT NULL UNIQUE, -- opaque
    timezone    TEXT,                 -- an IANA name as it was written; NULL: none, so America/Chicago
    name        TEXT,                 -- the name that people use; NULL: not in any stores file
    store_group TEXT,                 -- who owns it; NULL together with `name`
    polled      INTEGER NOT NULL DEFAULT 0 CHECK (polled IN (0, 1)), -- whether any load brought a poll of it
    special_days   INTEGER, -- special_days.key; NULL: none
    sales_per_hour INTEGER, -- in hundredths; NULL: not known
    target         INTEGER  -- the uptime it means to reach, in hundredths of a per cent; NULL: not known
) STRICT;

-- One status of one store. The key begins with the instant: an hour's batch lands on neighbouring pages,
-- retention deletes one range, a report reads one range, and the newest poll is the last row.
CREATE TABLE IF NOT EXISTS poll (
    at     INTEGER NOT NULL,
    store  INTEGER NOT NULL, -- store.key
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    PRIMARY KEY (at, store)
) STRICT, WITHOUT ROWID;

-- A copy of the polls for faster reading: each row has the polls of one hour in one value, if they are many. The
-- rows of `poll` are the truth: changing one deletes its hour here in the same transaction. If an hour is missing,
-- its rows are read. src/db/packed_bytes.rs explains the bytes, which end in their checksum.
CREATE TABLE IF NOT EXISTS packed_hour (
    hour  INTEGER PRIMARY KEY, -- poll.at / 3,600,000,000
    polls BLOB NOT NULL
) STRICT;

-- What the polls of each hour add up to, so that a damaged disk is noticed. Each change of polls changes it in
-- the same transaction. src/db/digest.rs explains the numbers.
CREATE TABLE IF NOT EXISTS hour_digest (
    hour   INTEGER PRIMARY KEY, -- poll.at / 3,600,000,000
    polls  INTEGER NOT NULL,    -- how many there are
    digest INTEGER NOT NULL
) STRICT;

-- The same for stores, zones, names and hours, as of a generation of theirs; one row.
CREATE TABLE IF NOT EXISTS fleet_digest (
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    generation INTEGER NOT NULL, -- generation.value of 'fleet'
    digest     INTEGER NOT NULL
) STRICT;

-- The distinct weeks of opening hours; a week without stores is deleted.
CREATE TABLE IF NOT EXISTS schedule (
    key  INTEGER PRIMARY KEY,
    -- Its rows, sorted, each once: [[weekday, start, end], …]. 0 is Monday, times are HH:MM:SS by the wall
    -- clock, 24:00:00 at most; an end that is not after the start is on the next day. Both times are null in a
    -- row that says closed.
    week TEXT NOT NULL UNIQUE CHECK (json_valid(week))
) STRICT;

-- Each store's weeks, as loaded: reports join overlaps and seams, the database does not.
-- A store without a row, and without special days, is always open.
CREATE TABLE IF NOT EXISTS store_hours (
    store      INTEGER NOT NULL,         -- store.key
    -- The local date from which the week holds, until that of the next; '': from the beginning. The first week
    -- of a store also holds before its date.
    valid_from TEXT NOT NULL DEFAULT '',
    schedule   INTEGER NOT NULL,         -- schedule.key
    PRIMARY KEY (store, valid_from)
) STRICT, WITHOUT ROWID;

-- The distinct sets of special days: chains close on the same holidays. A set without stores is deleted.
CREATE TABLE IF NOT EXISTS special_days (
    key  INTEGER PRIMARY KEY,
    -- Its rows, sorted, each once: [[date, start, end, reason], …]. The rows of a date take the place of the week.
    -- Both times are null in a row that says closed; without a reason it is ''.
    days TEXT NOT NULL UNIQUE CHECK (json_valid(days))
) STRICT;

-- One report, or another product of the same queue. Its row is written before its id is returned, so that a
-- restart finds it.
CREATE TABLE IF NOT EXISTS report (
    number        INTEGER PRIMARY KEY,  -- the order of arrival: clocks may be set back
    id            TEXT NOT NULL UNIQUE, -- a UUID
    state         TEXT NOT NULL CHECK (state IN ('Running', 'Complete', 'Failed')),
    kind          TEXT NOT NULL DEFAULT 'report',
    parameters    TEXT NOT NULL DEFAULT '{}', -- a JSON object: what its kind needs beside the next two
    as_of         INTEGER NOT NULL,
    interpolation TEXT NOT NULL CHECK (interpolation IN ('nearest', 'previous')),
    triggered_at  INTEGER NOT NULL,
    finished_at   INTEGER, -- NULL while Running
    error         TEXT,    -- why it Failed
    csv           BLOB,    -- the CSV itself, if a schema older than 4 kept it; NULL since: `rows` have it
    csv_bytes     INTEGER, -- how long its CSV is, once Complete
    stores        TEXT,    -- store_list.hash: the stores that it has rows of, once Complete
    rows          BLOB,    -- once Complete; src/uptime/row.rs explains those of a report
    checksum      INTEGER, -- of `rows`, or of `csv`, once Complete
    credential    INTEGER, -- credential.key of who triggered it; NULL: the server was open
    audience      TEXT,    -- the stores that it is about, as in `credential`; NULL: all
    callback      TEXT,    -- the receiver that is told once it has ended; NULL: none
    -- How many times in a row the server ended without a stop while this report was being made.
    attempts      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Which reports are too many is known without a look at their rows, which are long.
CREATE INDEX IF NOT EXISTS report_of ON report (credential, number, state);

-- The stores of reports; reports of the same stores share one list.
CREATE TABLE IF NOT EXISTS store_list (
    hash      TEXT PRIMARY KEY, -- SHA-256 of store_ids, in hexadecimal digits
    store_ids TEXT NOT NULL     -- a JSON array, in the order of the rows
) STRICT;

-- Answers to requests with an Idempotency-Key; the oldest are deleted.
CREATE TABLE IF NOT EXISTS idempotency (
    number      INTEGER PRIMARY KEY, -- the order of arrival
    credential  INTEGER NOT NULL,    -- credential.key of the client; 0: the server was open
    key         TEXT NOT NULL,
    fingerprint TEXT NOT NULL,       -- of the request: its kind, its choices and the SHA-256 of its body
    answer      TEXT NOT NULL,
    answered_at INTEGER NOT NULL,
    UNIQUE (credential, key)
) STRICT;

-- Tokens and share links. Of a secret only its hash is here. A row is one that src/db/credentials.rs wrote: its
-- checksum says so, since a damaged disk must give nobody more than they had.
CREATE TABLE IF NOT EXISTS credential (
    key          INTEGER PRIMARY KEY AUTOINCREMENT, -- none is used twice
    kind         TEXT NOT NULL CHECK (kind IN ('token', 'link')),
    name         TEXT NOT NULL,
    scope        TEXT NOT NULL CHECK (scope IN ('ingest', 'read', 'report', 'admin')),
    audience     TEXT,                 -- a JSON object with `groups` or `store`; NULL: all stores
    known_stores INTEGER NOT NULL CHECK (known_stores IN (0, 1)), -- whether it may name no new store
    hash         BLOB NOT NULL UNIQUE, -- SHA-256 of the secret's text
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,              -- NULL: never
    last_used_at INTEGER,              -- at most once a minute; NULL: never
    checksum     INTEGER NOT NULL,     -- of all but `last_used_at`
    UNIQUE (kind, name)
) STRICT;

-- The browsers that have logged in.
CREATE TABLE IF NOT EXISTS session (
    hash         BLOB PRIMARY KEY, -- SHA-256 of the cookie's value
    credential   INTEGER NOT NULL, -- credential.key: it ends with its token
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who changed what: a row for each write, trigger, deletion, token and link.
CREATE TABLE IF NOT EXISTS audit (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    credential TEXT NOT NULL, -- its name; empty: the server was open, or it was a command on this machine
    action     TEXT NOT NULL,
    subject    TEXT NOT NULL, -- a store, a report, a token, a kind of rows; may be empty
    count      INTEGER NOT NULL,
    address    TEXT NOT NULL  -- where it came from: an address, `unix`, or `command`
) STRICT;

-- Messages to receivers: alerts, digests, answers to callbacks. Each is written in the transaction that learned of its
-- cause, and sent from here until its receiver has it. src/db/outbox.rs explains the states.
CREATE TABLE IF NOT EXISTS outbox (
    number          INTEGER PRIMARY KEY AUTOINCREMENT,
    key             TEXT NOT NULL UNIQUE, -- what it is about: a second message with this key is none
    receiver        TEXT NOT NULL,        -- the name of a receiver of the configuration
    kind            TEXT NOT NULL,        -- alert, digest, callback or test
    created_at      INTEGER NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER,              -- NULL: it was sent or given up
    tried_at        INTEGER,              -- NULL: it was not tried yet
    sent_at         INTEGER,              -- NULL: it was not sent
    error           TEXT,                 -- of the last attempt; NULL: it did not fail
    subject         TEXT NOT NULL,
    text            TEXT NOT NULL,
    html            TEXT,                 -- NULL: none
    facts           TEXT NOT NULL         -- a JSON object
) STRICT;

CREATE INDEX IF NOT EXISTS outbox_due ON outbox (next_attempt_at, receiver) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS outbox_receiver ON outbox (receiver, number, next_attempt_at, sent_at, tried_at);
CREATE INDEX IF NOT EXISTS outbox_failed ON outbox (receiver, tried_at) WHERE error IS NOT NULL;

-- Alert rules that were made on the page, beside those of the configuration.
CREATE TABLE IF NOT EXISTS alert_rule (
    name       TEXT PRIMARY KEY,
    rule       TEXT NOT NULL, -- TOML, as `[[alert]]` in the configuration
    created_at INTEGER NOT NULL
) STRICT;

-- Until when alert rules were applied, and what they remember since; one row once a rule was applied.
CREATE TABLE IF NOT EXISTS alert_state (
    only    INTEGER PRIMARY KEY CHECK (only = 1),
    at      INTEGER NOT NULL,
    state   TEXT NOT NULL -- a JSON object; src/alerts/engine.rs explains it
) STRICT;

-- The links in alerts by which their receivers acknowledge them.
CREATE TABLE IF NOT EXISTS acknowledgement (
    hash            BLOB PRIMARY KEY, -- SHA-256 of the secret in the link
    message         TEXT NOT NULL,    -- the alert that it acknowledges: outbox.key
    stores          TEXT NOT NULL,    -- a JSON array: for each store of the alert its key and the incident's instant
    created_at      INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    acknowledged_at INTEGER,          -- NULL: nobody did yet
    checksum        INTEGER NOT NULL  -- of all but `acknowledged_at`
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS acknowledgement_of ON acknowledgement (message);

-- Why a store was offline, as its owner said. It changes no number.
CREATE TABLE IF NOT EXISTS incident_reason (
    store    INTEGER NOT NULL, -- store.key
    at       INTEGER NOT NULL, -- an instant of the incident: that of its first inactive poll
    reason   TEXT NOT NULL CHECK (reason IN ('planned', 'power', 'internet', 'staff', 'platform', 'other')),
    line     TEXT NOT NULL,    -- in the owner's words; may be empty
    noted_at INTEGER NOT NULL,
    PRIMARY KEY (store, at)
) STRICT, WITHOUT ROWID;

-- Counters of changes: each transaction that changes polls, or stores and hours, adds one. A server's memory
-- is valid while they stay the same.
CREATE TABLE IF NOT EXISTS generation (
    what  TEXT PRIMARY KEY CHECK (what IN ('polls', 'fleet', 'access')),
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO generation VALUES ('polls', 0), ('fleet', 0), ('access', 0);

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
       store_hours.valid_from,
       substr('MonTueWedThuFriSatSun', (row.value ->> 0) * 3 + 1, 3) AS weekday,
       row.value ->> 1 AS start_local,
       row.value ->> 2 AS end_local,
       coalesce(store.timezone, 'America/Chicago') AS timezone
FROM store_hours
JOIN store ON store.key = store_hours.store
JOIN schedule ON schedule.key = store_hours.schedule
JOIN json_each(schedule.week) AS row;

DROP VIEW IF EXISTS special_hours_readable;
CREATE VIEW special_hours_readable AS
SELECT store.store_id,
       row.value ->> 0 AS date_local,
       row.value ->> 1 AS start_local,
       row.value ->> 2 AS end_local,
       row.value ->> 3 AS reason
FROM store
JOIN special_days ON special_days.key = store.special_days
JOIN json_each(special_days.days) AS row;

DROP VIEW IF EXISTS reports_readable;
CREATE VIEW reports_readable AS
SELECT id,
       kind,
       state,
       strftime('%Y-%m-%d %H:%M:%S', as_of / 1000000, 'unixepoch')
           || printf('.%06d UTC', as_of % 1000000) AS as_of,
       interpolation,
       (finished_at - triggered_at) / 1000.0 AS took_ms,
       csv_bytes,
       error
FROM report ORDER BY number;

-- The statement of every store by DuckDB, in two ways. duckdb_statement.py runs
-- one of them and times it; each must give the bytes of the worked cases.
--
-- What is there before the clock starts, all of it sorted by its first columns:
--
--   poll          (store, polled_at, active)
--                 every poll, one per store and instant
--   open_interval (store, opens, closes)
--                 business time from 24 hours before the period to 24 hours
--                 after its whole length, as far as polls count in it
--   stretch       (store, day, bucket, nearby_from, nearby_until, opens, before, until)
--                 business time within the period, cut where buckets end, with a
--                 row for each UTC day that is nearby. `before` is the store's
--                 business time in the period before it opens, `until` the same
--                 at its bucket's end. [nearby_from, nearby_until) begins where
--                 the stretch before it closes, or with time itself
--   bucket        (store, bucket, label, since, business)
--                 every bucket, with the business time before it and in it
--   store         (store, id_csv, cents)
--                 its sales an hour; null where there is no rate
--
-- Stores are numbered in the order of their ids; instants and lengths are whole
-- microseconds. `change_at(a, b)` is the rule: where the change between two
-- polls takes place. Time is measured in business time that has passed, so what
-- happens while a store is closed happens when it opens next.
--
-- A section between `-- part` and the next is a piece of text; a `-- query`
-- names the parts that make one statement.


-- part turns_by_window: pairs of consecutive counted polls that say something
-- new: the first and the last of a store, those of different status, and those
-- more than two hours apart. All others only go on.

WITH turn AS MATERIALIZED (
    SELECT
        store, polled_at AS b, active AS b_active, a, a_active,
        a IS NULL AS first, is_last
    FROM (
        SELECT
            store, polled_at, active,
            lag(polled_at) OVER w AS a,
            lag(active) OVER w AS a_active,
            lead(store) OVER w IS NULL AS is_last
        FROM poll
        SEMI JOIN open_interval AS o
            ON poll.store = o.store AND polled_at >= opens AND polled_at < closes
        WINDOW w AS (PARTITION BY store ORDER BY polled_at)
    )
    WHERE a IS NULL OR is_last OR a_active <> active OR polled_at - a > 7200000000
)


-- part turns_by_two_streams: the same, but trusting the order that poll is
-- stored in, by one stream for each half of the stores. duckdb_report.sql says
-- why that works.

WITH turn AS MATERIALIZED (
    SELECT
        store, polled_at AS b, active AS b_active, a, a_active,
        a_store IS DISTINCT FROM store AS first, next_store IS DISTINCT FROM store AS is_last
    FROM (
        SELECT
            poll.store, polled_at, active,
            lag(poll.store) OVER () AS a_store,
            lag(polled_at) OVER () AS a,
            lag(active) OVER () AS a_active,
            lead(poll.store) OVER () AS next_store
        FROM poll
        SEMI JOIN open_interval AS o
            ON poll.store = o.store AND polled_at >= opens AND polled_at < closes
        WHERE poll.store < middle_store()
    )
    WHERE a_store IS DISTINCT FROM store OR next_store IS DISTINCT FROM store
        OR a_active <> active OR polled_at - a > 7200000000
    UNION ALL
    SELECT
        store, polled_at AS b, active AS b_active, a, a_active,
        a_store IS DISTINCT FROM store AS first, next_store IS DISTINCT FROM store AS is_last
    FROM (
        SELECT
            poll.store, polled_at, active,
            lag(poll.store) OVER () AS a_store,
            lag(polled_at) OVER () AS a,
            lag(active) OVER () AS a_active,
            lead(poll.store) OVER () AS next_store
        FROM poll
        SEMI JOIN open_interval AS o
            ON poll.store = o.store AND polled_at >= opens AND polled_at < closes
        WHERE poll.store >= middle_store()
    )
    WHERE a_store IS DISTINCT FROM store OR next_store IS DISTINCT FROM store
        OR a_active <> active OR polled_at - a > 7200000000
)


-- part changes: the instants at which a store changes to up or down; and those at
-- which it becomes covered, certainly up and certainly down, or ceases to be

, flip AS (
    -- The first poll's status holds from the beginning.
    SELECT store, earliest() AS changes_at, b_active::INT AS up
    FROM turn WHERE first
    UNION ALL
    SELECT store, change_at(a, b), CASE WHEN b_active THEN 1 ELSE -1 END
    FROM turn WHERE NOT first AND a_active <> b_active
)
, look AS (
    SELECT store, b - 3600000000 AS changes_at, 1 AS covered, b_active::INT AS sure_up, 1 - b_active::INT AS sure_down
    FROM turn WHERE first
    UNION ALL
    SELECT store, b + 3600000000, -1, -b_active::INT, b_active::INT - 1
    FROM turn WHERE is_last
    -- Between two polls of different status nothing is certain.
    UNION ALL
    SELECT store, a, 0, -a_active::INT, a_active::INT - 1
    FROM turn WHERE NOT first AND a_active <> b_active
    UNION ALL
    SELECT store, b, 0, b_active::INT, 1 - b_active::INT
    FROM turn WHERE NOT first AND a_active <> b_active
    -- An hour after one poll and an hour before the next, nobody looks.
    UNION ALL
    SELECT
        store, a + 3600000000, -1,
        CASE WHEN a_active AND b_active THEN -1 ELSE 0 END,
        CASE WHEN a_active OR b_active THEN 0 ELSE -1 END
    FROM turn WHERE NOT first AND b - a > 7200000000
    UNION ALL
    SELECT
        store, b - 3600000000, 1,
        CASE WHEN a_active AND b_active THEN 1 ELSE 0 END,
        CASE WHEN a_active OR b_active THEN 0 ELSE 1 END
    FROM turn WHERE NOT first AND b - a > 7200000000
)


-- part sums: what all changes of a bucket add to it until its end, and to each
-- bucket after it: both in one number, `packed(change, remains)`. Flips at one
-- instant of business time are one flip: a store that goes up and down while it
-- is closed does neither.

, flip_here AS (
    SELECT
        store, bucket,
        sum(packed(up, until - place)) AS up,
        count_if(up < 0) AS falls,
        min(CASE WHEN up > 0 THEN place END) AS rises
    FROM (
        SELECT store, bucket, place, sum(up)::BIGINT AS up, any_value(until) AS until
        FROM (
            SELECT flip.store, bucket, up, before + greatest(0, changes_at - opens) AS place, until
            FROM flip
            JOIN stretch AS s
                ON flip.store = s.store AND greatest(changes_at, earliest()) // 86400000000 = s.day
                AND greatest(changes_at, earliest()) >= nearby_from AND changes_at < nearby_until
        )
        GROUP BY store, bucket, place
    )
    GROUP BY store, bucket
)
, look_here AS (
    SELECT
        look.store, bucket,
        sum(packed(covered, until - before - greatest(0, changes_at - opens))) AS covered,
        sum(packed(sure_up, until - before - greatest(0, changes_at - opens))) AS sure_up,
        sum(packed(sure_down, until - before - greatest(0, changes_at - opens))) AS sure_down
    FROM look
    JOIN stretch AS s
        ON look.store = s.store AND greatest(changes_at, earliest()) // 86400000000 = s.day
        AND greatest(changes_at, earliest()) >= nearby_from AND changes_at < nearby_until
    GROUP BY look.store, bucket
)


-- part text: the lines of the statement below its header, as one text

, line AS (
    SELECT
        b.store, b.bucket, label, business,
        sum(f.up) OVER earlier AS earlier_up,
        change_of(earlier_up) AS was_up,
        was_up * business + here(f.up) AS up_time,
        change_of(sum(l.covered) OVER earlier) * business + here(l.covered) AS covered_time,
        change_of(sum(l.sure_up) OVER earlier) * business + here(l.sure_up) AS sure_up_time,
        change_of(sum(l.sure_down) OVER earlier) * business + here(l.sure_down) AS least,
        CASE
            WHEN business = 0 THEN 0
            -- Down since before the bucket, or since its first moment.
            ELSE coalesce(falls, 0) + (was_up = 0 AND rises IS DISTINCT FROM since)::INT
        END AS incidents
    FROM bucket AS b
    LEFT JOIN flip_here AS f ON b.store = f.store AND b.bucket = f.bucket
    LEFT JOIN look_here AS l ON b.store = l.store AND b.bucket = l.bucket
    WINDOW earlier AS (
        PARTITION BY b.store ORDER BY b.bucket ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )
)
, known AS (SELECT DISTINCT store FROM turn)
SELECT
    string_agg(
        concat(
            id_csv, ',', label, ',', hours(business), ',',
            CASE
                WHEN business = 0 THEN
                    '0.00,0.00,,,0.00,0.00,0,' || CASE WHEN cents IS NULL THEN ',,' ELSE '0.00,0.00,0.00' END
                WHEN known.store IS NULL THEN ',,,0.00,,,,,,'
                ELSE concat(
                    hours(up_time), ',', hours(business - up_time), ',',
                    percent(up_time, business), ',', percent(covered_time, business), ',',
                    hours(least), ',', hours(business - sure_up_time), ',', incidents, ',',
                    CASE WHEN cents IS NULL THEN ',,' ELSE concat(
                        money(least, cents), ',', money(business - up_time, cents), ',',
                        money(business - sure_up_time, cents)
                    ) END
                )
            END
        ),
        chr(10) ORDER BY line.store, bucket
    ) || chr(10)
FROM line
JOIN store ON line.store = store.store
LEFT JOIN known ON line.store = known.store


-- query streams: turns_by_two_streams changes sums text
-- query window: turns_by_window changes sums text

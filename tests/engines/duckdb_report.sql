-- The report by DuckDB, in several ways. duckdb_report.py runs one of them and
-- times it; each must give the bytes that oracle.py gives.
--
-- What is there before the clock starts, all of it sorted by its first columns:
--
--   poll          (store, polled_at, active)
--                 every poll, one per store and instant
--   open_interval (store, opens, closes, before, nearby_from, nearby_until)
--                 business time in [as_of - 8 days, as_of], half-open. `before`
--                 is the store's business time before it opens; the stretches
--                 [nearby_from, nearby_until) cover all time, each up to the
--                 next interval's opening
--   store         (store, id_csv, hour_from, day_from, week_from, business_end)
--                 the store's business time before each window and before as_of
--
-- Stores are numbered in the order of their ids; instants and lengths are whole
-- microseconds. `change_at(a, b)` is the rule: where the change between two
-- polls takes place. `as_of()` is the instant.
--
-- A section between `-- part` and the next is a piece of text; a `-- query`
-- names the parts that make one statement.


-- part counted: the polls that fall inside business time

WITH counted AS (
    SELECT poll.store, polled_at, active
    FROM poll
    SEMI JOIN open_interval AS o
        ON poll.store = o.store AND polled_at >= opens AND polled_at < closes
)


-- part counted_by_asof: the same by an ASOF join

WITH counted AS (
    SELECT poll.store, polled_at, active
    FROM poll
    ASOF JOIN open_interval AS o
        ON poll.store = o.store AND polled_at >= opens
    WHERE polled_at < closes
)


-- part turns_by_window: where the status changes, and each store's first poll

, turn AS (
    SELECT store, active, prev_at IS NULL AS first, change_at(prev_at, polled_at) AS turned_at
    FROM (
        SELECT
            store, polled_at, active,
            lag(polled_at) OVER w AS prev_at,
            lag(active) OVER w AS prev_active
        FROM counted
        WINDOW w AS (PARTITION BY store ORDER BY polled_at)
    )
    WHERE prev_at IS NULL OR prev_active <> active
)


-- part turns_by_stream: the same, but trusting the order that poll is stored in
-- A window over nothing at all is computed on the fly, without sorting. SQL
-- does not promise the order of its rows, and DuckDB only keeps it because it is
-- told not to hold back small batches (`enable_caching_operators = false`) and
-- because a semi join, unlike an inner join, leaves the order of its left side
-- alone. One such stream keeps one thread busy.

, turn AS (
    SELECT
        store, active,
        prev_store IS DISTINCT FROM store AS first,
        change_at(prev_at, polled_at) AS turned_at
    FROM (
        SELECT
            store, polled_at, active,
            lag(store) OVER () AS prev_store,
            lag(polled_at) OVER () AS prev_at,
            lag(active) OVER () AS prev_active
        FROM counted
    )
    WHERE prev_store IS DISTINCT FROM store OR prev_active <> active
)


-- part turns_by_two_streams: the same by one stream for each half of the stores

WITH turn AS (
    SELECT
        store, active,
        prev_store IS DISTINCT FROM store AS first,
        change_at(prev_at, polled_at) AS turned_at
    FROM (
        SELECT
            poll.store, polled_at, active,
            lag(poll.store) OVER () AS prev_store,
            lag(polled_at) OVER () AS prev_at,
            lag(active) OVER () AS prev_active
        FROM poll
        SEMI JOIN open_interval AS o
            ON poll.store = o.store AND polled_at >= opens AND polled_at < closes
        WHERE poll.store < middle_store()
    )
    WHERE prev_store IS DISTINCT FROM store OR prev_active <> active
    UNION ALL
    SELECT
        store, active,
        prev_store IS DISTINCT FROM store AS first,
        change_at(prev_at, polled_at) AS turned_at
    FROM (
        SELECT
            poll.store, polled_at, active,
            lag(poll.store) OVER () AS prev_store,
            lag(polled_at) OVER () AS prev_at,
            lag(active) OVER () AS prev_active
        FROM poll
        SEMI JOIN open_interval AS o
            ON poll.store = o.store AND polled_at >= opens AND polled_at < closes
        WHERE poll.store >= middle_store()
    )
    WHERE prev_store IS DISTINCT FROM store OR prev_active <> active
)


-- part turns_by_list: the same with one list a store, unnested again

, polled AS (
    SELECT store, list({'at': polled_at, 'active': active} ORDER BY polled_at) AS polls
    FROM counted
    GROUP BY store
)
, paired AS (
    SELECT
        store, unnest(polls) AS this,
        unnest(list_prepend(NULL, polls)[:len(polls)]) AS prev
    FROM polled
)
, turn AS (
    SELECT store, this.active, prev IS NULL AS first, change_at(prev.at, this.at) AS turned_at
    FROM paired
    WHERE prev IS NULL OR prev.active <> this.active
)


-- part placed_by_range: each turn with the store's business time before it

, placed AS (
    SELECT
        turn.store, first, active,
        before + greatest(0, least(turned_at, closes) - opens) AS business
    FROM turn
    JOIN open_interval AS o
        ON turn.store = o.store
        AND CASE WHEN first THEN 0 ELSE turned_at END >= nearby_from
        AND CASE WHEN first THEN 0 ELSE turned_at END < nearby_until
)


-- part placed_by_asof: the same by an ASOF join

, placed AS (
    SELECT
        turn.store, first, active,
        coalesce(before + least(turned_at, closes) - opens, 0) AS business
    FROM turn
    ASOF LEFT JOIN open_interval AS o
        ON turn.store = o.store AND turned_at >= opens
)


-- part sums: uptime is what remains from every turn to active until as_of, less
-- what remains from every turn to inactive. The first poll's status holds from
-- the beginning.

, remaining AS (
    SELECT
        placed.store,
        CASE WHEN active THEN 1 WHEN first THEN 0 ELSE -1 END AS sign,
        CASE WHEN first THEN 0 ELSE business END AS business,
        hour_from, day_from, week_from, business_end
    FROM placed
    JOIN store ON placed.store = store.store
)
, uptime AS (
    SELECT
        store,
        sum(sign * (business_end - greatest(business, hour_from)))::BIGINT AS hour_up,
        sum(sign * (business_end - greatest(business, day_from)))::BIGINT AS day_up,
        sum(sign * (business_end - greatest(business, week_from)))::BIGINT AS week_up
    FROM remaining
    GROUP BY store
)


-- part overlaps: the textbook form. Every poll becomes a segment of time, every
-- segment meets every interval, and the overlaps are added up.

, segment AS (
    SELECT
        store, active,
        coalesce(change_at(lag(polled_at) OVER w, polled_at), 0) AS since,
        coalesce(change_at(polled_at, lead(polled_at) OVER w), as_of()) AS until
    FROM counted
    WINDOW w AS (PARTITION BY store ORDER BY polled_at)
)
, stretch AS (
    SELECT
        segment.store, active,
        greatest(since, opens) AS lo,
        least(until, closes, as_of()) AS hi
    FROM segment
    JOIN open_interval AS o
        ON segment.store = o.store AND since < closes AND until > opens
)
, uptime AS (
    SELECT
        store,
        sum(active::INT * greatest(0, hi - greatest(lo, as_of() - 3600000000)))::BIGINT AS hour_up,
        sum(active::INT * greatest(0, hi - greatest(lo, as_of() - 86400000000)))::BIGINT AS day_up,
        sum(active::INT * greatest(0, hi - greatest(lo, as_of() - 604800000000)))::BIGINT AS week_up
    FROM stretch
    GROUP BY store
)


-- part text: the lines of the report below its header, as one text

, line AS (
    SELECT
        store.store, id_csv,
        uptime.store IS NOT NULL AS known,
        business_end - hour_from AS hour_all, coalesce(hour_up, 0) AS hour_up,
        business_end - day_from AS day_all, coalesce(day_up, 0) AS day_up,
        business_end - week_from AS week_all, coalesce(week_up, 0) AS week_up
    FROM store
    LEFT JOIN uptime ON store.store = uptime.store
)
SELECT
    string_agg(concat_ws(',',
        id_csv,
        shown(hour_up, hour_all, known, 600000),
        shown(day_up, day_all, known, 36000000),
        shown(week_up, week_all, known, 36000000),
        shown(hour_all - hour_up, hour_all, known, 600000),
        shown(day_all - day_up, day_all, known, 36000000),
        shown(week_all - week_up, week_all, known, 36000000)
    ), chr(10) ORDER BY store) || chr(10)
FROM line


-- query streams: turns_by_two_streams placed_by_range sums text
-- query stream: counted turns_by_stream placed_by_range sums text
-- query stream_asof: counted turns_by_stream placed_by_asof sums text
-- query window: counted turns_by_window placed_by_range sums text
-- query window_asof: counted_by_asof turns_by_window placed_by_asof sums text
-- query list: counted turns_by_list placed_by_range sums text
-- query overlaps: counted overlaps text

-- The report, from a lake that `store-monitor export lake` wrote: the bytes that `store-monitor report`
-- prints, in DuckDB, ClickHouse and Spark alike. It reads on from the file of the engine, which begins the
-- WITH and says what differs between them:
--
--   question        one row: as_of_us, and the interpolation, 'nearest' or 'previous'
--   polls           store_id, timestamp_us, status; one a store and instant; at least all of the eight
--                   days before as_of
--   open_intervals  store_id, start_us, end_us: business time, half-open, disjoint; at least all of the
--                   same days, to the end of the one that holds as_of
--   stores          store_id, of every store
--   floor_div(a, b)         a / b without its fraction
--   two_decimals(us, unit)  microseconds in hundredths of a unit of time, halves rounded up, as 12.34
--   csv_field(text)         quoted where RFC 4180 asks for it
--
-- Instants and lengths are whole microseconds (`_us`). Nothing is joined by ranges of time: a poll and
-- business time are brought together by sorting each store's own once, so that the cost grows with the rows.


-- Business time up to as_of. What begins at as_of has no length, but a poll at as_of may be in it.
, open_time AS (
    SELECT
        store_id, start_us, end_us,
        LEAST(end_us, as_of_us) AS past_us,
        LEAST(end_us, as_of_us) - start_us AS length_us
    FROM open_intervals
    CROSS JOIN question
    WHERE start_us <= as_of_us AND end_us > as_of_us - 691200000000
)

-- What there is of it in the report's windows, and in all.
, business AS (
    SELECT
        store_id,
        SUM(GREATEST(0, past_us - GREATEST(start_us, as_of_us - 3600000000))) AS hour_us,
        SUM(GREATEST(0, past_us - GREATEST(start_us, as_of_us - 86400000000))) AS day_us,
        SUM(GREATEST(0, past_us - GREATEST(start_us, as_of_us - 604800000000))) AS week_us,
        SUM(length_us) AS all_us
    FROM open_time
    CROSS JOIN question
    GROUP BY store_id
)

-- Each poll within reach, beside the end of the business time that began last at or before it.
, placed AS (
    SELECT
        store_id, at_us, is_poll, active,
        MAX(end_us) OVER (
            PARTITION BY store_id ORDER BY at_us, is_poll
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS open_until_us
    FROM (
        SELECT store_id, start_us AS at_us, 0 AS is_poll, 0 AS active, end_us FROM open_time
        UNION ALL
        SELECT
            store_id, timestamp_us AS at_us, 1 AS is_poll,
            CASE WHEN status = 'active' THEN 1 ELSE 0 END AS active, 0 AS end_us
        FROM polls
        CROSS JOIN question
        WHERE timestamp_us BETWEEN as_of_us - 691200000000 AND as_of_us
    ) AS moment
)

-- The polls that count, each with the one before it; 0 where there is none.
, counted AS (
    SELECT
        store_id, at_us, active,
        LAG(at_us, 1, 0) OVER (PARTITION BY store_id ORDER BY at_us) AS prev_at_us,
        LAG(active, 1, 0) OVER (PARTITION BY store_id ORDER BY at_us) AS prev_active
    FROM placed
    WHERE is_poll = 1 AND at_us < open_until_us
)

-- Where the status changes. The first poll's holds from the beginning of time.
, turn AS (
    SELECT
        store_id,
        CASE
            WHEN prev_at_us = 0 THEN 0
            WHEN interpolation = 'previous' THEN at_us
            ELSE prev_at_us + floor_div(at_us - prev_at_us, 2)
        END AS at_us,
        CASE WHEN active = 1 THEN 1 WHEN prev_at_us = 0 THEN 0 ELSE -1 END AS sign
    FROM counted
    CROSS JOIN question
    WHERE prev_at_us = 0 OR prev_active <> active
)

-- How much business time lies before each turn.
, elapsed AS (
    SELECT
        store_id, is_turn, sign,
        (SUM(length_us) OVER story) - GREATEST(0, (MAX(past_us) OVER story) - at_us) AS elapsed_us
    FROM (
        SELECT store_id, start_us AS at_us, 0 AS is_turn, 0 AS sign, past_us, length_us FROM open_time
        UNION ALL
        SELECT store_id, at_us, 1 AS is_turn, sign, 0 AS past_us, 0 AS length_us FROM turn
    ) AS moment
    WINDOW story AS (
        PARTITION BY store_id ORDER BY at_us, is_turn
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
)

-- Uptime is the business time from every turn to active until as_of, less that from every turn to
-- inactive, each as far as it lies in the window. A store without a poll that counts has no row.
, uptime AS (
    SELECT
        elapsed.store_id AS store_id,
        SUM(sign * LEAST(all_us - elapsed_us, hour_us)) AS hour_up_us,
        SUM(sign * LEAST(all_us - elapsed_us, day_us)) AS day_up_us,
        SUM(sign * LEAST(all_us - elapsed_us, week_us)) AS week_up_us
    FROM elapsed
    JOIN business ON business.store_id = elapsed.store_id
    WHERE is_turn = 1
    GROUP BY elapsed.store_id
)

-- The report in microseconds: zero where the store was closed, NULL where nothing is known.
, report AS (
    SELECT
        stores.store_id AS store_id,
        CASE WHEN COALESCE(hour_us, 0) = 0 THEN 0 ELSE hour_up_us END AS uptime_last_hour_us,
        CASE WHEN COALESCE(day_us, 0) = 0 THEN 0 ELSE day_up_us END AS uptime_last_day_us,
        CASE WHEN COALESCE(week_us, 0) = 0 THEN 0 ELSE week_up_us END AS uptime_last_week_us,
        CASE WHEN COALESCE(hour_us, 0) = 0 THEN 0 ELSE hour_us - hour_up_us END AS downtime_last_hour_us,
        CASE WHEN COALESCE(day_us, 0) = 0 THEN 0 ELSE day_us - day_up_us END AS downtime_last_day_us,
        CASE WHEN COALESCE(week_us, 0) = 0 THEN 0 ELSE week_us - week_up_us END AS downtime_last_week_us
    FROM stores
    LEFT JOIN business ON business.store_id = stores.store_id
    LEFT JOIN uptime ON uptime.store_id = stores.store_id
)

-- Its lines: minutes for the hour, hours for the day and the week.
SELECT line
FROM (
    SELECT
        0 AS part, '' AS store_id,
        'store_id,uptime_last_hour,uptime_last_day,uptime_last_week,downtime_last_hour,downtime_last_day,downtime_last_week' AS line
    UNION ALL
    SELECT
        1 AS part, store_id,
        CONCAT(
            csv_field(store_id),
            ',', COALESCE(two_decimals(uptime_last_hour_us, 600000), ''),
            ',', COALESCE(two_decimals(uptime_last_day_us, 36000000), ''),
            ',', COALESCE(two_decimals(uptime_last_week_us, 36000000), ''),
            ',', COALESCE(two_decimals(downtime_last_hour_us, 600000), ''),
            ',', COALESCE(two_decimals(downtime_last_day_us, 36000000), ''),
            ',', COALESCE(two_decimals(downtime_last_week_us, 36000000), '')
        ) AS line
    FROM report
) AS lines
ORDER BY part, store_id
;

-- What report.sql needs of ClickHouse (written for 26.9). Three parameters are given with it:
--
--   --param_lake lake                                  the folder; for a bucket, write s3(…) for file(…)
--   --param_as_of '2026-11-08 20:00:00.123456'         UTC
--   --param_interpolation nearest                      or previous

-- As everywhere else: what a left join does not find is NULL, not zero.
SET join_use_nulls = 1;

-- A store may be called \N; nothing in a lake is NULL.
SET format_csv_null_representation = '';

CREATE OR REPLACE FUNCTION floor_div AS (a, b) -> intDiv(a, b);

CREATE OR REPLACE FUNCTION two_decimals AS (us, unit) -> concat(
    toString(intDiv(intDiv(us + intDiv(unit, 2), unit), 100)), '.',
    leftPad(toString(intDiv(us + intDiv(unit, 2), unit) % 100), 2, '0')
);

CREATE OR REPLACE FUNCTION csv_field AS (field) ->
    if(match(field, '[,"\r\n]'), concat('"', replaceAll(field, '"', '""'), '"'), field);

WITH question AS (
    SELECT
        toUnixTimestamp64Micro(toDateTime64({as_of:String}, 6, 'UTC')) AS as_of_us,
        {interpolation:String} AS interpolation
)
, polls AS (
    SELECT store_id, timestamp_us, status
    FROM file(
        concat({lake:String}, '/polls/day=*/polls.csv.gz'), 'CSVWithNames',
        'store_id String, timestamp_utc String, status String, timestamp_us Int64, day Date'
    )
    WHERE day BETWEEN toDate(toDateTime64({as_of:String}, 6, 'UTC')) - 8
                  AND toDate(toDateTime64({as_of:String}, 6, 'UTC'))
)
, open_intervals AS (
    SELECT store_id, start_us, end_us
    FROM file(
        concat({lake:String}, '/open_intervals/day=*/open_intervals.csv.gz'), 'CSVWithNames',
        'store_id String, start_utc String, end_utc String, start_us Int64, end_us Int64, day Date'
    )
    WHERE day BETWEEN toDate(toDateTime64({as_of:String}, 6, 'UTC')) - 8
                  AND toDate(toDateTime64({as_of:String}, 6, 'UTC'))
)
, stores AS (
    SELECT store_id
    FROM file(
        concat({lake:String}, '/stores/stores.csv.gz'), 'CSVWithNames',
        'store_id String, name String, "group" String, timezone String,
         sales_per_hour Nullable(Decimal(12, 2)), target Nullable(Decimal(5, 2))'
    )
)

-- What report.sql needs of Spark (written for 4.3). Three variables are put in its place before:
--
--   spark-sql --hivevar lake=lake --hivevar 'as_of=2026-11-08 20:00:00.123456' --hivevar interpolation=nearest
--
-- The folder may be s3a://…; as_of is UTC; the interpolation is nearest or previous.

CREATE OR REPLACE TEMPORARY FUNCTION floor_div(a BIGINT, b BIGINT) RETURNS BIGINT RETURN a DIV b;

CREATE OR REPLACE TEMPORARY FUNCTION two_decimals(us BIGINT, unit BIGINT) RETURNS STRING
RETURN CASE WHEN us IS NOT NULL THEN
    format_string('%d.%02d', (us + unit DIV 2) DIV unit DIV 100, (us + unit DIV 2) DIV unit % 100)
END;

CREATE OR REPLACE TEMPORARY FUNCTION csv_field(field STRING) RETURNS STRING
RETURN CASE WHEN field RLIKE '[,"\\r\\n]' THEN concat('"', replace(field, '"', '""'), '"') ELSE field END;

CREATE OR REPLACE TEMPORARY VIEW lake_polls (
    store_id STRING, timestamp_utc STRING, status STRING, timestamp_us BIGINT, day DATE
) USING csv OPTIONS (path '${lake}/polls', header 'true', multiLine 'true', escape '"');

CREATE OR REPLACE TEMPORARY VIEW lake_open_intervals (
    store_id STRING, start_utc STRING, end_utc STRING, start_us BIGINT, end_us BIGINT, day DATE
) USING csv OPTIONS (path '${lake}/open_intervals', header 'true', multiLine 'true', escape '"');

CREATE OR REPLACE TEMPORARY VIEW lake_stores (
    store_id STRING, name STRING, `group` STRING, timezone STRING,
    sales_per_hour DECIMAL(12, 2), target DECIMAL(5, 2)
) USING csv OPTIONS (path '${lake}/stores', header 'true', multiLine 'true', escape '"');

WITH question AS (
    SELECT unix_micros(TIMESTAMP '${as_of} UTC') AS as_of_us, '${interpolation}' AS interpolation
)
, polls AS (
    SELECT store_id, timestamp_us, status
    FROM lake_polls
    WHERE day BETWEEN DATE(left('${as_of}', 10)) - 8 AND DATE(left('${as_of}', 10))
)
, open_intervals AS (
    SELECT store_id, start_us, end_us
    FROM lake_open_intervals
    WHERE day BETWEEN DATE(left('${as_of}', 10)) - 8 AND DATE(left('${as_of}', 10))
)
, stores AS (
    SELECT store_id
    FROM lake_stores
)

-- What report.sql needs of DuckDB (written for 2.0). Three variables are set before:
--
--   SET VARIABLE lake = 'lake';                          the folder, or s3://…
--   SET VARIABLE as_of = '2026-11-08 20:00:00.123456';   UTC
--   SET VARIABLE interpolation = 'nearest';              or 'previous'

CREATE OR REPLACE TEMP MACRO floor_div(a, b) AS a // b;

CREATE OR REPLACE TEMP MACRO two_decimals(us, unit) AS
    printf('%d.%02d', (us + unit // 2) // unit // 100, (us + unit // 2) // unit % 100);

CREATE OR REPLACE TEMP MACRO csv_field(field) AS
    CASE WHEN regexp_matches(field, '[,"\r\n]') THEN '"' || replace(field, '"', '""') || '"' ELSE field END;

WITH question AS (
    SELECT
        epoch_us(getvariable('as_of')::TIMESTAMP) AS as_of_us,
        getvariable('interpolation') AS interpolation
)
, polls AS (
    SELECT store_id, timestamp_us, status
    FROM read_csv(
        getvariable('lake') || '/polls/day=*/polls.csv.gz',
        auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
        columns = {
            'store_id': 'VARCHAR', 'timestamp_utc': 'VARCHAR', 'status': 'VARCHAR', 'timestamp_us': 'BIGINT'
        },
        hive_partitioning = true, hive_types = {'day': DATE}
    )
    WHERE day BETWEEN getvariable('as_of')::TIMESTAMP::DATE - 8 AND getvariable('as_of')::TIMESTAMP::DATE
)
, open_intervals AS (
    SELECT store_id, start_us, end_us
    FROM read_csv(
        getvariable('lake') || '/open_intervals/day=*/open_intervals.csv.gz',
        auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
        columns = {
            'store_id': 'VARCHAR', 'start_utc': 'VARCHAR', 'end_utc': 'VARCHAR',
            'start_us': 'BIGINT', 'end_us': 'BIGINT'
        },
        hive_partitioning = true, hive_types = {'day': DATE}
    )
    WHERE day BETWEEN getvariable('as_of')::TIMESTAMP::DATE - 8 AND getvariable('as_of')::TIMESTAMP::DATE
)
, stores AS (
    SELECT store_id
    FROM read_csv(
        getvariable('lake') || '/stores/stores.csv.gz',
        auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
        columns = {
            'store_id': 'VARCHAR', 'name': 'VARCHAR', 'group': 'VARCHAR', 'timezone': 'VARCHAR',
            'sales_per_hour': 'DECIMAL(12, 2)', 'target': 'DECIMAL(5, 2)'
        }
    )
)

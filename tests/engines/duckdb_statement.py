#!/usr/bin/env python3
"""The statement by DuckDB: the same bytes, and how long a good query engine takes.

What it is
    A reference for the statement of any period, for speed and for bytes.
    Everything that is fixed before a statement is asked for is loaded, sorted
    and expanded before the clock starts: polls with integer store numbers, and
    the period's business time as stretches of each store and bucket with its
    running total. What is timed is the query and the making of the CSV text,
    nothing else. The SQL is in duckdb_statement.sql.

How to run it
    Needs `pip install duckdb tzdata` (written for 2.0).
    duckdb_statement.py DIR --from DAY --to DAY [--by total|day|week|month]
                        [--as-of TIME] [--interpolation nearest|previous]
                        [--repeat N] [--query NAME] [--threads N]
        prints the statement of every store on stdout and one line of JSON on
        stderr: {"median_ms": ..., "runs": [...], "rows": ..., "polls": ...}
        DIR has the five sources as the program reads and writes them. Before
        the N timed runs there is one that is not timed.
    duckdb_statement.py --golden DIR
        runs every case below DIR that is about stores, under both rules and by
        every query. Exit code 1 if a byte differs.

What it must never know
    How the program does it: nothing here is imported from the project. Wall
    times are oracle.py's; the calendar is here, the arithmetic is SQL.
"""

import argparse
import csv
import functools
import json
import os
import re
import shlex
import statistics
import sys
import tempfile
import time
from datetime import date

sys.dont_write_bytecode = True
import oracle  # noqa: E402

try:
    import duckdb
except ImportError:
    sys.exit("duckdb_statement: no module `duckdb` (pip install duckdb)")

SQL_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "duckdb_statement.sql")
FOREVER = 2**62
AROUND = 24 * oracle.HOUR
HEADER = (
    "store_id,period,business_time,uptime,downtime,uptime_percent,coverage_percent,"
    "downtime_least,downtime_most,incidents,lost_sales_least,lost_sales,lost_sales_most"
)
WAYS = ("total", "day", "week", "month")

TABLES = {
    "open_interval": "store INTEGER, opens BIGINT, closes BIGINT",
    "stretch": "store INTEGER, day INTEGER, bucket INTEGER, nearby_from BIGINT, nearby_until BIGINT,"
    " opens BIGINT, before BIGINT, until BIGINT",
    "bucket": "store INTEGER, bucket INTEGER, label VARCHAR, since BIGINT, business BIGINT",
    "store": "store INTEGER, id_csv VARCHAR, cents BIGINT",
}


def read_queries():
    """Name -> SQL, put together from the parts in the file."""
    with open(SQL_FILE, encoding="utf-8") as text:
        pieces = re.split(r"^-- (part|query) (\w+):", text.read(), flags=re.MULTILINE)[1:]
    parts, queries = {}, {}
    for kind, name, body in zip(pieces[0::3], pieces[1::3], pieces[2::3]):
        if kind == "part":
            parts[name] = "--" + body
        else:
            queries[name] = "\n".join(parts[part] for part in body.split())
    return queries


# --- The sources but for polls -----------------------------------------------


class Sources:
    """All that the files say of stores and hours."""

    def __init__(self, directory):
        self.stores, self.zones, self.cents = set(), {}, {}
        self.versions = {}  # store -> {first day or None: [(weekday, start, end)]}
        self.special = {}  # store -> {day: [(start, end)]}
        self.polls_file = None
        for name in sorted(os.listdir(directory)):
            if name.endswith(".csv") and not name.startswith("expected"):
                self.read(os.path.join(directory, name))

    def read(self, path):
        with open(path, encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines, strict=True)
            header = next(rows, [])
            if "timestamp_utc" in header:
                self.polls_file = path
                return
            for row in rows:
                row = dict(zip(header, row))
                self.stores.add(row["store_id"])
                if "timezone_str" in row:
                    self.zones[row["store_id"]] = row["timezone_str"]
                elif "date" in row:
                    of_day = self.special.setdefault(row["store_id"], {})
                    times = of_day.setdefault(oracle.day_number(row["date"]), [])
                    times.extend(times_of(row))
                elif "start_time_local" in row:
                    day = next(row[name] for name in ("day", "dayofweek", "day_of_week", "dayOfWeek") if name in row)
                    valid_from = row.get("valid_from") or None
                    first = None if valid_from is None else oracle.day_number(valid_from)
                    versions = self.versions.setdefault(row["store_id"], {})
                    week = versions.setdefault(first, [])
                    week.extend((int(day), *times) for times in times_of(row))
                elif row.get("sales_per_hour"):
                    whole, _, part = row["sales_per_hour"].partition(".")
                    self.cents[row["store_id"]] = int(whole or 0) * 100 + int(part.ljust(2, "0") or 0)

    def pattern_of(self, store):
        """Zone, versions and special days, as one key that stores share."""
        versions = self.versions.get(store, {})
        in_order = sorted(versions, key=lambda first: -FOREVER if first is None else first)
        special = self.special.get(store, {})
        return (
            self.zones.get(store, oracle.DEFAULT_ZONE),
            tuple((first, tuple(sorted(set(versions[first])))) for first in in_order),
            tuple((day, tuple(sorted(set(special[day])))) for day in sorted(special)),
        )


def times_of(row):
    """The times of a row in seconds of the day; none where it says closed."""
    start, end = row["start_time_local"], row["end_time_local"]
    if not start and not end:
        return []
    return [(oracle.parse_time_of_day(start, oracle.DAY_S - 1), oracle.parse_time_of_day(end, oracle.DAY_S))]


# --- The calendar ------------------------------------------------------------


def rows_of_day(versions, special, day):
    """The stretches that begin on a local date, in seconds of the day."""
    if day in special:
        return special[day]
    if not versions:
        return [(0, oracle.DAY_S)]
    weekday = date.fromordinal(oracle.EPOCH_DAY + day).weekday()
    in_force = versions[0][1]
    for first, week in versions:
        if first is not None and first <= day:
            in_force = week
    return [(start, end) for of, start, end in in_force if of == weekday]


@functools.lru_cache(maxsize=None)
def business_time(pattern, since, until):
    """Sorted, disjoint, half-open stretches of business time in [since, until)."""
    zone_name, versions, special = pattern
    if not versions and not special:
        return [(since, until)]
    zone, special = oracle.find_zone(zone_name), dict(special)
    stretches = []
    for day in range(since // oracle.DAY - 3, until // oracle.DAY + 4):
        for start_s, end_s in rows_of_day(versions, special, day):
            end_day = day if end_s > start_s else day + 1
            start = oracle.instant_of_wall_time(zone, day * oracle.DAY_S + start_s) * oracle.SECOND
            end = oracle.instant_of_wall_time(zone, end_day * oracle.DAY_S + end_s) * oracle.SECOND
            if start < end:
                stretches.append((start, end))
    united = []
    for start, end in sorted(stretches):
        if united and start - united[-1][1] <= oracle.SEAM:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((start, end))
    clipped = [(max(start, since), min(end, until)) for start, end in united]
    return [(start, end) for start, end in clipped if start < end]


def label_of(day, by, first, last):
    """The bucket that a day belongs to, as the statement writes it."""
    at = date.fromordinal(oracle.EPOCH_DAY + day)
    if by == "day":
        return at.isoformat()
    if by == "month":
        return f"{at.year:04d}-{at.month:02d}"
    if by == "week":
        year, week, _ = at.isocalendar()
        return f"{year:04d}-W{week:02d}"
    days = [date.fromordinal(oracle.EPOCH_DAY + day).isoformat() for day in (first, last)]
    return "/".join(days)


@functools.lru_cache(maxsize=None)
def expanded(pattern, first, last, by, as_of):
    """The rows of a pattern's tables, without their store."""
    zone = oracle.find_zone(pattern[0])
    midnights = [
        oracle.instant_of_wall_time(zone, day * oracle.DAY_S) * oracle.SECOND for day in range(first, last + 2)
    ]
    since, whole_end = midnights[0], midnights[-1]
    counted_until = min(whole_end + AROUND, as_of) + 1
    counted = business_time(pattern, since - AROUND, max(counted_until, since - AROUND))
    labels = [label_of(day, by, first, last) for day in range(first, last + 1)]
    edges = [midnights[0]]
    names = []
    for label, end in zip(labels, midnights[1:]):
        if names and names[-1] == label:
            edges[-1] = end
        else:
            names.append(label)
            edges.append(end)
    edges = [min(edge, max(as_of, since)) for edge in edges]
    opened = business_time(pattern, since, max(edges[-1], since)) if edges[-1] > since else []
    stretches, buckets, before = [], [], 0
    nearby_from = first * oracle.DAY - oracle.DAY
    for number, (lo, hi) in enumerate(zip(edges, edges[1:])):
        inside = [(max(start, lo), min(end, hi)) for start, end in opened]
        inside = [(start, end) for start, end in inside if start < end]
        business = sum(end - start for start, end in inside)
        until = before + business
        buckets.append((number, names[number], before, business))
        for start, end in inside:
            for day in range(nearby_from // oracle.DAY, (end - 1) // oracle.DAY + 1):
                stretches.append((day, number, nearby_from, end, start, before, until))
            before += end - start
            nearby_from = end
    return counted, stretches, buckets


def load(connection, directory, options):
    """Create and fill the tables, through files: far quicker than row by row."""
    sources = Sources(directory)
    first, last = oracle.day_number(options.since), oracle.day_number(options.until)
    connection.execute(
        f"""CREATE TABLE raw AS SELECT store_id, status = 'active' AS active,
            epoch_us(replace(timestamp_utc, ' UTC', '')::TIMESTAMP) AS polled_at
        FROM read_csv('{sources.polls_file}', header = true, all_varchar = true, quote = '"', escape = '"')"""
    )
    polled = connection.execute("SELECT DISTINCT store_id FROM raw").fetchall()
    names = sources.stores | {name for (name,) in polled}
    as_of = options.as_of and oracle.parse_timestamp(options.as_of)
    if as_of is None:
        as_of = connection.execute("SELECT max(polled_at) FROM raw").fetchone()[0]
    rows = {name: [] for name in TABLES}
    for store, name in enumerate(sorted(names, key=lambda name: name.encode("utf-8"))):
        rows["store"].append((store, oracle.quoted(name), sources.cents.get(name, "")))
        found = expanded(sources.pattern_of(name), first, last, options.by, as_of)
        for table, of_pattern in zip(("open_interval", "stretch", "bucket"), found):
            rows[table].extend((store, *row) for row in of_pattern)
    with tempfile.TemporaryDirectory() as folder:
        for name, columns in TABLES.items():
            path = os.path.join(folder, name + ".csv")
            with open(path, "w", encoding="utf-8", newline="") as out:
                csv.writer(out).writerows(rows[name])
            connection.execute(f"CREATE TABLE {name} ({columns})")
            connection.execute(
                f"COPY {name} FROM '{path}' (FORMAT csv, AUTO_DETECT false, HEADER false, DELIMITER ',', QUOTE '\"', ESCAPE '\"')"
            )
    # The last poll of a store and instant stands.
    connection.execute(
        """CREATE TABLE poll AS
        SELECT store::INTEGER AS store, polled_at, arg_max(active, raw.rowid) AS active
        FROM raw JOIN (SELECT row_number() OVER (ORDER BY encode(store_id)) - 1 AS store, store_id FROM (
            SELECT unnest($names) AS store_id)) AS named USING (store_id)
        GROUP BY store, polled_at ORDER BY store, polled_at""",
        {"names": list(names)},
    )
    connection.execute("DROP TABLE raw")
    polls = connection.execute("SELECT count(*) FROM poll").fetchone()[0]
    return len(names), len(rows["bucket"]), polls


CHANGE_AT = {"nearest": "a + (b - a) // 2", "previous": "b + 0 * a"}


def create_macros(connection, rule, stores, since):
    # No period begins earlier, in any zone.
    earliest = (oracle.day_number(since) - 1) * oracle.DAY
    connection.execute(f"CREATE OR REPLACE MACRO earliest() AS {earliest}::BIGINT")
    connection.execute(f"CREATE OR REPLACE MACRO middle_store() AS {stores // 2}")
    connection.execute(f"CREATE OR REPLACE MACRO change_at(a, b) AS {CHANGE_AT[rule]}")
    # A change of -1, 0 or 1 and what it adds to its bucket, in one number; and
    # both of a sum of such. A period is shorter than 2**45 microseconds: 400 days.
    connection.execute("CREATE OR REPLACE MACRO packed(change, remains) AS change * (70368744177664 + remains)")
    connection.execute(
        "CREATE OR REPLACE MACRO change_of(sum) AS ((coalesce(sum, 0)::BIGINT + 316659348799488) >> 46) - 4"
    )
    connection.execute("CREATE OR REPLACE MACRO here(sum) AS coalesce(sum, 0)::BIGINT - change_of(sum) * 70368744177664")
    # Two decimals, halves up; of micros, of cents by the hour, and of a share.
    connection.execute("CREATE OR REPLACE MACRO two(n) AS (n * 0.01::DECIMAL(3, 2))::VARCHAR")
    connection.execute("CREATE OR REPLACE MACRO hours(micros) AS two(((micros + 18000000) // 36000000)::INTEGER)")
    connection.execute("CREATE OR REPLACE MACRO money(micros, cents) AS two((micros * cents + 1800000000) // 3600000000)")
    connection.execute(
        """CREATE OR REPLACE MACRO percent(part, whole) AS two((CASE
            WHEN part = 0 THEN 0
            WHEN part = whole THEN 10000
            ELSE greatest(1, least(9999, (20000 * part + whole) // (2 * whole)))
        END)::INTEGER)"""
    )


def spread_threads(threads):
    """Give the two threads a processor each.

    Left alone, the system often runs both on one while the other idles.
    """
    if threads != 2 or not hasattr(os, "sched_setaffinity"):
        return
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) == 2:
        for thread in map(int, os.listdir("/proc/self/task")):
            os.sched_setaffinity(thread, {processors[0 if thread == os.getpid() else 1]})


def connect(threads):
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    # DuckDB may hold back the small batches that a join leaves, and hand them
    # on after later ones: the queries over streams need every row in its place.
    connection.execute("SET enable_caching_operators = false")
    return connection


def run(connection, query):
    body = connection.execute(query).fetchone()[0] or ""
    return (HEADER + "\n" + body).encode("utf-8")


def parser_of(queries):
    parser = argparse.ArgumentParser(description="the statement by DuckDB, timed")
    parser.add_argument("directory", metavar="DIR", nargs="?")
    parser.add_argument("--golden", metavar="DIR")
    parser.add_argument("--from", dest="since", metavar="DAY")
    parser.add_argument("--to", dest="until", metavar="DAY")
    parser.add_argument("--by", choices=WAYS, default="total")
    parser.add_argument("--per", default="store")
    parser.add_argument("--as-of", metavar="TIME")
    parser.add_argument("--interpolation", choices=oracle.RULES, default="nearest")
    parser.add_argument("--repeat", metavar="N", type=int, default=1)
    parser.add_argument("--query", choices=queries, default=next(iter(queries)))
    parser.add_argument("--threads", metavar="N", type=int, default=2)
    return parser


def run_golden(directory, queries):
    """Compare every case about stores by every query; the number of mismatches."""
    compared = mismatches = 0
    for name in sorted(os.listdir(directory)):
        case = os.path.join(directory, name)
        with open(os.path.join(case, "args.txt"), encoding="utf-8") as text:
            options = parser_of(queries).parse_args(shlex.split(text.read()))
        if options.per != "store":
            continue
        connection = connect(1)
        stores, _, _ = load(connection, case, options)
        for rule in oracle.RULES:
            create_macros(connection, rule, stores, options.since)
            with open(os.path.join(case, f"expected-{rule}.csv"), "rb") as text:
                expected = text.read()
            for query, sql in queries.items():
                compared += 1
                got = run(connection, sql)
                if got != expected:
                    mismatches += 1
                    print(f"{name} {rule} {query}: expected\n{expected.decode()}got\n{got.decode()}")
    print(f"{compared} statements compared, {mismatches} differ", file=sys.stderr)
    return mismatches if compared else 1


def main():
    queries = read_queries()
    parser = parser_of(queries)
    options = parser.parse_args()
    if options.golden is not None:
        return 1 if run_golden(options.golden, queries) else 0
    if options.directory is None or options.since is None or options.until is None:
        parser.error("name DIR, --from and --to, or --golden DIR")
    if options.per != "store" or options.repeat < 1 or options.threads < 1:
        parser.error("--per is store; --repeat and --threads are at least 1")
    connection = connect(options.threads)
    stores, rows, polls = load(connection, options.directory, options)
    create_macros(connection, options.interpolation, stores, options.since)
    spread_threads(options.threads)
    query = queries[options.query]
    run(connection, query)
    runs = []
    for _ in range(options.repeat):
        start = time.perf_counter()
        text = run(connection, query)
        runs.append(round((time.perf_counter() - start) * 1000, 3))
    sys.stdout.buffer.write(text)
    measured = {"median_ms": statistics.median(runs), "runs": runs, "rows": rows, "polls": polls}
    print(json.dumps(measured), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

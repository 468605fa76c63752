#!/usr/bin/env python3
"""The report by DuckDB: the same bytes, and how long a good query engine takes.

What it is
    A second reference, for speed. Everything that is fixed before a report is
    asked for is loaded, sorted and expanded before the clock starts: polls with
    integer store numbers, business time as intervals, its running total, and
    the totals at the edges of the windows. What is timed is the query and the
    making of the CSV text, nothing else. The SQL is in duckdb_report.sql.

How to run it
    Needs `pip install duckdb` (written for 2.0).
    duckdb_report.py DIR [--as-of TIME] [--interpolation nearest|previous]
                     [--repeat N] [--query NAME] [--threads N]
        prints the report on stdout and one line of JSON on stderr:
        {"median_ms": ..., "runs": [...], "rows": ..., "polls": ...}
        DIR and --as-of are read as oracle.py reads them. Before the N timed
        runs there is one that is not timed. NAME is one of the queries at the
        end of the SQL file; the default is the first, the fastest. Compare the
        bytes whenever times are quoted: a stream is only right while DuckDB
        keeps its rows in order.

What it must never know
    How the program does it: nothing here is imported from the project. Reading
    files and expanding business hours is oracle.py's; the arithmetic of uptime
    is SQL of its own.
"""

import argparse
import csv
import json
import os
import re
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import oracle  # noqa: E402

try:
    import duckdb
except ImportError:
    sys.exit("duckdb_report: no module `duckdb` (pip install duckdb)")

SQL_FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "duckdb_report.sql")
FOREVER = 2**62

TABLES = {
    "poll": "store INTEGER, polled_at BIGINT, active BOOLEAN",
    "open_interval": "store INTEGER, opens BIGINT, closes BIGINT, before BIGINT,"
    " nearby_from BIGINT, nearby_until BIGINT",
    "store": "store INTEGER, id_csv VARCHAR, hour_from BIGINT, day_from BIGINT,"
    " week_from BIGINT, business_end BIGINT",
}

CHANGE_AT = {"nearest": "a + (b - a) // 2", "previous": "b + 0 * a"}


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


def tables_of(inputs, as_of):
    """The rows of each table, in its order; consumes the polls as it goes."""
    polls, intervals, stores = [], [], []
    edges = [as_of - length for length, _ in oracle.WINDOWS] + [as_of]
    for store, name in enumerate(oracle.stores_in_order(inputs)):
        of_store = inputs.polls.pop(name, {})
        polls.extend((store, at, int(of_store[at])) for at in sorted(of_store))
        opened = oracle.business_time_of(name, inputs, as_of)
        before = 0
        for i, (opens, closes) in enumerate(opened):
            nearby_from = -FOREVER if i == 0 else opens
            nearby_until = opened[i + 1][0] if i + 1 < len(opened) else FOREVER
            intervals.append((store, opens, closes, before, nearby_from, nearby_until))
            before += closes - opens
        totals = [oracle.length_within(opened, -FOREVER, edge) for edge in edges]
        stores.append((store, oracle.quoted(name), *totals))
    return {"poll": polls, "open_interval": intervals, "store": stores}


def load(connection, tables):
    """Create and fill the tables, through files: far quicker than row by row."""
    with tempfile.TemporaryDirectory() as directory:
        for name, columns in TABLES.items():
            path = os.path.join(directory, name + ".csv")
            with open(path, "w", encoding="utf-8", newline="") as out:
                csv.writer(out).writerows(tables[name])
            connection.execute(f"CREATE TABLE {name} ({columns})")
            connection.execute(
                f"COPY {name} FROM '{path}' (FORMAT csv, HEADER false, DELIMITER ',', QUOTE '\"', ESCAPE '\"')"
            )


def create_macros(connection, as_of, rule, stores):
    connection.execute(f"CREATE MACRO as_of() AS {as_of}::BIGINT")
    connection.execute(f"CREATE MACRO middle_store() AS {stores // 2}")
    connection.execute(f"CREATE MACRO change_at(a, b) AS {CHANGE_AT[rule]}")
    # Two decimals of micros, halves rounded up; `unit` is a hundredth.
    connection.execute(
        """
        CREATE MACRO shown(micros, business, known, unit) AS
            CASE WHEN business = 0 THEN '0.00'
                 WHEN NOT known THEN ''
                 ELSE (((micros + unit // 2) // unit)::INTEGER * 0.01::DECIMAL(3, 2))::VARCHAR
            END
        """
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


def main():
    queries = read_queries()
    parser = argparse.ArgumentParser(description="the report by DuckDB, timed")
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument("--as-of", metavar="TIME")
    parser.add_argument("--interpolation", choices=oracle.RULES, default="nearest")
    parser.add_argument("--repeat", metavar="N", type=int, default=1)
    parser.add_argument("--query", choices=queries, default=next(iter(queries)))
    parser.add_argument("--threads", metavar="N", type=int, default=2)
    options = parser.parse_args()
    if options.repeat < 1 or options.threads < 1:
        parser.error("--repeat and --threads are at least 1")

    try:
        inputs = oracle.read_directory(options.directory)
        as_of = oracle.choose_as_of(options.directory, inputs, options.as_of)
    except (oracle.BadInput, ValueError, OSError, csv.Error) as error:
        print(f"duckdb_report: {error}", file=sys.stderr)
        return 2
    tables = tables_of(inputs, as_of)
    rows, polls = len(tables["store"]), len(tables["poll"])
    connection = duckdb.connect()
    connection.execute(f"SET threads = {options.threads}")
    # DuckDB may hold back the small batches that a join leaves, and hand them
    # on after later ones: the queries over streams need every row in its place.
    connection.execute("SET enable_caching_operators = false")
    load(connection, tables)
    del tables
    create_macros(connection, as_of, options.interpolation, rows)
    spread_threads(options.threads)

    query = queries[options.query]
    connection.execute(query).fetchone()
    runs = []
    for _ in range(options.repeat):
        start = time.perf_counter()
        body = connection.execute(query).fetchone()[0] or ""
        text = (oracle.HEADER + "\n" + body).encode("utf-8")
        runs.append(round((time.perf_counter() - start) * 1000, 3))
    sys.stdout.buffer.write(text)
    measured = {"median_ms": statistics.median(runs), "runs": runs, "rows": rows, "polls": polls}
    print(json.dumps(measured), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())

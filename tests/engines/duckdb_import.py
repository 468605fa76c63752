#!/usr/bin/env python3
"""The polls by DuckDB: how long it takes to load the file into a table on disk.

What it is
    A second reference for imports. DuckDB finds the types itself, which is
    also the fastest it does (a number, a word, a timestamp); no key, no check,
    no second look at a row. What is timed is everything from opening the new
    database to closing it, its checkpoint included: then the table is in the
    file. Starting Python and loading DuckDB are not.

How to run it
    Needs `pip install duckdb` (written for 2.0).
    duckdb_import.py POLLS DATABASE [--threads N]
        DATABASE must not exist. Prints one line of JSON on stdout:
        {"ms": ..., "rows": ...}

What it must never know
    How the program does it: nothing here is imported from the project.
"""

import argparse
import json
import os
import sys
import time

try:
    import duckdb
except ImportError:
    sys.exit("duckdb_import: no module `duckdb` (pip install duckdb)")


def main():
    parser = argparse.ArgumentParser(description="an import of polls by DuckDB, timed")
    parser.add_argument("polls", metavar="POLLS")
    parser.add_argument("database", metavar="DATABASE")
    parser.add_argument("--threads", metavar="N", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if options.threads < 1:
        parser.error("--threads is at least 1")
    if os.path.exists(options.database):
        parser.error(f"{options.database} exists already")

    start = time.perf_counter()
    connection = duckdb.connect(options.database, config={"threads": options.threads})
    connection.execute("CREATE TABLE poll AS SELECT * FROM read_csv(?)", [options.polls])
    connection.execute("CHECKPOINT")
    connection.close()
    took_ms = round((time.perf_counter() - start) * 1000, 3)

    with duckdb.connect(options.database, read_only=True) as connection:
        rows = connection.execute("SELECT count(*) FROM poll").fetchone()[0]
    print(json.dumps({"ms": took_ms, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())

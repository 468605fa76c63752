#!/usr/bin/env python3
"""The report by a warehouse's engine, from a lake.

What it is
    `store-monitor export lake` writes files that engines read as they are. This
    gives DuckDB, ClickHouse or Spark the SQL in lake/ and prints the lines that
    come of it: the bytes that `store-monitor report` prints. The engines' own
    shells run the same SQL; README.md says how.

How to run it
    lake_report.py duckdb|clickhouse|spark LAKE [--as-of TIME]
                   [--interpolation nearest|previous]
        needs `pip install duckdb`, `pip install chdb`, or `pip install pyspark`
        and Java 17. TIME is UTC, `2026-11-08 20:00:00.123456`; without it the
        instant is that of the newest poll in LAKE.

What it must never know
    What the numbers are: all of that is SQL. Reading timestamps is oracle.py's.
"""

import argparse
import csv
import gzip
import os
import sys
from datetime import timedelta

sys.dont_write_bytecode = True
import oracle  # noqa: E402

SQL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lake")


class Missing(Exception):
    """The machine lacks what an engine needs."""


def statements(engine):
    """The SQL for an engine: what prepares it, and the query, one by one."""
    text = ""
    for name in (engine, "report"):
        with open(os.path.join(SQL, name + ".sql"), encoding="utf-8") as sql:
            text += sql.read()
    return [statement for statement in text.split(";\n") if statement.strip()]


def utc(as_of):
    """An instant as the engines read it."""
    return (oracle.EPOCH + timedelta(microseconds=as_of)).strftime("%Y-%m-%d %H:%M:%S.%f")


class DuckDb:
    """DuckDB, in this process."""

    def __init__(self):
        try:
            import duckdb
        except ImportError as missing:
            raise Missing("there is no module duckdb (pip install duckdb)") from missing
        self.connection = duckdb.connect()
        self.version = duckdb.__version__

    def report(self, lake, as_of, rule):
        for name, value in (("lake", lake), ("as_of", utc(as_of)), ("interpolation", rule)):
            self.connection.execute(f"SET VARIABLE {name} = ?", [value])
        for statement in statements("duckdb"):
            rows = self.connection.execute(statement)
        return "".join(line + "\n" for (line,) in rows.fetchall()).encode()


class ClickHouse:
    """ClickHouse, in this process."""

    def __init__(self):
        try:
            import chdb
            from chdb.session import Session
        except ImportError as missing:
            raise Missing("there is no module chdb (pip install chdb)") from missing
        self.session = Session()
        self.version = chdb.engine_version

    def report(self, lake, as_of, rule):
        given = {"lake": lake, "as_of": utc(as_of), "interpolation": rule}
        *preparing, query = statements("clickhouse")
        for statement in preparing:
            self.session.query(statement)
        return self.session.query(query, "TSVRaw", params=given).bytes()


class Spark:
    """Spark in local mode, on two threads."""

    def __init__(self):
        try:
            import pyspark
            from pyspark.sql import SparkSession
        except ImportError as missing:
            raise Missing("there is no module pyspark (pip install pyspark)") from missing
        settings = {
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "ERROR",
            # Small data: two hundred tasks a step, the default, would be all there is to it.
            "spark.sql.shuffle.partitions": "2",
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
        }
        builder = SparkSession.builder.master("local[2]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        try:
            self.session = builder.getOrCreate()
        except Exception as missing:
            raise Missing(f"Spark does not start, perhaps for want of Java 17 ({missing})") from missing
        self.version = pyspark.__version__

    def report(self, lake, as_of, rule):
        for name, value in (("lake", lake), ("as_of", utc(as_of)), ("interpolation", rule)):
            self.session.conf.set(name, value)
        for statement in statements("spark"):
            rows = self.session.sql(statement)
        return "".join(line + "\n" for (line,) in rows.collect()).encode()


ENGINES = {"duckdb": DuckDb, "clickhouse": ClickHouse, "spark": Spark}


def newest_poll(lake):
    """The data's own clock: the last row of the last day."""
    days = sorted(os.listdir(os.path.join(lake, "polls")))
    with gzip.open(os.path.join(lake, "polls", days[-1], "polls.csv.gz"), "rt", encoding="utf-8", newline="") as text:
        *_, last = csv.DictReader(text)
    return int(last["timestamp_us"])


def main():
    parser = argparse.ArgumentParser(description="the report by a warehouse's engine, from a lake")
    parser.add_argument("engine", choices=ENGINES)
    parser.add_argument("lake", metavar="LAKE")
    parser.add_argument("--as-of", metavar="TIME")
    parser.add_argument("--interpolation", choices=oracle.RULES, default="nearest")
    options = parser.parse_args()
    try:
        as_of = newest_poll(options.lake) if options.as_of is None else oracle.parse_timestamp(options.as_of)
        engine = ENGINES[options.engine]()
    except (Missing, OSError, ValueError) as error:
        print(f"lake_report: {error}", file=sys.stderr)
        return 2
    sys.stdout.buffer.write(engine.report(os.path.abspath(options.lake), as_of, options.interpolation))
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Whether a warehouse makes the report that the program makes, byte for byte.

What it is
    The proof of lake/*.sql. Each case is imported, its report printed, and its
    lake exported by the program; then each engine makes the report from the
    lake. The cases are the golden ones, generated data at several instants, and
    ids that are hard on readers of CSV; each under both rules.

How to run it
    lake_compare.py --program FILE [--golden DIR] [--stores N]
                    [ENGINE …]
        ENGINE is duckdb, clickhouse or spark; without one all are run. One that
        this machine lacks is skipped aloud. Exit code 1 if any report differs,
        or if nothing was compared. See lake_report.py for what engines need.

What it must never know
    What the numbers are: it only compares bytes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import timedelta

sys.dont_write_bytecode = True
import lake_report  # noqa: E402
import oracle  # noqa: E402

# Instants of the generated week: its newest poll, the night on which clocks go back, and a midnight,
# at which a poll would count by the next day's business time.
AS_OFS = [None, "2026-11-01 06:30:00.000001 UTC", "2026-11-05 00:00:00 UTC", "2026-11-03 17:21:09.5 UTC"]

# Ids that must be quoted, look like something else, or sort by bytes alone.
ODD_IDS = ['a,b', 'a"b', '"', "'", "=1+1", "0012", "12", "1e3", "NULL", "null", "\\N", "\\", "#a", "a b", "é", "Z", "a", "😀"]


class Case:
    """A database, its lake, and the questions to ask of both."""

    def __init__(self, program, folder, name, files, as_ofs):
        self.program, self.name, self.as_ofs = program, name, as_ofs
        self.database = os.path.join(folder, "all.db")
        self.lake = os.path.join(folder, "lake")
        # Some of the odd ids look damaged.
        self.run("import", "--ids-as-written", *files)
        instants = [self.newest(files)] + [oracle.parse_timestamp(as_of) for as_of in as_ofs if as_of is not None]
        days = [lake_report.utc(instant)[:10] for instant in (min(instants) - oracle.REACH, max(instants))]
        self.run("export", "lake", self.lake, "--from", days[0], "--to", days[1])
        self.questions = [(as_of, rule) for as_of in as_ofs for rule in oracle.RULES]
        self.reports = {}
        for as_of, rule in self.questions:
            flags = ["--interpolation", rule] + ([] if as_of is None else ["--as-of", as_of])
            self.reports[as_of, rule] = self.run("report", *flags)

    def run(self, command, *arguments):
        return subprocess.run(
            [self.program, command, *arguments, "--database", self.database, "--log", "error"],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ).stdout

    @staticmethod
    def newest(files):
        inputs = oracle.Inputs()
        for file in files:
            inputs.read(file)
        return inputs.newest_poll()


def golden_cases(golden):
    for name in sorted(os.listdir(golden)):
        case = os.path.join(golden, name)
        if not os.path.isdir(case):
            continue
        inputs = [os.path.join(case, file) for file in sorted(os.listdir(case))]
        inputs = [file for file in inputs if file.endswith(".csv") and "expected-" not in file]
        as_of = None
        if os.path.exists(os.path.join(case, "as_of.txt")):
            with open(os.path.join(case, "as_of.txt"), encoding="utf-8") as text:
                as_of = text.read().strip()
        yield name, inputs, [as_of]


def generated_case(program, stores, folder):
    data = os.path.join(folder, "data")
    subprocess.run(
        [program, "generate", "--stores", str(stores), "--days", "11", "--seed", "11", "--log", "error", data],
        check=True, stderr=subprocess.DEVNULL,
    )
    files = [os.path.join(data, file) for file in sorted(os.listdir(data))]
    return f"{stores} generated stores", files, AS_OFS


def odd_case(folder):
    polls, hours = os.path.join(folder, "polls.csv"), os.path.join(folder, "hours.csv")
    start = oracle.parse_timestamp("2026-11-01 00:00:00 UTC")
    with open(polls, "w", encoding="utf-8", newline="") as out:
        out.write("store_id,timestamp_utc,status\n")
        for place, store in enumerate(ODD_IDS):
            # The first has no polls: nothing is known of it.
            for hour in range(0, 150 if place else 0, place % 5 + 1):
                at = oracle.EPOCH + timedelta(microseconds=start + hour * oracle.HOUR + place * 1_234_567)
                status = "inactive" if (hour * 7 + place) % 5 == 0 else "active"
                out.write(f"{oracle.quoted(store)},{at:%Y-%m-%d %H:%M:%S.%f} UTC,{status}\n")
    with open(hours, "w", encoding="utf-8", newline="") as out:
        out.write("store_id,day,start_time_local,end_time_local\n")
        for place, store in enumerate(ODD_IDS):
            for day in range(place % 8):
                out.write(f"{oracle.quoted(store)},{day},{place:02}:10:00,{(place + 9) % 24:02}:10:30\n")
    return f"{len(ODD_IDS)} odd ids", [polls, hours], [None]


def cases_of(options, folder):
    """Every case, made as it is asked for."""
    made = [odd_case(folder), generated_case(options.program, options.stores, folder)]
    if options.golden is not None:
        made.extend(golden_cases(options.golden))
    for number, (name, files, as_ofs) in enumerate(made):
        place = os.path.join(folder, str(number))
        os.makedirs(place)
        yield Case(options.program, place, name, files, as_ofs)


def compare(name, cases):
    """How many reports of an engine were compared, and how many differ."""
    engine = lake_report.ENGINES[name]()
    started, compared, differ = time.monotonic(), 0, 0
    for case in cases:
        for as_of, rule in case.questions:
            instant = lake_report.newest_poll(case.lake) if as_of is None else oracle.parse_timestamp(as_of)
            got, expected = engine.report(case.lake, instant, rule), case.reports[as_of, rule]
            compared += 1
            if got != expected:
                differ += 1
                print(f"{name}: {case.name}, {as_of or 'the newest poll'}, {rule}: the reports differ")
                ours, theirs = expected.splitlines(), got.splitlines()
                lines = [pair for pair in zip(ours, theirs) if pair[0] != pair[1]]
                for expected_line, got_line in lines[:3] or [(f"{len(ours)} lines", f"{len(theirs)} lines")]:
                    print(f"  expected {expected_line!r}, got {got_line!r}")
    took = time.monotonic() - started
    print(f"{name} {engine.version}: {compared} reports compared, {differ} differ, {took:.0f} s", flush=True)
    return compared, differ


def main():
    parser = argparse.ArgumentParser(description="the report by a warehouse's engines, compared to the program's")
    parser.add_argument("--program", metavar="FILE", required=True)
    parser.add_argument("--golden", metavar="DIR")
    parser.add_argument("--stores", metavar="N", type=int, default=400)
    parser.add_argument("engines", metavar="ENGINE", nargs="*")
    options = parser.parse_args()
    unknown = set(options.engines) - set(lake_report.ENGINES)
    if unknown:
        parser.error(f"there is no engine {', '.join(sorted(unknown))} ({', '.join(lake_report.ENGINES)})")
    options.program = os.path.abspath(options.program)
    compared = differ = 0
    with tempfile.TemporaryDirectory() as folder:
        cases = list(cases_of(options, folder))
        for name in options.engines or lake_report.ENGINES:
            try:
                counts = compare(name, cases)
            except lake_report.Missing as missing:
                print(f"SKIPPED: {name}: {missing}", flush=True)
                continue
            compared, differ = compared + counts[0], differ + counts[1]
    return 1 if differ or not compared else 0


if __name__ == "__main__":
    sys.exit(main())

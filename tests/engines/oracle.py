#!/usr/bin/env python3
"""The report, computed a second time: slowly, plainly, from the definitions.

What it is
    A reference for the program's numbers. It reads the same CSV files and
    prints the same report, byte for byte, so that any difference is a bug in
    one of the two. Instants are integers, microseconds since 1970 in UTC;
    there is no floating point anywhere. Standard library only.

How to run it
    oracle.py DIR [--as-of TIME] [--interpolation nearest|previous]
        prints the report on stdout. Every *.csv and *.csv.gz in DIR is read,
        in the order of the names, and told apart by its header; files with
        any other header are passed over. Without --as-of the instant is that
        of DIR/as_of.txt, or else the newest poll.
    oracle.py DIR --open-intervals FILE
        also writes the business time of the last eight days to FILE, as
        `store_id,start_us,end_us`: half-open. As a poll exactly at as_of
        counts, the last end may be as_of + 1.
    oracle.py --golden DIR
        runs every case below DIR under both rules and prints a line for each
        mismatch. Exit code 1 if there is one.

What it must never know
    How the program does it. Nothing here is imported from the project, and
    nothing here is tuned to its answers; both follow the written definitions.
    It does not judge bad input either: the first bad row ends the run.
"""

import argparse
import bisect
import csv
import functools
import gzip
import os
import re
import sys
import zoneinfo
from datetime import date, datetime, timedelta, timezone

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

SEAM = 60 * SECOND
REACH = 8 * DAY
WINDOWS = [(HOUR, MINUTE), (DAY, HOUR), (7 * DAY, HOUR)]  # length, unit shown

DEFAULT_ZONE = "America/Chicago"
HEADER = (
    "store_id,uptime_last_hour,uptime_last_day,uptime_last_week,"
    "downtime_last_hour,downtime_last_day,downtime_last_week"
)
RULES = ("nearest", "previous")

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
EPOCH_DAY = date(1970, 1, 1).toordinal()
FROM_THE_BEGINNING = -EPOCH_DAY
DAY_S = 86_400


class BadInput(Exception):
    """Says which file and line, and what is wrong there."""


# --- Reading: text to values -------------------------------------------------

TIMESTAMP = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
    r" ?(UTC|Z|[+-]\d\d(?::?\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)

# The last second before these instants was followed by a 60th (since 2000).
AFTER_A_LEAP_SECOND = {"2006-01-01", "2009-01-01", "2012-07-01", "2015-07-01", "2017-01-01"}


@functools.lru_cache(maxsize=None)
def day_number(text):
    """Days from 1970-01-01 to a date written `YYYY-MM-DD`."""
    return date.fromisoformat(text).toordinal() - EPOCH_DAY


def parse_timestamp(text):
    """The instant a timestamp names; UTC where it names no zone."""
    match = TIMESTAMP.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is not a timestamp")
    day, hour, minute, second, fraction, zone = match.groups()
    hour, minute, second = int(hour), int(minute), int(second)
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError(f"`{text}` is not a time of day")
    micros = int((fraction or "0")[:6].ljust(6, "0"))  # finer digits are cut
    seconds = day_number(day) * DAY_S + hour * 3600 + minute * 60 + second
    if zone is not None and zone[0] in "+-":
        digits = zone[1:].replace(":", "").ljust(4, "0")
        if int(digits[:2]) > 23 or int(digits[2:]) > 59:
            raise ValueError(f"`{text}` has no such offset")
        offset = int(digits[:2]) * 3600 + int(digits[2:]) * 60
        seconds -= offset if zone[0] == "+" else -offset
    if second == 60 and seconds not in {day_number(d) * DAY_S for d in AFTER_A_LEAP_SECOND}:
        raise ValueError(f"`{text}` has a leap second that never was")
    return seconds * SECOND + micros


def parse_time_of_day(text, latest):
    """Seconds after midnight of `H:MM`, `HH:MM` or `HH:MM:SS`."""
    match = TIME_OF_DAY.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is not a time of day")
    hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
    seconds = hour * 3600 + minute * 60 + second
    if minute > 59 or second > 59 or seconds > latest:
        raise ValueError(f"`{text}` is not a time of day")
    return seconds


def parse_status(text):
    """True for active, False for inactive."""
    return {"active": True, "inactive": False}[text.lower()]


def parse_weekday(text):
    """0 for Monday to 6 for Sunday."""
    if text not in ("0", "1", "2", "3", "4", "5", "6"):
        raise ValueError(f"`{text}` is not a day (0 = Monday to 6 = Sunday)")
    return int(text)


def parse_stretch(start, end):
    """Opening and closing in seconds of the day; None where both are empty, which says closed."""
    if not start and not end:
        return None
    return parse_time_of_day(start, DAY_S - 1), parse_time_of_day(end, DAY_S)


def parse_date(text):
    """The days from 1970-01-01 to a date."""
    return date.fromisoformat(text).toordinal() - EPOCH_DAY


def parse_version(text):
    """The date from which hours hold; long ago where there is none."""
    return parse_date(text) if text else FROM_THE_BEGINNING


@functools.lru_cache(maxsize=None)
def find_zone(name):
    """The zone of that name, in any case."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        for known in zoneinfo.available_timezones():
            if known.lower() == name.lower():
                return zoneinfo.ZoneInfo(known)
    raise ValueError(f"`{name}` is not a time zone")


# --- Reading: files to what is known -----------------------------------------


class Inputs:
    """All that the files say."""

    def __init__(self):
        self.stores = set()
        self.polls = {}  # store -> {instant: active}
        self.hours = {}  # store -> {version: [(weekday, (start, end) or None)]}, seconds of the day
        self.special = {}  # store -> {date: [(start, end) or None]}; None is closed
        self.zones = {}  # store -> name

    def newest_poll(self):
        """The data's own clock, or None."""
        return max((max(polls) for polls in self.polls.values()), default=None)

    def row_of_polls(self, store, timestamp, status):
        self.polls.setdefault(store, {})[parse_timestamp(timestamp)] = parse_status(status)

    def row_of_hours(self, store, weekday, start, end, valid_from=""):
        row = (parse_weekday(weekday), parse_stretch(start, end))
        self.hours.setdefault(store, {}).setdefault(parse_version(valid_from), []).append(row)

    def row_of_special(self, store, day, start, end):
        self.special.setdefault(store, {}).setdefault(parse_date(day), []).append(parse_stretch(start, end))

    def replaced_by(self, kind, store, values):
        """What a file's first row of that kind replaces: a table of a store's, and the key in it."""
        if kind == "hours":
            return self.hours.get(store, {}), parse_version(values[3] if len(values) > 3 else "")
        if kind == "special":
            return self.special.get(store, {}), parse_date(values[0])
        return {}, None

    def row_of_zones(self, store, name):
        find_zone(name)
        self.zones[store] = name

    def row_of_stores(self, store, _name):
        pass

    def read(self, path):
        """Take in one file, whatever it holds."""
        with open(path, "rb") as raw:
            opened = gzip.open if raw.read(2) == b"\x1f\x8b" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as lines:
            rows = csv.reader(lines, strict=True)
            header = [name.strip(" \t").lower() for name in next(rows, [])]
            kind = kind_of(header)
            if kind is None:
                return
            take, columns = getattr(self, "row_of_" + kind[0]), kind[1]
            seen = set()  # the versions and dates of stores that this file has begun to replace
            for row in rows:
                if not row:
                    continue
                try:
                    if len(row) != len(header):
                        raise ValueError(f"{len(row)} fields, expected {len(header)}")
                    store, *values = [row[column].strip(" \t") for column in columns]
                    if not store:
                        raise ValueError("the store id is empty")
                    table, key = self.replaced_by(kind[0], store, values)
                    if (store, key) not in seen:
                        seen.add((store, key))
                        table.pop(key, None)
                    take(store, *values)
                except (ValueError, KeyError) as error:
                    raise BadInput(f"{path} line {rows.line_num}: {error}") from error
                self.stores.add(store)


def kind_of(header):
    """What a file with this header holds, and where its columns are."""
    day = next((name for name in ("day", "dayofweek", "day_of_week") if name in header), "day")
    for kind, *names in (
        ("polls", "store_id", "timestamp_utc", "status"),
        ("hours", "store_id", day, "start_time_local", "end_time_local", "valid_from"),
        ("hours", "store_id", day, "start_time_local", "end_time_local"),
        ("special", "store_id", "date", "start_time_local", "end_time_local"),
        ("zones", "store_id", "timezone_str"),
        ("stores", "store_id", "name"),
    ):
        if all(name in header for name in names):
            return kind, [header.index(name) for name in names]
    return None


def read_directory(directory):
    """What all files of a directory say, the later names after the earlier."""
    inputs = Inputs()
    for name in sorted(os.listdir(directory)):
        if name.endswith((".csv", ".csv.gz")):
            inputs.read(os.path.join(directory, name))
    return inputs


def choose_as_of(directory, inputs, given):
    """The instant that was given, or as_of.txt's, or the newest poll's."""
    if given is not None:
        return parse_timestamp(given)
    written = os.path.join(directory, "as_of.txt")
    if os.path.exists(written):
        with open(written, encoding="utf-8") as text:
            return parse_timestamp(text.read().strip())
    newest = inputs.newest_poll()
    if newest is None:
        raise BadInput(f"{directory} has no polls: name an instant with --as-of")
    return newest


# --- Business time -----------------------------------------------------------


def offset_at(zone, utc_s):
    """Seconds that the zone's clocks are ahead of UTC at an instant."""
    instant = EPOCH + timedelta(seconds=utc_s)
    return instant.astimezone(zone).utcoffset() // timedelta(seconds=1)


@functools.lru_cache(maxsize=None)
def instant_of_wall_time(zone, wall_s):
    """The UTC second at which clocks show `wall_s` seconds after 1970-01-01 00:00.

    The first, where there are two. The instant of the jump, where the clocks
    jump over it.
    """
    wall = EPOCH.replace(tzinfo=None) + timedelta(seconds=wall_s)
    guesses = []
    for fold in (0, 1):
        offset = wall.replace(tzinfo=zone, fold=fold).utcoffset() // timedelta(seconds=1)
        guesses.append(wall_s - offset)
    occurrences = [utc_s for utc_s in guesses if utc_s + offset_at(zone, utc_s) == wall_s]
    if occurrences:
        return min(occurrences)

    # Skipped. One guess reads it by the offset before the jump, the other by
    # the one after it: clocks show too little at the earlier, and too much at
    # the later. The jump is the first second at which they show too much.
    before, after = min(guesses), max(guesses)
    assert before + offset_at(zone, before) < wall_s < after + offset_at(zone, after)
    while after - before > 1:
        middle = (before + after) // 2
        if middle + offset_at(zone, middle) < wall_s:
            before = middle
        else:
            after = middle
    return after


def stretches_of(day, versions, special):
    """Opening and closing of each stretch that begins on a date."""
    if day in special:
        rows = special[day]
    elif versions:
        # The latest that has begun; before the first, the first.
        begun = [rows for start, rows in versions if start <= day]
        weekday = date.fromordinal(EPOCH_DAY + day).weekday()
        rows = [stretch for row_weekday, stretch in (begun or [versions[0][1]])[-1] if row_weekday == weekday]
    else:
        rows = [(0, DAY_S)]
    return sorted({stretch for stretch in rows if stretch is not None})


@functools.lru_cache(maxsize=None)
def business_time(zone_name, versions, special, since, until):
    """Sorted, disjoint, half-open intervals of business time in [since, until)."""
    if not versions and not special:
        return [(since, until)]
    special = dict(special)

    # Every date that could touch [since, until), and some to spare: a seam at
    # either end is only seen with the stretch on its far side.
    zone = find_zone(zone_name)
    stretches = []
    for day in range(since // DAY - 3, until // DAY + 4):
        for start_s, end_s in stretches_of(day, versions, special):
            end_day = day if end_s > start_s else day + 1
            start = instant_of_wall_time(zone, day * DAY_S + start_s) * SECOND
            end = instant_of_wall_time(zone, end_day * DAY_S + end_s) * SECOND
            if start < end:
                stretches.append((start, end))

    united = []
    for start, end in sorted(stretches):
        if united and start - united[-1][1] <= SEAM:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((start, end))

    clipped = [(max(start, since), min(end, until)) for start, end in united]
    return [(start, end) for start, end in clipped if start < end]


def business_time_of(store, inputs, as_of):
    """A store's business time at the instants from as_of - 8 days to as_of, both included."""
    zone_name = inputs.zones.get(store, DEFAULT_ZONE)
    versions = tuple(sorted((start, tuple(rows)) for start, rows in inputs.hours.get(store, {}).items()))
    special = tuple(sorted((day, tuple(rows)) for day, rows in inputs.special.get(store, {}).items()))
    return business_time(zone_name, versions, special, as_of - REACH, as_of + 1)


def length_within(intervals, lo, hi):
    """How much of the intervals lies in [lo, hi)."""
    return sum(max(0, min(end, hi) - max(start, lo)) for start, end in intervals)


# --- Uptime ------------------------------------------------------------------


def counted_polls(polls, intervals):
    """The polls that fall inside the intervals, in time order."""
    starts = [start for start, _ in intervals]
    counted = []
    for at in sorted(polls):
        last = bisect.bisect_right(starts, at) - 1
        if last >= 0 and at < intervals[last][1]:
            counted.append((at, polls[at]))
    return counted


def status_runs(counted, rule, since, until):
    """[(start, end, active)]: which status every instant of [since, until) has."""
    runs = []
    start = since
    for (a, before), (b, after) in zip(counted, counted[1:]):
        if before != after:
            change = a + (b - a) // 2 if rule == "nearest" else b
            runs.append((start, change, before))
            start = change
    runs.append((start, until, counted[-1][1]))
    return runs


def hundredths(micros, unit):
    """Two decimals of micros / unit, halves rounded up."""
    count = (2 * 100 * micros + unit) // (2 * unit)
    return f"{count // 100}.{count % 100:02d}"


def report_row(store, inputs, as_of, rule):
    """One line of the report, without its end."""
    intervals = business_time_of(store, inputs, as_of)
    counted = counted_polls(inputs.polls.get(store, {}), intervals)
    uptimes, downtimes = [], []
    for length, unit in WINDOWS:
        lo, hi = as_of - length, as_of
        business = length_within(intervals, lo, hi)
        if business == 0:
            uptime = downtime = "0.00"
        elif not counted:
            uptime = downtime = ""
        else:
            up = 0
            for start, end, active in status_runs(counted, rule, as_of - REACH, as_of):
                if active:
                    up += length_within(intervals, max(start, lo), min(end, hi))
            uptime, downtime = hundredths(up, unit), hundredths(business - up, unit)
        uptimes.append(uptime)
        downtimes.append(downtime)
    return ",".join([quoted(store)] + uptimes + downtimes)


def quoted(field):
    """A field as RFC 4180 has it: in quotes only where it needs them."""
    if any(character in field for character in ',"\r\n'):
        return '"' + field.replace('"', '""') + '"'
    return field


def stores_in_order(inputs):
    """Every store that any source names, by the bytes of its id."""
    return sorted(inputs.stores, key=lambda store: store.encode("utf-8"))


def report(inputs, as_of, rule):
    """The whole report as text."""
    rows = [report_row(store, inputs, as_of, rule) for store in stores_in_order(inputs)]
    return "".join(line + "\n" for line in [HEADER] + rows)


# --- Commands ----------------------------------------------------------------


def write_open_intervals(path, inputs, as_of):
    with open(path, "w", encoding="utf-8", newline="") as out:
        out.write("store_id,start_us,end_us\n")
        for store in stores_in_order(inputs):
            for start, end in business_time_of(store, inputs, as_of):
                out.write(f"{quoted(store)},{start},{end}\n")


def run_golden(directory):
    """Compare every case under both rules; the number of mismatches."""
    compared = mismatches = 0
    for name in sorted(os.listdir(directory)):
        case = os.path.join(directory, name)
        if not os.path.isdir(case):
            continue
        inputs = read_directory(case)
        as_of = choose_as_of(case, inputs, None)
        for rule in RULES:
            with open(os.path.join(case, f"expected-{rule}.csv"), encoding="utf-8", newline="") as text:
                expected = text.read()
            got = report(inputs, as_of, rule)
            compared += 1
            if got != expected:
                mismatches += 1
                print(f"{name} {rule}: expected {expected!r}, got {got!r}")
    print(f"{compared} reports compared, {mismatches} differ", file=sys.stderr)
    return mismatches if compared else 1


def main():
    parser = argparse.ArgumentParser(description="the report, by the plainest reading of its definition")
    parser.add_argument("directory", metavar="DIR", nargs="?")
    parser.add_argument("--as-of", metavar="TIME")
    parser.add_argument("--interpolation", choices=RULES, default="nearest")
    parser.add_argument("--open-intervals", metavar="FILE")
    parser.add_argument("--golden", metavar="DIR")
    options = parser.parse_args()
    if (options.directory is None) == (options.golden is None):
        parser.error("name either DIR or --golden DIR")
    try:
        if options.golden is not None:
            return 1 if run_golden(options.golden) else 0
        inputs = read_directory(options.directory)
        as_of = choose_as_of(options.directory, inputs, options.as_of)
        if options.open_intervals is not None:
            write_open_intervals(options.open_intervals, inputs, as_of)
        sys.stdout.buffer.write(report(inputs, as_of, options.interpolation).encode("utf-8"))
    except (BadInput, ValueError, OSError, csv.Error) as error:
        print(f"oracle: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

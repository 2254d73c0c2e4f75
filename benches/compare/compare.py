#!/usr/bin/env python3
"""Side by side over one folder of CloudTrail files: Trailhound and what others need for less.

usage: compare.py FOLDER [--trailhound PATH] [--runs N] [--peer 'NAME=COMMAND with {folder}'] [--json FILE] [--source FOLDER]

FOLDER is best made by resample.py or `trailhound simulate`. With --source, a folder resample.py can draw from, two things
more are measured: what a file costs beyond its bytes (8,000 files of five records against eight of 5,000), and what becomes
of memory when input grows tenfold (100,000 records in 14 days against a million in 140, of the same actors).

Runs the contenders in turn, round after round, so that a machine whose speed drifts treats all alike; the first round is
a warm-up. Prints the median wall time, CPU time and peak memory of each, events a second, and the ratios the targets are
stated in. Contenders that are not installed are left out by name:

  igzip        apt install isal        inflating alone, the yardstick
  gunzip       zcat
  python       pip install orjson      gzip + orjson + one dictionary, as Lambdas in Python do
  duckdb       pip install duckdb      its fastest form of one GROUP BY: typed columns, nothing else read

Build first: cargo build --release. Run alone on the machine.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

# An account that no record is of.
NOBODY = "999999999999"

PYTHON_LOOP = """
import collections, gzip, orjson, sys
count = collections.Counter()
for name in open(sys.argv[1]).read().splitlines():
    for r in orjson.loads(gzip.open(name).read()).get("Records") or []:
        count[r.get("eventSource"), r.get("eventName"), (r.get("userIdentity") or {}).get("arn")] += 1
print(sum(count.values()))
"""

DUCKDB = """
import duckdb, sys
files = open(sys.argv[1]).read().splitlines()
c = duckdb.connect(config={"threads": int(sys.argv[2])})
print(c.execute('''
    SELECT sum(n) FROM (
      SELECT r.eventSource, r.eventName, count(*) AS n
      FROM (SELECT unnest(Records) AS r FROM read_json(?, maximum_object_size=268435456,
            columns={Records: 'STRUCT(eventSource VARCHAR, eventName VARCHAR)[]'}))
      GROUP BY ALL)''', [files]).fetchone()[0])
"""


def contenders(args, listing):
    folder = str(args.folder)
    yield "trailhound, 1 thread", ours(args, folder, "--threads", "1")
    yield "trailhound, 2 threads", ours(args, folder, "--threads", "2")
    for name, command in [("igzip", "xargs -a {} igzip -dc"), ("gunzip", "xargs -a {} zcat")]:
        if shutil.which(command.split()[3]):
            yield name, ["sh", "-c", command.format(listing) + " > /dev/null"]
        else:
            print(f"left out: {name} (not installed)", file=sys.stderr)
    for name, module, program, extra in [
        ("python gzip+orjson", "orjson", PYTHON_LOOP, []),
        ("duckdb, 1 thread", "duckdb", DUCKDB, ["1"]),
        ("duckdb, 2 threads", "duckdb", DUCKDB, ["2"]),
    ]:
        if subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True).returncode == 0:
            yield name, [sys.executable, "-c", program, str(listing)] + extra
        else:
            print(f"left out: {name} (pip install {module})", file=sys.stderr)
    for peer in args.peer:
        name, _, command = peer.partition("=")
        yield name, ["sh", "-c", command.replace("{folder}", folder)]


def measure(command):
    """Wall seconds, CPU seconds and peak MB of one run."""
    begin = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    complaint = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begin
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, 3):
        sys.exit(f"{command[:3]} ended with {code}: {complaint.decode(errors='replace')[-500:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def events_of(args):
    """Records in the folder, by Trailhound's own reconciliation."""
    text = subprocess.run(
        [str(args.trailhound), "replay", str(args.folder), "--format", "text"], capture_output=True, text=True
    )
    for line in (text.stdout + text.stderr).splitlines():
        if line.startswith("Records"):
            return int(line.split()[1].replace(",", ""))
    sys.exit("no record count in the report of `trailhound replay`")


def resampled(args, into, files, events, days):
    """A trail of so many records drawn from --source."""
    command = [sys.executable, pathlib.Path(__file__).with_name("resample.py"), args.source, into]
    command += ["--files", files, "--events", events, "--days", days]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return into


def ours(args, folder, *extra):
    return [str(args.trailhound), "replay", str(folder), "--format", "json", "--output", os.devnull, *extra]


def growth(args):
    """What files and tenfold input cost."""
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        small, large = (resampled(args, scratch / str(n), n, 40_000, 14) for n in (8_000, 8))
        turns = [[measure(ours(args, folder, "--threads", "1"))[1] for folder in (small, large)] for _ in range(args.runs + 1)]
        a_file = statistics.median((few - many) / (8_000 - 8) * 1e6 for few, many in turns[1:])
        print(f"small files, CPU a file beyond its bytes: {a_file:.0f} µs")
        once, tenfold = resampled(args, scratch / "1x", 44, 100_000, 14), resampled(args, scratch / "10x", 437, 1_000_000, 140)
        for threads in ("1", "2"):
            peaks, facts = [], []
            for folder in (once, tenfold):
                out = scratch / "facts"
                peaks.append(statistics.median(measure(ours(args, folder, "--threads", threads))[2] for _ in range(3)))
                measure(ours(args, folder, "--threads", threads, "--facts-out", str(out)))
                facts.append(out.stat().st_size / 2**20)
            print(
                f"peak memory, {threads} thread(s), input ×1 → ×10: {peaks[0]:.0f} → {peaks[1]:.0f} MB"
                f" (facts at rest {facts[0]:.1f} → {facts[1]:.1f} MB)"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--trailhound", type=pathlib.Path, default=pathlib.Path("target/release/trailhound"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--source", type=pathlib.Path)
    args = parser.parse_args()
    if not args.trailhound.exists():
        sys.exit(f"{args.trailhound} is missing: cargo build --release")
    files = sorted(args.folder.rglob("*.gz"))
    if not files:
        sys.exit(f"{args.folder} holds no .gz files")
    listing = pathlib.Path(f"/tmp/trailhound-compare-{os.getpid()}")
    listing.write_text("\n".join(map(str, files)) + "\n")
    try:
        events = events_of(args)
        runs = {name: [] for name, _ in contenders(args, listing)}
        commands = dict(contenders(args, listing))
        for turn in range(args.runs + 1):
            for name, command in commands.items():
                figures = measure(command)
                if turn:
                    runs[name].append(figures)
                print(f"\rround {turn} of {args.runs}: {name:24}", end="", file=sys.stderr)
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    except KeyboardInterrupt:
        if not all(runs.values()):
            raise
        print("\ninterrupted: medians of fewer rounds follow", file=sys.stderr)
    finally:
        listing.unlink()
    median = {n: [statistics.median(column) for column in zip(*rows)] for n, rows in runs.items()}
    nobody = [measure(ours(args, args.folder, "--threads", n, "--accounts", NOBODY))[2] for n in ("1", "2")]
    stored = sum(f.stat().st_size for f in files)
    print(f"{len(files):,} files, {stored / 1e6:,.0f} MB stored, {events:,} events; median of {min(map(len, runs.values()))}\n")
    print(f"| {'':22} | wall s | CPU s | peak MB | events/s | wall ÷ igzip |")
    print(f"|{'-' * 24}|-------:|------:|--------:|---------:|-------------:|")
    yardstick = median.get("igzip", [float("nan")])[0]
    for name, (wall, cpu, peak) in median.items():
        print(f"| {name:22} | {wall:6.2f} | {cpu:5.2f} | {peak:7.0f} | {events / wall:8,.0f} | {wall / yardstick:12.2f} |")

    def ratio(title, over, under, column=0):
        if over in median and under in median:
            print(f"{title}: {median[over][column] / median[under][column]:.2f}")

    print()
    ratio("1 thread, time ÷ igzip", "trailhound, 1 thread", "igzip")
    ratio("1 thread, CPU ÷ igzip", "trailhound, 1 thread", "igzip", 1)
    ratio("2 threads ÷ 1 thread, CPU", "trailhound, 2 threads", "trailhound, 1 thread", 1)
    ratio("2 threads ÷ 1 thread, speed", "trailhound, 1 thread", "trailhound, 2 threads")
    ratio("speed ÷ Python loop, one core each", "python gzip+orjson", "trailhound, 1 thread", 1)
    ratio("speed ÷ DuckDB, both cores", "duckdb, 2 threads", "trailhound, 2 threads")
    print(f"peak memory, facts aside (all records read, none judged), 1, 2 threads: {nobody[0]:.0f}, {nobody[1]:.0f} MB")
    if args.source:
        growth(args)
    if args.json:
        args.json.write_text(json.dumps({"events": events, "stored_bytes": stored, "runs": runs}, indent=1))


main()

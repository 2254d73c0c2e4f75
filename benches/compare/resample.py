#!/usr/bin/env python3
"""Makes a large trail of a small one, for `compare.py`: real records, drawn again and again, in files as CloudTrail writes.

usage: resample.py SOURCE OUT [--files 437] [--events 982000] [--days 14] [--seed 1]

SOURCE is a folder of CloudTrail files. Records are drawn in runs of neighbours, as calls come in runs; each gets an event
id, a request id and a time of its own, and keeps everything else: actors, sizes, member order. Sizes of files vary as
those of real ones do (log-normal). The same options give the same bytes of JSON.
"""

import argparse
import datetime
import gzip
import json
import pathlib
import random
import re
import sys

START = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
ACCOUNT = "111122223333"
# What every drawn record gets anew. Only members of the record itself: the first of each is taken.
FRESH = re.compile(r'"(eventID|requestID|eventTime)":"[^"]*"')


def records(source):
    """All records of a folder, as CloudTrail writes them: without white space."""
    for path in sorted(source.rglob("*")):
        if not path.is_file() or not path.name.removesuffix(".gz").endswith(".json"):
            continue
        raw = path.read_bytes()
        document = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
        for record in document.get("Records", []) if isinstance(document, dict) else []:
            if isinstance(record, dict) and record.get("eventTime") and record.get("eventID"):
                yield json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def template(text):
    """A record cut where something fresh belongs: texts and what stands between them."""
    pieces, at, seen = [], 0, set()
    for found in FRESH.finditer(text):
        if found[1] not in seen:
            seen.add(found[1])
            pieces += [text[at : found.start()], found[1]]
            at = found.end()
    return pieces + [text[at:]]


def drawn(dice, pool, count):
    """So many records, in runs of neighbours."""
    out = []
    while len(out) < count:
        first = dice.randrange(len(pool))
        out += pool[first : first + dice.randint(3, 40)]
    return out[:count]


def fill(dice, pieces, time):
    fresh = {"eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ")}
    out = []
    for i, piece in enumerate(pieces):
        if i % 2 == 0:
            out.append(piece)
        else:
            h = "%032x" % dice.getrandbits(128)
            out.append(f'"{piece}":"{fresh.get(piece) or f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"}"')
    return "".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--files", type=int, default=437)
    parser.add_argument("--events", type=int, default=982_000)
    parser.add_argument("--days", type=float, default=14)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    dice = random.Random(args.seed)
    pool = [template(text) for text in records(args.source)]
    if not pool:
        sys.exit(f"{args.source} holds no CloudTrail records")
    if args.out.exists() and any(args.out.iterdir()):
        sys.exit(f"{args.out} is not empty")
    weights = [dice.lognormvariate(0, 0.5) for _ in range(args.files)]
    period = args.days * 86_400 / args.files
    stored = inflated = events = 0
    for n, weight in enumerate(weights):
        count = max(1, round(args.events * weight / sum(weights)))
        begin = START + datetime.timedelta(seconds=n * period)
        times = sorted(dice.uniform(0, period) for _ in range(count))
        body = ",".join(
            fill(dice, pieces, begin + datetime.timedelta(seconds=at))
            for pieces, at in zip(drawn(dice, pool, count), times)
        )
        delivered = begin + datetime.timedelta(seconds=period + 300)
        folder = args.out / "AWSLogs" / ACCOUNT / "CloudTrail" / "us-east-1" / delivered.strftime("%Y/%m/%d")
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{ACCOUNT}_CloudTrail_us-east-1_{delivered.strftime('%Y%m%dT%H%MZ')}_{dice.getrandbits(64):016x}.json.gz"
        plain = ('{"Records":[' + body + "]}").encode()
        packed = gzip.compress(plain, 6, mtime=0)
        (folder / name).write_bytes(packed)
        stored, inflated, events = stored + len(packed), inflated + len(plain), events + count
        if sys.stderr.isatty():
            print(f"\r{n + 1} of {args.files} files", end="\r", file=sys.stderr)
    print(f"{args.files:,} files, {events:,} events, {inflated / 1e9:.2f} GB of JSON, {stored / 1e6:.0f} MB stored")


main()

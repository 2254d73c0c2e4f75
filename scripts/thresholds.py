#!/usr/bin/env python3
"""Sweep thresholds over simulated trails: alerts a day against incidents found.

usage: thresholds.py TRAILHOUND FOLDER [--days N] [--seeds N] [--accounts N] [--points REGEX] [--markdown FILE]

Simulates every shape with several seeds below FOLDER (kept, and used again), reads each trail once into facts, judges the facts
with every configuration point, and compares the alerts with the planted labels. An alert is *explained* when its evidence holds an event of a label, or
when it names a label's actor and its window overlaps the label's; every other alert is background. Only the standard library
is needed. Figures are reproducible: simulation and replay are deterministic.
"""
import argparse
import datetime
import json
import pathlib
import re
import subprocess
import sys

SHAPES = ["quiet", "noisy-ci", "data-heavy", "new-organization"]
DETECTORS = ["policy_change", "access_denied_spike", "first_time_privilege", "invocation_surge"]
SURGE = "[detectors.invocation_surge]\n"
# Defaults of the floors that the sweep scales.
FLOORS = {
    "function": 300, "model": 50, "agent": 50, "workflow": 100, "endpoint": 300, "message": 300, "objects": 500,
    "object_writes": 1000, "items": 500, "item_writes": 1000, "scans": 30, "secrets": 15, "parameters": 30,
    "decrypts": 200, "compute": 64, "jobs": 60, "api": 200,
}
LEAST = {
    "function": 50, "model": 10, "agent": 10, "workflow": 20, "endpoint": 50, "message": 50, "objects": 100,
    "object_writes": 100, "items": 100, "item_writes": 100, "scans": 5, "secrets": 3, "parameters": 5,
    "decrypts": 50, "compute": 8, "jobs": 10, "api": 50,
}


def floors(scale):
    lines = [f"{family} = {max(LEAST[family], round(floor * scale))}" for family, floor in FLOORS.items()]
    return "[detectors.invocation_surge.floors]\n" + "\n".join(lines) + "\n"


POINTS = {"default": ""}
POINTS |= {f"surge floors x{scale}": floors(scale) for scale in (0.2, 0.5, 2, 4, 8)}
POINTS |= {f"surge factor {factor}": f"{SURGE}factor = {factor}\n" for factor in (1.5, 2.0, 3.0, 6.0, 10.0)}
POINTS |= {
    f"surge floors x0.2, factor {factor}": f"{SURGE}factor = {factor}\n" + floors(0.2) for factor in (1.5, 2.0, 10.0)
}
POINTS |= {f"surge gap {hours} h": f"{SURGE}episode_gap_hours = {hours}\n" for hours in (1, 12, 48)}
POINTS |= {f"surge learning x{n}": f"{SURGE}learning_multiple = {n}\n" for n in (1.0, 10.0)}


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def same_actor(arn, names):
    """A session of a role counts as the role; an Identity Center user as role and person."""
    if arn in names:
        return True
    if ":assumed-role/" not in arn:
        return False
    role, _, session = arn.split(":assumed-role/")[1].partition("/")
    account = arn.split(":")[4]
    for name in names:
        known, _, person = name.partition("#")
        same_role = known.split(":")[4:5] == [account] and known.rsplit("/", 1)[-1] == role
        if same_role and (not person or person == session):
            return True
    return False


class Labels:
    """What was planted in one trail."""

    def __init__(self, path):
        self.labels = json.loads(path.read_text())
        for label in self.labels:
            label["ids"] = {event["eventID"] for event in label["key_events"]}
            label["span"] = [seconds(time) for time in label["window"]] if all(label["window"]) else None

    def explains(self, label, alert):
        if label["ids"] & {event["event_id"] for event in alert["evidence"]}:
            return True
        if not label["span"]:
            return False
        names = {(alert.get("actor") or {}).get("id"), alert["entity"]["id"]} | {a["id"] for a in alert["actors"]}
        start, end = seconds(alert["window"]["start"]), seconds(alert["window"]["end"])
        overlap = start <= label["span"][1] + 60 and end >= label["span"][0] - 60
        return overlap and any(same_actor(actor, names - {None}) for actor in label["actors"])

    def score(self, alerts):
        """Per detector: incidents to find, found, minutes to the first telling window; and unexplained alerts."""
        rows = {d: {"must": 0, "found": 0, "slowest": 0.0, "background": 0, "grave": 0} for d in DETECTORS}
        explained = set()
        for label in self.labels:
            hits = [a for a in alerts if self.explains(label, a)]
            if label["attack"]:
                explained |= {a["id"] for a in hits}
            row = rows.get(label["which_detector_should_fire"])
            if row is None or label["expectation"].split(" ")[0] != "must":
                continue
            row["must"] += 1
            right = [a for a in hits if a["detector"] == label["which_detector_should_fire"]]
            if right:
                row["found"] += 1
                delay = min(seconds(a["window"]["end"]) for a in right) - label["span"][0]
                row["slowest"] = max(row["slowest"], delay / 60)
        for alert in alerts:
            if alert["id"] not in explained:
                rows[alert["detector"]]["background"] += 1
                rows[alert["detector"]]["grave"] += alert["severity"] in ("high", "critical")
        return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("trailhound")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--accounts", type=int, default=4)
    parser.add_argument("--points", default="", help="only configuration points whose name matches")
    parser.add_argument("--markdown", type=pathlib.Path, help="write the tables here too")
    args = parser.parse_args()

    nothing = args.folder / "nothing"
    nothing.mkdir(parents=True, exist_ok=True)
    (nothing / "none.json").write_text('{"Records":[]}')
    trails = []
    for shape in SHAPES:
        for seed in range(1, args.seeds + 1):
            trail = args.folder / f"{shape}-{args.days}-{args.accounts}-{seed}"
            if not (trail / "labels.json").exists():
                simulate = [args.trailhound, "simulate", "--out", trail, "--shape", shape, "--seed", seed]
                simulate += ["--days", args.days, "--accounts", args.accounts]
                subprocess.run([str(part) for part in simulate], check=True, capture_output=True)
            # Facts do not depend on the configuration, so one reading serves every point.
            facts = trail.with_suffix(".facts")
            observe = [args.trailhound, "replay", "--format", "json", "--facts-out", str(facts), str(trail / "AWSLogs")]
            subprocess.run(observe, check=True, capture_output=True)
            trails.append((shape, facts, Labels(trail / "labels.json")))

    lines = ["| point | shape | detector | found | slowest, minutes | background a day | of it high or critical |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for point, text in POINTS.items():
        if not re.search(args.points, point):
            continue
        config = args.folder / "point.toml"
        config.write_text(text)
        sums = {}
        for shape, facts, labels in trails:
            judge = [args.trailhound, "replay", "--format", "json", "--config", config, "--facts-in", facts, nothing]
            run = subprocess.run([str(part) for part in judge], capture_output=True, text=True)
            if run.returncode != 0:
                sys.exit(f"{point}, {facts}: {run.stderr[-2000:]}")
            alerts = [json.loads(line) for line in run.stdout.splitlines()]
            for detector, row in labels.score(alerts).items():
                for scope in (shape, "all"):
                    total = sums.setdefault((scope, detector), {})
                    for name, value in row.items():
                        if name == "slowest":
                            total[name] = max(total.get(name, 0), value)
                        else:
                            total[name] = total.get(name, 0) + value
        for (shape, detector), row in sums.items():
            if point != "default" and (shape != "all" or detector != "invocation_surge"):
                continue
            days = args.days * args.seeds * (len(SHAPES) if shape == "all" else 1)
            lines.append(
                f"| {point} | {shape} | {detector} | {row['found']}/{row['must']} | {row['slowest']:.0f} "
                f"| {row['background'] / days:.3f} | {row['grave'] / days:.3f} |"
            )
            print(lines[-1], flush=True)
    if args.markdown:
        args.markdown.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

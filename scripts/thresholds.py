#!/usr/bin/env python3
"""Sweep thresholds over simulated trails: alerts a day against incidents found.

usage: thresholds.py TRAILHOUND FOLDER [--days N] [--seeds N] [--accounts N] [--points REGEX] [--markdown FILE]

Simulates every shape with several seeds below FOLDER, reads each trail once into facts, judges the facts with every
configuration point, and compares the alerts with the planted labels. Facts and labels are kept and used again; the trails
are dropped, unless --keep-trails is given. Delete FOLDER after a change of the simulator or of what detectors remember.

An alert is *explained* when its evidence holds an event of an attack, or when it names an attack's actor and its window
overlaps the attack's; every other alert is background. An incident is told when the window of the first right alert ends;
that is counted from the incident's first event of a kind that the alert shows as evidence.
Only the standard library is needed. Figures are reproducible: simulation and replay are deterministic.
"""
import argparse
import datetime
import json
import pathlib
import re
import shutil
import subprocess
import sys

SHAPES = ["quiet", "noisy-ci", "data-heavy", "new-organization"]
DETECTORS = ["policy_change", "access_denied_spike", "first_time_privilege", "invocation_surge"]
# Defaults of the floors that the sweep scales, and the least that can be configured.
FLOORS = {
    "function": (300, 50), "model": (50, 10), "agent": (50, 10), "workflow": (100, 20), "endpoint": (300, 50),
    "message": (300, 50), "objects": (500, 100), "object_writes": (1000, 100), "items": (500, 100),
    "item_writes": (1000, 100), "scans": (30, 5), "secrets": (15, 3), "parameters": (30, 5), "decrypts": (200, 50),
    "compute": (64, 8), "jobs": (60, 10), "api": (200, 50),
}
DENIED = {
    "min_calls": (10, 3), "min_calls_of_one_action": (30, 3), "min_actions": (6, 3), "min_failed_sign_ins": (5, 3),
    "min_actors_of_address": (4, 2), "min_actors_of_outage": (5, 2),
}


def table(name, values):
    return f"[detectors.{name}]\n" + "\n".join(f"{key} = {value}" for key, value in values.items()) + "\n"


def scaled(defaults, scale):
    return {key: max(least, round(value * scale)) for key, (value, least) in defaults.items()}


def surge_floors(scale):
    return table("invocation_surge.floors", scaled(FLOORS, scale))


# What is tried of each detector: a name, and the configuration.
POINTS = {detector: {"default": ""} for detector in DETECTORS}
POINTS["policy_change"] |= {
    f"report_from {severity}": table("policy_change", {"report_from": f'"{severity}"'})
    for severity in ("informational", "medium", "high", "critical")
}
denied = POINTS["access_denied_spike"]
denied |= {f"all floors x{n}": table("access_denied_spike", scaled(DENIED, n)) for n in (0.3, 0.5, 2, 4, 8)}
denied |= {f"times_expected {n}": table("access_denied_spike", {"times_expected": n}) for n in (1.1, 1.5, 6.0, 12.0)}
denied |= {f"min_actions {n}": table("access_denied_spike", {"min_actions": n}) for n in (3, 12, 24)}
denied["floors x0.5, times_expected 1.5"] = table("access_denied_spike", scaled(DENIED, 0.5) | {"times_expected": 1.5})
first = POINTS["first_time_privilege"]
first |= {
    f"min_score {n}": table("first_time_privilege", {"min_score": n, "min_score_while_learning": 2 * n})
    for n in (10, 20, 25, 40, 50, 80, 120)
}
first |= {
    f"min_score_while_learning {n}": table("first_time_privilege", {"min_score_while_learning": n}) for n in (30, 120)
}
first["without source_networks"] = table("first_time_privilege", {"source_networks": "false"})
surge = POINTS["invocation_surge"]
surge |= {f"floors x{n}": surge_floors(n) for n in (0.2, 0.5, 2, 4, 8)}
surge |= {f"factor {n}": table("invocation_surge", {"factor": n}) for n in (1.5, 2.0, 6.0, 10.0)}
surge |= {f"floors x0.2, factor {n}": table("invocation_surge", {"factor": n}) + surge_floors(0.2) for n in (1.5, 10.0)}
surge |= {f"episode_gap_hours {n}": table("invocation_surge", {"episode_gap_hours": n}) for n in (1, 48)}
surge |= {f"learning_multiple {n}": table("invocation_surge", {"learning_multiple": n}) for n in (1.0, 10.0)}


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

    @staticmethod
    def first_telling(label, alert):
        """The label's first event of a kind that the alert shows."""
        kinds = {(e["event_name"], bool(e.get("error_code"))) for e in alert["evidence"]}
        telling = [
            seconds(event["eventTime"])
            for event in label["key_events"]
            if (event["eventName"], bool(event.get("errorCode"))) in kinds
        ]
        return min(telling, default=label["span"][0])

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
                first = min(right, key=lambda alert: alert["window"]["end"])
                delay = seconds(first["window"]["end"]) - self.first_telling(label, first)
                row["slowest"] = max(row["slowest"], delay / 60)
        for alert in alerts:
            if alert["id"] not in explained:
                rows[alert["detector"]]["background"] += 1
                rows[alert["detector"]]["grave"] += alert["severity"] in ("high", "critical")
        return rows


def observed(args, shape, seed):
    """Facts and labels of one trail, simulated and read unless they are there."""
    trail = args.folder / f"{shape}-{args.days}-{args.accounts}-{seed}"
    facts, labels = trail.with_suffix(".facts"), trail.with_suffix(".labels.json")
    if not (facts.exists() and labels.exists()):
        shutil.rmtree(trail, ignore_errors=True)
        simulate = [args.trailhound, "simulate", "--out", trail, "--shape", shape, "--seed", seed]
        simulate += ["--days", args.days, "--accounts", args.accounts]
        subprocess.run([str(part) for part in simulate], check=True, capture_output=True)
        # Facts do not depend on the configuration, so one reading serves every point.
        observe = [args.trailhound, "replay", "--format", "json", "--facts-out", facts, trail / "AWSLogs"]
        subprocess.run([str(part) for part in observe], check=True, capture_output=True)
        shutil.copy(trail / "labels.json", labels)
        if not args.keep_trails:
            shutil.rmtree(trail)
    return facts, labels


def judged(args, nothing, facts):
    """The alerts of one trail by one configuration."""
    judge = [args.trailhound, "replay", "--format", "json", "--config", args.folder / "point.toml"]
    run = subprocess.run([str(part) for part in [*judge, "--facts-in", facts, nothing]], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{facts}: {run.stderr[-2000:]}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("trailhound")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--accounts", type=int, default=4)
    parser.add_argument("--shapes", default=",".join(SHAPES), help="only these, comma-separated")
    parser.add_argument("--points", default="", help="only points whose detector and name match: 'surge default'")
    parser.add_argument("--markdown", type=pathlib.Path, help="write the tables here too")
    parser.add_argument("--keep-trails", action="store_true")
    args = parser.parse_args()

    nothing = args.folder / "nothing"
    nothing.mkdir(parents=True, exist_ok=True)
    (nothing / "none.json").write_text('{"Records":[]}')
    shapes = args.shapes.split(",")
    trails = []
    for shape in shapes:
        for seed in range(1, args.seeds + 1):
            facts, labels = observed(args, shape, seed)
            trails.append((shape, facts, Labels(labels)))
            print(f"read {shape}, seed {seed}", file=sys.stderr, flush=True)

    lines = []

    def say(line):
        lines.append(line)
        print(line, flush=True)

    def head(*columns):
        rest = [*columns, "found", "slowest, minutes", "background a day", "of it high or critical"]
        say("")
        say("| " + " | ".join(rest) + " |")
        say("|---" * len(rest) + "|")

    def row(columns, sums, trail_days):
        columns = [*columns, f"{sums['found']}/{sums['must']}", f"{sums['slowest']:.0f}"]
        columns += [f"{sums['background'] / trail_days:.3f}", f"{sums['grave'] / trail_days:.3f}"]
        say("| " + " | ".join(columns) + " |")

    def add(total, scored):
        for name, value in scored.items():
            together = max if name == "slowest" else lambda a, b: a + b
            total[name] = together(total.get(name, 0), value)

    shape_days = args.days * args.seeds
    defaults = {}
    (args.folder / "point.toml").write_text("")
    for shape, facts, labels in trails:
        for detector, scored in labels.score(judged(args, nothing, facts)).items():
            for scope in (shape, "all"):
                add(defaults.setdefault((scope, detector), {}), scored)
    head("shape", "detector")
    for scope in [*shapes, "all"]:
        everything = {}
        for detector in DETECTORS:
            sums = defaults[scope, detector]
            add(everything, sums)
            row([scope, detector], sums, shape_days * (len(shapes) if scope == "all" else 1))
        row([scope, "all four"], everything, shape_days * (len(shapes) if scope == "all" else 1))
    for detector, points in POINTS.items():
        chosen = {name: text for name, text in points.items() if re.search(args.points, f"{detector} {name}")}
        if not chosen:
            continue
        head(detector)
        for name, text in chosen.items():
            sums = {}
            if name == "default":
                sums = defaults["all", detector]
            else:
                (args.folder / "point.toml").write_text(text)
                for _, facts, labels in trails:
                    add(sums, labels.score(judged(args, nothing, facts))[detector])
            row([name], sums, shape_days * len(shapes))
    if args.markdown:
        args.markdown.write_text("\n".join(lines[1:]) + "\n")


if __name__ == "__main__":
    main()

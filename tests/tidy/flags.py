#!/usr/bin/env python3
"""Checks that splicebench(1) names the flags that the commands of splicebench have, and no others.

    flags.py BINARY     answers 1, with a line for each difference, when the page and the commands disagree

What a command has is what its --help names. The page's sections "Flags of NAME" stand for the command NAME; "Flags
of loads" for all that have no section of their own, which share their flags.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "splicebench.1"
SHARED = "loads"
# Every program has these; the page says so once.
COMMON = {"help", "version"}


def flags_in_help(text):
    """The flags that a text of --help names, without their dashes."""
    return set(re.findall(r"(?<![\w-])--([a-z][a-z0-9-]*)", text)) - COMMON


def flags_in_line(line):
    return set(re.findall(r"\bFl Fl ([a-z][a-z0-9-]*)", line)) - COMMON


def sections_of_page(text):
    """{name of the section: flags that head its items} of an mdoc page."""
    sections, current = {}, None
    for line in text.splitlines():
        if line.startswith((".Ss ", ".Sh ")):
            found = re.fullmatch(r"\.Ss Flags of (\S+)", line)
            current = sections.setdefault(found.group(1), set()) if found else None
        elif line.startswith(".It ") and current is not None:
            current |= flags_in_line(line)
    return sections


def flags_wanted(sections, helps):
    """{name of the section: flags that its commands have}. helps: {command: text of its --help}."""
    wanted = {name: set() for name in sections}
    for command, text in helps.items():
        wanted.setdefault(command if command in sections else SHARED, set()).update(flags_in_help(text))
    return wanted


def find_differences(page, helps):
    """A sentence for each flag that is in one place only."""
    sections = sections_of_page(page)
    wanted = flags_wanted(sections, helps)
    found = []
    for name in sorted(wanted):
        have = sections.get(name, set())
        found += [f"Flags of {name}: --{flag} is missing" for flag in sorted(wanted[name] - have)]
        found += [f"Flags of {name}: --{flag} is no flag of it" for flag in sorted(have - wanted[name])]
    known = set().union(*wanted.values())
    named = set().union(*map(flags_in_line, page.splitlines()))
    listed = set().union(*sections.values())
    return found + [f"--{flag} is named, and no command has it" for flag in sorted(named - known - listed)]


def ask(*words):
    """What a program prints; flags are not broken at the end of a line."""
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "COLUMNS": "200"}).stdout


def commands_of(overview):
    """The commands that `splicebench --help` lists."""
    return re.findall(r"^  ([a-z]+) ", overview, re.M)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary", help="splicebench")
    binary = parser.parse_args().binary
    helps = {command: ask(binary, command, "--help") for command in commands_of(ask(binary, "--help"))}
    differences = find_differences(PAGE.read_text(), helps)
    if not helps:
        differences.append("no command is listed by --help")
    for line in differences:
        print(f"docs/splicebench.1: {line}", file=sys.stderr)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())

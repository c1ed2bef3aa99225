#!/usr/bin/env python3
"""Puts the keyword chapters, printed by spliced from its own tables, into spliced.cfg(5).

    manual.py BINARY            writes docs/spliced.cfg.5 from docs/spliced.cfg.5.in
    manual.py --check BINARY    answers 1, with the first difference, when the page is stale

BINARY is the daemon, or any program that prints the chapters when called with --print-reference.
"""

import argparse
import difflib
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
MARKER = '.\\" KEYWORDS\n'


def make_page(frame, chapters):
    """The frame with its marker line replaced by the chapters."""
    if frame.count(MARKER) != 1:
        raise SystemExit(f"the frame must have exactly one line {MARKER.strip()!r}")
    note = '.\\" Generated from the keyword tables by tests/tidy/manual.py; edit spliced.cfg.5.in instead.\n'
    return note + frame.replace(MARKER, chapters)


def show_difference(committed, fresh):
    """Prints the beginning of the difference."""
    lines = difflib.unified_diff(
        committed.splitlines(), fresh.splitlines(), "docs/spliced.cfg.5", "the keyword tables", lineterm="")
    for _, line in zip(range(20), lines):
        print(line, file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, answer 1 when the page is stale")
    parser.add_argument("binary", help="program that prints the chapters with --print-reference")
    arguments = parser.parse_args()
    chapters = subprocess.run(
        [arguments.binary, "--print-reference"], check=True, stdout=subprocess.PIPE, text=True).stdout
    page = make_page((DOCS / "spliced.cfg.5.in").read_text(), chapters)
    path = DOCS / "spliced.cfg.5"
    if not arguments.check:
        path.write_text(page)
        return 0
    committed = path.read_text() if path.exists() else ""
    if committed == page:
        return 0
    print("docs/spliced.cfg.5 is stale: run tests/tidy/manual.py with the built daemon", file=sys.stderr)
    show_difference(committed, page)
    return 1


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""Runs all tests, part by part, and adds them up.

    tools/test.py [--build DIR] [--only PART[,PART…]] [--list] [--meson-log FILE]

A part that fails does not keep the others from running.  The last line is always
`N passed, N failed, N skipped`; the exit status is 0 only when nothing failed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = "/usr/bin/python3"
MESON_PASSED = {"OK", "EXPECTEDFAIL"}
MESON_SKIPPED = {"SKIP"}
E2E_JOBS = "2"
ALONE_MAX = 10  # more failures than that are no accident
ALONE_SECONDS = 600


class Counts:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed = passed
        self.failed = failed
        self.skipped = skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def total(self):
        return self.passed + self.failed + self.skipped


def run_streamed(command, environment=None):
    """Runs a command, shows its output as it comes; returns (status, output)."""
    print("$ " + " ".join(str(word) for word in command), flush=True)
    output = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", env={**os.environ, **(environment or {})}) as process:
        for line in process.stdout:
            output.append(line)
            sys.stdout.write(line)
            sys.stdout.flush()
    return process.returncode, "".join(output)


def count_tap(text):
    """Counts TAP lines; cmocka writes a skipped case as `not ok N # SKIP name`."""
    counts = Counts()
    for match in re.finditer(r"^(not )?ok\b[^\n]*$", text, re.M):
        if re.search(r"# *SKIP", match.group(0)):
            counts.skipped += 1
        elif match.group(1):
            counts.failed += 1
        else:
            counts.passed += 1
    return counts


def count_program(output, result):
    """Cases of one test program; one that prints no TAP counts as one."""
    cases = count_tap(output or "")
    if result in MESON_SKIPPED and not cases.total():
        cases.skipped += 1
    elif result in MESON_PASSED and not cases.total():
        cases.passed += 1
    elif result not in MESON_PASSED | MESON_SKIPPED and not cases.failed:
        cases.failed += 1
    return cases


def run_alone(test):
    """Runs a test program of meson's once more; returns its counts."""
    try:
        done = subprocess.run(test["command"], env={**os.environ, **(test.get("env") or {})}, stdout=subprocess.PIPE,
                              text=True, errors="replace", timeout=ALONE_SECONDS)
        cases = count_program(done.stdout, "OK" if done.returncode == 0 else "FAIL")
    except subprocess.TimeoutExpired:
        done, cases = None, Counts(failed=1)
    word = "FAILED TWICE" if cases.failed else "failed beside others, passed alone"
    if cases.failed and done:
        print(done.stdout)
    print(f"{word}: {test['name']}", flush=True)
    return cases


def read_meson(log):
    return [json.loads(line) for line in log.read_text().splitlines()]


def count_meson(log):
    """Cases out of meson's testlog.json.  What failed while other tests used the machine as well has a second try,
    alone, and both outcomes are told."""
    counts, bad = Counts(), []
    for test in read_meson(log):
        cases = count_program(test.get("stdout"), test["result"])
        if cases.failed and test.get("command"):
            bad.append((test, cases))
        else:
            counts.add(cases)
    for test, cases in bad:
        counts.add(run_alone(test) if len(bad) <= ALONE_MAX else cases)
    return counts


def run_meson(build, suites, log_name):
    environment = {"CMOCKA_MESSAGE_OUTPUT": "TAP"}
    command = ["meson", "test", "-C", str(build), "--no-rebuild", "--print-errorlogs", "--logbase", log_name]
    for suite in suites:
        command += ["--suite", suite]
    log = build / "meson-logs" / (log_name + ".json")
    log.unlink(missing_ok=True)
    status, _ = run_streamed(command, environment)
    counts = count_meson(log) if log.exists() else Counts()
    if status and not counts.total():
        counts.failed += 1
    return counts


def meson_suites(build):
    out = subprocess.run(["meson", "introspect", "--tests", str(build)], cwd=ROOT, stdout=subprocess.PIPE)
    if out.returncode:
        return set()
    return {suite.split(":")[-1] for test in json.loads(out.stdout) for suite in test["suite"]}


def read_report(path):
    """(Counts, names of what failed) out of pytest's XML."""
    counts, bad = Counts(), []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            bad.append(f"{case.get('classname')}::{case.get('name')}")
        elif case.find("skipped") is not None:
            counts.skipped += 1
        else:
            counts.passed += 1
    counts.failed = len(set(bad))
    return counts, sorted(set(bad))


def run_pytest_once(arguments):
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        status, _ = run_streamed([PYTHON, "-m", "pytest", "--junitxml", report.name, *arguments])
        try:
            counts, bad = read_report(report.name)
        except ElementTree.ParseError:
            counts, bad = Counts(), []
    if status and not counts.failed:
        counts.failed += 1
    return counts, bad


def run_pytest(arguments):
    return run_pytest_once(["-p", "no:cacheprovider", *arguments])[0]


def run_pytest_twice(arguments):
    """What fails while other tests use the machine as well has a second try, alone, and both
    outcomes are told: a mistake fails again."""
    with tempfile.TemporaryDirectory() as cache:
        counts, bad = run_pytest_once(["-o", f"cache_dir={cache}", "-n", E2E_JOBS, *arguments])
        if not bad or len(bad) > ALONE_MAX:
            return counts
        print(f"\n{len(bad)} failed beside others, and are run alone:", flush=True)
        again, still = run_pytest_once(["-o", f"cache_dir={cache}", "--last-failed", "-n", "0", *arguments])
    for name in bad:
        print(f"{'FAILED TWICE' if name in still else 'failed beside others, passed alone'}: {name}", flush=True)
    if again.passed + again.skipped + again.failed < len(bad):
        return counts
    return Counts(counts.passed + again.passed, again.failed, counts.skipped + again.skipped)


def run_checks(checks):
    """Each (words, command) is one case: it passes when the command answers 0."""
    counts = Counts()
    for words, command in checks:
        status = run_streamed(command)[0]
        print(f"{'ok' if status == 0 else 'not ok'} - {words}", flush=True)
        counts.add(Counts(passed=status == 0, failed=status != 0))
    return counts


def part_unit(build):
    """Unit and contract tests (tests/unit, tests/contract)"""
    return run_meson(build, ["unit", "contract"], "unit")


def part_fault(build):
    """Every call may fail (tests/fault)"""
    return run_meson(build, ["fault"], "fault")


def part_simulation(build):
    """The seeded simulation (tests/sim)"""
    return run_meson(build, ["sim"], "sim")


def part_fuzz(_build):
    """The fuzz corpora, replayed (tests/fuzz)"""
    status, output = run_streamed(["tests/fuzz/run.sh", "replay"])
    counts = count_tap(output)
    if status and not counts.failed:
        counts.failed += 1
    return counts


def part_tidy(_build):
    """The code base itself (tests/tidy)"""
    counts = run_checks([("sizes, layers, banned calls, words", [PYTHON, "tests/tidy/tidy.py"])])
    counts.add(run_pytest(["-q", "tests/tidy"]))
    return counts


def part_manuals(build):
    """The manual pages: valid, and as the code has them"""
    checks = [(f"{page.name} is valid mdoc", ["mandoc", "-Tlint", "-W", "warning", str(page.relative_to(ROOT))])
              for page in sorted((ROOT / "docs").glob("*.[1-8]"))]
    checks += [(words, [str(build) + word[5:] if word.startswith("build/") else word for word in command])
               for words, command in STALENESS]
    return run_checks(checks)


def part_e2e(build):
    """Real programs through the daemon (tests/e2e)"""
    os.environ.setdefault("SPLICED_BINARY", str(build / "spliced"))
    os.environ.setdefault("SPLICED_CTL", str(build / "splicectl"))
    return run_pytest_twice(["-q", "-ra", "tests/e2e"])


def run_lab(build, mode, selection):
    """A choice of the end-to-end tests between three network namespaces, on wire."""
    os.environ.setdefault("SPLICED_BINARY", str(build / "spliced"))
    os.environ.setdefault("SPLICED_CTL", str(build / "splicectl"))
    os.environ["SPLICED_LAB"] = mode
    try:
        return run_pytest_twice(["-q", "-ra", *selection, "tests/e2e"])
    finally:
        del os.environ["SPLICED_LAB"]


def part_lab(build):
    """The daemon on wire, in a lab of network namespaces (tests/e2e)"""
    return run_lab(build, "on", ["-m", "quick"])


def part_lab_plain(build):
    """The same without offloads, a smaller choice (tests/e2e)"""
    return run_lab(build, "plain", ["-m", "quick", "-k", "close_order or counters"])


# What must answer 0 while the pages say what the programs do.
STALENESS = [
    ("spliced.cfg(5) is as the keyword rows have it", [PYTHON, "tests/tidy/manual.py", "--check", "build/spliced"]),
    ("splicebench(1) names the flags that there are", [PYTHON, "tests/tidy/flags.py", "build/bench/splicebench"]),
    ("metrics.md is as the metric rows have it", ["sh", "-c", "build/spliced --print-metrics | diff - docs/metrics.md"]),
]

PARTS = {
    "unit": part_unit,
    "fault": part_fault,
    "simulation": part_simulation,
    "fuzz": part_fuzz,
    "tidy": part_tidy,
    "manuals": part_manuals,
    "e2e": part_e2e,
    "lab": part_lab,
    "lab-plain": part_lab_plain,
}
# The meson suite that must exist for a part to make sense.
SUITES = {"fault": "fault", "simulation": "sim"}


def run_parts(names, build):
    total = Counts()
    rows = []
    suites = meson_suites(build)
    for name in names:
        if name in SUITES and SUITES[name] not in suites:
            print(f"\n== {name}: this tree has no such tests", flush=True)
            continue
        print(f"\n== {name}: {PARTS[name].__doc__}", flush=True)
        start = time.monotonic()
        counts = PARTS[name](build)
        if not counts.total():
            print(f"{name}: no test ran, which counts as a failure")
            counts.failed += 1
        rows.append((name, counts, time.monotonic() - start))
        total.add(counts)
    print(f"\n{'part':<12} {'passed':>8} {'failed':>8} {'skipped':>8} {'seconds':>8}")
    for name, counts, seconds in rows:
        print(f"{name:<12} {counts.passed:>8} {counts.failed:>8} {counts.skipped:>8} {seconds:>8.1f}")
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build directory (build)")
    parser.add_argument("--only", help="these parts, comma-separated")
    parser.add_argument("--list", action="store_true", help="print the parts and end")
    parser.add_argument("--meson-log", help="give what failed in this testlog.json a second try, and end")
    options = parser.parse_args()
    if options.meson_log:
        return 1 if count_meson(Path(options.meson_log)).failed else 0
    if options.list:
        for name, part in PARTS.items():
            print(f"{name:<12} {part.__doc__}")
        return 0
    names = options.only.split(",") if options.only else list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    total = run_parts(names, (ROOT / options.build).resolve())
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())

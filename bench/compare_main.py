#!/usr/bin/python3
"""splicebench compare: proxies side by side, the report, the questions. The
subcommand of splicebench runs this file; the work is in the package beside it."""

import json
import os
import resource
import shlex
import sys

sys.dont_write_bytecode = True

from splicebench import agreement, ask, charts, ending, options, report, rounds, subjects, workloads  # noqa: E402
from splicebench.programs import UsageError  # noqa: E402



def read_json(path):
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"'{path}' is not JSON") from None


def write_text(path, text):
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"'{path}' cannot be written: {error.strerror}") from None


def check_writable(asked):
    """Before minutes are spent: results that are asked for can be written."""
    for path in filter(None, (asked.json, asked.markdown)):
        folder = os.path.dirname(os.path.abspath(path))
        if not os.access(folder, os.W_OK) or os.path.isdir(path):
            raise UsageError(f"'{path}' cannot be written")
    if asked.svg and os.path.exists(asked.svg) and not os.path.isdir(asked.svg):
        raise UsageError(f"'{asked.svg}' is not a folder")


def write_reports(asked, results):
    """Terminal, charts, page."""
    sys.stdout.write(report.text(results))
    images = {}
    if asked.svg:
        images, message = charts.draw(results, asked.svg)
        if message:
            print(f"splicebench compare: {message}", file=sys.stderr)
    if asked.markdown:
        folder = os.path.dirname(os.path.abspath(asked.markdown))
        relative = {key: [os.path.relpath(path, folder) for path in paths] for key, paths in images.items()}
        write_text(asked.markdown, report.markdown(results, relative))


def compare_kept_runs(paths):
    one, other = (report.check_results(read_json(path), path) for path in paths)
    for results, path in ((one, paths[0]), (other, paths[1])):
        with report.complete_results(path):
            agreement.compare_runs(results, results)
    table, verdict, does_agree = agreement.compare_runs(one, other)
    print(table.text())
    print(verdict)
    return 0 if does_agree else 1


def report_kept_run(asked):
    results = report.check_results(read_json(asked.source), asked.source)
    with report.complete_results(asked.source):
        if asked.topologies:
            results["topologies"] = {name: table for name, table in results["topologies"].items()
                                     if name in asked.topologies}
        report.text(results)
        report.markdown(results)
        status = 1 if rounds.has_failed(results) else 0
    write_reports(asked, results)
    return status


def compare(asked, command):
    names, left_out = options.choose_subjects(
        asked, subjects.QUICK if asked.mode == "quick" else subjects.DEFAULT)
    places, missing = options.choose_topologies(asked, ["loopback", "veth"])
    chosen = asked.workloads or (workloads.QUICK if asked.mode == "quick" else workloads.DEFAULT)
    placed, out_of_place = subjects.place_subjects(names, places)
    left_out = missing + left_out + out_of_place
    for line in left_out:
        print(f"splicebench compare: left out: {line}", file=sys.stderr)
    plan = rounds.Plan(asked, placed, [workloads.find_workload(name) for name in chosen])
    comparison = rounds.Comparison(asked, plan, left_out, command)
    results = comparison.run()
    if asked.json:
        write_text(asked.json, json.dumps(results, indent=1) + "\n")
    write_reports(asked, results)
    return 1 if rounds.has_failed(results) else 0


def question(asked, command):
    results, text, page = ask.answer_question(asked, command)
    sys.stdout.write(text)
    if asked.json:
        write_text(asked.json, json.dumps(results, indent=1) + "\n")
    if asked.markdown:
        write_text(asked.markdown, page)
    return 1 if results["failures"] else 0


def prepare_process(asked):
    """Limits for many connections; and we keep off the proxy's CPU ourselves."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, {asked.cpus[1]})


def main(arguments):
    ending.catch_signals()
    try:
        asked = options.parse(arguments)
        if asked.compare_runs:
            return compare_kept_runs(asked.compare_runs)
        check_writable(asked)
        if asked.source:
            return report_kept_run(asked)
        options.check_machine(asked)
        prepare_process(asked)
        command = shlex.join(["splicebench", "compare", *arguments])
        return question(asked, command) if asked.question else compare(asked, command)
    except UsageError as error:
        print(f"splicebench compare: {error}. Try 'splicebench compare --help'.", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

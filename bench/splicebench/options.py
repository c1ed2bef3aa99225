"""The command line of `splicebench compare`, its checks, and what is left out on this
machine with the reason."""

import argparse
import os
import re

from . import programs, subjects, topology, workloads
from .programs import UsageError

QUESTIONS = ("equal-load", "maximum", "weaker-maximum", "knee", "signals")
EPILOG = """exit status: 0 when all went well, 1 when a subject failed, bytes were wrong or two runs do not agree,
2 for a wrong flag or something that is missing.

questions: equal-load compares latencies at the same offered rate; maximum gives throughput and latency of each at
its own maximum; weaker-maximum the latency of the stronger at the maximum of the weaker (two subjects); knee the
highest rate with p99 under --bound-us; signals which figure tells best how far the knee is."""


class Parser(argparse.ArgumentParser):
    """Says in one sentence what is wrong."""

    def error(self, message):
        raise UsageError(message)


def parse_list(text):
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("an empty list")
    return list(dict.fromkeys(names))


def parse_number(least, most, kind=float):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from {least:g} to {most:g}")
        return value

    return parse


def parse_cpus(text):
    found = re.fullmatch(r"(\d+),(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"'{text}' is not PROXY,LOAD, as in 0,1")
    return int(found.group(1)), int(found.group(2))


def parse_rate(text):
    if not re.fullmatch(r"\d+(\.\d+)?[kmg]?(bit|bps)", text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a rate of tc, as 1gbit or 200mbit")
    return text


def make_parser():
    parser = Parser(prog="splicebench compare", allow_abbrev=False, epilog=EPILOG, add_help=True,
                    formatter_class=argparse.RawDescriptionHelpFormatter,
                    description="Measures proxies side by side in interleaved rounds and reports medians, spread and "
                                "ratios.")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--quick", dest="mode", action="store_const", const="quick", help="at most 2 minutes")
    mode.add_argument("--full", dest="mode", action="store_const", const="full",
                      help="at most 20 minutes (the default)")
    add = parser.add_argument
    add("--topologies", type=parse_list, metavar="LIST", help="of loopback,veth (both)")
    add("--link", type=parse_rate, metavar="RATE", help="limit the link of the client (veth, tbf), as 1gbit")
    add("--subjects", type=parse_list, metavar="LIST", help=f"of {','.join(subjects.FIXED)} and spliced-ENGINE "
        "(and spliced-wire-peer), which may carry relay-tuning: spliced-auto:wake-bytes=0+pipe-size=256k")
    add("--workloads", type=parse_list, metavar="LIST", help=f"of {','.join(workloads.ALL)}")
    add("--rounds", type=parse_number(1, 100, int), metavar="N", help="rounds (quick 3, full 5)")
    add("--seconds", type=parse_number(0.1, 600), metavar="S", help="of each step (chosen to keep the time)")
    add("--congestion", metavar="NAME", help="congestion control of all sockets (the system's)")
    add("--cpus", type=parse_cpus, metavar="PROXY,LOAD", help="where they run (0,1)")
    add("--steal-max", type=parse_number(0, 100), default=3.0, metavar="PERCENT",
        help="a step with more stolen time is dropped (3)")
    add("--foreign-max", type=parse_number(0, 100), default=10.0, metavar="PERCENT",
        help="a step with more foreign processor time is dropped (10)")
    add("--watch", action=argparse.BooleanOptionalAction, default=None,
        help="count system calls and wake-ups in runs of their own (with --full)")
    add("--json", metavar="FILE", help="keep all figures")
    add("--markdown", metavar="FILE", help="write the report as a page")
    add("--svg", metavar="DIR", help="draw bar charts with gnuplot")
    add("--from", dest="source", metavar="FILE", help="report on kept figures, measure nothing")
    add("--compare-runs", nargs=2, metavar=("A", "B"), help="say whether two runs agree, measure nothing")
    add("--question", choices=QUESTIONS, metavar="NAME", help=f"answer one of {', '.join(QUESTIONS)}")
    add("--connections", type=parse_number(1, 9000, int), metavar="N", help="of a question (64)")
    add("--size", type=parse_number(1, 1 << 20, int), metavar="BYTES", help="of a message (64)")
    add("--rate", type=parse_number(1, 1e8, int), metavar="N", help="of equal-load, messages/s (half of the least "
        "maximum)")
    add("--bound-us", type=parse_number(1, 1e7), metavar="US", help="p99 of the knee (2000)")
    add("--binary", metavar="FILE", help="splicebench itself")
    add("--spliced", metavar="FILE", help="the spliced to measure")
    add("--progress", action="store_true", help="a line for each step, for logs")
    return parser


def parse(arguments):
    """The options, complete and checked as far as they can be without looking at the machine."""
    options = make_parser().parse_args(arguments)
    if options.source and (options.question or options.compare_runs):
        raise UsageError("--from goes with neither --question nor --compare-runs")
    if options.question and options.compare_runs:
        raise UsageError("--question and --compare-runs exclude each other")
    if options.question and options.workloads:
        raise UsageError("--question has its own workload; --connections and --size shape it")
    if options.question and options.svg:
        raise UsageError("--svg draws comparisons, not questions")
    if options.link and options.topologies and "veth" not in options.topologies:
        raise UsageError("--link needs the topology veth")
    check_question_flags(options)
    for name in options.topologies or []:
        if name not in topology.NAMES:
            raise UsageError(f"there is no topology '{name}'; there are {', '.join(topology.NAMES)}")
    for name in options.workloads or []:
        workloads.find_workload(name)
    for name in options.subjects or []:
        subjects.describe(name)
    options.mode = options.mode or "full"
    options.rounds = options.rounds or {"quick": 3, "full": 5}[options.mode]
    if options.watch is None:
        options.watch = options.mode == "full"
    return options


def check_question_flags(options):
    """Flags that only a question understands are refused elsewhere; fills in their defaults."""
    for flag, value, questions in (("--rate", options.rate, ("equal-load",)),
                                   ("--bound-us", options.bound_us, ("knee", "signals")),
                                   ("--connections", options.connections, QUESTIONS),
                                   ("--size", options.size, QUESTIONS)):
        if value is not None and options.question not in questions:
            raise UsageError(f"{flag} goes with --question {' or '.join(questions)}")
    options.connections = options.connections or 64
    options.size = options.size or 64
    options.bound_us = options.bound_us or 2000.0


def check_machine(options):
    """Finds the programs that nothing goes without and checks CPUs and privileges; completes the options."""
    for needed in ("taskset",):
        if programs.find_program(needed) is None:
            raise UsageError(f"'{needed}' is not installed (package util-linux)")
    options.binary = programs.find_splicebench(options.binary)
    options.spliced = programs.find_spliced(options.spliced, options.binary)
    options.cpus = choose_cpus(options.cpus)
    if options.congestion:
        topology.check_congestion(options.congestion)
    if options.link and programs.find_program("tc") is None:
        raise UsageError("--link needs tc (package iproute2)")


def choose_cpus(asked):
    """(the proxy's, the load's): those asked for, which must be had; else the first two that may be used, or the only
    one for both."""
    allowed = sorted(os.sched_getaffinity(0))
    for cpu in asked or ():
        if cpu not in allowed:
            raise UsageError(f"CPU {cpu} is not among those this process may use: --cpus PROXY,LOAD")
    return asked or (allowed[0], allowed[min(1, len(allowed) - 1)])


def choose_topologies(options, default):
    """(names, what is left out and why)."""
    wanted = options.topologies or (["veth"] if options.link else default)
    return keep_possible(wanted, topology.refuse_reason, "topology")


def choose_subjects(options, default):
    wanted = options.subjects or default
    return keep_possible(wanted, lambda name: subjects.refuse_reason(name, options.spliced), "subject")


def keep_possible(wanted, refuse, what):
    """Splits names into those that can be had and sentences on the others; none at all is an error."""
    kept, left_out = [], []
    for name in wanted:
        why = refuse(name)
        if why:
            left_out.append(f"{name}: {why}")
        else:
            kept.append(name)
    if not kept:
        raise UsageError(f"no {what} is left: {'; '.join(left_out)}")
    return kept, left_out

"""The questions beyond a comparison, each over one exchange of messages: latency at
the same load, each at its maximum, the stronger at the maximum of the weaker, the knee."""

import statistics

from . import facts, figures, steps
from .figures import find_knee, spread_of
from .progress import Progress
from .programs import SubjectError, UsageError
from .subjects import PLAIN
from .tables import Table, number, ratio, spread
from .workloads import Workload

FORMAT = "splicebench-question-1"
SUBJECTS = ["direct", "haproxy", "nginx-64k", "spliced-copy", "spliced-auto"]
PAIR = ["haproxy", "spliced-auto"]
# A rate counts as carried when at least this much of it came back in time.
CARRIED_SHARE = 0.97
KNEE_STEPS_MAX = 14
KNEE_TOLERANCE = 0.03
# One bad step does not make a knee: the better two of three decide.
TRIALS = 3


def exchange(options):
    """The workload of a question."""
    return Workload(f"pingpong-{options.connections}", "pingpong", options.connections, ["--size", str(options.size)])


def holds(record, rate, bound_us):
    """Whether a step carried its rate with p99 under the bound, without errors."""
    found = record["figures"]
    return (not record["errors"] and found["throughput"] >= rate * CARRIED_SHARE
            and found["p99_us"] is not None and found["p99_us"] <= bound_us)


def majority(trial, count=TRIALS):
    """What the most of `count` trials say; those that cannot change it any more are not made."""
    yes = no = 0
    while max(yes, no) <= count // 2:
        if trial():
            yes += 1
        else:
            no += 1
    return yes > no


class Inquiry:
    """Measures for one question on one topology. Subjects that fail are noted and left."""

    def __init__(self, stage, names, options):
        self.stage, self.options = stage, options
        self.workload = exchange(options)
        self.seconds = options.seconds or (0.5 if options.mode == "quick" else 1.0)
        self.warmup = round(min(0.2, self.seconds / 4), 3)
        self.all_names = list(names)
        self.failures, self.steps = [], []
        self.progress = Progress(0, options.progress)

    def names(self):
        """The subjects that have not failed."""
        failed = {row["subject"] for row in self.failures}
        return [name for name in self.all_names if name not in failed]

    def plan(self, count):
        """Tells how many steps follow, for the remaining time."""
        self.progress.planned_s += count * self.step_seconds()

    def step_seconds(self):
        return self.seconds + self.warmup + 0.3

    def measure(self, name, rate=0, **options):
        """One step, closed loop when the rate is 0; None when the subject failed."""
        told = f"{rate:,.0f} messages/s" if rate else "closed loop"
        self.progress.step(f"{self.stage.topology.name} {name} {told}", self.step_seconds())
        try:
            record, dropped = steps.measure(self.stage, name, self.workload, self.seconds, warmup=self.warmup,
                                            rate=rate, **options)
        except SubjectError as error:
            self.fail(name, str(error))
            return None
        self.steps.append({"subject": name, "rate": rate, "dropped": dropped, **record})
        if record["load"].get("errors", {}).get("pattern"):
            self.fail(name, f"wrong bytes: {steps.describe_errors(record['load'])}")
            return None
        return record

    def fail(self, name, why):
        self.failures.append({"subject": name, "why": why})
        self.progress.say(f"{name}: {why}")

    def count_errors(self, name, record):
        if record["errors"]:
            self.fail(name, steps.describe_errors(record["load"]))

    def rounds(self, rate=0, names=None):
        """Interleaved rounds; {subject: records}. Errors make a subject fail, its records stay."""
        found = {name: [] for name in names or self.names()}
        self.plan(self.options.rounds * len(found))
        for turn in range(self.options.rounds):
            for name in figures.order_of(list(found), turn):
                if name not in self.names():
                    continue
                record = self.measure(name, rate)
                if record is not None:
                    found[name].append(record)
                    self.count_errors(name, record)
        return {name: records for name, records in found.items() if records}

    def maxima(self, names=None):
        """{subject: median closed-loop rate}, from interleaved rounds."""
        found = self.rounds(0, names)
        return {name: statistics.median(record["figures"]["throughput"] for record in records)
                for name, records in found.items()}, found


def column(records, key):
    return spread_of([record["figures"].get(key) for record in records])


def latency_table(found, base=None):
    """Rates, latencies and the proxy's time of {subject: records}."""
    table = Table(["subject", "messages/s", "p50 µs", "p99 µs", "p99.9 µs", f"p99 ÷ {base}", "proxy CPU s a million",
                   "sent late", "errors"])
    for name, records in found.items():
        against = None
        if base in found and name != base:
            against = figures.ratio_of_rounds([row["figures"]["p99_us"] for row in records],
                                              [row["figures"]["p99_us"] for row in found[base]])
        table.add(name, *(spread(column(records, key)) for key in ("throughput", "p50_us", "p99_us", "p999_us")),
                  ratio(against), spread(column(records, "proxy_cpu_s_per_unit")),
                  number(statistics.median(row["load"].get("late_sends", 0) for row in records)),
                  str(sum(row["errors"] for row in records)))
    return table.without_empty_columns()


def base_of(names):
    """What ratios refer to: haproxy where it is there, else the first that is a proxy."""
    return "haproxy" if "haproxy" in names else next((name for name in names if name not in PLAIN), None)


def ask_equal_load(inquiry):
    rate = inquiry.options.rate
    if not rate:
        rates, _ = inquiry.maxima()
        if not rates:
            return [], {}
        rate = int(min(rates.values()) / 2)
    found = inquiry.rounds(rate)
    words = f"Latency at the same offered load, {rate:,} messages/s (open loop, from the intended time of sending):"
    return [(words, latency_table(found, base_of(found)))], {"rate": rate}


def ask_maximum(inquiry):
    rates, found = inquiry.maxima()
    words = "Each at its own maximum (closed loop: the next message follows the answer to the last):"
    return [(words, latency_table(found, base_of(found)))], {"maxima": rates}


def ask_weaker_maximum(inquiry):
    names = [name for name in inquiry.names() if name not in PLAIN]
    if len(names) != 2:
        raise UsageError("weaker-maximum compares two proxies: --subjects A,B")
    rates, closed = inquiry.maxima(names)
    if len(rates) < 2:
        return [], {"maxima": rates}
    weaker = min(rates, key=rates.get)
    stronger = max(rates, key=rates.get) if rates[names[0]] != rates[names[1]] else next(
        name for name in names if name != weaker)
    rate = int(rates[weaker])
    found = inquiry.rounds(rate, names)
    tables = [("Each at its own maximum (closed loop):", latency_table(closed, weaker)),
              (f"Both at {rate:,} messages/s, the maximum of {weaker} (open loop):", latency_table(found, weaker))]
    return tables, {"maxima": rates, "weaker": weaker, "stronger": stronger, "rate": rate}


def search_knee(inquiry, name):
    """(rate, steps of the search) of one subject; (None, …) when it failed."""
    inquiry.plan(1 + 2 * KNEE_STEPS_MAX)
    first = inquiry.measure(name)
    if first is None:
        return None, []
    top = first["figures"]["throughput"]

    def does_hold(rate):
        def trial():
            record = inquiry.measure(name, rate)
            return record is not None and holds(record, rate, inquiry.options.bound_us)

        return name in inquiry.names() and majority(trial)

    knee, searched = find_knee(does_hold, top * 0.05, top * 1.1, KNEE_TOLERANCE, KNEE_STEPS_MAX)
    inquiry.progress.skip_rest()
    if name not in inquiry.names():
        return None, searched
    return knee, searched


def ask_knee(inquiry):
    bound = inquiry.options.bound_us
    table = Table(["subject", "knee, messages/s", "p50 µs there", "p99 µs there", "proxy CPU s a million", "steps"])
    answer = {"bound_us": bound, "knees": {}}
    for name in list(inquiry.names()):
        knee, searched = search_knee(inquiry, name)
        answer["knees"][name] = {"rate": knee, "steps": searched}
        if knee is None:
            table.add(name, "failed", "–", "–", "–", str(len(searched)))
            continue
        at = [row for row in inquiry.steps if row["subject"] == name and row["rate"] == knee and knee > 0]
        there = [spread(column(at, key)) for key in ("p50_us", "p99_us", "proxy_cpu_s_per_unit")]
        table.add(name, number(knee) if knee else "below the search", *there, str(len(searched)))
    words = (f"The knee: the highest rate with p99 of at most {bound:,.0f} µs, found to {KNEE_TOLERANCE:.0%} by "
             "bisection (open loop):")
    return [(words, table)], answer


def describe(results):
    """The facts over the tables, for terminal and page alike."""
    about = results["facts"]
    where = results["topology"]
    return [f"Question: {results['question']}, over {results['topology_name']} (congestion control "
            f"{where['congestion']}), {results['connections']} connections, messages of {results['size']} bytes, "
            f"steps of {results['seconds']:g} s, {results['rounds']} rounds; steps dropped and made again: "
            f"{sum(len(step['dropped']) for step in results['steps'])}.",
            *([f"{where['note']}."] if where.get("note") else []),
            f"Machine: {about['cpus']} × {about['cpu']}, Linux {about['kernel']}.",
            f"Command: `{results['command']}`, {about['date']}."]


def facts_of(inquiry, command):
    options = inquiry.options
    return {"format": FORMAT, "question": options.question, "command": command,
            "facts": facts.collect(options, inquiry.all_names), "topology_name": inquiry.stage.topology.name,
            "topology": inquiry.stage.topology.facts(), "connections": options.connections, "size": options.size,
            "seconds": inquiry.seconds, "rounds": options.rounds}

"""The comparison itself: verification, then interleaved rounds over all subjects and
workloads of each topology, then the watched runs. The results are one JSON object."""

import contextlib

from . import facts, figures, steps
from .progress import Progress
from .programs import SubjectError, UsageError
from .subjects import PLAIN
from .topology import Topology

FORMAT = "splicebench-compare-1"
# What a step takes besides its own seconds: starting and ending programs, and a repetition now and then.
OVERHEAD_SECONDS = 0.3
BUDGETS = {"quick": 100, "full": 1080}
STEP_SECONDS = {"quick": (0.2, 0.5), "full": (0.3, 2.0)}
VERIFY_SECONDS = {"quick": 0.2, "full": 0.3}


class Plan:
    """What is to be run, and for how long."""

    def __init__(self, options, placed, workloads):
        """placed: {topology: subjects}."""
        self.placed, self.workloads = placed, workloads
        self.rounds, self.mode = options.rounds, options.mode
        self.has_watch = options.watch
        self.budget_s = BUDGETS[self.mode]
        self.verify_s = VERIFY_SECONDS[self.mode]
        self.seconds = options.seconds or self._choose_seconds()
        self.warmup = round(min(0.2, self.seconds / 4), 3)

    def rounds_of(self, workload):
        return min(self.rounds, workload.rounds_max or self.rounds)

    def _fixed_seconds(self):
        moving = [workload for workload in self.workloads if workload.kind != "idle"]
        fixed = len(moving) * (self.verify_s + OVERHEAD_SECONDS)
        fixed += sum(self.rounds_of(workload) * self.step_seconds(workload) for workload in self.workloads
                     if workload.kind == "idle")
        if self.has_watch:
            fixed += len(moving) * (steps.WATCHED_SECONDS + OVERHEAD_SECONDS)
        return self._places() * fixed

    def _places(self):
        return sum(len(names) for names in self.placed.values())

    def _step_count(self):
        moving = sum(self.rounds_of(workload) for workload in self.workloads if workload.kind != "idle")
        return moving * self._places()

    def all_subjects(self):
        return list(dict.fromkeys(name for names in self.placed.values() for name in names))

    def _choose_seconds(self):
        least, most = STEP_SECONDS[self.mode]
        # The warm-up is a quarter of a step, at most 0.2 s.
        return figures.seconds_per_step((self.budget_s - self._fixed_seconds()) / 1.25, self._step_count(),
                                        OVERHEAD_SECONDS / 1.25, least, most)

    def step_seconds(self, workload):
        if workload.kind == "idle":
            return steps.idle_seconds(workload)
        return self.seconds + self.warmup + OVERHEAD_SECONDS

    def total_seconds(self):
        return self._fixed_seconds() + self._step_count() * (self.seconds + self.warmup + OVERHEAD_SECONDS)


class Comparison:
    """Runs a plan and gathers its results."""

    def __init__(self, options, plan, left_out, command):
        self.options, self.plan = options, plan
        self.where = ""
        self.progress = Progress(plan.total_seconds(), options.progress)
        self.results = {
            "format": FORMAT, "command": command, "mode": plan.mode,
            "facts": facts.collect(options, plan.all_subjects()),
            "rounds": plan.rounds, "seconds": plan.seconds, "warmup": plan.warmup,
            "limits": {"steal": options.steal_max / 100, "foreign": options.foreign_max / 100},
            "left_out": left_out, "failures": [], "topologies": {}}

    def run(self):
        for name in self.plan.placed:
            with contextlib.ExitStack() as stack:
                try:
                    topology = stack.enter_context(
                        Topology(name, self.options.cpus, self.options.congestion, self.options.link))
                except UsageError as error:
                    self._leave_out(name, error)
                    continue
                table = {workload.name: {"kind": workload.kind, "connections": workload.connections, "subjects": {}}
                         for workload in self.plan.workloads}
                self.results["topologies"][name] = {"facts": topology.facts(), "workloads": table}
                if topology.note:
                    self.progress.say(topology.note)
                self._run_topology(steps.Stage(topology, self.options), table)
        self.progress.finish()
        if not self.results["topologies"]:
            raise UsageError(f"no topology is left: {'; '.join(self.results['left_out'])}")
        self.results["elapsed_s"] = round(self.progress.elapsed_s(), 1)
        return self.results

    def _leave_out(self, name, error):
        """What was measured until now is not lost because this machine cannot build another network."""
        self.results["left_out"].append(f"{name}: {error}")
        self.progress.say(f"left out: {name}: {error}")

    def _run_topology(self, stage, table):
        self._each("verifying", stage, table, self._verify)
        for number in range(self.plan.rounds):
            def measure(stage, workload, name, row, number=number):
                self._measure(stage, workload, name, row, number)
            self._each(f"round {number + 1}/{self.plan.rounds}", stage, table, measure, number)
        if self.plan.has_watch:
            self._each("watching", stage, table, self._watch)

    def _each(self, what, stage, table, act, number=0):
        """Every subject once for each workload: so what the machine does meanwhile meets them all. Each round has an
        order of its own: what a subject leaves behind does not always meet the same one."""
        for workload in self.plan.workloads:
            for name in figures.order_of(self.plan.placed[stage.topology.name], number):
                row = table[workload.name]["subjects"].setdefault(
                    name, {"verified": None, "rounds": [], "dropped": [], "failed": None, "watched": None})
                if row["failed"]:
                    continue
                self.where = f"{what}: {stage.topology.name} {workload.name} {name}"
                try:
                    act(stage, workload, name, row)
                except SubjectError as error:
                    row["failed"] = str(error)
                    self._fail(stage, workload, name, str(error))

    def _fail(self, stage, workload, name, why):
        self.results["failures"].append(
            {"topology": stage.topology.name, "workload": workload.name, "subject": name, "why": why})
        self.progress.say(f"{stage.topology.name} {workload.name} {name}: {why}")

    def _verify(self, stage, workload, name, row):
        if workload.kind == "idle":
            return
        self.progress.step(self.where, self.plan.verify_s + OVERHEAD_SECONDS)
        wrong, verified = steps.verify(stage, name, workload, self.plan.verify_s)
        row["verified"] = {"bytes": verified, "wrong": wrong}
        if wrong:
            self._fail(stage, workload, name, f"verified run: {wrong}")

    def _measure(self, stage, workload, name, row, number):
        if number >= self.plan.rounds_of(workload):
            return
        self.progress.step(self.where, self.plan.step_seconds(workload))
        record, dropped = steps.measure(stage, name, workload, self.plan.seconds, warmup=self.plan.warmup,
                                        is_sampled=True, may_repeat=self._may_repeat)
        row["rounds"].append(record)
        row["dropped"] += dropped
        if record["errors"]:
            self._fail(stage, workload, name, f"round {number + 1}: {steps.describe_errors(record['load'])}")

    def _may_repeat(self):
        """Repetitions may not take the time that was promised; seconds that were asked for are the asker's."""
        if self.options.seconds:
            return True
        return self.progress.elapsed_s() + self.progress.remaining_s() < self.plan.budget_s * 1.05

    def _watch(self, stage, workload, name, row):
        if workload.kind == "idle" or name in PLAIN:
            return
        self.progress.step(self.where, steps.WATCHED_SECONDS + OVERHEAD_SECONDS)
        row["watched"] = steps.watch(stage, name, workload)
        if row["watched"].get("wrong"):
            self._fail(stage, workload, name, f"watched run: {row['watched']['wrong']}")


def rounds_figures(row, key):
    """One figure of all rounds, None where a round has none."""
    return [record["figures"].get(key) for record in row["rounds"]]


def has_failed(results):
    return bool(results["failures"])

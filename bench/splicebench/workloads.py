"""The workloads: how the load generator is called for each, what is read from its
answer, and in which unit costs are told."""

import json
import subprocess

from . import programs
from .programs import SubjectError, UsageError

# How long a load may take past its own time: it ends by itself when nothing moves for five seconds.
LOAD_GRACE_SECONDS = 20


class Workload:
    """kind: what is measured, and the generator's command unless another is named. words: its flags. unit_work: how
    much of what rate_key counts makes one unit of costs; work: how much makes one piece of work, a MiB or a message or
    a connection."""

    def __init__(self, name, kind, connections, words=(), **more):
        self.name, self.kind, self.connections, self.words = name, kind, connections, list(words)
        self.command, self.rounds_max = more.get("command", kind), more.get("rounds_max")
        self.work = 1 << 20 if kind == "bulk" else 1
        self.unit, self.rate_key, self.rate_scale, self.cost_unit, self.unit_work = KINDS[kind]

    def describe(self):
        streams = "stream" if self.kind == "bulk" else "connection"
        plural = "" if self.connections == 1 else "s"
        command = [self.command] if self.command != self.kind else []
        words = " ".join([*command, *self.words])
        return f"{self.connections} {streams}{plural}" + (f", {words}" if words else "")

    def is_silent(self):
        """Whether nothing at all is said once all connections are up."""
        return self.command == "idle"


# The rate's unit, its key in the generator's answer, its divisor for reading; the unit of costs and its divisor.
KINDS = {
    "bulk": ("GB/s", "bytes_per_s", 1e9, "a GB", 1e9),
    "pingpong": ("messages/s", "messages_per_s", 1, "a million messages", 1e6),
    "churn": ("connections/s", "connections_per_s", 1, "10,000 connections", 1e4),
    "idle": ("connections", "connections", 1, "a connection", 1),
    "dribble": ("messages/s", "messages_per_s", 1, "a million messages", 1e6),
    "incast": ("messages/s", "messages_per_s", 1, "a million messages", 1e6),
}
# Those that send at a rate of their own: who carries it has the same throughput as any other, and latency tells.
PACED = {"dribble", "incast"}
# Those of which the latency is more than the other side of the throughput.
LATENCY = {"pingpong"} | PACED
ALL = {workload.name: workload for workload in (
    Workload("bulk-1", "bulk", 1, ["--direction", "up"]),
    Workload("bulk-16", "bulk", 16, ["--direction", "up"]),
    Workload("bulk-1-down", "bulk", 1, ["--direction", "down"]),
    Workload("bulk-16-both", "bulk", 16, ["--direction", "both"]),
    Workload("pingpong-1", "pingpong", 1, ["--size", "64"]),
    Workload("pingpong-32", "pingpong", 32, ["--size", "64"]),
    Workload("pingpong-64", "pingpong", 64, ["--size", "64"]),
    Workload("pingpong-64-4k", "pingpong", 64, ["--size", "4096"]),
    Workload("churn-64", "churn", 64, ["--size", "64"]),
    Workload("visit-4", "churn", 64, ["--size", "64", "--messages", "4"]),
    Workload("visit-16", "churn", 64, ["--size", "64", "--messages", "16"]),
    Workload("visit-64", "churn", 64, ["--size", "64", "--messages", "64"]),
    Workload("idle-2000", "idle", 2000, rounds_max=2),
    # A byte a second on each connection: what is never heard of again is not taken over by wire.
    Workload("quiet-2000", "idle", 2000, ["--rate", "2000"], command="dribble", rounds_max=2),
    Workload("dribble-64", "dribble", 64, ["--rate", "6400"]),
    # The rate has no step in common with the kernel's clock, which samples the machine's processor time: it would see
    # all bursts or none.
    Workload("incast-64", "incast", 64, ["--rate", "47", "--size", "64", "--answer", "16k"]),
)}
DEFAULT = ["bulk-1", "bulk-16", "bulk-1-down", "pingpong-1", "pingpong-64", "churn-64", "idle-2000"]
QUICK = ["bulk-1", "pingpong-64", "churn-64"]


def find_workload(name):
    if name not in ALL:
        raise UsageError(f"there is no workload '{name}'; there are {', '.join(ALL)}")
    return ALL[name]


class Load:
    """One run of the load generator, both ends in one process and one event loop."""

    def __init__(self, binary, subject, workload, seconds, **options):
        """options: warmup, is_sampled (bulk only), rate (open loop), connections, is_held (idle only: until finish,
        not for its seconds)."""
        topology = subject.topology
        self.subject, self.workload = subject, workload
        self.warmup, self.seconds = options.get("warmup", 0.0), seconds
        words = [binary, workload.command, "--to", subject.address,
                 "--with-server", topology.server_words(subject.server_port),
                 "--connections", str(options.get("connections") or workload.connections),
                 "--seconds", f"{seconds:g}", *workload.words, "--json"]
        if not workload.is_silent():
            words += ["--warmup", f"{self.warmup:g}"]
        if options.get("rate"):
            words += ["--rate", str(int(options["rate"]))]
        if options.get("is_sampled") and workload.kind == "bulk":
            words.append("--sampled")
        if options.get("is_held"):
            words.append("--hold")
        # It holds until its standard input ends.
        stdin = subprocess.PIPE if options.get("is_held") else subprocess.DEVNULL
        self.words = words[1:]
        self.process = programs.start(topology.command("client", topology.cpu_load, *words), stdin=stdin,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")

    @property
    def pid(self):
        return self.process.pid

    def has_ended(self):
        return self.process.poll() is not None

    def finish(self):
        """The generator's answer as it printed it, once it has ended."""
        what = f"the load '{' '.join(self.words)}'"
        try:
            out, err = self.process.communicate(timeout=self.warmup + self.seconds + LOAD_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            raise SubjectError(f"{what} does not end") from None
        finally:
            programs.end(self.process)
        if self.process.returncode == 2:
            raise SubjectError(f"{what} was refused: {err.strip()}")
        try:
            return json.loads(out)
        except ValueError:
            last = err.strip().splitlines()[-1:] or [f"exit status {self.process.returncode}"]
            raise SubjectError(f"{what} gave no answer: {last[0]}") from None

    def abandon(self):
        """Ends it without reading its answer."""
        programs.end(self.process)
        self.process.communicate()


def rate_of(workload, answer):
    """What the workload counts, a second, unscaled."""
    return answer.get(workload.rate_key) or 0


def figures_of(workload, answer):
    """The rate in its unit and the latencies in µs; None where the generator counted none."""
    figures = {"throughput": rate_of(workload, answer) / workload.rate_scale}
    latency = answer.get("latency_us") or {}
    for key in ("p50", "p90", "p99", "p999", "max"):
        figures[f"{key}_us"] = latency.get(key) if latency.get("count") else None
    return figures

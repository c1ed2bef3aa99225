"""One step of a comparison: a subject is started, loaded, watched and ended, and what
was read is put into one record."""

import time

from . import costs
from .costs import Watch, Window
from .figures import is_noisy
from .programs import SubjectError
from .subjects import Subject
from .workloads import ALL, Load, figures_of, rate_of

# How long programs take until the load runs, roughly: the window of costs opens after that and the warm-up.
START_SECONDS = 0.05
IDLE_UP_SECONDS = 20
# Of a load that ends by itself: all connections come up and are where they are to stay, and memory is read, within it.
QUIET_SECONDS = 6.0
# A process for each connection needs far more memory and time than is worth showing.
IDLE_FORKING_CONNECTIONS = 100
WATCHED_SECONDS = 1.5
WATCH_SHARE = 0.5
WATCH_PIDS_MAX = 8
ATTEMPTS = 3
# Code and pools are touched once before memory is read.
WARM = ALL["pingpong-1"]


class Stage:
    """What all steps of a topology share: where, by which programs, and what makes a step count."""

    def __init__(self, topology, options):
        self.topology = topology
        self.binary, self.spliced = options.binary, options.spliced
        self.limits = {"steal": options.steal_max / 100, "foreign": options.foreign_max / 100}

    def subject(self, name):
        return Subject(name, self.topology, self.spliced)


def wait_window(load, until):
    """Waits for a moment of the load, or its end if that is earlier. False: it has ended."""
    while time.monotonic() < until:
        if load.has_ended():
            return False
        time.sleep(min(0.02, max(until - time.monotonic(), 0)))
    return not load.has_ended()


def run_load(stage, subject, workload, seconds, **options):
    """Runs a load against a subject that runs already. Returns (answer, costs of the time in the middle of it).

    during: called each 50 ms while the window is open, if given."""
    during = options.pop("during", None)
    begin = time.monotonic()
    load = Load(stage.binary, subject, workload, seconds, **options)
    try:
        wait_window(load, begin + START_SECONDS + options.get("warmup", 0.0))
        subject.begin_measuring()
        window = Window(subject.pid)
        last = begin + options.get("warmup", 0.0) + seconds - START_SECONDS / 2
        while during and wait_window(load, min(time.monotonic() + 0.05, last)) and time.monotonic() < last:
            during()
        wait_window(load, last)
        spent = window.close()
        answer = load.finish()
    except BaseException:
        load.abandon()
        raise
    if subject.has_ended():
        raise SubjectError(f"{subject.name} ended by itself during {workload.name}")
    return answer, spent


def describe_errors(answer):
    """The errors of an answer in words, or None."""
    total = answer.get("errors_total", 0)
    if not total:
        return None
    kinds = [f"{kind} {count}" for kind, count in (answer.get("errors") or {}).items() if count]
    return f"{total} errors ({', '.join(kinds)})" if kinds else f"{total} errors"


def measure_once(stage, name, workload, seconds, **options):
    """One record of a subject under a workload, in an instance of its own."""
    with stage.subject(name) as subject:
        if workload.kind == "idle":
            return measure_idle(stage, subject, workload)
        answer, spent = run_load(stage, subject, workload, seconds, **options)
        rate = rate_of(workload, answer)
        figures = figures_of(workload, answer)
        figures.update(costs.costs_per_unit(spent, workload, rate))
        record = {"figures": figures, "load": answer, "costs": spent, "errors": answer.get("errors_total", 0),
                  "noise": is_noisy(spent, stage.limits)}
        if rate <= 0:
            raise SubjectError(f"{name} moved nothing in {workload.name}: {describe_errors(answer) or 'no errors'}")
        record["spliced_bytes"] = subject.check_after_load(workload.kind, answer.get("bytes", 0))
        return record


def measure(stage, name, workload, seconds, **options):
    """A record that counts: a step during which the machine was disturbed is made again, at most ATTEMPTS in all.

    may_repeat: asked before each repetition, if given. Of steps that were all disturbed the least disturbed one
    is kept. Returns (record, the reasons of the dropped)."""
    may_repeat = options.pop("may_repeat", lambda: True)
    records, reasons = [], []
    for attempt in range(ATTEMPTS):
        record = measure_once(stage, name, workload, seconds, **options)
        records.append(record)
        if record["noise"] is None or attempt + 1 == ATTEMPTS or not may_repeat():
            break
    best = min(records, key=disturbance_of)
    reasons = [record["noise"] for record in records if record is not best]
    return best, reasons


def disturbance_of(record):
    spent = record["costs"]
    return (record["noise"] is not None, spent.get("steal_share", 0) + spent.get("foreign_share", 0))


def verify(stage, name, workload, seconds):
    """A short run in which every byte is verified. Returns None, or what was wrong in words."""
    if workload.kind == "idle":
        return None, 0
    with stage.subject(name) as subject:
        answer, _ = run_load(stage, subject, workload, seconds, is_sampled=False)
    if answer.get("errors_total", 0):
        return describe_errors(answer), answer.get("verified_bytes", 0)
    if rate_of(workload, answer) <= 0:
        return "nothing arrived", 0
    return None, answer.get("verified_bytes", 0)


def watch(stage, name, workload):
    """A run beside which `splicebench watch` counts; it is kept out of the rounds because counting costs time.

    Returns figures, or "why_not" there are none; and "wrong", the errors of its load in words, if there were any."""
    with stage.subject(name) as subject:
        load = Load(stage.binary, subject, workload, WATCHED_SECONDS, warmup=0.2, is_sampled=True)
        try:
            wait_window(load, time.monotonic() + START_SECONDS + 0.2)
            pids = sorted(costs.family_of(costs.read_processes(), subject.pid))
            if len(pids) > WATCH_PIDS_MAX:
                load.abandon()
                return {"why_not": f"{name} has {len(pids)} processes here, and splicebench watch takes "
                                   f"{WATCH_PIDS_MAX}"}
            watcher = Watch(stage.binary, pids, WATCHED_SECONDS * WATCH_SHARE)
            said, why_not = watcher.finish()
            did_outlast = not load.has_ended()
            answer = load.finish()
        except BaseException:
            load.abandon()
            raise
    wrong = {"wrong": describe_errors(answer)} if answer.get("errors_total") else {}
    if said is not None and not did_outlast:
        said, why_not = None, f"{name} was watched past its load, the load ended first"
    if said is None:
        return {"why_not": why_not, **wrong}
    return {**costs.watched_figures(said, workload, rate_of(workload, answer)), **wrong}


def measure_idle(stage, subject, workload):
    """What a connection costs that is open and silent: memory of the proxy's processes and of the kernel."""
    connections = IDLE_FORKING_CONNECTIONS if subject.does_fork else workload.connections
    descriptors = costs.count_descriptors(subject.pid) if subject.pid else 0
    run_load(stage, subject, WARM, 0.1)
    window = Window(subject.pid)
    before = costs.read_memory(subject.pid, subject.pid)
    load = Load(stage.binary, subject, workload, 1.0 if workload.is_silent() else QUIET_SECONDS,
                connections=connections, is_held=workload.is_silent())

    def is_ready():
        return (are_up(subject, load, connections, descriptors)
                and (workload.is_silent() or subject.has_taken(connections)))

    try:
        deadline = time.monotonic() + IDLE_UP_SECONDS
        while not is_ready():
            if load.has_ended() or time.monotonic() > deadline:
                break
            time.sleep(0.02)
        time.sleep(0.1)
        after = costs.read_memory(subject.pid, load.pid)
        # They were all there while memory was read, if they still are.
        is_up = is_ready() and not load.has_ended()
        taken = subject.count_taken()
        answer = load.finish()
    except BaseException:
        load.abandon()
        raise
    if not is_up:
        raise SubjectError(f"{subject.name} did not hold {connections} connections: "
                           f"{describe_errors(answer) or words_for_missing(subject, taken)}")
    figures = {f"{key}_bytes": (after[key] - before[key]) / connections
               for key in ("rss", "pss", "tcp", "slab", "maps") if after[key] is not None}
    figures.update(count_places(before, subject.ask("show info")))
    # A place is a connection's own, though it was taken when the proxy started.
    figures["maps_bytes"] = figures.get("maps_bytes", 0) + figures["place_bytes"] if "places" in figures else None
    figures["taken"] = taken
    figures["available_bytes"] = (before["available"] - after["available"]) / connections
    figures["throughput"] = connections
    spent = window.close()
    # Strangers' memory would be in the way here, their processor time is not.
    return {"figures": figures, "load": answer, "costs": spent, "errors": answer.get("errors_total", 0),
            "noise": None}


def idle_seconds(workload):
    """How long a step of connections that are open takes, roughly."""
    return 2.0 if workload.is_silent() else QUIET_SECONDS + 1.0


def words_for_missing(subject, taken):
    return "not all came up" if taken is None else f"{taken} of them came onto the wire"


def count_places(before, info):
    """What wire's tables take for each of their places from the start, beside the process that holds them."""
    places = int(info.get("WireConnectionsMax", 0))
    if not places or before["maps"] is None:
        return {}
    return {"places": places, "place_bytes": before["maps"] / places, "rss_before_bytes": before["rss"]}


def are_up(subject, load, connections, descriptors_before):
    """Whether both ends of all connections exist; the generator holds client and server in one process."""
    if costs.count_descriptors(load.pid) < 2 * connections:
        return False
    if subject.pid is None or subject.does_fork:
        return True
    return costs.count_descriptors(subject.pid) >= descriptors_before + 2 * connections

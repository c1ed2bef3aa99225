"""Which figure tells best how far a proxy is from its knee: steps of rate up to 1.2
times the knee, each figure recorded beside them, its rank correlation and its error."""

import re
import statistics
import time

from . import steps
from .costs import read_text
from .figures import is_noisy, prediction_errors, spearman
from .programs import SubjectError
from .questions import search_knee
from .subjects import PLAIN
from .tables import Table, number

FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
LISTEN = "0A"
IDLE = "idle CPU"
# The daemon's own figures are means of its last second, taken once a second: so long a step has one that is the load's
# alone, whenever that second began.
STEP_SECONDS_LEAST = 2.2
LOOP_KEYS = re.compile(r"(?i)loop_?(lag|busy)(_|$)")
LOOP_EVERY_SECONDS = 0.2
LOOP_ANSWER_SECONDS = 0.2


class QueueProbe:
    """Looks at the queues of a proxy's sockets while a step runs: those who wait to be accepted, and bytes."""

    def __init__(self, pid, port):
        self.pid, self.port = pid, f"{port:04X}"
        self.accept, self.unread, self.unsent = [], [], []

    def look(self):
        accept = unread = unsent = 0
        for line in read_text(f"/proc/{self.pid}/net/tcp").splitlines()[1:]:
            fields = line.split()
            sent, received = (int(word, 16) for word in fields[4].split(":"))
            if fields[3] == LISTEN and fields[1].endswith(":" + self.port):
                accept += received
            elif fields[3] != LISTEN and self.is_ours(fields):
                unread += received
                unsent += sent
        self.accept.append(accept)
        self.unread.append(unread)
        self.unsent.append(unsent)

    def is_ours(self, fields):
        """The proxy's end of connections from clients: where requests wait for it."""
        return fields[1].endswith(":" + self.port)

    def means(self):
        return {"accept queue, connections": mean_of(self.accept), "unread by the proxy, bytes": mean_of(self.unread),
                "not yet sent by the proxy, bytes": mean_of(self.unsent)}


def mean_of(values):
    return statistics.fmean(values) if values else None


class LoopProbe:
    """What the proxy itself says of its loop while a step runs; `last` is its last answer: {name: number}, empty where
    it has no such figures."""

    def __init__(self, subject):
        self.subject, self.last, self.due = subject, {}, 0.0

    def look(self):
        if time.monotonic() < self.due:
            return
        # A proxy that is too busy to answer in time keeps the answer before; the window does not wait for it.
        self.last = read_loop(self.subject.ask("show info", LOOP_ANSWER_SECONDS)) or self.last
        self.due = time.monotonic() + LOOP_EVERY_SECONDS


def read_loop(info):
    """The loop's lag and the share of time it was busy, out of an answer to show info."""
    found = {}
    for key, value in info.items():
        if LOOP_KEYS.match(key.strip()) and value.strip().replace(".", "", 1).isdigit():
            found[f"{key.strip()} (its own)"] = float(value)
    return found


def step_seconds(inquiry):
    return max(inquiry.seconds, STEP_SECONDS_LEAST)


def measure_step(inquiry, name, rate):
    """The signals of one step at a rate, {signal: value}, beside its figures."""
    stage = inquiry.stage
    with stage.subject(name) as subject:
        queues, loop = QueueProbe(subject.pid, subject.port), LoopProbe(subject)

        def look():
            queues.look()
            loop.look()

        answer, spent = steps.run_load(stage, subject, inquiry.workload, step_seconds(inquiry), warmup=inquiry.warmup,
                                       rate=rate, during=look)
    window, proxy = spent["window_s"], spent["proxy"]
    found = {
        IDLE: spent["idle_by_cpu"].get(f"cpu{stage.topology.cpu_proxy}"),
        "run-queue delay, s/s": proxy["run_delay_s"] / window,
        "proxy's own CPU, s/s": proxy["cpu_s"] / window,
        "proxy's switches/s": None if proxy["switches"] is None else proxy["switches"] / window,
        "softirq squeezed/s": spent["softnet"]["squeezed"] / window,
        **queues.means(), **loop.last}
    return {"signals": found, "costs": spent, "noise": is_noisy(spent, stage.limits),
            "errors": answer.get("errors_total", 0),
            "p99_us": (answer.get("latency_us") or {}).get("p99"), "messages_per_s": answer.get("messages_per_s")}


def measure_quiet_step(inquiry, name, rate):
    """The same, again while the machine was disturbed; of several the least disturbed one, with why others went."""
    made = []
    while not made or (made[-1]["noise"] and len(made) < steps.ATTEMPTS):
        made.append(measure_step(inquiry, name, rate))
    best = min(made, key=steps.disturbance_of)
    return {**best, "rate": rate, "subject": name,
            "dropped": [step["noise"] for step in made if step is not best]}


def rate_signals(rounds):
    """[(signal, correlation, median error, greatest error)], the best first; idle CPU among them.

    rounds: for each round its steps, {"fraction": of the knee, "signals": {…}}. Correlation is that of ranks, with the
    distance from the knee; a signal that never changes has none and comes last."""
    names = list(dict.fromkeys(name for steps_of in rounds for step in steps_of for name in step["signals"]))
    rows = []
    for name in names:
        points = [[(step["signals"][name], step["fraction"]) for step in steps_of
                   if step["signals"].get(name) is not None] for steps_of in rounds]
        flat = [point for line in points for point in line]
        correlation = spearman([signal for signal, _ in flat], [1 - fraction for _, fraction in flat])
        errors = prediction_errors([line for line in points if line])
        rows.append((name, correlation, statistics.median(errors) if errors else None,
                     max(errors) if errors else None))
    rows.sort(key=lambda row: (row[1] is None, -abs(row[1] or 0), row[2] if row[2] is not None else 9))
    return rows


def signals_table(rows):
    table = Table(["signal", "rank correlation with the distance", "median error", "greatest error"])
    for name, correlation, middle, worst in rows:
        table.add(name, "never changed" if correlation is None else f"{correlation:+.3f}",
                  *("–" if value is None or correlation is None else f"{value:.0%} of the knee"
                    for value in (middle, worst)))
    return table


def steps_table(rounds):
    names = list(dict.fromkeys(name for steps_of in rounds for step in steps_of for name in step["signals"]))
    table = Table(["of the knee", "p99 µs", *names])
    for index, fraction in enumerate(FRACTIONS):
        at = [steps_of[index] for steps_of in rounds if index < len(steps_of)]
        if at:
            table.add(f"{fraction:.0%}", number(median_of(step["p99_us"] for step in at)),
                      *(number(median_of(step["signals"].get(name) for step in at)) for name in names))
    return table.without_empty_columns()


def median_of(values):
    present = [value for value in values if value is not None]
    return statistics.median(present) if present else None


def name_winner(rows):
    """The best signal besides idle CPU, in a sentence, or None."""
    best = next((row for row in rows if row[0] != IDLE and row[1] is not None), None)
    if best is None:
        return None
    return (f"The best signal besides idle CPU: {best[0]} (rank correlation {best[1]:+.3f}; read once, it misses the "
            f"load by {best[2]:.0%} of the knee in the median, {best[3]:.0%} at worst)."
            if best[2] is not None else
            f"The best signal besides idle CPU: {best[0]} (rank correlation {best[1]:+.3f}; its error needs two "
            "rounds).")


def ask_signals(inquiry):
    tables, answer = [], {"bound_us": inquiry.options.bound_us, "step_seconds": step_seconds(inquiry), "subjects": {}}
    for name in [name for name in inquiry.names() if name not in PLAIN]:
        knee, _ = search_knee(inquiry, name)
        if not knee:
            if knee is not None:
                inquiry.fail(name, "no rate keeps p99 under the bound, so it has no knee")
            continue
        rounds = run_rounds(inquiry, name, knee)
        rows = rate_signals(rounds)
        winner = name_winner(rows)
        tables += [(f"{name}: steps of rate up to {FRACTIONS[-1]:g} times its knee of {knee:,.0f} messages/s, "
                    f"{step_seconds(inquiry):g} s each",
                    steps_table(rounds)), (winner or f"{name}: no signal changed.", signals_table(rows))]
        answer["subjects"][name] = {"knee": knee, "ranking": [
            dict(zip(("signal", "correlation", "median_error", "greatest_error"), row)) for row in rows]}
    return tables, answer


def run_rounds(inquiry, name, knee):
    """The steps of all rounds; in every other round from the highest rate down, so that time is not a signal."""
    planned_s = inquiry.step_seconds() - inquiry.seconds + step_seconds(inquiry)
    inquiry.progress.planned_s += inquiry.options.rounds * len(FRACTIONS) * planned_s
    rounds = []
    for number_of_round in range(inquiry.options.rounds):
        order = FRACTIONS if number_of_round % 2 == 0 else FRACTIONS[::-1]
        found = {}
        for fraction in order:
            inquiry.progress.step(f"{inquiry.stage.topology.name} {name} {fraction:.0%} of the knee",
                                  planned_s)
            try:
                found[fraction] = {"fraction": fraction, **measure_quiet_step(inquiry, name, fraction * knee)}
                inquiry.steps.append(found[fraction])
            except SubjectError as error:
                inquiry.fail(name, str(error))
                return rounds
        rounds.append([found[fraction] for fraction in FRACTIONS])
    return rounds

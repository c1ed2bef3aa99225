"""What the figures of bench/article.py say: ratios by round, tables, and whether each of
the article's conclusions holds.  Nothing is judged but by the figures."""

import math
import statistics

KIB, MIB = 1024, 1024 * 1024
# The article's programs read and write buffers of this size; its figures stand beside ours of this size.
REFERENCE_SIZE = 128 * KIB
STEAL_SHARE_MAX = 0.05  # a run in which the hypervisor took more of the machine is repeated
RATIO_MARGIN = 0.05  # ratios nearer to 1 than this count as equal
ROUNDS_TO_TRIM = 5  # from so many rounds on, the highest and the lowest ratio do not judge
# The judgements that bear a claim out.
GAIN, SAME, SLOWER, NO_GAIN = ("below",), ("equal",), ("above",), ("equal", "above")
# Microseconds: median and deviation, as published with the article's programs.
ARTICLE = {
    False: {"naive": (220, 619.01), "iosubmit": (220, 622.39), "splice": (258, 875.19), "sockmap": (263, 802.62)},
    True: {"naive": (175, 707.85), "iosubmit": (181, 703.33), "splice": (257, 882.49), "sockmap": (271, 834.47)},
}
MODES = {False: "without busy poll", True: "with busy poll"}


def size_text(size):
    return f"{size // MIB} MiB" if size % MIB == 0 else f"{size // KIB} KiB" if size % KIB == 0 else f"{size} B"


class Figures:
    """The kept runs of one topology."""

    def __init__(self, part):
        self.unavailable = part["unavailable"]
        self.runs = part["runs"]
        self.kept = {(run["method"], run["size"], run["has_busy_poll"], run["round"]): run["trimmed"]
                     for run in self.runs if not run.get("is_dropped") and run.get("trimmed")}

    def values(self, method, size, has_busy_poll, key="median"):
        return [figures[key] for (*cell, _), figures in sorted(self.kept.items())
                if cell == [method, size, has_busy_poll]]

    def ratios(self, upper, lower, size, key="median"):
        """Of (method, mode) pairs, round by round, where both were measured."""
        turns = sorted({cell[3] for cell in self.kept})
        pairs = [(self.kept.get((upper[0], size, upper[1], turn)), self.kept.get((lower[0], size, lower[1], turn)))
                 for turn in turns]
        return [a[key] / b[key] for a, b in pairs if a and b and b[key]]

    def errors(self, method, size=None, has_busy_poll=None):
        """{kind: count}; a run that failed as a whole counts as one "failed"."""
        sums = {}
        for one in self.runs:
            if one["method"] != method or size not in (None, one["size"]) \
                    or has_busy_poll not in (None, one["has_busy_poll"]):
                continue
            found = {"failed": 1} if "failure" in one else one["burst"]["errors"]
            for kind, count in found.items():
                if count:
                    sums[kind] = sums.get(kind, 0) + count
        return sums

    def blocks(self, method):
        return sum(one["burst"]["blocks"] for one in self.runs if one["method"] == method and "burst" in one)

    def can_poll(self):
        """Whether any busy-polling run of the plain server had a queue to poll."""
        polling = [one for one in self.runs if one["has_busy_poll"] and one["method"] == "naive" and "said" in one]
        return any(not any("busy poll" in line for line in one["said"]) for one in polling)

    def sizes(self):
        return sorted({one["size"] for one in self.runs})


def spread(values, digits=1):
    if not values:
        return "–"
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f}–{max(values):,.{digits}f})"


def errors_text(errors):
    return ", ".join(f"{kind} {count}" for kind, count in sorted(errors.items())) or "0"


def reference_size(figures):
    """The article's size if it was measured, else the nearest."""
    return min(figures.sizes(), key=lambda size: abs(math.log(size / REFERENCE_SIZE)), default=None)


def table_beside_article(figures, methods, has_busy_poll):
    size = reference_size(figures)
    theirs = ARTICLE[has_busy_poll]
    lines = ["| method | article, µs | ÷ its naive | here, median µs | ÷ naive | deviation µs | highest µs | errors |",
             "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for method in methods:
        known = theirs.get(method)
        left = f"{known[0]} | {known[0] / theirs['naive'][0]:.2f}×" if known else "– | –"
        if method in figures.unavailable:
            lines.append(f"| {method} | {left} | unavailable: {figures.unavailable[method]} | | | | |")
            continue
        cell = (method, size, has_busy_poll)
        ratios = figures.ratios((method, has_busy_poll), ("naive", has_busy_poll), size)
        lines.append(f"| {method} | {left} | {spread(figures.values(*cell))} | {spread(ratios, 2)} "
                     f"| {spread(figures.values(*cell, 'deviation'))} | {spread(figures.values(*cell, 'max'))} "
                     f"| {errors_text(figures.errors(*cell))} |")
    return lines


def table_of_sizes(figures, methods, has_busy_poll, base="naive"):
    sizes = figures.sizes()
    lines = ["| method | " + " | ".join(size_text(size) for size in sizes) + " |", "|---|" + "--:|" * len(sizes)]
    row = [spread(figures.values(base, size, has_busy_poll)) for size in sizes]
    lines.append(f"| {base}, µs | " + " | ".join(row) + " |")
    for method in methods:
        if method == base or method in figures.unavailable:
            continue
        row = [spread(figures.ratios((method, has_busy_poll), (base, has_busy_poll), size), 2) for size in sizes]
        lines.append(f"| {method} ÷ {base} | " + " | ".join(row) + " |")
    return lines


def judge(ratios):
    """"below", "equal", "above", or "unclear" when the rounds do not agree; None without any."""
    if not ratios:
        return None
    judging = sorted(ratios)[1:-1] if len(ratios) >= ROUNDS_TO_TRIM else ratios
    if min(judging) > 1 + RATIO_MARGIN:
        return "above"
    if max(judging) < 1 - RATIO_MARGIN:
        return "below"
    if all(abs(ratio - 1) <= RATIO_MARGIN for ratio in judging):
        return "equal"
    return "unclear"


def verdict(ratios, expected):
    """What the rounds say of a claim that is true for any of the expected judgements."""
    found = judge(ratios)
    if found is None:
        return "**not measured**"
    if found == "unclear":
        return "**undecided** (the rounds do not agree)"
    return "**holds**" if found in expected else "**does not hold**"


def method_pair(one, other, key=0):
    return ARTICLE[False][one][key] / ARTICLE[False][other][key]


def conclusion(figures, text, pairs, expected, key="median"):
    """A line for one claim: pairs are (name, upper, lower, the article's ratio)."""
    size = reference_size(figures)
    lines = [f"* {text}"]
    for name, upper, lower, theirs in pairs:
        ratios = figures.ratios(upper, lower, size, key)
        lines.append(f"    * {name}: article {theirs:.2f}×, here {spread(ratios, 2)}{'×' if ratios else ''} – "
                     f"{verdict(ratios, expected)}")
    return lines


def latency_conclusions(figures):
    naive = ("naive", False)
    return [
        *conclusion(figures, "Putting write and read into one io_submit(2) gains nothing over two plain calls.",
                    [("io_submit ÷ naive", ("iosubmit", False), naive, method_pair("iosubmit", "naive"))], NO_GAIN),
        *conclusion(figures, "splice(2) is slower than plain read and write.",
                    [("splice ÷ naive", ("splice", False), naive, method_pair("splice", "naive"))], SLOWER),
        *conclusion(figures, "SOCKMAP is slower than plain read and write.",
                    [("SOCKMAP ÷ naive", ("sockmap", False), naive, method_pair("sockmap", "naive"))], SLOWER),
        *conclusion(figures, "SOCKMAP is about as slow as splice(2).",
                    [("SOCKMAP ÷ splice", ("sockmap", False), ("splice", False), method_pair("sockmap", "splice"))],
                    SAME),
        *conclusion(figures, "SOCKMAP's latency scatters more than that of plain read and write.",
                    [("deviations, SOCKMAP ÷ naive", ("sockmap", False), naive, method_pair("sockmap", "naive", 1))],
                    SLOWER, "deviation"),
    ]


def poll_conclusions(figures):
    if not figures.can_poll():
        return ["* What busy polling gains cannot be judged here: the kernel reports no queue that could be polled, "
                "and the second table is a second run of the first."]

    def pairs(*methods):
        return [(f"{method}, with ÷ without", (method, True), (method, False),
                 ARTICLE[True][method][0] / ARTICLE[False][method][0]) for method in methods]

    return [
        *conclusion(figures, "Busy polling helps the servers that block in read(2).", pairs("naive", "iosubmit"),
                    GAIN),
        *conclusion(figures, "Busy polling does nothing for splice(2) and SOCKMAP.", pairs("splice", "sockmap"),
                    NO_GAIN),
    ]


def reliability_conclusion(figures):
    if "sockmap" in figures.unavailable:
        return ["* Whether SOCKMAP still has bugs was not tested: it is unavailable here."]
    errors, blocks = figures.errors("sockmap"), figures.blocks("sockmap")
    if errors:
        return [f"* SOCKMAP used this way has bugs: **holds**; in {blocks:,} blocks: {errors_text(errors)}."]
    return [f"* SOCKMAP used this way has bugs: **not seen** in {blocks:,} blocks of one busy connection with a reader "
            "that keeps up. That does not prove it sound: a receiver that is slow, and segments that overlap, are not "
            "part of this experiment."]


def successor_conclusion(figures, methods):
    lines = []
    for has_busy_poll in MODES if figures.can_poll() else (False,):
        best = []
        for size in figures.sizes():
            medians = {method: statistics.median(values) for method in methods
                       if (values := figures.values(method, size, has_busy_poll))}
            if "naive" in medians:
                first = min(medians, key=medians.get)
                best.append(f"{size_text(size)}: {first} ({medians[first] / medians['naive']:.2f}×)")
        if best:
            lines.append(f"* The quickest for each size, {MODES[has_busy_poll]}, and its median ÷ naive's: "
                         + "; ".join(best) + ".")
    return lines

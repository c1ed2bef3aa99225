"""Whether two runs agree: row by row, whether their ranges have a value in common,
and whether no more rows lie apart than chance explains."""

from .figures import allowed_apart, chance_apart, ranges_overlap, ratio_of_rounds, spread_of
from .rounds import rounds_figures
from .tables import Table, number, spread

# The figures that are compared; the ratio stands for what a slower or faster day of the machine does not change.
KEYS = {
    "bulk": ("throughput", "proxy_cpu_s_per_unit"),
    "pingpong": ("throughput", "p99_us", "proxy_cpu_s_per_unit"),
    "churn": ("throughput", "proxy_cpu_s_per_unit"),
    "idle": ("rss_bytes",),
    "dribble": ("p99_us", "proxy_cpu_s_per_unit"),
    "incast": ("p99_us", "proxy_cpu_s_per_unit"),
}
BASE = "haproxy"
# Where both runs lie below this, there is nothing to compare: no processor time but that of a clock tick or two.
NEGLIGIBLE = {"proxy_cpu_s_per_unit": 0.002}


def spreads_of(subjects, name, key):
    """{what: spread} of one figure of a subject: itself, and its ratio to the base."""
    found = {key: spread_of(rounds_figures(subjects[name], key))}
    if key == "throughput" and BASE in subjects and name != BASE:
        found[f"{key} ÷ {BASE}"] = ratio_of_rounds(rounds_figures(subjects[name], key),
                                                   rounds_figures(subjects[BASE], key))
    return found


def are_negligible(what, first, second):
    return max(first["max"], second["max"]) < NEGLIGIBLE.get(what, 0)


def common_rows(one, other):
    """Yields (topology, workload, subject, what, spread in one, spread in the other)."""
    for topology, table in one["topologies"].items():
        others = other["topologies"].get(topology, {"workloads": {}})["workloads"]
        for workload, entry in table["workloads"].items():
            theirs = others.get(workload, {"subjects": {}})["subjects"]
            for name in entry["subjects"]:
                if name not in theirs:
                    continue
                for key in KEYS[entry["kind"]]:
                    first, second = spreads_of(entry["subjects"], name, key), spreads_of(theirs, name, key)
                    for what in first:
                        if first[what] and second.get(what) and not are_negligible(what, first[what], second[what]):
                            yield topology, workload, name, what, first[what], second[what]


def compare_runs(one, other):
    """(table, verdict in words, whether they agree)."""
    table = Table(["row", "figure", "first run", "second run", "medians differ", ""])
    chances, apart = [], 0
    for topology, workload, name, what, first, second in common_rows(one, other):
        does_overlap = ranges_overlap(first, second)
        apart += not does_overlap
        chances.append(chance_apart(first["count"], second["count"]))
        change = f"{second['median'] / first['median'] - 1:+.1%}" if first["median"] else number(None)
        table.add(f"{topology} {workload} {name}", what, spread(first), spread(second), change,
                  "agree" if does_overlap else "APART")
    if not chances:
        return table, "The two runs have no row in common.", False
    allowed = allowed_apart(chances)
    verdict = (f"{len(chances) - apart} of {len(chances)} rows agree within their spread, {apart} lie apart; where "
               f"nothing differs chance alone puts {number(sum(chances))} apart, and more than {allowed} in one case "
               "of a hundred.")
    does_agree = apart <= allowed
    return table, verdict + (" The two runs agree." if does_agree else " The two runs do not agree."), does_agree

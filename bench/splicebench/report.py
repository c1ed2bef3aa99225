"""The report of a comparison, from its JSON alone: Markdown, and the same tables for
a terminal."""

import contextlib

from . import workloads
from .figures import ratio_of_rounds, spread_of
from .progress import words_of
from .programs import UsageError
from .rounds import FORMAT, rounds_figures
from .subjects import PLAIN, name_on
from .tables import NOTHING, Table, number, ratio, spread

BASES = ("haproxy", "haproxy-splice", *PLAIN)
# What a packet costs a machine that only forwards it is the measure of wire.
WHOLE_BASES = ("haproxy", "forward")
CEILING_SHARE = 0.85
WORK = {"bulk": "MiB", "pingpong": "message", "churn": "connection", "dribble": "message", "incast": "message"}
PACED_NOTE = ("This load comes at a rate of its own: the throughput shows whether it was carried, and latency and costs "
              "what that took.")


@contextlib.contextmanager
def complete_results(where):
    """Inside, results are read that were kept in a file; what is missing from them is told in one sentence."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        what = f"has no {error}" if isinstance(error, KeyError) else f"is not as expected ({error})"
        raise UsageError(f"'{where}' does not hold all of a comparison: it {what}") from None


def check_results(results, where):
    """Refuses what is not the JSON of a comparison."""
    if not isinstance(results, dict) or results.get("format") != FORMAT:
        raise UsageError(f"'{where}' does not hold the results of a comparison ({FORMAT})")
    with complete_results(where):
        for topology, table in results["topologies"].items():
            for entry in table["workloads"].values():
                # Results from before plain routing had a name of its own.
                entry["subjects"] = {name_on(name, topology): row for name, row in entry["subjects"].items()}
    return results


def spread_in(row, key):
    return spread_of(rounds_figures(row, key))


def ratios_to(subjects, name, base, key):
    """The ratio of a subject to a base, as a table cell."""
    if base not in subjects:
        return NOTHING
    return ratio(ratio_of_rounds(rounds_figures(subjects[name], key), rounds_figures(subjects[base], key)))


def find_plain(subjects):
    """The subject that is no proxy, by its name here, or None."""
    return next((name for name in PLAIN if name in subjects), None)


def rate_table(entry):
    subjects = entry["subjects"]
    unit = workloads.KINDS[entry["kind"]][0]
    table = Table(["subject", unit, *(f"÷ {base}" for base in BASES), "p50 µs", "p99 µs",
                   *(f"p99 ÷ {base}" for base in WHOLE_BASES), "errors", "dropped", "disturbed"])
    for name, row in subjects.items():
        disturbed = sum(record["noise"] is not None for record in row["rounds"])
        table.add(name, "failed" if row["failed"] and not row["rounds"] else spread(spread_in(row, "throughput")),
                  *(ratios_to(subjects, name, base, "throughput") for base in BASES),
                  spread(spread_in(row, "p50_us")), spread(spread_in(row, "p99_us")),
                  *(ratios_to(subjects, name, base, "p99_us") for base in WHOLE_BASES),
                  str(sum(record["errors"] for record in row["rounds"])), str(len(row["dropped"])),
                  str(disturbed) if disturbed else "")
    return table.without_empty_columns()


def cost_table(entry):
    subjects = entry["subjects"]
    unit = workloads.KINDS[entry["kind"]][3]
    work = WORK[entry["kind"]]
    table = Table([f"cost of {unit}", "proxy CPU s", "÷ haproxy", "÷ haproxy-splice", "machine CPU s",
                   *(f"machine ÷ {base}" for base in WHOLE_BASES), "of it softirq s",
                   f"proxy's switches a {work}", f"its system calls a {work}", "wake-up p99 µs"])
    for name, row in subjects.items():
        watched = row.get("watched") or {}
        table.add(name, spread(spread_in(row, "proxy_cpu_s_per_unit")),
                  *(ratios_to(subjects, name, base, "proxy_cpu_s_per_unit") for base in BASES[:2]),
                  spread(spread_in(row, "machine_cpu_s_per_unit")),
                  *(ratios_to(subjects, name, base, "machine_cpu_s_per_unit") for base in WHOLE_BASES),
                  spread(spread_in(row, "softirq_s_per_unit")), spread(spread_in(row, "switches_per_work")),
                  number(watched.get("syscalls_per_work")), number(watched.get("wake_p99_us")))
    return table.without_empty_columns()


def idle_table(entry):
    subjects = entry["subjects"]
    plain = find_plain(subjects) or PLAIN[0]
    table = Table(["bytes for each idle connection", "proxy RSS", "proxy PSS", "BPF tables", "of it from the start",
                   "kernel TCP buffers", "kernel slab", f"slab beyond {plain}", "MemAvailable used", "errors"])
    direct = spread_in(subjects[plain], "slab_bytes") if plain in subjects else None
    for name, row in subjects.items():
        slab = spread_in(row, "slab_bytes")
        beyond = number(slab["median"] - direct["median"]) if slab and direct and name != plain else NOTHING
        table.add(name, "failed" if row["failed"] and not row["rounds"] else spread(spread_in(row, "rss_bytes")),
                  *(spread(spread_in(row, f"{key}_bytes")) for key in ("pss", "maps", "place", "tcp")),
                  spread(slab), beyond, spread(spread_in(row, "available_bytes")),
                  str(sum(record["errors"] for record in row["rounds"])))
    return table.without_empty_columns()


def tables_of(entry):
    return [idle_table(entry)] if entry["kind"] == "idle" else [rate_table(entry), cost_table(entry)]


def ceiling_note(entry):
    """What limits the throughput besides the subjects: the rate of the load, or the generator, and then which of
    them came so near to the load without a proxy that the generator may be what was measured."""
    subjects = entry["subjects"]
    if entry["kind"] in workloads.PACED:
        return PACED_NOTE
    plain = find_plain(subjects)
    if entry["kind"] == "idle" or plain is None:
        return None
    ceiling = spread_in(subjects[plain], "throughput")
    if ceiling is None:
        return None
    unit = workloads.KINDS[entry["kind"]][0]
    near = []
    for name in subjects:
        share = ratio_of_rounds(rounds_figures(subjects[name], "throughput"),
                                rounds_figures(subjects[plain], "throughput"))
        if name != plain and share and share["median"] > CEILING_SHARE:
            near.append(name)
    note = f"The generator's ceiling here ({plain}): {number(ceiling['median'])} {unit}."
    if near:
        note += (f" {', '.join(near)} reached more than {CEILING_SHARE:.0%} of it: what they could do beyond that "
                 "is not shown by their throughput; look at their costs.")
    return note


def unusual_connections(entry):
    """(subject, connections) of those that did not get the workload's own number."""
    found = {name: {record["load"].get("connections") for record in row["rounds"]}
             for name, row in entry["subjects"].items()}
    return [(name, count) for name, counts in found.items() for count in sorted(counts - {None, entry["connections"]})]


def wire_note(name, row):
    """Of a subject that has a place for each connection, what is beside the figures for each of them; or None."""
    places, before, taken = (spread_in(row, key) for key in ("places", "rss_before_bytes", "taken"))
    if not places or not before or not taken:
        return None
    return (f"{name} carried {taken['median']:,.0f} of the connections on the wire while memory was read (it takes "
            f"none that is silent); it has {places['median']:,.0f} places in its tables from the start, and its "
            f"process took {before['median'] / (1 << 20):.1f} MiB (RSS) before the first connection.")


def notes_of(entry):
    notes = [ceiling_note(entry)]
    rows = entry["subjects"].items()
    notes += [f"{name} was measured with {count:,} connections." for name, count in unusual_connections(entry)]
    notes += [wire_note(name, row) for name, row in rows]
    dropped = sum(len(row["dropped"]) for _, row in rows)
    if dropped:
        reasons = sorted({reason.split(" ", 2)[0] for _, row in rows for reason in row["dropped"]})
        notes.append(f"Steps dropped and made again: {dropped} (because of {', '.join(reasons)}).")
    if any(record["noise"] for _, row in rows for record in row["rounds"]):
        notes.append("Steps that were disturbed each time they were tried are counted under “disturbed”; they are in "
                     "the figures.")
    why_not = sorted({text for _, row in rows for text in ((row.get("watched") or {}).get("why_not"),
                                                           (row.get("watched") or {}).get("why_not_bpf")) if text})
    notes += [f"No system calls counted: {text.rstrip('.')}." for text in why_not]
    notes += [f"{name} failed: {row['failed']}." for name, row in rows if row["failed"]]
    return [note for note in notes if note]


def facts_lines(results):
    about = results["facts"]
    versions = [f"{name}: {text}" for name, text in about["versions"].items() if text]
    link = [f"{name}: link of {table['facts']['link']}" for name, table in results["topologies"].items()
            if table["facts"]["link"]]
    notes = [f"{table['facts']['note']}." for table in results["topologies"].values() if table["facts"].get("note")]
    congestion = [f"{name} {table['facts']['congestion']}" for name, table in results["topologies"].items()]
    return [
        f"Machine: {about['cpus']} × {about['cpu']}, {number(about['memory_bytes'] / (1 << 30))} GiB, "
        f"Linux {about['kernel']}; congestion control: {', '.join(congestion) or about['congestion']}.",
        *link, *notes,
        "Programs: " + "; ".join(versions) + "." if versions else "Programs: none besides the generator.",
        f"Command: `{results['command']}`, {about['date']}, {words_of(results.get('elapsed_s', 0))}.",
    ]


def method_lines(results):
    about, limits = results["facts"], results["limits"]
    return [
        f"{results['rounds']} interleaved rounds of {results['seconds']:g} s after {results['warmup']:g} s of "
        "warm-up; in each round every subject runs once for each workload, as a process of its own.",
        "Figures are medians (min–max) of the rounds; ratios are medians of the rounds' own ratios.",
        f"Every subject has one thread, on CPU {about['cpu_proxy']}; the load's client and server share one event "
        f"loop on CPU {about['cpu_load']}.",
        "Bulk moves file pages and verifies samples (`--sampled`), so that the generator is not what is measured; "
        "each subject and workload was verified in full, byte by byte, before the rounds.",
        f"A step is dropped and made again when more than {limits['steal']:.0%} of the machine's time was stolen by "
        f"the hypervisor or more than {limits['foreign']:.0%} used by foreign processes.",
    ]


def describe_verified(results):
    rows = [row for table in results["topologies"].values() for entry in table["workloads"].values()
            for row in entry["subjects"].values() if row["verified"]]
    total = sum(row["verified"]["bytes"] for row in rows)
    wrong = sum(row["verified"]["wrong"] is not None for row in rows)
    errors = sum(record["errors"] for table in results["topologies"].values()
                 for entry in table["workloads"].values() for row in entry["subjects"].values()
                 for record in row["rounds"])
    return (f"Verified in full beforehand: {number(total / 1e9)} GB in {len(rows)} runs, {wrong} of them wrong. "
            f"Errors in the measured rounds: {errors}.")


def markdown(results, images=None):
    """The report as a page. images: {(topology, workload): [paths of charts]}."""
    parts = ["# Performance\n", "This page is generated by `splicebench compare --from FILE --markdown PAGE`; "
             "[measuring.md](measuring.md) says how to read it.\n"]
    parts += ["\n".join(f"* {line}" for line in facts_lines(results)) + "\n", "How it was measured:\n",
              "\n".join(f"* {line}" for line in method_lines(results)) + "\n", describe_verified(results) + "\n"]
    if results["left_out"]:
        parts.append("Left out:\n\n" + "\n".join(f"* {line}" for line in results["left_out"]) + "\n")
    if results["failures"]:
        parts.append("**Failures:**\n\n" + "\n".join(
            f"* {row['topology']} {row['workload']} {row['subject']}: {row['why']}" for row in results["failures"])
            + "\n")
    for name, table in results["topologies"].items():
        parts.append(f"## {name}\n")
        for workload, entry in table["workloads"].items():
            known = workloads.ALL.get(workload)
            parts.append(f"### {workload}" + (f": {known.describe()}" if known else "") + "\n")
            parts += [part.markdown() for part in tables_of(entry)]
            parts += [f"![{workload} over {name}]({path})\n" for path in (images or {}).get((name, workload), [])]
            parts += [note + "\n" for note in notes_of(entry)]
    parts.append("What loopback and veth cannot tell: interrupts, segmentation and steering of a real network card, "
                 "and a path with delay and loss. Absolute figures belong to this machine alone.\n")
    return "\n".join(parts)


def text(results):
    """The report for a terminal."""
    parts = ["\n".join(facts_lines(results)) + "\n"]
    for name, table in results["topologies"].items():
        for workload, entry in table["workloads"].items():
            known = workloads.ALL.get(workload)
            parts.append(f"{name} {workload}" + (f": {known.describe()}" if known else ""))
            parts += [part.text() for part in tables_of(entry)]
            parts += [note + "\n" for note in notes_of(entry)]
    parts.append(describe_verified(results))
    parts += [f"Left out: {line}" for line in results["left_out"]]
    parts += [f"FAILED: {row['topology']} {row['workload']} {row['subject']}: {row['why']}"
              for row in results["failures"]]
    return "\n".join(parts) + "\n"

"""The report of bench/article.py: Markdown from its figures, and a plot by gnuplot."""

import os
import shutil
import statistics
import subprocess
import sys

from article_figures import (KIB, MODES, RATIO_MARGIN, REFERENCE_SIZE, ROUNDS_TO_TRIM, STEAL_SHARE_MAX, Figures,
                             errors_text, latency_conclusions, poll_conclusions, reference_size,
                             reliability_conclusion, size_text, successor_conclusion, table_beside_article,
                             table_of_sizes)

TOPOLOGIES = {
    "loopback": "Client and server on 127.0.0.1. Packets pass no device queue, so there is nothing that busy "
                "polling could poll.",
    "veth": "Two network namespaces joined by a veth pair with segmentation offload off and GRO on: packets pass a "
            "queue (NAPI) as they do with a network card, and busy polling has something to poll.",
    "proxied": "What the article was about is a proxy: here one stands between the client and the naive echo server, "
               "each of the three in a network namespace of its own, joined by veth with segmentation offload on. The "
               "proxy has the CPU that the server has above; client and server share the other. With `forward` there "
               "is no proxy: its host only routes, and that is what the ratios refer to. Of `spliced-wire` at least "
               "90 % of the bytes were on the wire, by its own count; else it failed.",
}


def report_topology(name, part, methods):
    figures = Figures(part)
    lines = [f"## {name}", "", TOPOLOGIES[name], ""]
    methods = part.get("methods", methods)
    if not figures.kept:
        return [*lines, "Nothing was measured here.", "", *report_errors(figures, methods)]
    if "methods" in part:
        table = table_of_sizes(figures, methods, False, methods[0])
        return [*lines, f"### Blocks through a proxy, {MODES[False]}", "", *table, "", *report_errors(figures, methods)]
    size = reference_size(figures)
    for has_busy_poll, mode in MODES.items():
        lines += [f"### {size_text(size)}, {mode}", "", *table_beside_article(figures, methods, has_busy_poll), ""]
    lines += ["### Which of the article's conclusions hold", "", *latency_conclusions(figures),
              *poll_conclusions(figures), *reliability_conclusion(figures), *successor_conclusion(figures, methods), ""]
    for has_busy_poll, mode in MODES.items():
        lines += [f"### Other sizes, {mode}", "", *table_of_sizes(figures, methods, has_busy_poll), ""]
    lines += report_errors(figures, methods)
    return lines


def report_errors(figures, methods):
    dropped = sum(1 for one in figures.runs if one.get("is_dropped"))
    lines = ["### Errors and what was left out", ""]
    for method in methods:
        if method in figures.unavailable:
            lines.append(f"* {method}: unavailable: {figures.unavailable[method]}")
            continue
        said = sorted({line for one in figures.runs if one["method"] == method for line in one.get("said", ())
                       if "busy poll" not in line} | {one["failure"] for one in figures.runs
                                                      if one["method"] == method and "failure" in one})
        lines.append(f"* {method}: {figures.blocks(method):,} blocks, errors: {errors_text(figures.errors(method))}"
                     + "".join(f"; it said: {line}" for line in said[:3]))
    polling = sorted({line for one in figures.runs for line in one.get("said", ()) if "busy poll" in line})
    lines += [f"* {line}" for line in polling]
    lines.append(f"* Runs dropped because the hypervisor took more than {STEAL_SHARE_MAX:.0%} of the machine: {dropped} "
                 f"of {len(figures.runs)}; each was repeated at once, twice at most. Errors in them are counted.")
    return [*lines, ""]


def report(results, svg):
    about = results["facts"]
    lines = [
        "# The 2019 SOCKMAP article, repeated", "",
        "Written by `bench/article.py` from its own figures; do not edit.", "",
        "In February 2019 Cloudflare's article \"SOCKMAP - TCP splicing of the future\" timed echo servers that move "
        "bytes in four ways. This is the same experiment with programs of our own, and with the ways that came later: "
        "io_uring (plain, with linked splices, with a polling kernel thread), and a thread for each connection.", "",
        f"Machine: {about['cpus']} × {about['cpu']}, Linux {about['kernel']}, congestion control "
        f"{about['congestion']}, server on CPU {about['server_cpu']}, client on CPU {about['client_cpu']}, "
        f"{about['date']}.", "",
        f"Command: `{results['command']}`; {results['rounds']} interleaved rounds, {results['seconds']} s for each "
        "server, size and round.", "",
        "How to read it:", "",
        "* The article's figures come from its authors' two machines, joined by network cards, and from a kernel of "
        "its day. Absolute times here mean nothing beside them; compare the ratios to naive.",
        f"* The article's table stands beside blocks of {size_text(REFERENCE_SIZE)}, the size of its programs' "
        "buffers; the published figures do not name their block size. As there, the slowest hundredth of the blocks "
        "is left out of each run, and the client always polls. `splicebench burst` prints all of them.",
        "* Cells are the median of the rounds (lowest–highest). Ratios are computed within a round.",
        f"* A ratio counts as equal within {RATIO_MARGIN:.0%}; a conclusion is undecided when the rounds do not agree"
        f" (from {ROUNDS_TO_TRIM} rounds on, the highest and the lowest do not count).",
        "* Every byte is compared with a pattern that has no two equal places, outside of the timed part. Wrong, "
        "missing and extra bytes and stalls of 2 s are errors; such a block is not timed.",
        "* All of a server's threads share its one CPU, the polling thread of uring-sqpoll and the workers of "
        "uring-link as well; what the kernel does in its own threads is not pinned, and the packets of one end may be "
        "received on the CPU of the other.", "",
    ]
    lines += [f"Left out: {text}." for text in results["left_out"]] + [""] * bool(results["left_out"])
    if svg:
        lines += [f"![ratio to naive by block size]({os.path.basename(svg)})", ""]
    for name, part in results["topologies"].items():
        lines += report_topology(name, part, results["methods"])
    return "\n".join(lines).rstrip() + "\n"


def plot_script(results, svg):
    places = {name: part for name, part in results["topologies"].items() if "methods" not in part}
    panels = [(name, Figures(part), has_busy_poll) for name, part in places.items() for has_busy_poll in MODES]
    lines = [f"set terminal svg size 1100,{460 * len(places)} dynamic background rgb 'white'",
             f"set output '{svg}'", f"set multiplot layout {len(places)},2",
             "set logscale x 2", "set logscale y", "set grid", "set key outside bottom center horizontal",
             "set xlabel 'block, KiB'", "set ylabel 'median latency ÷ naive'", "set datafile missing '?'"]
    for index, (name, figures, has_busy_poll) in enumerate(panels):
        curves = []
        for number, method in enumerate(results["methods"]):
            points = [(size, statistics.median(ratios)) for size in figures.sizes()
                      if (ratios := figures.ratios((method, has_busy_poll), ("naive", has_busy_poll), size))]
            if not points:
                continue
            block = f"$d{index}_{number}"
            lines += [f"{block} << EOD", *(f"{size / KIB} {ratio:.4f}" for size, ratio in points), "EOD"]
            curves.append(f"{block} with linespoints lw 2 pt {number + 4} title '{method}'")
        lines.append(f"set title '{name}, {MODES[has_busy_poll]}'")
        lines.append("plot " + ", ".join(curves) if curves else "plot 1 notitle")
    return "\n".join([*lines, "unset multiplot", ""])


def plot(results, svg):
    """Returns whether there is one now."""
    if all("methods" in part for part in results["topologies"].values()):
        print("article: no plot: it shows echo servers, and none was measured without a proxy", file=sys.stderr)
        return False
    if not shutil.which("gnuplot"):
        print("article: no plot: gnuplot is not installed (Debian: gnuplot-nox)", file=sys.stderr)
        return False
    done = subprocess.run(["gnuplot"], input=plot_script(results, svg), text=True, capture_output=True, check=False)
    if done.returncode != 0:
        print(f"article: no plot: gnuplot: {done.stderr.strip()}", file=sys.stderr)
        return False
    with open(svg, encoding="utf-8") as file:
        text = "\n".join(line.rstrip() for line in file)
    with open(svg, "w", encoding="utf-8") as file:
        file.write(text.rstrip() + "\n")
    return True

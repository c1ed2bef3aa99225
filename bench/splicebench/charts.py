"""Bar charts of a comparison as SVG, drawn by gnuplot: medians with whiskers from
least to greatest."""

import os
import subprocess

from . import programs, workloads
from .figures import spread_of
from .rounds import rounds_figures

COLOURS = {"direct": "#999999", "forward": "#999999", "haproxy": "#1f77b4", "nginx": "#2ca02c", "socat": "#8c564b",
           "spliced": "#d62728"}

SCRIPT = """set terminal svg size 760,{height} font "sans-serif,12" background "white"
set output "{output}"
set title "{title}"
set xlabel "{label}"
set xrange [0:*]
set yrange [{low}:0.5]
set ytics nomirror scale 0 ({names})
set xtics nomirror
set border 3
set grid xtics lc rgb "#dddddd"
set style fill solid 0.85 noborder
unset key
$data << EOD
{data}
EOD
plot $data using 1:2:(0):1:($2-0.35):($2+0.35):5 with boxxyerror lc rgb variable, \\
     $data using 1:2:3:4 with xerrorbars lc rgb "#333333" pt 0 lw 1.2
"""


def charts_of(entry):
    """(suffix of the file, axis label, figure) of what is drawn for a workload."""
    unit, _, _, cost_unit, _ = workloads.KINDS[entry["kind"]]
    if entry["kind"] == "idle":
        return [("memory", "bytes of the proxy's memory for each idle connection", "rss_bytes")]
    found = [("rate", unit, "throughput"), ("cpu", f"the proxy's CPU seconds for {cost_unit}", "proxy_cpu_s_per_unit")]
    if entry["kind"] in workloads.LATENCY:
        found.append(("p99", "p99 of the latency, µs", "p99_us"))
    return found


def escape(text):
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("_", "\\\\_")


def colour_of(name):
    return int(COLOURS.get(name.split("-")[0], "#777777")[1:], 16)


def script_of(title, label, spreads, output):
    """gnuplot's program for one chart. spreads: {subject: spread}, drawn from top to bottom."""
    rows, names = [], []
    for place, (name, values) in enumerate(spreads.items()):
        rows.append(f"{values['median']:.9g} {-place} {values['min']:.9g} {values['max']:.9g} {colour_of(name)}")
        names.append(f'"{escape(name)}" {-place}')
    return SCRIPT.format(height=110 + 34 * len(rows), output=escape_path(output), title=escape(title),
                         label=escape(label), low=0.5 - len(rows), names=", ".join(names), data="\n".join(rows))


def escape_path(path):
    return path.replace("\\", "\\\\").replace('"', '\\"')


def draw(results, folder):
    """Draws all charts into a folder. Returns ({(topology, workload): [files]}, message or None)."""
    gnuplot = programs.find_program("gnuplot")
    if gnuplot is None:
        return {}, "no charts: gnuplot is not installed"
    os.makedirs(folder, exist_ok=True)
    drawn = {}
    for topology, table in results["topologies"].items():
        for workload, entry in table["workloads"].items():
            for suffix, label, key in charts_of(entry):
                spreads = {name: spread_of(rounds_figures(row, key)) for name, row in entry["subjects"].items()}
                spreads = {name: values for name, values in spreads.items() if values}
                if not spreads:
                    continue
                path = os.path.join(folder, f"{topology}-{workload}-{suffix}.svg")
                done = subprocess.run([gnuplot], input=script_of(f"{workload} over {topology}", label, spreads, path),
                                      capture_output=True, text=True, check=False)
                if done.returncode != 0:
                    return drawn, f"gnuplot failed: {done.stderr.strip().splitlines()[-1:]}"
                drawn.setdefault((topology, workload), []).append(path)
    return drawn, None

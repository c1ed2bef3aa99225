#!/usr/bin/python3
"""Repeats the experiment of Cloudflare's article of February 2019, "SOCKMAP - TCP
splicing of the future": how long until a block sent to an echo server is back,
for each way in which a server can move bytes, with and without busy polling.

    bench/article.py --json FILE --markdown FILE --svg FILE     everything, about a quarter of an hour
    bench/article.py --quick --markdown FILE                    two sizes, two minutes
    bench/article.py --from FILE.json --markdown FILE           the report of kept figures

All methods run in interleaved rounds, the server pinned to one CPU and the client
to another.  Every byte is verified.  Where namespaces can be made the same blocks
also go through proxies, wire among them.  The article's conclusions are judged by the
ratios of this run; absolute times of two machines cannot be compared.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "echo"))

from article_figures import KIB, MIB, size_text  # noqa: E402
from article_measure import ArticleError, measure_all  # noqa: E402
import article_proxied  # noqa: E402
from article_report import TOPOLOGIES, plot, report  # noqa: E402
from splicebench import ending  # noqa: E402

METHODS = ("naive", "iosubmit", "splice", "sockmap", "uring", "uring-link", "uring-sqpoll", "thread")
SIZES = (2 * KIB, 16 * KIB, 128 * KIB, 512 * KIB, MIB, 4 * MIB)
QUICK_SIZES = (2 * KIB, 128 * KIB)


def find_binary():
    root = os.path.dirname(HERE)
    places = [os.environ.get("SPLICEBENCH_BINARY"), os.path.join(root, "build", "bench", "splicebench"),
              os.path.join(root, "build", "splicebench"), shutil.which("splicebench")]
    return next((place for place in places if place and os.access(place, os.X_OK) and os.path.isfile(place)), None)


def parse_size(text):
    shift = {"k": 10, "m": 20}.get(text[-1:].lower(), 0)
    size = int(text[:-1] if shift else text) << shift
    if not 1 <= size <= 64 * MIB:
        raise argparse.ArgumentTypeError("a size is 1 to 64m")
    return size


def list_of(known):
    def parse(text):
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"unknown '{name}'; known are {', '.join(known)}")
        return names
    return parse


def positive(kind):
    def parse(text):
        value = kind(text)
        if not 0 < value <= 3600:
            raise argparse.ArgumentTypeError("a number above 0 is needed")
        return value
    return parse


def parse_flags():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer sizes, rounds and seconds")
    parser.add_argument("--rounds", type=positive(int), help="5, or 3 with --quick")
    parser.add_argument("--seconds", type=positive(float), help="of each measurement: 0.6, or 0.25 with --quick")
    parser.add_argument("--sizes", type=lambda text: [parse_size(size) for size in text.split(",")])
    parser.add_argument("--methods", type=list_of(METHODS), default=list(METHODS))
    parser.add_argument("--topologies", type=list_of(tuple(TOPOLOGIES)), default=list(TOPOLOGIES))
    parser.add_argument("--server-cpu", type=int)
    parser.add_argument("--client-cpu", type=int)
    parser.add_argument("--congestion", default="cubic", help="congestion control of both ends (%(default)s)")
    parser.add_argument("--binary", default=find_binary(), help="splicebench; SPLICEBENCH_BINARY names one too")
    parser.add_argument("--from", dest="source", metavar="FILE", help="report these figures, measure nothing")
    parser.add_argument("--json", metavar="FILE", help="keep the figures here")
    parser.add_argument("--markdown", metavar="FILE", help="write the report here instead of stdout")
    parser.add_argument("--svg", metavar="FILE", help="write the plot here")
    options = parser.parse_args()
    if options.source and options.json:
        parser.error("--from measures nothing, so there is nothing for --json to keep")
    return options


def complete_options(options):
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (0.25 if options.quick else 0.6)
    options.sizes = options.sizes or list(QUICK_SIZES if options.quick else SIZES)
    if "naive" not in options.methods:
        options.methods.insert(0, "naive")  # every ratio is one to it
    options.left_out = []
    if not options.binary or not os.access(options.binary, os.X_OK):
        raise ArticleError("splicebench is not built: build it, or name it by --binary")
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control", encoding="ascii") as file:
        known = file.read().split()
    if options.congestion not in known:
        raise ArticleError(f"the kernel has no congestion control '{options.congestion}', only {', '.join(known)}")
    cpus = sorted(os.sched_getaffinity(0))
    options.server_cpu = cpus[-1] if options.server_cpu is None else options.server_cpu
    options.client_cpu = cpus[0] if options.client_cpu is None else options.client_cpu
    for cpu in (options.server_cpu, options.client_cpu):
        if cpu not in cpus:
            raise ArticleError(f"CPU {cpu} is not one that this process may use")
    if options.server_cpu == options.client_cpu:
        options.left_out.append("separate CPUs for the two ends, as there is one only")
    for name in ("veth", article_proxied.NAME):
        if name in options.topologies and (os.geteuid() != 0 or not shutil.which("ip")):
            options.topologies.remove(name)
            options.left_out.append(f"the {name} topology, which needs root and the program ip")
    for text in options.left_out:
        print(f"article: left out: {text}", file=sys.stderr)
    if not options.topologies:
        raise ArticleError("nothing is left to measure")


def main():
    ending.catch_signals()
    options = parse_flags()
    try:
        if options.source:
            with open(options.source, encoding="utf-8") as file:
                results = json.load(file)
        else:
            complete_options(options)
            results = measure_all(options, {article_proxied.NAME: article_proxied})
        if options.json:
            with open(options.json, "w", encoding="utf-8") as file:
                json.dump(results, file, indent=1)
                file.write("\n")
        svg = options.svg if options.svg and plot(results, options.svg) else None
        text = report(results, svg)
        if options.markdown:
            with open(options.markdown, "w", encoding="utf-8") as file:
                file.write(text)
        else:
            print(text, end="")
    except (ArticleError, OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"article: {error}", file=sys.stderr)
        return 1
    failures = [one for part in results["topologies"].values() for one in part["runs"] if "failure" in one]
    for one in failures[:5]:
        print(f"article: {one['method']}, {size_text(one['size'])}: {one['failure']}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

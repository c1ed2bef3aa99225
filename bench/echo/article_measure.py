"""The measuring of bench/article.py: places, servers, clients, interleaved rounds.  What
it returns is plain data, ready for JSON."""

import array
import contextlib
import csv
import fcntl
import json
import os
import platform
import re
import select
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from article_figures import MODES, STEAL_SHARE_MAX, size_text
from splicebench import programs

BUSY_POLL_US = 10000  # the article's
COUNT_MAX = 200000
ATTEMPTS_MAX = 3  # of a measurement from which the hypervisor took too much
SLOWEST_CUT = 0.01  # the article leaves out the slowest hundredth
LEFT_BEHIND = re.compile(r"sba(\d+)[cs]$")
ETHTOOL_IOCTL, ETHTOOL_SET_TSO, ETHTOOL_SET_GRO = 0x8946, 0x1F, 0x2C


class ArticleError(Exception):
    """The experiment cannot go on; the message is for the reader."""


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ArticleError(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def device_set(name, command, value):
    """ethtool's old switches, by ioctl(2), as the program may not be installed."""
    words = array.array("B", struct.pack("II", command, value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        fcntl.ioctl(holder, ETHTOOL_IOCTL, struct.pack("16sP", name.encode(), words.buffer_info()[0]))


def start_on(cpu):
    """What a child does before it becomes its program: it keeps to a CPU, and it ends with us, however we end."""
    die_with_us = programs.die_with(os.getpid())

    def prepare():
        die_with_us()
        os.sched_setaffinity(0, {cpu})

    return prepare


def remove_stale_places():
    """Takes away the namespaces, and the devices outside of them, of runs that were killed."""
    for folder, words in (("/run/netns", ("netns", "del")), ("/sys/class/net", ("link", "del"))):
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            found = LEFT_BEHIND.match(name)
            if found and not os.path.exists(f"/proc/{found.group(1)}"):
                subprocess.run(("ip", *words, name), stderr=subprocess.DEVNULL, check=False)


class Loopback:
    address, client_prefix, server_prefix = "127.0.0.1", (), ()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Veth:
    address = "10.255.77.2"

    def __init__(self):
        self.names = [f"sba{os.getpid()}{end}" for end in "cs"]
        self.client_prefix, self.server_prefix = (("ip", "netns", "exec", name) for name in self.names)

    def __enter__(self):
        remove_stale_places()
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def build(self):
        for name in self.names:
            run("ip", "netns", "add", name)
        devices = self.names
        run("ip", "link", "add", devices[0], "type", "veth", "peer", "name", devices[1])
        for device, host in zip(devices, (1, 2)):
            device_set(device, ETHTOOL_SET_TSO, 0)
            device_set(device, ETHTOOL_SET_GRO, 1)
            run("ip", "link", "set", device, "netns", device)
            run("ip", "-n", device, "addr", "add", f"10.255.77.{host}/24", "dev", device)
            run("ip", "-n", device, "link", "set", device, "up")

    def __exit__(self, *_):
        for words in (("link", "del", self.names[0]), *(("netns", "del", name) for name in self.names)):
            subprocess.run(("ip", *words), stderr=subprocess.DEVNULL, check=False)


PLACES = {"loopback": Loopback, "veth": Veth}


# --- one measurement ---

class EchoServer:
    """`splicebench echo`, pinned, from its first line of output until the block ends."""

    def __init__(self, options, place, method, has_busy_poll, port=0):
        self.words = [*place.server_prefix, options.binary, "echo", "--how", method, "--listen",
                      f"{place.address}:{port}",
                      "--congestion", options.congestion]
        if has_busy_poll:
            self.words += ["--busy-poll", str(BUSY_POLL_US)]
        self.cpu = options.server_cpu
        self.address = self.process = self.stderr = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        self.stderr = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.words, stdout=subprocess.PIPE, stderr=self.stderr, text=True,
                                        preexec_fn=start_on(self.cpu))
        ready, _, _ = select.select([self.process.stdout], [], [], 5)
        line = self.process.stdout.readline() if ready else ""
        if line.startswith("listening on "):
            self.address = line.split()[-1]

    def said(self):
        self.stderr.seek(0)
        return sorted({line.strip().replace("splicebench echo: ", "") for line in self.stderr if line.strip()})

    def why_not(self):
        """None when it serves, else its own words."""
        if self.address:
            return None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
            return "; ".join(self.said()) or f"it ended with status {self.process.returncode}"
        return "it did not listen within 5 s"

    def __exit__(self, *_):
        if self.process is not None:
            programs.end(self.process)
            self.process.stdout.close()
        if self.stderr is not None:
            self.stderr.close()


def stolen_and_total_ticks():
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(value) for value in file.readline().split()[1:9]]
    return fields[7], sum(fields)


def figures_of_csv(path):
    """As the article computed them: the slowest hundredth is left out."""
    with open(path, newline="", encoding="ascii") as file:
        values = sorted(float(row["latency_us"]) for row in csv.DictReader(file) if row["status"] == "ok")
    values = values[:len(values) - int(len(values) * SLOWEST_CUT)]
    if not values:
        return None
    return {"min": values[0], "median": statistics.median(values), "mean": statistics.fmean(values),
            "deviation": statistics.pstdev(values), "max": values[-1], "count": len(values)}


def measure(options, place, method, size, has_busy_poll):
    """One server, one client, for options.seconds."""
    with EchoServer(options, place, method, has_busy_poll) as server:
        if not server.address:
            return {"failure": server.why_not()}
        return {**time_blocks(options, place.client_prefix, server.address, size), "said": server.said()}


def time_blocks(options, client_prefix, address, size):
    """One client, for options.seconds, against what serves there."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "blocks.csv")
        stolen, total = stolen_and_total_ticks()
        done = subprocess.run(
            [*client_prefix, options.binary, "burst", "--to", address, "--size", str(size), "--count",
             str(COUNT_MAX), "--seconds", str(options.seconds), "--busy-poll", str(BUSY_POLL_US), "--csv", path,
             "--congestion", options.congestion, "--json"],
            capture_output=True, text=True, check=False, timeout=120 + options.seconds,
            preexec_fn=start_on(options.client_cpu))
        if done.returncode not in (0, 1) or not done.stdout:
            return {"failure": done.stderr.strip() or f"burst ended with status {done.returncode}"}
        stolen_after, total_after = stolen_and_total_ticks()
        result = json.loads(done.stdout)
        del result["histogram"]
        share = (stolen_after - stolen) / max(total_after - total, 1)
        return {"burst": result, "trimmed": figures_of_csv(path), "steal_share": round(share, 4),
                "is_dropped": share > STEAL_SHARE_MAX}


def measure_until_kept(options, place, cell):
    """All attempts: those that were dropped, whose errors count all the same, and the last."""
    attempts = []
    while len(attempts) < ATTEMPTS_MAX and all(result.get("is_dropped") for result in attempts):
        attempts.append(measure(options, place, cell["method"], cell["size"], cell["has_busy_poll"]))
    return attempts


def find_unavailable(options, place):
    """{method: why} of those that do not start here."""
    reasons = {}
    for method in options.methods:
        with EchoServer(options, place, method, False) as server:
            why = server.why_not()
        if why:
            reasons[method] = why
    return reasons


def measure_place(options, place, name, progress):
    unavailable = find_unavailable(options, place)
    runs = []
    for turn in range(options.rounds):
        for size in options.sizes:
            for has_busy_poll in MODES:
                for method in options.methods:
                    progress(f"{name}, {size_text(size)}, {method}")
                    if method in unavailable:
                        continue
                    cell = {"round": turn, "size": size, "has_busy_poll": has_busy_poll, "method": method}
                    runs += [{**cell, **result} for result in measure_until_kept(options, place, cell)]
    return {"unavailable": unavailable, "runs": runs}


def make_progress(steps):
    start, done = time.monotonic(), 0

    def progress(what):
        nonlocal done
        spent = time.monotonic() - start
        left = spent / done * (steps - done) if done else 0
        if sys.stderr.isatty():
            print(f"\r{done}/{steps}  {what}  about {left:.0f} s left\x1b[K", end="", file=sys.stderr, flush=True)
        elif done % 50 == 0:
            print(f"{done}/{steps}  {what}  about {left:.0f} s left", file=sys.stderr, flush=True)
        done += 1

    return progress


def facts(options):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return {"kernel": platform.release(), "cpus": os.cpu_count(), "cpu": models[0] if models else "unknown",
            "congestion": options.congestion, "server_cpu": options.server_cpu, "client_cpu": options.client_cpu,
            "date": time.strftime("%Y-%m-%d", time.gmtime())}


def command_text(words):
    """As given, but for the place of the binary, which is this machine's business."""
    kept, is_skipping = [], False
    for word in words:
        if not is_skipping and not word.startswith("--binary"):
            kept.append(word)
        is_skipping = word == "--binary"
    return " ".join(["bench/article.py", *kept])


def count_cells(options, name, others):
    """Measurements of one size in a round."""
    return len(MODES) * len(options.methods) if name in PLACES else len(others[name].METHODS)


def measure_all(options, others):
    """others: {topology that is none of PLACES: the module that measures it}."""
    progress = make_progress(sum(options.rounds * len(options.sizes) * count_cells(options, name, others)
                                 for name in options.topologies))
    results = {"facts": facts(options), "command": command_text(sys.argv[1:]),
               "rounds": options.rounds, "seconds": options.seconds, "sizes": list(options.sizes),
               "methods": list(options.methods), "left_out": options.left_out, "topologies": {}}
    for name in options.topologies:
        if name not in PLACES:
            results["topologies"][name] = others[name].measure(options, progress)
            continue
        with PLACES[name]() as place:
            results["topologies"][name] = measure_place(options, place, name, progress)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return results

#!/usr/bin/python3
"""Side-by-side measurement of spliced, HAProxy and nginx: one thread each, the
proxy on one CPU, load and server on another, interleaved rounds, medians with
min and max.

    bench/compare.py                     loopback and veth, 5 rounds, table on stdout
    bench/compare.py --json FILE         keep the raw figures
    bench/compare.py --report FILE.json  print docs/performance.md from kept figures

A subject may carry relay-tuning: spliced-auto:pipe-size=256k+wake-bytes=0

Needs root for the namespaces of the veth topology (loopback runs without)."""

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOAD = os.path.join(ROOT, "build", "load")
SPLICED = os.path.join(ROOT, "build", "spliced")
CPU_PROXY, CPU_LOAD = 0, 1
TICK = os.sysconf("SC_CLK_TCK")

HAPROXY = """global
    nbthread 1
    maxconn 4000
    tune.bufsize {bufsize}
    {extra_global}
    stats socket {dir}/stats.sock mode 600 level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    {options}
listen relay
    bind {listen}
    maxconn 4000
    server s1 {server}
"""

SPLICED_CFG = """global
    nbthread 1
    {tuning}
    maxconn 4000
    stats socket {dir}/stats.sock mode 600 level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    relay {engine}
listen relay
    bind {listen}
    server s1 {server}
"""

NGINX = """daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000; pid {dir}/nginx.pid;
error_log {dir}/error.log;
{load_module}
events {{ worker_connections 19000; }}
stream {{ server {{ listen {listen} so_keepalive=off; proxy_pass {server}; proxy_buffer_size 64k; tcp_nodelay on; proxy_timeout 1h; }} }}
"""

WORKLOADS = {
    "bulk-1": ("bulk", 1, "up sendfile", "gbytes_per_s"),
    "bulk-16": ("bulk", 16, "up sendfile", "gbytes_per_s"),
    "bulk-1-down": ("bulk", 1, "down sendfile", "gbytes_per_s"),
    "bulk-1-send": ("bulk", 1, "up send", "gbytes_per_s"),
    "bulk-16-send": ("bulk", 16, "up send", "gbytes_per_s"),
    "pingpong-1": ("pingpong", 1, "64", "per_s"),
    "pingpong-32": ("pingpong", 32, "64", "per_s"),
    "pingpong-64": ("pingpong", 64, "64", "per_s"),
    "churn-64": ("churn", 64, "64", "per_s"),
}


def run(*words, check=True):
    return subprocess.run(words, check=check, capture_output=True, text=True)


class Topology:
    """Where client, proxy and server stand, and by which address each is reached."""

    def __init__(self, name, congestion):
        self.name, self.congestion = name, congestion
        self.prefix = {"client": [], "proxy": [], "server": []}
        self.namespaces = []
        if name == "loopback":
            self.proxy_address = self.server_address = "127.0.0.1"
            if os.geteuid() == 0:
                self.namespaces = ["sb-loop"]
                self.prefix = {part: ["ip", "netns", "exec", "sb-loop"] for part in self.prefix}
        else:
            self.proxy_address, self.server_address = "10.77.1.1", "10.77.2.2"
            self.namespaces = [f"sb-{part}" for part in self.prefix]
            self.prefix = {part: ["ip", "netns", "exec", f"sb-{part}"] for part in self.prefix}

    def __enter__(self):
        self.__exit__()
        for name in self.namespaces:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            # As the first namespace has it by default for loopback: else the ports of one client and one server are
            # used up within two seconds of churn, and what is measured is the search for a free one.
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.tcp_tw_reuse=1",
                "net.ipv4.ip_local_port_range=20000 65535")
            if self.congestion:
                run("ip", "netns", "exec", name, "sysctl", "-qw", f"net.ipv4.tcp_congestion_control={self.congestion}")
        if self.name == "loopback":
            return self
        self.link("client", "10.77.1.2/24", "proxy", "10.77.1.1/24", "c")
        self.link("server", "10.77.2.2/24", "proxy", "10.77.2.1/24", "s")
        for part, via in (("client", "10.77.1.1"), ("server", "10.77.2.1")):
            run("ip", "-n", f"sb-{part}", "route", "add", "default", "via", via)
        run("ip", "netns", "exec", "sb-proxy", "sysctl", "-qw", "net.ipv4.ip_forward=1")
        # Each host's packets are handled on its own CPU, as a network card's queues would.
        self.steer("client", "c0", CPU_LOAD)
        self.steer("server", "s0", CPU_LOAD)
        self.steer("proxy", "c1", CPU_PROXY)
        self.steer("proxy", "s1", CPU_PROXY)
        return self

    @staticmethod
    def steer(part, device, cpu):
        path = f"/sys/class/net/{device}/queues/rx-0/rps_cpus"
        run("ip", "netns", "exec", f"sb-{part}", "sh", "-c", f"echo {1 << cpu:x} > {path}")

    @staticmethod
    def link(one, one_address, other, other_address, letter):
        run("ip", "link", "add", f"{letter}0", "netns", f"sb-{one}", "type", "veth", "peer", "name", f"{letter}1",
            "netns", f"sb-{other}")
        for part, device, address in ((one, f"{letter}0", one_address), (other, f"{letter}1", other_address)):
            run("ip", "-n", f"sb-{part}", "addr", "add", address, "dev", device)
            run("ip", "-n", f"sb-{part}", "link", "set", device, "up")

    def __exit__(self, *_):
        for name in self.namespaces:
            run("ip", "netns", "del", name, check=False)

    def command(self, part, cpu, *words):
        return [*self.prefix[part], "taskset", "-c", str(cpu), *words]


class Subject:
    """One proxy, started for one measurement and stopped after it."""

    def __init__(self, name, topology, port, server_port):
        self.name, self.topology = name, topology
        self.dir = tempfile.mkdtemp(prefix="compare-")
        self.server = f"{topology.server_address}:{server_port}"
        self.listen = f"{topology.proxy_address}:{port}"
        self.address, self.port = topology.proxy_address, port
        self.process = None
        if name in ("direct", "forward"):
            self.address, self.port = topology.server_address, server_port

    def words(self):
        config = os.path.join(self.dir, "config")
        values = {"dir": self.dir, "listen": self.listen, "server": self.server}
        if self.name.startswith("spliced"):
            engine, _, tuning = self.name.split("-", 1)[1].partition(":")
            tuning = "relay-tuning " + tuning.replace("=", " ").replace("+", " ") if tuning else ""
            text = SPLICED_CFG.format(engine=engine, tuning=tuning, **values)
            words = [SPLICED, "-q", "-f", config]
        elif self.name.startswith("haproxy"):
            is_splice = "splice" in self.name
            text = HAPROXY.format(
                bufsize=65536 if "64k" in self.name else 16384,
                extra_global="tune.pipesize 1048576" if "1m" in self.name else "",
                options="option splice-request\n    option splice-response" if is_splice else "", **values)
            words = ["haproxy", "-db", "-q", "-f", config]
        else:
            module = "/usr/lib/nginx/modules/ngx_stream_module.so"
            values["load_module"] = f"load_module {module};" if os.path.exists(module) else ""
            text = NGINX.format(**values)
            words = ["nginx", "-c", config, "-p", self.dir]
        if values.get("load_module"):
            text = values["load_module"] + text.replace(values["load_module"], "", 1)
        with open(config, "w", encoding="utf-8") as file:
            file.write(text)
        return words

    def __enter__(self):
        if self.name in ("direct", "forward"):
            return self
        self.process = subprocess.Popen(self.topology.command("proxy", CPU_PROXY, *self.words()),
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 10
        while not self.is_listening():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start: {self.process.stderr.read().decode()}")
            time.sleep(0.02)
        return self

    def is_listening(self):
        wanted = ":%04X 00000000:0000 0A" % self.port
        try:
            with open(f"/proc/{self.process.pid}/net/tcp", encoding="ascii") as file:
                return wanted in file.read()
        except OSError:  # it has ended
            return False

    def cpu_seconds(self):
        if self.process is None:
            return 0.0
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Rss:"):
                    return int(line.split()[1]) * 1024
        return 0

    def spliced_bytes(self):
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(os.path.join(self.dir, "stats.sock"))
                client.sendall(b"show info\n")
                answer = b"".join(iter(lambda: client.recv(65536), b"")).decode()
        except OSError:
            return None
        for line in answer.splitlines():
            if line.startswith("Total_spliced_bytes_out:"):
                return int(line.split(":")[1])
        return None

    def __exit__(self, *_):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
            self.process.stderr.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def cpu_total():
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(value) for value in file.readline().split()[1:9]]
    return {"busy": (sum(fields) - fields[3] - fields[4]) / TICK, "steal": fields[7] / TICK}


def load(topology, *words):
    done = subprocess.run(topology.command("client", CPU_LOAD, LOAD, *map(str, words)), capture_output=True,
                          text=True, timeout=120)
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise RuntimeError(f"load {words}: {done.stderr}")
    return json.loads(done.stdout)


def measure(subject, workload, seconds):
    kind, count, argument, _ = WORKLOADS[workload]
    machine, proxy = cpu_total(), subject.cpu_seconds()
    result = load(subject.topology, kind, subject.address, subject.port, count, seconds, *argument.split())
    after = cpu_total()
    result["proxy_cpu_s"] = subject.cpu_seconds() - proxy
    result["machine_cpu_s"] = after["busy"] - machine["busy"]
    result["steal_s"] = after["steal"] - machine["steal"]
    if kind == "bulk":
        # The proxy also worked during the warm-up of a fifth of the time.
        moved_gb = result["bytes"] * 1.2 / 1e9
        result["proxy_cpu_per_gb"] = result["proxy_cpu_s"] / moved_gb if moved_gb else None
    if kind == "churn":
        result["proxy_cpu_per_10k"] = result["proxy_cpu_s"] / max(result["connections"], 1) * 10000
    if "splice" in subject.name and "haproxy" in subject.name and kind == "bulk":
        result["spliced_bytes"] = subject.spliced_bytes()
    return result


def idle_memory(subject, count):
    if subject.process is None:
        return None
    load(subject.topology, "pingpong", subject.address, subject.port, 1, 0.2, 64)
    before = subject.resident_bytes()
    client = subprocess.Popen(
        subject.topology.command("client", CPU_LOAD, LOAD, "idle", subject.address, str(subject.port), str(count)),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    client.stdout.readline()
    after = subject.resident_bytes()
    client.stdin.close()
    client.wait(30)
    return (after - before) / count


def facts(congestion):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    version = run("haproxy", "-v", check=False).stdout.splitlines()
    spliced = run(SPLICED, "-v", check=False).stdout.split()
    return {"kernel": platform.release(), "cpus": os.cpu_count(), "cpu": models[0] if models else "unknown",
            "congestion": congestion or run("sysctl", "-n", "net.ipv4.tcp_congestion_control").stdout.strip(),
            "haproxy": version[0] if version else None, "version": spliced[-1] if spliced else None,
            "date": time.strftime("%Y-%m-%d", time.gmtime())}


def measure_all(options):
    results = {"facts": facts(options.congestion), "command": "bench/compare.py " + " ".join(sys.argv[1:]), "rounds": options.rounds,
               "seconds": options.seconds, "topologies": {}}
    steps = len(options.topologies) * options.rounds * len(options.workloads) * len(options.subjects)
    step = 0
    port = 17000
    for name in options.topologies:
        with Topology(name, options.congestion) as topology:
            server_port = 16999
            server = subprocess.Popen(
                topology.command("server", CPU_LOAD, LOAD, "server", topology.server_address, str(server_port)),
                stdout=subprocess.PIPE)
            server.stdout.readline()
            table = results["topologies"].setdefault(name, {})
            try:
                for _ in range(options.rounds):
                    for workload in options.workloads:
                        for subject_name in options.subjects:
                            step += 1
                            port += 1
                            if sys.stderr.isatty() or options.progress:
                                print(f"\r{step}/{steps} {name} {workload} {subject_name}        ", end="",
                                      file=sys.stderr, flush=True)
                            with Subject(subject_name, topology, port, server_port) as subject:
                                result = measure(subject, workload, options.seconds)
                            table.setdefault(workload, {}).setdefault(subject_name, []).append(result)
                for subject_name in options.subjects if options.idle else []:
                    port += 1
                    with Subject(subject_name, topology, port, server_port) as subject:
                        table.setdefault("idle", {})[subject_name] = idle_memory(subject, options.idle)
            finally:
                server.terminate()
                server.wait()
    print(file=sys.stderr)
    return results


def spread(values, form="{:.3g}"):
    values = [value for value in values if value is not None]
    if not values:
        return "–"
    middle = form.format(statistics.median(values))
    return f"{middle} ({form.format(min(values))}–{form.format(max(values))})"


def ratio(rows, key, subject, base):
    """The median of the rounds' own ratios."""
    if base not in rows or subject not in rows:
        return "–"
    pairs = [a[key] / b[key] for a, b in zip(rows[subject], rows[base]) if b.get(key) and a.get(key)]
    return f"{statistics.median(pairs):.2f}×" if pairs else "–"


UNITS = {"bulk": "GB/s", "pingpong": "messages/s", "churn": "connections/s"}
COSTS = {"bulk": ("proxy_cpu_per_gb", "proxy CPU s/GB"), "pingpong": ("p99_us", "p99 µs"),
         "churn": ("proxy_cpu_per_10k", "proxy CPU s/10,000")}


def print_table(workload, rows):
    kind, _, _, key = WORKLOADS[workload]
    cost_key, cost_name = COSTS[kind]
    form = "{:.2f}" if kind == "bulk" else "{:,.0f}"
    cost_form = "{:,.0f}" if kind == "pingpong" else "{:.3f}"
    print(f"| {workload} | {UNITS[kind]} | ÷ haproxy | ÷ haproxy-splice | {cost_name} | ÷ haproxy | ÷ haproxy-splice |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for subject, results in rows.items():
        print(f"| {subject} | {spread([r[key] for r in results], form)} | {ratio(rows, key, subject, 'haproxy')} "
              f"| {ratio(rows, key, subject, 'haproxy-splice')} "
              f"| {spread([r.get(cost_key) for r in results], cost_form)} "
              f"| {ratio(rows, cost_key, subject, 'haproxy')} | {ratio(rows, cost_key, subject, 'haproxy-splice')} |")
    errors = sum(r.get("errors", 0) for results in rows.values() for r in results)
    print(f"\nErrors in all these runs: {errors}.\n")


def print_report(results):
    about = results["facts"]
    print(f"Machine: {about['cpus']} × {about['cpu']}, Linux {about['kernel']}; "
          f"congestion control {about['congestion']}; {about['haproxy']}; "
          f"spliced {about['version']}, {about['date']}.\n")
    print(f"Command: `{results['command'].strip()}`; {results['rounds']} interleaved rounds of {results['seconds']} s; "
          "median (min–max); ratios are medians of the rounds' own ratios.\n")
    for topology, table in results["topologies"].items():
        print(f"## {topology}\n")
        for workload in table:
            if workload in WORKLOADS:
                print_table(workload, table[workload])
        if "idle" in table:
            print("| idle connection pair | resident bytes in the proxy |\n|---|--:|")
            for subject, value in table["idle"].items():
                if value is not None:
                    print(f"| {subject} | {value:,.0f} |")
            print()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--topologies", type=lambda text: text.split(","), default=["loopback", "veth"])
    parser.add_argument("--workloads", type=lambda text: text.split(","), default=list(WORKLOADS))
    parser.add_argument("--subjects", type=lambda text: text.split(","),
                        default=["direct", "haproxy", "haproxy-splice", "haproxy-splice-1m", "spliced-copy", "spliced-splice",
                                 "spliced-auto"])
    parser.add_argument("--idle", type=int, default=2000, help="connections for the memory row, 0: none")
    parser.add_argument("--congestion", help="congestion control of all sockets that ask for none")
    parser.add_argument("--json", help="write the raw figures here")
    parser.add_argument("--report", help="print the report of these figures and end")
    parser.add_argument("--progress", action="store_true")
    options = parser.parse_args()
    if options.report:
        with open(options.report, encoding="utf-8") as file:
            results = json.load(file)
        results["topologies"] = {name: table for name, table in results["topologies"].items()
                                 if name in options.topologies}
        print_report(results)
        return 0
    if os.geteuid() != 0 and (options.congestion or "veth" in options.topologies):
        print("compare: veth and --congestion need root; measuring loopback as it is", file=sys.stderr)
        options.congestion = None
        options.topologies = [name for name in options.topologies if name != "veth"]
    results = measure_all(options)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
            file.write("\n")
    print_report(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/python3
"""The demonstration: spliced between two embedded backends, every engine in turn.

    tools/demo.py [--build DIR] [--seconds N] [--keep]

Writes and prints a configuration, starts spliced with it, and pushes verified
traffic through every relay engine that this kernel can run: bulk bytes both
ways at once, then HTTP requests over kept connections.  With wire among them
all of it happens between network namespaces, which needs root; else on loopback.
Ends by itself within a minute; --keep leaves everything running until Ctrl-C.
Exits 1 when a byte was not what it should have been, or wire did not carry it.

The traffic and its checks are tools/demo_traffic.py, the namespaces
tools/demo_place.py.
"""

import argparse
import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import demo_traffic as traffic
from demo_place import choose_place
from splicebench.claims import LEAST_SHARE, read_engines

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 5
STEPS_A_SECOND = 5
DIRECT = "(none)"
# wire counts what it has carried once a second and at the end of a connection.
COUNTED_SECONDS = 2


class DemoError(Exception):
    """Something could not be started; the message is for the reader."""


def free_ports(address, count):
    """Ports that nobody has now; all are held until all are known."""
    sockets = [socket.create_server((address, 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def ask_engines(binary):
    """[(name, None or why it is unavailable)], as `spliced -vv` tells."""
    out = subprocess.run([binary, "-vv"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=10)
    block = out.stdout.partition("Engines:")[2]
    engines = []
    for line in block.splitlines()[1:]:
        match = re.match(r"\s+(\w+)\s+(available|unavailable)\b:?\s*(.*)$", line)
        if not match:
            break
        why = None if match.group(2) == "available" else (match.group(3) or "no reason given")
        engines.append((match.group(1), why))
    if not engines:
        raise DemoError(f"{binary} -vv names no engines:\n{out.stdout}")
    return engines


def write_config(folder, engines, backends, place):
    """Returns (path, {engine: (bulk address, http address)})."""
    with place.inside("proxy"):
        ports = iter(free_ports(place.proxy_address, 2 * len(engines)))
    addresses = {}
    text = ["global", f"    stats socket {folder}/admin.sock mode 600 level admin",
            *(["    wire-interfaces all"] if "wire" in engines else []), "", "defaults", "    mode tcp", "    balance roundrobin",
            "    timeout connect 5s", "    timeout client  1m", "    timeout server  1m", ""]
    for engine in engines:
        addresses[engine] = tuple((place.proxy_address, next(ports)) for _ in range(2))
        for kind, (host, port) in zip(("bulk", "http"), addresses[engine]):
            text += [f"listen {kind}-{engine}", f"    bind {host}:{port}", f"    relay {engine}"]
            text += [f"    server s{number} {':'.join(map(str, backend[kind]))}"
                     for number, backend in enumerate(backends, 1)]
            text.append("")
    path = Path(folder) / "demo.cfg"
    path.write_text("\n".join(text))
    return path, addresses


def runtime_command(folder, command):
    """One command to the runtime socket; its answer, or "" when there is none."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(2)
            client.connect(f"{folder}/admin.sock")
            client.sendall(command.encode() + b"\n")
            answer = b""
            while chunk := client.recv(65536):
                answer += chunk
            return answer.decode(errors="replace")
    except OSError:
        return ""


class Daemon:
    """spliced in the foreground, with the demo's configuration."""

    def __init__(self, words, folder):
        self.log = Path(folder) / "spliced.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def wait_ready(self, addresses):
        deadline = time.monotonic() + READY_SECONDS
        for address in addresses:
            while True:
                if self.process.poll() is not None:
                    raise DemoError(f"spliced ended with status {self.process.returncode}:\n{self.log.read_text()}")
                try:
                    socket.create_connection(address, timeout=1).close()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise DemoError(f"nobody answers on port {address[1]}:\n{self.log.read_text()}") from None
                    time.sleep(0.02)

    def stop(self):
        """Its exit status; a daemon that does not end in time is killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def indented(text):
    return "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())


class Progress:
    """One line that is rewritten on a terminal, one line a step elsewhere."""

    def __init__(self):
        self.is_terminal = sys.stdout.isatty()

    def show(self, text):
        if self.is_terminal:
            print("\r\033[K  " + text, end="", flush=True)

    def end(self, text):
        print(("\r\033[K  " if self.is_terminal else "  ") + text, flush=True)


def watch(run, seconds, progress, words):
    """Shows a running load until it ends or is long overdue."""
    deadline = time.monotonic() + seconds + traffic.GRACE_SECONDS
    last, last_at = 0, time.monotonic()
    while run.is_running() and time.monotonic() < deadline:
        time.sleep(1 / STEPS_A_SECOND)
        now, count = time.monotonic(), run.progress()
        progress.show(words((count - last) / (now - last_at), count))
        last, last_at = count, now
    return run.finish()


def run_engine(engine, addresses, seconds, progress):
    """A row of the table: (engine, what bulk found, what HTTP found). Called where the client is."""
    bulk_address, http_address = addresses[engine]
    bulk = watch(traffic.start_bulk(bulk_address, seconds), seconds, progress,
                 lambda rate, count: f"{engine:<8} bulk  {rate * 8e-9:7.2f} Gbit/s  {count / 2**20:9.0f} MiB verified")
    progress.end(f"{engine:<8} bulk  {bulk.gigabits():7.2f} Gbit/s  {bulk.count / 2**20:9.0f} MiB verified  "
                 f"{bulk.problem or 'all as sent'}")
    http = watch(traffic.start_http(http_address, seconds), seconds, progress,
                 lambda rate, count: f"{engine:<8} http  {rate:7.0f} requests/s  {count:9d} answers verified")
    progress.end(f"{engine:<8} http  {http.rate():7.0f} requests/s  {http.count:9d} answers verified  "
                 f"p99 {http.p99_us / 1000:.2f} ms  {http.problem or 'all as asked'}")
    return engine, bulk, http


def count_bytes(folder):
    """{engine: bytes it has carried until now}, when no connection is carried any more."""
    deadline = time.monotonic() + COUNTED_SECONDS
    while True:
        engines = read_engines(runtime_command(folder, "show relay"))
        if not any(counts["now"] for counts in engines.values()) or time.monotonic() > deadline:
            return {name: counts["bytes"] for name, counts in engines.items()}
        time.sleep(0.02)


class Carriers:
    """Which engines carried the bytes of a row; `wire` and `auto` begin in others."""

    def __init__(self, folder):
        self.folder = folder
        self.before = count_bytes(folder)
        self.shares = {}

    def finish(self):
        after = count_bytes(self.folder)
        carried = {name: count - self.before.get(name, 0) for name, count in after.items()}
        whole = sum(carried.values())
        self.shares = {name: count / whole for name, count in carried.items() if count} if whole else {}

    def words(self):
        ordered = sorted(self.shares.items(), key=lambda pair: -pair[1])
        return ", ".join(f"{name} {share:.0%}" for name, share in ordered if share >= 0.005) or "-"

    def problem(self, engine):
        """What is wrong with a row that is to be wire's, or None."""
        share = self.shares.get("wire", 0)
        if engine != "wire" or share >= LEAST_SHARE:
            return None
        return f"only {share:.0%} of the bytes were on the wire"


def run_all(addresses, order, options, folder):
    """[(engine, bulk, http, carriers)]. Called where the client is."""
    progress, rows = Progress(), []
    for engine in order:
        carriers = Carriers(folder)
        _, bulk, http = run_engine(engine, addresses, options.seconds, progress)
        if engine != DIRECT:
            carriers.finish()
        rows.append((engine, bulk, http, carriers))
    return rows


def problem_of(row):
    engine, bulk, http, carriers = row
    return bulk.problem or http.problem or carriers.problem(engine)


def print_table(rows, unavailable, place):
    print(f"\n{'engine':<10}{'Gbit/s':>9}{'requests/s':>13}{'p99 ms':>9}{'bytes verified':>18}  {'carried by':<24}")
    for row in rows:
        engine, bulk, http, carriers = row
        verdict = problem_of(row)
        print(f"{engine:<10}{bulk.gigabits():>9.2f}{http.rate():>13,.0f}{http.p99_us / 1000:>9.2f}"
              f"{bulk.count + http.bytes_verified:>18,}  {carriers.words():<24}"
              f"  {'FAILED: ' + verdict if verdict else 'ok'}")
    for engine, why in unavailable:
        print(f"{engine:<10}{'-':>9}{'-':>13}{'-':>9}{'-':>18}  unavailable: {why}")
    print("\nThese are the figures of a demonstration: the load and both backends are Python on the same\n"
          "processors as the proxy, and verify every byte.  The row (none) is the same load without a proxy.\n"
          f"It ran with {place.words}.  `make bench` measures.")


def keep_running(daemon, folder, addresses, place):
    host, port = addresses["auto"][1]
    curl = shlex.join(place.command("client", "curl", "-i", f"http://{host}:{port}/"))
    print(f"\nStill running; Ctrl-C ends it.  Try:\n"
          f"  {curl}\n"
          f"  echo 'show info; show relay' | socat stdio {folder}/admin.sock\n"
          f"  build/splicectl -s {folder}/admin.sock show stat\n", flush=True)
    try:
        daemon.process.wait()
    except KeyboardInterrupt:
        print()


def run_demo(options, folder, stack):
    binary = str((ROOT / options.build / "spliced").resolve())
    place, known = choose_place(ask_engines(binary), stack)
    usable = ["auto"] + [name for name, why in known if why is None and name != "auto"]
    with place.inside("server"):
        backends = stack.enter_context(traffic.Backends(2, place.server_address))
    config, addresses = write_config(folder, usable, backends.addresses, place)
    addresses[DIRECT] = (backends.addresses[0]["bulk"], backends.addresses[0]["http"])
    print(f"{config}:\n")
    print(indented(config.read_text()))
    daemon = Daemon(place.command("proxy", binary, "-f", str(config)), folder)
    try:
        with place.inside("client"):
            daemon.wait_ready([address for pair in addresses.values() for address in pair])
            print(f"spliced runs as process {daemon.process.pid}, with {place.words}; each engine moves bulk bytes both "
                  f"ways, then serves HTTP, {options.seconds} s each:")
            rows = run_all(addresses, [DIRECT, *usable[1:], *usable[:1]], options, folder)
        print("\nWhat spliced says (show relay):")
        print(indented(runtime_command(folder, "show relay").strip() or "(no answer)"), end="")
        print_table(rows, [(name, why) for name, why in known if why], place)
        if options.keep:
            keep_running(daemon, folder, addresses, place)
        else:
            print("`make demo KEEP=1` leaves it running to look around; by hand it is:\n"
                  "  build/spliced --listen 127.0.0.1:8080 --to 127.0.0.1:80   (or: build/spliced -f FILE)")
    finally:
        status = daemon.stop()
    if status not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
        print(f"spliced ended with status {status}:\n{daemon.log.read_text()}")
        return 1
    return 1 if any(problem_of(row) for row in rows) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build directory (build)")
    parser.add_argument("--seconds", type=float, default=2, help="length of each step (2)")
    parser.add_argument("--keep", action="store_true", help="leave it running afterwards")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="spliced-demo-")
    try:
        with contextlib.ExitStack() as stack:
            return run_demo(options, folder, stack)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    os.umask(0o077)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())

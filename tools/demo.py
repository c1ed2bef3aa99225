#!/usr/bin/python3
"""The demonstration: spliced between two embedded backends, every engine in turn.

    tools/demo.py [--build DIR] [--seconds N] [--keep]

Writes and prints a configuration, starts spliced with it, and pushes verified
traffic through every relay engine that this kernel can run: bulk bytes both
ways at once, then HTTP requests over kept connections.  Ends by itself within
a minute; --keep leaves everything running until Ctrl-C.  Exits 1 when a byte
was not what it should have been.

The traffic and its checks are tools/demo_traffic.py.
"""

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import demo_traffic as traffic

ROOT = Path(__file__).resolve().parents[1]
READY_SECONDS = 5
STEPS_A_SECOND = 5
DIRECT = "(none)"


class DemoError(Exception):
    """Something could not be started; the message is for the reader."""


def free_ports(count):
    """Ports that nobody has now; all are held until all are known."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
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


def write_config(folder, engines, backends):
    """Returns (path, {engine: (bulk port, http port)})."""
    ports = iter(free_ports(2 * len(engines)))
    places = {}
    text = ["global", f"    stats socket {folder}/admin.sock mode 600 level admin", "", "defaults",
            "    mode tcp", "    balance roundrobin",
            "    timeout connect 5s", "    timeout client  1m", "    timeout server  1m", ""]
    for engine in engines:
        places[engine] = (next(ports), next(ports))
        for kind, port in zip(("bulk", "http"), places[engine]):
            text += [f"listen {kind}-{engine}", f"    bind 127.0.0.1:{port}", f"    relay {engine}"]
            text += [f"    server s{number} 127.0.0.1:{backend[kind]}" for number, backend in enumerate(backends, 1)]
            text.append("")
    path = Path(folder) / "demo.cfg"
    path.write_text("\n".join(text))
    return path, places


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

    def __init__(self, binary, config, folder):
        self.log = Path(folder) / "spliced.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen([binary, "-f", str(config)], stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)

    def wait_ready(self, ports):
        deadline = time.monotonic() + READY_SECONDS
        for port in ports:
            while True:
                if self.process.poll() is not None:
                    raise DemoError(f"spliced ended with status {self.process.returncode}:\n{self.log.read_text()}")
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if time.monotonic() > deadline:
                        raise DemoError(f"nobody answers on port {port}:\n{self.log.read_text()}") from None
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


def run_engine(engine, places, seconds, progress):
    """A row of the table."""
    bulk_port, http_port = places[engine]
    bulk = watch(traffic.start_bulk(bulk_port, seconds), seconds, progress,
                 lambda rate, count: f"{engine:<8} bulk  {rate * 8e-9:7.2f} Gbit/s  {count / 2**20:9.0f} MiB verified")
    progress.end(f"{engine:<8} bulk  {bulk.gigabits():7.2f} Gbit/s  {bulk.count / 2**20:9.0f} MiB verified  "
                 f"{bulk.problem or 'all as sent'}")
    http = watch(traffic.start_http(http_port, seconds), seconds, progress,
                 lambda rate, count: f"{engine:<8} http  {rate:7.0f} requests/s  {count:9d} answers verified")
    progress.end(f"{engine:<8} http  {http.rate():7.0f} requests/s  {http.count:9d} answers verified  "
                 f"p99 {http.p99_us / 1000:.2f} ms  {http.problem or 'all as asked'}")
    return engine, bulk, http


def print_table(rows, unavailable):
    print(f"\n{'engine':<10}{'Gbit/s':>9}{'requests/s':>13}{'p99 ms':>9}{'bytes verified':>18}")
    for engine, bulk, http in rows:
        verdict = bulk.problem or http.problem
        print(f"{engine:<10}{bulk.gigabits():>9.2f}{http.rate():>13,.0f}{http.p99_us / 1000:>9.2f}"
              f"{bulk.count + http.bytes_verified:>18,}  {'FAILED: ' + verdict if verdict else 'ok'}")
    for engine, why in unavailable:
        print(f"{engine:<10}{'-':>9}{'-':>13}{'-':>9}{'-':>18}  unavailable: {why}")
    print("\nThese are the figures of a demonstration: the load and both backends are Python on the same\n"
          "processors as the proxy, and verify every byte.  The row (none) is the same load without a proxy.\n"
          "`make bench` measures.")


def keep_running(daemon, folder, places):
    engine = "auto" if "auto" in places else next(iter(places))
    bulk_port, http_port = places[engine]
    print(f"\nStill running; Ctrl-C ends it.  Try:\n"
          f"  curl -i http://127.0.0.1:{http_port}/\n"
          f"  echo 'show info; show relay' | socat stdio {folder}/admin.sock\n"
          f"  build/splicectl -s {folder}/admin.sock show stat\n", flush=True)
    try:
        daemon.process.wait()
    except KeyboardInterrupt:
        print()


def run_demo(options, folder):
    binary = str((ROOT / options.build / "spliced").resolve())
    known = ask_engines(binary)
    usable = ["auto"] + [name for name, why in known if why is None and name != "auto"]
    with traffic.Backends(2) as backends:
        config, places = write_config(folder, usable, backends.ports)
        print(f"{config}:\n")
        print(indented(config.read_text()))
        daemon = Daemon(binary, config, folder)
        try:
            daemon.wait_ready([port for pair in places.values() for port in pair])
            print(f"spliced runs as process {daemon.process.pid}; each engine moves bulk bytes both ways, then "
                  f"serves HTTP, {options.seconds} s each:")
            progress = Progress()
            direct = {DIRECT: (backends.ports[0]["bulk"], backends.ports[0]["http"])}
            rows = [run_engine(DIRECT, direct, options.seconds, progress)]
            rows += [run_engine(engine, places, options.seconds, progress) for engine in usable[1:] + usable[:1]]
            print("\nWhat spliced says (show relay):")
            print(indented(runtime_command(folder, "show relay").strip() or "(no answer)"), end="")
            print_table(rows, [(name, why) for name, why in known if why])
            if options.keep:
                keep_running(daemon, folder, places)
            else:
                print("`make demo KEEP=1` leaves it running to look around; by hand it is:\n"
                      "  build/spliced --listen 127.0.0.1:8080 --to 127.0.0.1:80   (or: build/spliced -f FILE)")
        finally:
            status = daemon.stop()
        if status not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
            print(f"spliced ended with status {status}:\n{daemon.log.read_text()}")
            return 1
    return 1 if any(bulk.problem or http.problem for _, bulk, http in rows) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build", help="build directory (build)")
    parser.add_argument("--seconds", type=float, default=3, help="length of each step (3)")
    parser.add_argument("--keep", action="store_true", help="leave it running afterwards")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="spliced-demo-")
    try:
        return run_demo(options, folder)
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

"""The daemon under test: started from a configuration text, watched, stopped, examined."""

import collections
import os
import re
import resource
import signal
import subprocess
import tempfile
from pathlib import Path

from lib import place
from lib.runtime import RuntimeClient
from lib.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("SPLICED_BINARY", REPOSITORY / "build" / "spliced"))
# Packets have to come by an interface: only a lab (lib/place.py) exercises wire.
ENGINES = ("wire",) if place.MODE else ("copy", "splice", "uring", "sockmap", "auto")
# To run everything on another back end of the loop than the daemon would choose.
LOOP = os.environ.get("SPLICED_LOOP", "")

# A whole file that is valid, for tests of the command line; its port is to be filled in.
GOOD = """
defaults
    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
listen relayed
    bind 127.0.0.1:{port}
    server one 127.0.0.1:9
"""

# Sessions of all daemons of a run in a lab, and those of them that wire carried in the end.
CARRIED = collections.Counter()

_CRASH_SIGNS = re.compile(
    r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|CHECK failed|Assertion .* failed"
)
_OURS_ONLY = re.compile(r"^\s*(loop|relay|relay-tuning|metrics)\s.*$", re.MULTILINE)


def is_haproxy():
    """HAProxy can stand in while tests are written; what only spliced has is left out then."""
    return "haproxy" in BINARY.name


def is_sanitized():
    """A build whose memory and time say nothing about the product."""
    content = BINARY.read_bytes()
    return b"__asan_init" in content or b"__tsan_init" in content


def control_program():
    """splicectl, beside the daemon or in the build folder of its own; None when absent."""
    named = os.environ.get("SPLICED_CTL")
    places = [BINARY.parent / "splicectl", BINARY.parent / "ctl" / "splicectl",
              BINARY.parent.parent / "ctl" / "splicectl"]
    return next((place for place in ([Path(named)] if named else places) if place.exists()), None)


def run_daemon(*arguments, timeout_s=10.0, prefix=(), environment=None, program=BINARY):
    """Runs the binary to its end, for the calls that end by themselves."""
    return subprocess.run([*place.prefix("proxy"), *prefix, str(program), *map(str, arguments)], capture_output=True, text=True,
                          errors="replace", timeout=timeout_s, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(environment or {})}, check=False)


def compose(body, engine="auto", socket_path=None, **parts):
    """A whole configuration around the sections that a test is about.

    parts: global_lines, defaults_lines; logs, the targets; log_lines, what defaults say of logs.
    """
    global_lines, logs = parts.get("global_lines", ()), parts.get("logs", ())
    if place.MODE and engine == "auto":
        engine = "wire"
    lines = ["global", *global_lines]
    if not any(line.startswith("nbthread") for line in global_lines):
        lines.append("nbthread 2")
    if LOOP and not any(line.startswith("loop ") for line in global_lines):
        lines.append(f"loop {LOOP}")
    if socket_path:
        lines.append(f"stats socket {socket_path} mode 600 level admin")
    lines += [f"log {target}" for target in logs]
    lines += ["defaults", "mode tcp", f"relay {engine}", "timeout connect 5s", "timeout client 60s",
              "timeout server 60s"]
    if logs:
        lines += parts.get("log_lines", ["log global", "option tcplog"])
    lines += parts.get("defaults_lines", ())
    text = "\n".join(lines) + "\n" + body.rstrip("\n") + "\n"
    text = place.fill_in(text)
    return _OURS_ONLY.sub("", text) if is_haproxy() else text


class Proxy:
    """One running daemon.  stop() asserts that it ends well and leaks nothing."""

    def __init__(self, directory, body, engine="auto", log=None, **parts):
        self.directory = Path(tempfile.mkdtemp(prefix="p", dir=directory))
        self.socket_path = str(self.directory / "admin.sock")
        self.runtime = RuntimeClient(self.socket_path)
        self.log = log
        logs = [f"{log.text} local0"] if log else []
        self.log_targets = len(logs) + len(parts.get("logs", ()))
        parts["logs"] = [*logs, *parts.get("logs", ())]
        self.config_path = self.directory / "spliced.cfg"
        self.config_path.write_text(compose(body, engine, self.socket_path, **parts))
        self.process = None
        self.sockets_at_start = 0

    def start(self, *arguments, prefix=(), deadline_s=15.0):
        self._output = open(self.directory / "stdout", "wb")
        self._errors = open(self.directory / "stderr", "wb")
        self.process = subprocess.Popen(
            [*place.prefix("proxy"), *prefix, str(BINARY), "-f", str(self.config_path), *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=self._output, stderr=self._errors, cwd=self.directory)
        wait_until(self._is_ready, "the daemon to answer show info", deadline_s)
        self.sockets_at_start = wait_until(self._steady_sockets, "a steady number of sockets")
        return self

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode} at start:\n"
                                 f"{self.errors()}\n{self.config_path.read_text()}")
        try:
            return "Uptime_sec" in self.runtime.ask("show info")
        except OSError:
            return False

    def _steady_sockets(self):
        first = self.count_descriptors("socket:")
        return first if first == self.count_descriptors("socket:") else None

    @property
    def pid(self):
        return self.process.pid

    def errors(self):
        return (self.directory / "stderr").read_text(errors="replace")

    def output(self):
        return (self.directory / "stdout").read_text(errors="replace")

    def count_descriptors(self, kind=""):
        """Open descriptors whose link begins with `kind` ("socket:", "pipe:")."""
        count = 0
        folder = f"/proc/{self.pid}/fd"
        for name in os.listdir(folder):
            try:
                count += os.readlink(f"{folder}/{name}").startswith(kind)
            except OSError:
                pass
        return count

    def memory_kib(self, field="RssAnon"):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE).group(1))

    def processor_seconds(self):
        """User and system time of all threads so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def limit_descriptors(self, count):
        resource.prlimit(self.pid, resource.RLIMIT_NOFILE, (count, resource.prlimit(
            self.pid, resource.RLIMIT_NOFILE)[1]))

    def wait_idle(self, deadline_s=10.0):
        """No session is left and every socket of a session is closed.

        What wire carried keeps its sockets for some seconds more: test_wire.py sees them go.
        """
        wait_until(lambda: self.runtime.connections() == 0, "CurrConns to be 0", deadline_s)
        if is_haproxy() or place.is_lab():
            return
        allowed = self.sockets_at_start + self.log_targets
        wait_until(lambda: self.count_descriptors("socket:") <= allowed,
                   f"at most {allowed} open sockets in the daemon", deadline_s)

    def wait_end(self, deadline_s=10.0):
        """The exit status, once the daemon has ended by itself."""
        wait_until(lambda: self.process.poll() is not None, "the daemon to end", deadline_s)
        return self.process.returncode

    def stop(self):
        """Asserts an idle, leak-free daemon that ends with 0 on SIGTERM."""
        if self.process is None:
            return
        try:
            if self.process.poll() is None:
                self.wait_idle()
                self._count_carried()
                self.process.send_signal(signal.SIGTERM)
            status = self.wait_end()
        finally:
            self.kill()
        assert not _CRASH_SIGNS.search(self.errors()), self.errors()
        expected = (0, -signal.SIGTERM) if is_haproxy() else (0,)
        assert status in expected, f"exit status {status}:\n{self.errors()}"

    def _count_carried(self):
        """Adds to CARRIED, for the check at the end of a run in a lab."""
        if place.is_lab() and not is_haproxy():
            rows = self.runtime.stat()
            CARRIED["sessions"] += sum(int(row["stot"]) for row in rows if row["svname"] == "BACKEND")
            CARRIED["carried"] += int(self.relay_row("wire")["ever"]) // 2

    def relay_row(self, engine):
        """What `show relay` has of the engine, by column."""
        lines = self.runtime.ask("show relay").splitlines()
        names = lines[0].split()[1:]
        return next(dict(zip(names, line.split(None, len(names) - 1))) for line in lines
                    if line.startswith(engine + " "))

    def kill(self):
        """Whatever state it is in, it is gone afterwards."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process:
            self._output.close()
            self._errors.close()

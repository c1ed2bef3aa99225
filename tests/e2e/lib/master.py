"""The daemon as a master with its workers (-W)."""

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path

from lib.proxy import _CRASH_SIGNS, BINARY, compose
from lib.runtime import RuntimeClient
from lib.waiting import wait_until


class Master:
    """Runs from start() until stop(); reload() takes a new configuration."""

    def __init__(self, directory, body, program=BINARY, **parts):
        self.directory = Path(tempfile.mkdtemp(prefix="m", dir=directory))
        self.socket_path = str(self.directory / "admin.sock")
        self.runtime = RuntimeClient(self.socket_path)
        self.program, self.process = Path(program), None
        self.config_path = self.directory / "spliced.cfg"
        self.configure(body, **parts)

    def configure(self, body, **parts):
        self.config_path.write_text(compose(body, socket_path=self.socket_path, **parts))

    def start(self, *arguments, flag="-W", prefix=(), environment=None, **options):
        with open(self.directory / "stderr", "wb") as errors:
            self.process = subprocess.Popen(
                [*prefix, str(self.program), flag, "-f", str(self.config_path), *map(str, arguments)],
                stdin=subprocess.DEVNULL, stderr=errors, cwd=self.directory,
                env={**os.environ, **(environment or {})}, **options)
        wait_until(self._is_serving, "the first worker to serve", 15)
        return self

    def run_plain(self, *arguments):
        """Runs the program with the configuration and these arguments to its end."""
        return subprocess.run([str(self.program), "-f", str(self.config_path), *map(str, arguments)],
                              capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL,
                              cwd=self.directory, check=False)

    def _is_serving(self):
        assert self.process.poll() is None, f"the master ended with {self.process.returncode}:\n{self.errors()}"
        return self.served()

    @property
    def pid(self):
        return self.process.pid

    def errors(self):
        return (self.directory / "stderr").read_text(errors="replace")

    def served(self):
        """The numbers of all workers that ever served, oldest first."""
        return [int(number) for number in re.findall(r"Worker (\d+) serves", self.errors())]

    def workers(self):
        """The numbers of all that run."""
        return [int(word) for word in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def reload(self, number=signal.SIGUSR2, deadline_s=15.0):
        """Asks for a reload; returns the number of the new worker once it serves."""
        before = len(self.served())
        self.process.send_signal(number)
        wait_until(lambda: len(self.served()) > before, f"a new worker:\n{self.errors()}", deadline_s)
        return self.served()[-1]

    def wait_alone(self, deadline_s=15.0):
        """The last worker that served is the only one."""
        wait_until(lambda: self.workers() == self.served()[-1:], "the old workers to end", deadline_s)

    def wait_end(self, deadline_s=15.0):
        wait_until(lambda: self.process.poll() is not None, "the master to end", deadline_s)
        return self.process.returncode

    def stop(self):
        """Asserts that it ends well, with all workers."""
        if self.process is None:
            return
        try:
            workers = self.workers() if self.process.poll() is None else []
            self.process.terminate()
            status = self.wait_end()
        finally:
            self.kill()
        assert not _CRASH_SIGNS.search(self.errors()), self.errors()
        assert status == 0, f"exit status {status}:\n{self.errors()}"
        assert not [number for number in workers if os.path.exists(f"/proc/{number}")]

    def kill(self):
        """Without their master the workers end as soon as they have no connection."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

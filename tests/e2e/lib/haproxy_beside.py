"""HAProxy with the same sections as the daemon under test, to compare what both do."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from lib.runtime import RuntimeClient
from lib.waiting import wait_until

PROGRAM = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/sbin")


class HaproxyBeside:
    """Runs from the constructor until close()."""

    def __init__(self, directory, body):
        folder = Path(tempfile.mkdtemp(prefix="h", dir=directory))
        self.runtime = RuntimeClient(str(folder / "admin.sock"))
        path = folder / "haproxy.cfg"
        path.write_text(f"global\nnbthread 1\nstats socket {self.runtime.path} mode 600 level admin\n"
                        "defaults\nmode tcp\ntimeout connect 5s\ntimeout client 60s\ntimeout server 60s\n"
                        f"{body}\n")
        self.process = subprocess.Popen([PROGRAM, "-f", str(path), "-db", "-q"], stdin=subprocess.DEVNULL)
        try:
            wait_until(self._is_ready, "HAProxy to answer show info")
        except BaseException:
            self.close()
            raise

    def _is_ready(self):
        assert self.process.poll() is None, f"HAProxy ended with {self.process.returncode} at start"
        try:
            return "Uptime_sec" in self.runtime.ask("show info")
        except OSError:
            return False

    def close(self):
        self.process.terminate()
        self.process.wait()

"""Programs of others and of ours: where they are, their versions, starting and
ending them; and the errors that end a comparison."""

import ctypes
import os
import shutil
import signal
import subprocess
from pathlib import Path

BENCH = Path(__file__).resolve().parents[1]
# Programs of the administrator are not in the path of everybody.
SEARCH_PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class UsageError(Exception):
    """What was asked for cannot be done: exit status 2."""


class SubjectError(Exception):
    """A subject did not do its work: it counts as failed."""


def find_program(name):
    """The path of a program, or None."""
    return shutil.which(name, path=SEARCH_PATH)


def find_ours(name, given, places):
    """The path of a program of this project: the one given, else the first of these places, else in the PATH."""
    if given:
        if not is_program(given):
            raise UsageError(f"'{given}' is not a program")
        return os.path.abspath(given)
    return next((os.path.normpath(place) for place in places if is_program(place)), None) or find_program(name)


def is_program(path):
    return os.path.isfile(path) and os.access(path, os.X_OK)


def find_splicebench(given=None):
    """SPLICEBENCH_BINARY is how splicebench itself may say where it is."""
    named = os.environ.get("SPLICEBENCH_BINARY")
    build = BENCH.parent / "build"
    path = find_ours("splicebench", given, [*([named] if named else []), build / "bench/splicebench"])
    if path is None:
        raise UsageError("the program splicebench was not found: build it, or name it with --binary")
    return path


def find_spliced(given, splicebench):
    """The spliced that was built or installed beside this splicebench, rather than any other."""
    near = os.path.dirname(os.path.realpath(splicebench))
    places = [os.path.join(near, place) for place in ("spliced", "../spliced", "../src/spliced", "../sbin/spliced")]
    build = BENCH.parent / "build"
    return find_ours("spliced", given, [*places, build / "spliced", build / "src/spliced"])


def run(*words, check=True):
    """Runs a program to its end. Its refusal is told with its own words."""
    path = find_program(words[0])
    if path is None:
        raise UsageError(f"'{words[0]}' is not installed")
    done = subprocess.run([path, *words[1:]], capture_output=True, text=True, errors="replace", check=False)
    if check and done.returncode != 0:
        raise UsageError(f"'{' '.join(words)}' failed: {done.stderr.strip() or done.returncode}")
    return done


def die_with(parent):
    """What a child does before it becomes its program, so that it does not outlive its parent, however that ends."""
    def prepare():
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # A parent that had ended by then sends no signal any more.
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def start(words, **options):
    """A child that ends with us. Its standard input is empty unless asked for otherwise."""
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(words, preexec_fn=die_with(os.getpid()), **options)


def end(process, deadline_s=5.0):
    """Ends a child, by force when it does not end by itself."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(deadline_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def first_line(*words):
    """The first line a program says about itself, on whichever output; None when it is not installed."""
    path = find_program(words[0]) if "/" not in words[0] else words[0]
    if path is None:
        return None
    done = subprocess.run([path, *words[1:]], capture_output=True, text=True, errors="replace", check=False)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return lines[0].strip() if lines else None

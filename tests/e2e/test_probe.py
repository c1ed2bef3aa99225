"""spliced --probe: what is missing is named, with what to do about it."""

import errno
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lib.proxy import BINARY, run_daemon

FORBID = Path(__file__).with_name("lib") / "forbid.py"
BPF, IO_URING_SETUP = 321, 425
ENGINES = ("wire", "splice", "uring", "copy")


def sections(text):
    """The lines under each engine's, by its name."""
    blocks = re.split(r"\n\n", text)
    return {block.split(":")[0]: block for block in blocks[1:]}


def run_forbidden(call):
    return subprocess.run([sys.executable, str(FORBID), str(call), str(errno.EPERM), str(BINARY), "--probe"],
                          capture_output=True, text=True, timeout=30)


def missing(block):
    """What is needed and not there, each with its remedy."""
    return re.findall(r"(?m)^  no   (.*(?<!\(advice\)))\n       remedy: (.+)$", block)


def test_every_engine_has_its_needs(ours_only):
    done = run_daemon("--probe")
    shown = sections(done.stdout)
    assert done.returncode == 0 and done.stderr == ""
    assert set(ENGINES) < set(shown)
    for name in ENGINES:
        is_available = shown[name].startswith(f"{name}: available")
        assert is_available == (not missing(shown[name])), shown[name]


@pytest.mark.parametrize("engine, call, need, remedy", [
    ("uring", IO_URING_SETUP, "io_uring_setup(2) may be called", "seccomp"),
    ("wire", BPF, "bpf(2) may be called", "seccomp"),
])
def test_a_call_that_is_forbidden_is_named(engine, call, need, remedy, ours_only):
    done = run_forbidden(call)
    block = sections(done.stdout)[engine]
    assert done.returncode == 0 and block.startswith(f"{engine}: unavailable: "), block
    assert [word for word, _ in missing(block)] == [need] and remedy in missing(block)[0][1]


def test_capabilities_that_are_missing_are_named(ours_only):
    words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--reuid=65534", "--clear-groups", str(BINARY),
             "--probe"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        pytest.skip(f"setpriv: {done.stderr.strip()}")
    block = sections(done.stdout)["wire"]
    assert block.startswith("wire: unavailable: ")
    assert {"CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"} < {word for word, _ in missing(block)}
    assert all("AmbientCapabilities=" in remedy for word, remedy in missing(block) if word.startswith("CAP_"))

"""OpenSSH through the daemon: a command, scp and sftp in both directions."""

import hashlib

import pytest

from lib.clients import run_client
from lib.pattern import pattern_bytes

FILE_BYTES = 8 << 20


@pytest.fixture
def front(ssh_server, start_proxy, endpoint, engine, internet_family):
    place = endpoint(internet_family)
    start_proxy(f"listen ssh\nbind {place.text}\nserver ssh {ssh_server.endpoint(internet_family).text}", engine)
    return place


@pytest.fixture
def words(ssh_server):
    """What ssh, scp and sftp have in common."""
    return ["-F", "none", "-i", ssh_server.directory / "user_key", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(pattern_bytes(FILE_BYTES))
    return path


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_command_gets_its_input_and_its_output_is_whole(front, words, source):
    content = source.read_bytes()
    answer = run_client("ssh", *words, "-p", front.port, front.host, "cat", stdin=content, text=False)
    assert answer == content


def test_scp_copies_both_ways(front, words, source, tmp_path):
    place = f"[{front.host}]" if ":" in front.host else front.host
    run_client("scp", *words, "-P", front.port, source, f"{place}:{tmp_path}/there")
    run_client("scp", *words, "-P", front.port, f"{place}:{tmp_path}/there", tmp_path / "back")
    assert digest(tmp_path / "there") == digest(tmp_path / "back") == digest(source)


def test_sftp_copies_both_ways(front, words, source, tmp_path):
    place = f"[{front.host}]" if ":" in front.host else front.host
    orders = f"put {source} {tmp_path}/there\nget {tmp_path}/there {tmp_path}/back\n"
    run_client("sftp", *words, "-P", front.port, "-b", "-", place, stdin=orders)
    assert digest(tmp_path / "there") == digest(tmp_path / "back") == digest(source)

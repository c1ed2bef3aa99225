"""What cannot work: a clear message, status 1, and nothing half started."""

import os
import re

import pytest

from lib.endpoints import Endpoint
from lib.proxy import BINARY, GOOD, run_daemon
from lib.servers import user_prefix


def refusal(path, *arguments, **options):
    """Runs on a bad file, checking only and for real; returns what it complained of."""
    complaints = []
    for words in (["-c", *arguments], [*arguments]):
        done = run_daemon(*words, "-f", path, **options)
        assert done.returncode == 1, f"{words}: status {done.returncode}: {done.stderr}"
        assert "[ALERT]" in done.stderr, done.stderr
        complaints.append(done.stderr)
    return complaints[0]


def test_a_folder_without_a_configuration_is_refused(directory):
    assert directory in refusal(directory)


def test_a_missing_file_is_refused_by_name(directory):
    assert "missing.cfg" in refusal(os.path.join(directory, "missing.cfg"))


def test_an_empty_file_is_refused(write):
    refusal(write(""))


def test_a_file_of_comments_is_refused(write):
    refusal(write("# nothing\n\n   # here\n"))


def test_a_nul_byte_is_refused_with_its_line(write):
    content = GOOD.format(port=10001).encode().replace(b"timeout client", b"timeout cl\0ient")
    assert re.search(r"spliced\.cfg:5\]", refusal(write(content)))


def test_a_line_of_a_megabyte_is_refused_with_its_line(write):
    complaint = refusal(write(GOOD.format(port=10001) + "    server two " + "x" * (1 << 20) + "\n"))
    assert re.search(r"spliced\.cfg:10\]", complaint) and len(complaint) < 100_000


def test_a_cut_last_line_is_refused(write):
    assert re.search(r"spliced\.cfg:9\]", refusal(write(GOOD.format(port=10001).rstrip("\n"))))


def test_random_bytes_are_refused(write):
    for turn in range(20):
        refusal(write(os.urandom(1000 + 100 * turn) + b"\n"))


@pytest.mark.parametrize("line,place,suggestion", [
    ("balanse roundrobin", 10, "balance"),
    ("timout queue 5s", 10, "timeout"),
    ("sevrer two 127.0.0.1:10", 10, "server"),
])
def test_an_unknown_keyword_is_named_with_line_and_suggestion(write, line, place, suggestion):
    complaint = refusal(write(GOOD.format(port=10001) + f"    {line}\n"))
    word = line.split()[0]
    assert re.search(rf"spliced\.cfg:{place}\].*'{word}'.*'{suggestion}'", complaint), complaint


@pytest.mark.parametrize("line", ["http-request deny", "option httplog", "cookie x", "mode http",
                                  "option forwardfor"])
def test_http_only_keywords_are_named_as_such(write, ours_only, line):
    complaint = refusal(write(GOOD.format(port=10001) + f"    {line}\n"))
    assert re.search(r"spliced\.cfg:10\]", complaint) and "HTTP" in complaint, complaint


@pytest.mark.parametrize("line,expected", [
    ("timeout client 5q", "5q"),
    ("maxconn many", "many"),
    ("server two 127.0.0.1:99999", "99999"),
    ("server two 127.0.0.1:10 wheight 3", "wheight"),
    ("server one 127.0.0.1:10", "one"),
    ("default_backend nowhere", "nowhere"),
    ("bind 300.1.1.1:80", "300.1.1.1"),
    ("relay teleport", "teleport"),
    ("retries -1", "-1"),
    ('log-format "%zz"', "zz"),
    ('server two "127.0.0.1:10', "quote"),
])
def test_wrong_values_are_named(write, ours_only, line, expected):
    assert expected in refusal(write(GOOD.format(port=10001) + f"    {line}\n"))


def test_all_mistakes_are_reported_not_only_the_first(write):
    complaint = refusal(write(GOOD.format(port=10001) + "    balanse x\n    timeout client 5q\n    sevrer y\n"))
    for line in (10, 11, 12):
        assert re.search(rf"spliced\.cfg:{line}\]", complaint), complaint


def test_two_listeners_on_one_port_are_refused(write, ours_only):
    text = GOOD.format(port=10001) + "listen other\n    bind 127.0.0.1:10001\n    server one 127.0.0.1:9\n"
    complaint = refusal(write(text))
    assert "10001" in complaint and re.search(r"spliced\.cfg:(8|11)\]", complaint), complaint


def test_a_port_that_another_process_holds_is_refused_at_start_only(write, closing):
    taken = Endpoint("ipv4")
    closing(taken.listen())
    path = write(GOOD.format(port=taken.port))
    assert run_daemon("-c", "-f", path).returncode == 0
    done = run_daemon("-f", path)
    assert done.returncode == 1 and "[ALERT]" in done.stderr
    assert str(taken.port) in done.stderr and "Address already in use" in done.stderr


def test_an_address_of_another_machine_is_refused_at_start(write):
    done = run_daemon("-f", write(GOOD.format(port=10001).replace("bind 127.0.0.1", "bind 192.0.2.1")))
    assert done.returncode == 1 and "192.0.2.1" in done.stderr


@pytest.mark.parametrize("words,named", [("bind 127.0.0.1:10001", "127.0.0.1:10001"), ("server one 127.0.0.1:9", "'one'")])
def test_a_congestion_control_that_is_not_there_stops_the_start(write, ours_only, words, named):
    text = GOOD.format(port=10001)
    assert words in text
    path = write(text.replace(words, f"{words} cc nosuch"))
    assert run_daemon("-c", "-f", path).returncode == 0
    done = run_daemon("-f", path)
    assert done.returncode == 1 and "cannot use the congestion control" in done.stderr
    assert named in done.stderr


def test_a_privileged_port_without_privilege_is_refused_with_a_hint(write, directory):
    prefix = user_prefix(["nobody"])
    with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
        if int(file.read()) <= 81:
            pytest.skip("this kernel lets everybody use port 81")
    program = os.path.join(directory, "spliced")
    with open(BINARY, "rb") as source, open(program, "wb") as copy:
        copy.write(source.read())
    os.chmod(program, 0o755)
    path = write(GOOD.format(port=81))
    done = run_daemon("-f", path, prefix=prefix, program=program)
    assert done.returncode == 1 and "81" in done.stderr and "ermission denied" in done.stderr


def test_a_path_that_is_not_a_socket_is_not_replaced(write, directory):
    path = os.path.join(directory, "precious")
    with open(path, "w", encoding="ascii") as file:
        file.write("data")
    done = run_daemon("-f", write(GOOD.format(port=10001).replace("127.0.0.1:10001", f"unix@{path}")))
    assert done.returncode == 1 and "precious" in done.stderr
    with open(path, encoding="ascii") as file:
        assert file.read() == "data"


def test_a_refused_start_leaves_nothing_listening(write, closing):
    """The first address would work; the second does not."""
    free, taken = Endpoint("ipv4"), Endpoint("ipv4")
    closing(taken.listen())
    text = (GOOD.format(port=free.port) +
            f"listen other\n    bind 127.0.0.1:{taken.port}\n    server one 127.0.0.1:9\n")
    assert run_daemon("-f", write(text)).returncode == 1
    with pytest.raises(ConnectionRefusedError):
        free.connect()


@pytest.mark.parametrize("words", [["--no-such-flag"], ["-f"], ["-n", "many"], []])
def test_a_wrong_command_line_is_refused(words):
    done = run_daemon(*words)
    assert done.returncode == 1 and (done.stderr + done.stdout).strip()


def test_an_unknown_user_is_refused(write):
    assert "nobody-of-that-name" in refusal(write("global\nuser nobody-of-that-name\n" + GOOD.format(port=10001)))

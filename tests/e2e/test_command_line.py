"""The command line: checking, versions, pid files, the background, quick start."""

import os
import re
import signal
import subprocess

import pytest

from lib import place
from lib.endpoints import Endpoint, accept
from lib.flows import assert_same, receive_exactly
from lib.pattern import pattern_bytes
from lib.proxy import BINARY, GOOD, REPOSITORY, Proxy, run_daemon
from lib.waiting import wait_until

EXAMPLES = sorted((REPOSITORY / "examples").glob("*.conf"))


def test_checking_a_good_file_has_no_side_effects(write, directory):
    pidfile, path = os.path.join(directory, "pid"), os.path.join(directory, "admin.sock")
    text = f"global\nstats socket {path}\npidfile {pidfile}\ndaemon\n" + GOOD.format(port=Endpoint("ipv4").port)
    done = run_daemon("-c", "-f", write(text), "-p", pidfile)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(directory)) == ["spliced.cfg"]


def test_checking_quietly_says_nothing(write):
    done = run_daemon("-c", "-q", "-f", write(GOOD.format(port=10001)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_several_files_and_folders_are_read_in_order(write, directory):
    os.mkdir(os.path.join(directory, "conf.d"))
    sections = GOOD.format(port=10001).split("listen")
    write(sections[0], "conf.d/10-defaults.cfg")
    write("listen" + sections[1], "conf.d/20-listen.cfg")
    write("this is not read", "conf.d/ignored.txt")
    last = write("listen more\nbind 127.0.0.1:10002\nserver two 127.0.0.1:9\n", "last.cfg")
    done = run_daemon("-c", "-f", os.path.join(directory, "conf.d"), "-f", last)
    assert done.returncode == 0, done.stderr


def test_the_environment_is_read(write):
    path = write(GOOD.format(port=10001).replace("10001", "${E2E_PORT}").replace(
        "bind 127.0.0.1:${E2E_PORT}", 'bind "127.0.0.1:${E2E_PORT}"'))
    assert run_daemon("-c", "-f", path, environment={"E2E_PORT": "10003"}).returncode == 0
    assert run_daemon("-c", "-f", path, environment={"E2E_PORT": "no port"}).returncode == 1


def test_version_is_one_line(ours_only):
    done = run_daemon("-v")
    assert done.returncode == 0 and re.fullmatch(r"spliced version \d+\.\d+\.\d+\S*\n", done.stdout)


def test_facts_list_every_engine(ours_only):
    done = run_daemon("-vv")
    assert done.returncode == 0
    for name in ("auto", "copy", "sockmap", "splice", "uring"):
        assert re.search(rf"(?m)^  {name} +(available|unavailable: \S)", done.stdout), done.stdout


def test_help_lists_the_options(ours_only):
    done = run_daemon("-h")
    assert done.returncode == 0 and all(word in done.stdout for word in ("-f", "-c", "-D", "--listen", "--to"))


def test_a_pid_file_is_written(start_proxy, endpoint, directory):
    pidfile = os.path.join(directory, "pid")
    daemon = start_proxy(f"listen relayed\nbind {endpoint().text}\nserver one {endpoint().text}",
                         global_lines=[] if "haproxy" not in BINARY.name else ["daemon"],
                         arguments=["-p", pidfile, "-db"])
    if "haproxy" in BINARY.name:
        return
    with open(pidfile, encoding="ascii") as file:
        assert int(file.read()) == daemon.pid


def test_the_background_daemon_is_ready_when_its_starter_returns(directory, endpoint, closing):
    front, back = endpoint(), endpoint()
    listener = closing(back.listen())
    pidfile = os.path.join(directory, "pid")
    daemon = Proxy(directory, f"listen relayed\nbind {front.text}\nserver one {back.text}")
    done = run_daemon("-D", "-p", pidfile, "-f", daemon.config_path)
    assert done.returncode == 0, done.stderr
    with open(pidfile, encoding="ascii") as file:
        number = int(file.read())
    try:
        assert f"Pid: {number}\n" in daemon.runtime.ask("show info")
        client = closing(front.connect())
        server = closing(accept(listener))
        client.sendall(b"x")
        assert receive_exactly(server, 1) == b"x"
        assert os.getsid(number) == number and os.getpgid(number) == number
        server.close()
        client.close()
    finally:
        os.kill(number, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(f"/proc/{number}") or is_zombie(number), "the daemon to end")


def is_zombie(number):
    try:
        with open(f"/proc/{number}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_background_start_survives_closed_standard_descriptors(directory, endpoint, closing):
    """Else sockets get their numbers, and lose them when the daemon lets go of its terminal."""
    front, back = endpoint(), endpoint()
    listener = closing(back.listen())
    pidfile = os.path.join(directory, "pid")
    daemon = Proxy(directory, f"listen relayed\nbind {front.text}\nserver one {back.text}")
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"]
    assert run_daemon("-D", "-p", pidfile, "-f", daemon.config_path, prefix=closed).returncode == 0
    with open(pidfile, encoding="ascii") as file:
        number = int(file.read())
    try:
        assert all(os.readlink(f"/proc/{number}/fd/{fd}") == "/dev/null" for fd in range(3))
        client = closing(front.connect())
        server = closing(accept(listener))
        client.sendall(b"x")
        assert receive_exactly(server, 1) == b"x"
    finally:
        os.kill(number, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(f"/proc/{number}") or is_zombie(number), "the daemon to end")


@pytest.mark.not_in_lab("the port is taken on another host")
def test_a_background_start_that_fails_says_so_to_its_starter(write, closing):
    taken = Endpoint("ipv4")
    closing(taken.listen())
    done = run_daemon("-D", "-f", write(GOOD.format(port=taken.port)))
    assert done.returncode == 1 and str(taken.port) in done.stderr


def test_maxconn_of_the_command_line_wins(start_proxy, endpoint):
    daemon = start_proxy(f"listen relayed\nbind {endpoint().text}\nserver one {endpoint().text}",
                         global_lines=["maxconn 100"], arguments=["-n", "50"])
    assert daemon.runtime.info()["Maxconn"] == "50"


@pytest.fixture
def quick_start(ours_only):
    """Starts with --listen and --to; the process is ended at the end."""
    started = []

    def start(*words):
        started.append(subprocess.Popen([*place.prefix("proxy"), BINARY, *words], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        output, errors = process.communicate(timeout=10)
        assert process.returncode == 0, output + errors


def test_quick_start_relays(quick_start, endpoint, closing, engine, family):
    front, back = endpoint(family), endpoint(family)
    listener = closing(back.listen())
    quick_start("--listen", place.fill_in(front.text, "proxy"), "--to", place.fill_in(back.text, "server"),
                "--relay", engine)
    client = closing(wait_until(lambda: connected(front), "the listener"))
    server = closing(accept(listener))
    content = pattern_bytes(1 << 20)
    server.settimeout(20)
    client.sendall(content[:65536])
    assert_same(receive_exactly(server, 65536), content[:65536])
    client.close()


def connected(front):
    try:
        return front.connect()
    except OSError:
        return None


def test_quick_start_with_several_servers_uses_them_in_turn(quick_start, endpoint, closing):
    front, backs = endpoint(), [endpoint(), endpoint()]
    listeners = [closing(back.listen()) for back in backs]
    quick_start("--listen", place.fill_in(front.text, "proxy"),
                "--to", place.fill_in(",".join(back.text for back in backs), "server"))
    first = closing(wait_until(lambda: connected(front), "the listener"))
    second = closing(front.connect())
    for listener in listeners:
        closing(accept(listener))
    assert first and second


def test_quick_start_with_a_wrong_address_is_refused(ours_only):
    done = run_daemon("--listen", "127.0.0.1:99999", "--to", "127.0.0.1:80")
    assert done.returncode == 1 and "99999" in done.stderr
    done = run_daemon("--listen", "127.0.0.1:10001")
    assert done.returncode == 1 and "--to" in done.stderr


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid(path):
    done = run_daemon("-c", "-f", path)
    assert done.returncode == 0, done.stderr

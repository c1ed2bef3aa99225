"""Reloads, upgrades and deaths of a master's workers: no connection is refused, none is cut.

SPLICED_RELOADS says how many reloads the test under load makes, SPLICED_IDLE how many idle
connections are held over one.
"""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lib.endpoints import accept
from lib.flows import assert_same, echo_until_end, receive_exactly, receive_to_end
from lib.master import Master
from lib.openloop import LongTransfer, OpenLoop
from lib.pattern import pattern_bytes
from lib.proxy import BINARY, REPOSITORY, is_sanitized, run_daemon
from lib.runtime import RuntimeClient
from lib.waiting import wait_until

RELOADS = int(os.environ.get("SPLICED_RELOADS", "10"))
IDLE = int(os.environ.get("SPLICED_IDLE", "500"))
TRANSFER_BYTES = (4 if is_sanitized() else 24) << 20

pytestmark = pytest.mark.usefixtures("ours_only")


@pytest.fixture
def start_master(directory):
    """Starts masters; each is stopped and examined after the test."""
    started = []

    def start(body, *arguments, program=BINARY, start_options=None, **parts):
        master = Master(directory, body, program=program, **parts)
        started.append(master)
        return master.start(*arguments, **(start_options or {}))

    yield start
    try:
        for master in started:
            master.stop()
    finally:
        for master in started:
            master.kill()


@pytest.fixture
def echo(endpoint, closing):
    """An echo server: its endpoint."""
    back, stop = endpoint(), threading.Event()
    echo_until_end(closing(back.listen(backlog=4096)), stop)
    yield back
    stop.set()


def listen_body(back, *fronts, name="relayed"):
    return "\n".join([f"listen {name}", *[f"bind {front.text}" for front in fronts], f"server one {back.text}"])


def echoes(peer, word=b"word"):
    peer.sendall(word)
    return receive_exactly(peer, len(word)) == word


def serves(front):
    """A connection that is over afterwards."""
    with front.connect(timeout_s=20) as peer:
        return echoes(peer)


def is_refused(front):
    try:
        front.connect(timeout_s=2).close()
        return False
    except OSError:
        return True


def exists(number):
    """A process that runs; one that has ended and is not waited for yet does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.limit(max(60, 30 + 3 * RELOADS))
@pytest.mark.parametrize("family", ["ipv4", "unix"])
def test_reloads_under_load_refuse_and_cut_nothing(start_master, echo, endpoint, family):
    """Threads, and with them sockets, come and go with the reloads."""
    front = endpoint(family)
    body = listen_body(echo, front)
    master = start_master(body, global_lines=["nbthread 2"])
    with OpenLoop(front) as load:
        for turn in range(RELOADS):
            transfer = LongTransfer(front, TRANSFER_BYTES)
            master.configure(body, global_lines=[f"nbthread {(4, 1, 3, 2)[turn % 4]}"])
            master.reload((signal.SIGUSR2, signal.SIGHUP)[turn % 2])
            transfer.wait()
    assert not load.failures, f"{len(load.failures)} of {load.done}: {load.failures[:5]}"
    assert load.done > 0
    master.wait_alone()


@pytest.mark.limit(120)
def test_a_rebuilt_program_takes_over(start_master, echo, endpoint, directory):
    front, program = endpoint(), Path(directory) / "spliced"
    shutil.copy2(BINARY, program)
    master = start_master(listen_body(echo, front), program=program)
    old = master.served()[-1]
    with OpenLoop(front) as load:
        transfer = LongTransfer(front, TRANSFER_BYTES)
        newer = Path(directory) / "newer"
        shutil.copy2(BINARY, newer)
        newer.rename(program)
        worker = master.reload()
        transfer.wait()
    assert not load.failures, load.failures[:5]
    assert worker != old
    assert os.stat(f"/proc/{worker}/exe").st_ino == program.stat().st_ino
    assert os.stat(f"/proc/{master.pid}/exe").st_ino != program.stat().st_ino


@pytest.mark.limit(max(60, IDLE // 20))
def test_idle_connections_are_held_over_a_reload(start_master, echo, endpoint, closing):
    front = endpoint()
    master = start_master(listen_body(echo, front), global_lines=[f"maxconn {2 * IDLE + 100}"])
    held = [closing(front.connect(timeout_s=20)) for _ in range(IDLE)]
    assert all(echoes(peer) for peer in held)
    old = master.served()[-1]
    master.reload()
    assert all(echoes(peer, b"after") for peer in held)
    assert exists(old)
    for peer in held:
        peer.close()
    master.wait_alone()


def test_a_killed_worker_is_replaced_and_nobody_is_refused(start_master, echo, endpoint, closing):
    front = endpoint()
    master = start_master(listen_body(echo, front))
    lost = closing(front.connect())
    assert echoes(lost)
    for _ in range(3):
        before = master.served()
        os.kill(before[-1], signal.SIGKILL)
        assert serves(front), "new connections wait for the next worker"
        wait_until(lambda: len(master.served()) > len(before), "another worker")  # noqa: B023
    assert receive_to_end(lost)[0] == b""
    assert "ended by signal 9" in master.errors()


def test_a_worker_that_dies_at_once_is_started_with_growing_pauses(start_master, echo, endpoint, directory):
    front, program = endpoint(), Path(directory) / "spliced"
    shutil.copy2(BINARY, program)
    master = start_master(listen_body(echo, front), program=program)
    broken = Path(directory) / "broken"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    broken.rename(program)
    os.kill(master.served()[-1], signal.SIGKILL)
    wait_until(lambda: master.errors().count("status 3 before it served") >= 4, "four attempts")
    mended = Path(directory) / "mended"
    shutil.copy2(BINARY, mended)
    with front.connect(timeout_s=30) as peer:
        mended.rename(program)
        assert echoes(peer), "who came meanwhile is served"


def test_workers_outlive_a_killed_master_until_their_connections_end(start_master, echo, endpoint, closing, log):
    front = endpoint()
    master = start_master(listen_body(echo, front), logs=[f"{log.text} local0"])
    worker, peer = master.served()[-1], closing(front.connect())
    assert echoes(peer)
    master.process.kill()
    master.process.wait()
    log.wait_for("The master has gone")
    wait_until(lambda: is_refused(front), "new connections to be refused")
    assert echoes(peer, b"still")
    peer.close()
    wait_until(lambda: not exists(worker), "the worker to end")
    master.process = None


def test_a_bad_configuration_leaves_the_old_one_in_force(start_master, echo, endpoint, closing, log):
    front, other = endpoint(), endpoint()
    parts = {"logs": [f"{log.text} local0"]}
    master = start_master(listen_body(echo, front), **parts)
    worker, peer = master.served()[-1], closing(front.connect())
    assert echoes(peer)
    master.configure(listen_body(echo, other) + "\nbalanse roundrobin", **parts)
    master.process.send_signal(signal.SIGUSR2)
    log.wait_for("the reload has failed")
    assert "'balanse' unknown" in master.errors()
    assert master.served() == [worker] and master.workers() == [worker]
    assert echoes(peer) and serves(front) and is_refused(other)
    master.configure(listen_body(echo, front, other), **parts)
    master.reload()
    assert serves(other) and serves(front)


def test_an_address_that_cannot_be_had_leaves_the_old_one_in_force(start_master, echo, endpoint, closing):
    front, local, taken = endpoint(), endpoint("unix"), endpoint()
    closing(taken.listen())
    master = start_master(listen_body(echo, front, local))
    worker = master.served()[-1]
    master.configure(listen_body(echo, front, local, taken))
    master.process.send_signal(signal.SIGUSR2)
    wait_until(lambda: "the reload has failed" in master.errors(), "the failure to be told")
    assert master.served() == [worker]
    assert serves(front) and serves(local)


def test_bind_lines_come_and_go(start_master, echo, endpoint, closing):
    first, second, third = endpoint(), endpoint("unix"), endpoint()
    master = start_master(listen_body(echo, first, second))
    peers = [closing(front.connect()) for front in (first, second)]
    assert all(echoes(peer) for peer in peers)
    master.configure(listen_body(echo, first, third))
    master.reload()
    assert serves(third) and serves(first)
    wait_until(lambda: is_refused(second), "the address that was taken out to be refused")
    assert not os.path.exists(second.path), "its file is removed"
    assert all(echoes(peer, b"old ones go on") for peer in peers)


def test_unix_sockets_stay_what_they_are(start_master, echo, endpoint, closing):
    front = endpoint("unix")
    body = listen_body(echo, front)
    master = start_master(body)
    file = os.stat(front.path)
    for _ in range(2):
        master.reload()
        master.wait_alone()
        assert os.stat(front.path).st_ino == file.st_ino
        assert serves(front)
    master.configure(body.replace(f"bind {front.text}", f"bind {front.text} mode 600"))
    master.reload()
    assert os.stat(front.path).st_mode & 0o777 == 0o600
    master.process.terminate()
    assert master.wait_end() == 0
    assert not os.path.exists(front.path)


def test_an_abstract_socket_is_handed_on(start_master, echo, closing):
    name = f"spliced-test-{os.getpid()}"
    master = start_master(f"listen relayed\nbind abns@{name}\nserver one {echo.text}")
    for _ in range(2):
        master.reload()
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(10)
            peer.connect("\0" + name + "\0" * (107 - len(name)))
            assert echoes(peer)


def fill_queues(front, closing, count=24):
    """Connections that wait in the queues of a frontend whose one place is taken."""
    first = closing(front.connect())
    assert echoes(first)
    waiting = [closing(front.connect()) for _ in range(count)]
    for number, peer in enumerate(waiting):
        peer.sendall(b"%03d" % number)
    return first, waiting


@pytest.mark.parametrize("threads", [(4, 1), (1, 4), (4, 4)])
def test_what_waits_in_the_queues_is_not_lost(start_master, echo, endpoint, closing, threads):
    """Each of several sockets of an address has a queue, and fewer threads may follow."""
    front = endpoint()
    body = f"listen relayed\nbind {front.text} backlog 100\n{{limit}}\nserver one {echo.text}"
    master = start_master(body.format(limit="maxconn 1"), global_lines=[f"nbthread {threads[0]}"])
    first, waiting = fill_queues(front, closing)
    master.configure(body.format(limit=""), global_lines=[f"nbthread {threads[1]}"])
    master.reload()
    for number, peer in enumerate(waiting):
        peer.settimeout(10)
        assert_same(receive_exactly(peer, 3), b"%03d" % number)
    assert echoes(first)


def test_a_soft_stop_takes_what_waits_in_the_queues(start_proxy, echo, endpoint, closing):
    """With nobody to hand them to: here a stopped process stands for one that is busy."""
    front = endpoint()
    daemon = start_proxy(listen_body(echo, front))
    daemon.process.send_signal(signal.SIGSTOP)
    waiting = [closing(front.connect()) for _ in range(20)]
    daemon.process.send_signal(signal.SIGUSR1)
    daemon.process.send_signal(signal.SIGCONT)
    for peer in waiting:
        assert echoes(peer)
        peer.close()
    assert daemon.wait_end() == 0


# --- by hand: -x, -sf, -st ---

EXPOSED = "stats socket {path} mode 600 level admin expose-fd listeners"


@pytest.mark.parametrize("flag", ["-sf", "-st"])
def test_a_process_takes_over_from_another(start_proxy, echo, endpoint, closing, directory, flag):
    front, local, share = endpoint(), endpoint("unix"), os.path.join(directory, "share.sock")
    parts = {"global_lines": [EXPOSED.format(path=share), "nbthread 4"]}
    old = start_proxy(listen_body(echo, front, local), **parts)
    held, inode = closing(front.connect()), os.stat(local.path).st_ino
    assert echoes(held)
    parts["global_lines"][1] = "nbthread 1"
    with OpenLoop(front) as load:
        start_proxy(listen_body(echo, front, local), arguments=["-x", share, flag, old.pid], **parts)
        if flag == "-st":
            assert old.wait_end() == 0
    if flag == "-sf":
        assert not load.failures, load.failures[:5]
        assert echoes(held), "the old process finishes its connections"
        held.close()
        assert old.wait_end() == 0
    assert os.stat(local.path).st_ino == inode
    assert serves(front) and serves(local)


def test_queues_are_taken_over_by_hand(start_proxy, echo, endpoint, closing, directory):
    front, share = endpoint(), os.path.join(directory, "share.sock")
    body = f"listen relayed\nbind {front.text} backlog 100\n{{limit}}\nserver one {echo.text}"
    lines = [EXPOSED.format(path=share)]
    old = start_proxy(body.format(limit="maxconn 1"), global_lines=[*lines, "nbthread 4"])
    first, waiting = fill_queues(front, closing)
    start_proxy(body.format(limit=""), global_lines=[*lines, "nbthread 1"],
                arguments=["-x", share, "-sf", old.pid])
    for number, peer in enumerate(waiting):
        assert_same(receive_exactly(peer, 3), b"%03d" % number)
    first.close()
    assert old.wait_end() == 0


def test_sockets_are_not_passed_to_just_anybody(start_proxy, echo, endpoint, directory, write):
    daemon = start_proxy(listen_body(echo, endpoint()),
                         global_lines=[f"stats socket {directory}/low.sock level operator expose-fd listeners"])
    assert "expose-fd" in daemon.runtime.ask("_getsocks")
    for path in (daemon.socket_path, f"{directory}/low.sock", f"{directory}/none.sock"):
        done = Master(directory, listen_body(echo, endpoint())).run_plain("-x", path)
        assert done.returncode == 1 and path in done.stderr
    assert daemon.process.poll() is None


def test_a_successor_that_fails_leaves_no_trace(start_proxy, echo, endpoint, closing, directory):
    front, local, taken = endpoint(), endpoint("unix"), endpoint()
    closing(taken.listen())
    share = os.path.join(directory, "share.sock")
    start_proxy(listen_body(echo, front, local), global_lines=[EXPOSED.format(path=share)])
    done = Master(directory, listen_body(echo, front, local, taken)).run_plain("-x", share)
    assert done.returncode == 1 and str(taken.port) in done.stderr
    assert serves(front) and serves(local)


def test_the_metrics_page_changes_hands(start_master, echo, endpoint, closing):
    """At once: a worker that leaves for long must not answer for the one that serves."""
    page, front = endpoint(), endpoint()
    master = start_master(listen_body(echo, front), global_lines=[f"metrics bind {page.text}"])
    held = closing(front.connect())
    assert echoes(held)

    def answering():
        with page.connect(timeout_s=5) as peer:
            peer.sendall(b"GET /stats.json HTTP/1.0\r\n\r\n")
            return json.loads(receive_to_end(peer)[0].partition(b"\r\n\r\n")[2])["info"]["Pid"]

    old = master.served()[-1]
    assert answering() == old
    new = master.reload()
    wait_until(lambda: f"({old}) : Finishing" in master.errors(), "the old worker to leave the page")
    assert {answering() for _ in range(20)} == {new}
    assert echoes(held)


# --- the master's own ways ---

def test_a_leaving_worker_counts_down_and_is_ended(start_master, echo, endpoint, closing, log):
    front = endpoint()
    parts = {"logs": [f"{log.text} local0"], "global_lines": ["hard-stop-after 3s"]}
    master = start_master(listen_body(echo, front), **parts)
    peer = closing(front.connect())
    assert echoes(peer)
    master.reload()
    log.wait_for(r"Finishing: 1 connections left, ended in [123] s at the latest")
    master.wait_alone()
    assert receive_to_end(peer)[0] == b""


def test_leaving_connections_can_be_ended_little_by_little(start_master, echo, endpoint, closing):
    front, count = endpoint(), 40
    master = start_master(listen_body(echo, front), global_lines=["hard-stop-after 4s", "hard-stop-spread 3s"])
    held = [closing(front.connect()) for _ in range(count)]
    assert all(echoes(peer) for peer in held)
    ends = [None] * count
    poll = select.poll()
    places = {peer.fileno(): place for place, peer in enumerate(held)}
    for peer in held:
        poll.register(peer, select.POLLIN)
    master.reload()
    start = time.monotonic()
    while None in ends:
        for number, _ in poll.poll(10_000):
            poll.unregister(number)
            ends[places[number]] = time.monotonic() - start
    assert min(ends) > 0.7 and max(ends) < 4.8, ends
    early = sum(end < min(ends) + 1.5 for end in ends)
    assert count // 5 <= early <= count * 4 // 5, ends
    assert max(ends[:4]) < max(ends) - 1, "the oldest go first"
    master.wait_alone()


def test_the_master_finishes_softly(start_master, echo, endpoint, closing):
    front = endpoint()
    master = start_master(listen_body(echo, front))
    peer = closing(front.connect())
    assert echoes(peer)
    master.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: is_refused(front), "new connections to be refused")
    assert echoes(peer)
    peer.close()
    assert master.wait_end() == 0


def test_the_background_master_is_in_the_pid_file(directory, echo, endpoint, closing):
    front, pidfile = endpoint(), Path(directory) / "pid"
    master = Master(directory, listen_body(echo, front))
    done = master.run_plain("-D", "-W", "-p", pidfile)
    assert done.returncode == 0, done.stderr
    number = int(pidfile.read_text())
    try:
        assert serves(front)
        first = master.runtime.info()["Pid"]
        assert int(first) != number
        os.kill(number, signal.SIGUSR2)
        wait_until(lambda: master.runtime.info()["Pid"] != first, "another worker")
        assert serves(front)
    finally:
        os.kill(number, signal.SIGTERM)
    wait_until(lambda: not exists(number), "the master to end")


def test_a_first_configuration_that_is_bad_ends_the_master(directory, echo, endpoint):
    done = Master(directory, listen_body(echo, endpoint()) + "\nbalanse x").run_plain("-W")
    assert done.returncode == 1 and "balanse" in done.stderr


# --- the master's socket ---

@pytest.fixture
def ask_master(start_master, echo, endpoint, directory):
    """(master, its front, a function that sends a line to the master's socket)."""
    path, front = f"{directory}/master.sock", endpoint()
    master = start_master(listen_body(echo, front), "-S", path)
    assert os.stat(path).st_mode & 0o777 == 0o600
    yield master, front, RuntimeClient(path).ask
    master.stop()
    assert not os.path.exists(path)


def rows_of(answer):
    return [line.split() for line in answer.splitlines() if line and not line.startswith("#")]


def test_the_master_lists_its_processes(ask_master, closing):
    master, front, ask = ask_master
    version = run_daemon("-v").stdout.split()[-1]
    answer = ask("show proc")
    assert answer.split()[:5] == ["#<PID>", "<type>", "<reloads>", "<uptime>", "<version>"]
    first = master.served()[-1]
    assert [row[:3] + row[4:] for row in rows_of(answer)] == [
        [str(master.pid), "master", "0", version], [str(first), "worker", "0", version]]
    held = closing(front.connect())
    assert echoes(held)
    second = master.reload()
    old = ask("show proc").partition("# old workers")
    assert rows_of(old[0])[-1][:3] == [str(second), "worker", "0"]
    assert rows_of(old[2])[0][:3] == [str(first), "worker", "1"]
    held.close()
    wait_until(lambda: str(first) not in ask("show proc"), "the old worker to go")


def test_the_master_reloads_and_says_how_that_went(ask_master, echo):
    master, front, ask = ask_master
    for _ in range(2):
        before = master.served()
        assert ask("reload", timeout_s=20) == "Success=1\n\n"
        assert len(master.served()) == len(before) + 1 and serves(front)
    master.configure(listen_body(echo, front) + "\nbalanse x")
    before = master.served()
    answer = ask("reload", timeout_s=20)
    assert answer.startswith("Success=0\n--\n") and "status 1" in answer
    assert master.served() == before and serves(front)


def test_workers_are_asked_through_the_master(ask_master, closing):
    master, front, ask = ask_master
    held = closing(front.connect())
    assert echoes(held)
    first, second = master.served()[-1], master.reload()
    assert f"Pid: {second}\n" in ask("@1 show info")
    assert f"Pid: {first}\n" in ask(f"@!{first} show info; show version")
    assert "Stopping: 1\n" in ask(f"@!{first} show info")
    assert ask("@!1 show info").startswith("There is no worker")
    assert ask("@2 show info").startswith("There is no worker")
    assert "session" in ask("@1 help") and "show proc" in ask("help")
    assert ask("shw proc").startswith("Unknown command 'shw proc'")
    both = ask("help ; show proc")
    assert "reload" in both and "<uptime>" in both
    assert ask(f"@!{first} shutdown sessions server relayed/one") is not None
    assert receive_to_end(held)[0] == b""
    master.wait_alone()


def test_a_crowd_at_the_masters_socket_does_no_harm(ask_master, closing):
    master, front, ask = ask_master
    path = f"{master.directory.parent}/master.sock"
    for _ in range(30):
        peer = closing(socket.socket(socket.AF_UNIX))
        peer.connect(path)
        peer.sendall(b"show")
    master.reload()
    assert serves(front)
    assert "<uptime>" in ask("show proc", timeout_s=30), "idle clients are cut off"


def test_a_masters_socket_in_use_is_not_taken_away(ask_master, directory, echo, endpoint):
    done = Master(directory, listen_body(echo, endpoint())).run_plain("-W", "-S", f"{directory}/master.sock")
    assert done.returncode == 1 and "master.sock" in done.stderr
    assert "<uptime>" in ask_master[2]("show proc")
    done = Master(directory, listen_body(echo, endpoint())).run_plain("-S", f"{directory}/other.sock")
    assert done.returncode == 1 and "-W" in done.stderr


# --- systemd ---

PASS = """
import os, sys
for place, number in enumerate(map(int, sys.argv[2].split(","))):
    os.dup2(number, 3 + place)
count = sys.argv[2].count(",") + 1
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count), LISTEN_FDNAMES=sys.argv[1])
os.execv(sys.argv[3], sys.argv[3:])
"""


def listening_sockets(number):
    """Descriptors of the process that are sockets, but for those of single connections."""
    folder = f"/proc/{number}/fd"
    return sum(os.readlink(f"{folder}/{name}").startswith("socket:") for name in os.listdir(folder))


@pytest.mark.parametrize("place", ["fd@web", "fd@3", "by its address"])
def test_sockets_that_systemd_passes_serve(start_master, echo, endpoint, closing, place):
    front, spare = endpoint(), endpoint()
    passed = [closing(front.listen(backlog=100)), closing(spare.listen())]
    numbers = ",".join(str(os.dup(one.fileno()) + 0) for one in passed)
    text = front.text if place == "by its address" else place
    master = start_master(f"listen relayed\nbind {text}\nserver one {echo.text}", start_options={
        "prefix": ["/usr/bin/python3", "-c", PASS, "web:spare", numbers],
        "pass_fds": tuple(map(int, numbers.split(",")))})
    for number in map(int, numbers.split(",")):
        os.close(number)
    counts = []
    for _ in range(3):
        assert serves(front)
        master.reload()
        master.wait_alone()
        counts.append(listening_sockets(master.served()[-1]))
    assert serves(front)
    assert counts == counts[:1] * 3, "the same socket was taken for another each time"


def test_a_name_that_was_not_passed_is_refused(directory, echo):
    done = Master(directory, f"listen relayed\nbind fd@web\nserver one {echo.text}").run_plain()
    assert done.returncode == 1 and "no socket of this name was passed" in done.stderr


def test_systemd_is_told(start_master, echo, endpoint, directory, closing):
    path = os.path.join(directory, "notify.sock")
    notify = closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    notify.bind(path)
    notify.settimeout(10)

    def told(word):
        while True:
            lines = notify.recv(4096).decode()
            if lines.startswith(word):
                return lines

    master = start_master(listen_body(echo, endpoint()), start_options={
        "flag": "-Ws", "environment": {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}})
    assert f"MAINPID={master.pid}\n" in told("READY=1")
    told("WATCHDOG=1")
    master.reload()
    assert re.search(r"^MONOTONIC_USEC=\d+$", told("RELOADING=1"), re.MULTILINE)
    told("READY=1")
    master.configure("nonsense")
    master.process.send_signal(signal.SIGHUP)
    told("RELOADING=1")
    assert "failed" in told("READY=1")
    master.process.terminate()
    told("STOPPING=1")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_unit_is_valid(directory):
    """But for the pages that it names, which a build does not install."""
    text = (REPOSITORY / "packaging/systemd/spliced.service").read_text()
    text = text.replace("/usr/sbin/spliced", str(BINARY))
    unit = Path(directory) / "spliced.service"
    unit.write_text("".join(line for line in text.splitlines(True) if not line.startswith("Documentation=")))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")

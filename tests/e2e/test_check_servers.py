"""Health checks of real servers: their own protocols, frozen, killed and stopped."""

import contextlib
import os
import signal
import socket
import subprocess

import pytest

from lib.servers import find_program
from lib.waiting import wait_until


def check_of(daemon):
    row = daemon.runtime.stat_row("relayed", "one")
    return row["check_status"].removeprefix("* "), row


def wait_check(daemon, status, deadline_s=10):
    wait_until(lambda: check_of(daemon)[0] == status, f"{status}, not {check_of(daemon)}", deadline_s)
    return check_of(daemon)[1]


@pytest.fixture
def watch(start_proxy, endpoint):
    def make(server, *lines):
        return start_proxy("\n".join(["listen relayed", f"bind {endpoint().text}", *lines,
                                      f"server one {server.text} check inter 200ms"]))

    return make


def test_redis_is_checked_frozen_and_thawed(redis_server, watch):
    daemon = watch(redis_server.endpoint("ipv4"), "option redis-check")
    assert wait_check(daemon, "L7OK")["status"] == "UP"
    os.kill(redis_server.process.pid, signal.SIGSTOP)
    try:
        row = wait_check(daemon, "L7TOUT")
        wait_until(lambda: check_of(daemon)[1]["status"] == "DOWN", "the frozen server to be down", 10)
        assert "no +PONG from Redis" in row["last_chk"]
    finally:
        os.kill(redis_server.process.pid, signal.SIGCONT)
    wait_until(lambda: check_of(daemon)[1]["status"] == "UP", "the server to be back", 10)


def test_a_script_finds_the_master_of_redis(redis_server, watch):
    daemon = watch(redis_server.endpoint("unix"), "option tcp-check", "tcp-check send PING\\r\\n",
                   "tcp-check expect string +PONG", "tcp-check send info\\ replication\\r\\n",
                   "tcp-check expect string role:master", "tcp-check send QUIT\\r\\n", "tcp-check expect string +OK")
    assert wait_check(daemon, "L7OK")["status"] == "UP"


def test_postgresql_is_checked(postgresql_server, watch):
    daemon = watch(postgresql_server.endpoint("ipv6"), "option pgsql-check user tester")
    assert wait_check(daemon, "L7OK")["status"] == "UP"


def test_mariadb_is_checked(mariadb_server, watch):
    for option in ("option mysql-check user root", "option mysql-check"):
        assert wait_check(watch(mariadb_server.endpoint("ipv4"), option), "L7OK")["status"] == "UP"


def test_mariadb_counts_no_broken_connection(mariadb_server, watch):
    daemon = watch(mariadb_server.endpoint("ipv4"), "option mysql-check user root")
    wait_check(daemon, "L7OK")

    def aborted():
        done = subprocess.run([find_program("mariadb"), "--no-defaults", f"--socket={mariadb_server.socket_path}",
                               "--user=root", "--batch", "--skip-column-names", "-e",
                               "show global status where variable_name in ('Aborted_clients', 'Aborted_connects')"],
                              capture_output=True, text=True, check=True, timeout=20)
        return [line.split()[1] for line in done.stdout.splitlines()]

    before, uptime = aborted(), int(daemon.runtime.info()["Uptime_sec"])
    wait_until(lambda: int(daemon.runtime.info()["Uptime_sec"]) > uptime + 1, "some checks more")
    assert aborted() == before and len(before) == 2


def test_nginx_is_checked(nginx_server, watch):
    ok = watch(nginx_server.endpoint("ipv4"), "option httpchk GET /1000",
               "http-check send ver HTTP/1.1 hdr Host here", "http-check expect status 200")
    assert wait_check(ok, "L7OK")["check_code"] == "200"
    gone = watch(nginx_server.endpoint("ipv4"), "option httpchk GET /none HTTP/1.0")
    assert wait_check(gone, "L7STS")["check_code"] == "404"
    assert check_of(gone)[1]["last_chk"] == "HTTP/1.1 404 Not Found"


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
def test_a_tls_server_is_checked(watch, endpoint, directory, option):
    if find_program("openssl") is None:
        pytest.skip("openssl is not installed")
    place = endpoint()
    subprocess.run([find_program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=here",
                    "-keyout", f"{directory}/key", "-out", f"{directory}/cert"], capture_output=True, check=True,
                   timeout=60)
    server = subprocess.Popen([find_program("openssl"), "s_server", "-accept", str(place.port), "-4", "-quiet", option,
                               "-key", f"{directory}/key", "-cert", f"{directory}/cert"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def listens():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", place.port), 1):
                return True

        wait_until(listens, "openssl to listen", 10)
        daemon = watch(place, "option ssl-hello-chk")
        assert wait_check(daemon, "L6OK")["status"] == "UP"
        server.kill()
        server.wait()
        wait_check(daemon, "L4CON")
    finally:
        server.kill()
        server.wait()


def test_ssh_is_checked_by_its_banner(ssh_server, watch):
    daemon = watch(ssh_server.endpoint("ipv4"), "option tcp-check", "tcp-check expect rstring ^SSH-2\\.0-")
    assert wait_check(daemon, "L7OK")["status"] == "UP"

"""End-to-end tests: the real daemon between real programs and sockets.

Run them all on two processors, from the top of the repository:

    /usr/bin/python3 -m pytest tests/e2e -n 2

A single file, a single test, a single case, with output:

    /usr/bin/python3 -m pytest tests/e2e/test_close_order.py
    /usr/bin/python3 -m pytest tests/e2e/test_close_order.py -k client_closes_first
    /usr/bin/python3 -m pytest 'tests/e2e/test_redis.py::test_values_come_back[splice-ipv4]' -s

The daemon is build/spliced, or what SPLICED_BINARY names (a sanitizer build, say);
splicectl is looked for beside it, or is what SPLICED_CTL names.  `-m "not slow"` leaves
out the few tests that take longer than 15 seconds.

Every test has a time limit of its own, 60 seconds unless marked `limit(seconds)`; past
it the test fails with the stacks of all threads.  Tests that need a program skip with
its name when it is not installed.  After each test the daemon must be idle, must have
closed every socket of its sessions and must end with status 0 on SIGTERM.

SPLICED_LAB=on (or =plain, without offloads) runs the same tests between three network
namespaces, with engine wire: see lib/place.py.  Needs root.
"""

import contextlib
import faulthandler
import os
import resource
import shutil
import signal
import sys
import tempfile

import pytest

from lib import place, servers
from lib import proxy as proxy_module
from lib.endpoints import FAMILIES, INTERNET_FAMILIES, Endpoint, accept
from lib.proxy import BINARY, ENGINES, Proxy
from lib.syslog import LogServer

TEST_SECONDS = 60
# Files by the beginning of their names, and why they are left out with SPLICED_LAB.
NOT_IN_LAB = {
    "test_bad_input": "no connection is made",
    "test_balance_haproxy": "only choices are compared",
    "test_routing_haproxy": "only choices are compared",
    "test_check": "checks come from the proxy, and wire carries none of them",
    "test_demo": "it is not about the daemon",
    "test_proxy_": "headers name and trust addresses of the loopback network, or it makes its own lab",
    "test_bench_": "it is not about the daemon",
    "test_reload": "masters run beside the lab",
    "test_wire": "it makes its own lab",
}
# Of so many sessions and more wire must carry so large a part (many end before it can).
CARRIED_FROM_SESSIONS, CARRIED_SHARE_MIN = 500, 0.1
# Files whose tests share a server that is dear to start: one process runs them all.
SHARED_FILES = ("test_postgresql.py", "test_mariadb.py", "test_http.py", "test_ssh.py", "test_redis.py",
                "test_check_servers.py")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes longer than 15 seconds")
    config.addinivalue_line("markers", "not_in_lab(reason): makes no sense with SPLICED_LAB")
    config.addinivalue_line("markers", "quick: chosen for the short runs in a lab (tools/test.py)")
    config.addinivalue_line("markers", "limit(seconds): the time limit of this test")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class ServerScheduling(LoadScopeScheduling):
        """Single tests go to any process, those of a shared server to the same one."""

        def _split_scope(self, nodeid):
            file = nodeid.split("::")[0]
            return file if file.endswith(SHARED_FILES) else nodeid

    return ServerScheduling(config, log)


def pytest_collection_modifyitems(items):
    """The long ones first, so that no process ends alone with one of them."""
    def weight(item):
        limit = item.get_closest_marker("limit")
        shared = item.nodeid.split("::")[0].endswith(SHARED_FILES)
        return (0 if item.get_closest_marker("slow") else 1 if shared else 2,
                -(limit.args[0] if limit and not shared else 0))

    items.sort(key=weight)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """Raises in the main thread when a test, with its fixtures, takes too long."""
    marker = item.get_closest_marker("limit")
    seconds = marker.args[0] if marker else TEST_SECONDS

    def expire(_signal, _frame):
        faulthandler.dump_traceback(file=sys.__stderr__)
        raise TimeoutError(f"the test took longer than {seconds} s")

    previous = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds, 10)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, previous)


def pytest_runtest_setup(item):
    if not place.MODE:
        return
    marker, name = item.get_closest_marker("not_in_lab"), item.path.name
    reasons = [reason for start, reason in NOT_IN_LAB.items() if name.startswith(start)]
    if marker or reasons:
        pytest.skip(f"not in a lab: {marker.args[0] if marker else reasons[0]}")


@pytest.fixture(scope="session", autouse=True)
def lab():
    """The hosts of SPLICED_LAB; at the end wire must have had its part."""
    if not place.MODE:
        yield None
        return
    if place.missing():
        pytest.skip(f"a network lab: {place.missing()}")
    with place.running_lab(are_offloads_on=place.MODE == "on") as made:
        yield made
    carried, sessions = proxy_module.CARRIED["carried"], proxy_module.CARRIED["sessions"]
    if sessions >= CARRIED_FROM_SESSIONS:
        assert carried >= sessions * CARRIED_SHARE_MIN, f"wire carried {carried} of {sessions} sessions"


@pytest.fixture(scope="session", autouse=True)
def binary():
    if not BINARY.exists():
        pytest.fail(f"{BINARY} does not exist: build it, or set SPLICED_BINARY", pytrace=False)
    return BINARY


@pytest.fixture
def ours_only():
    if proxy_module.is_haproxy():
        pytest.skip("HAProxy stands in for spliced and does not have this")


@pytest.fixture(params=ENGINES)
def engine(request):
    return request.param


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(params=INTERNET_FAMILIES)
def internet_family(request):
    return request.param


@pytest.fixture
def directory():
    """A short path (unix socket names are limited) that other users may enter."""
    path = tempfile.mkdtemp(prefix="spliced-e2e-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def write(directory):
    """Writes bytes or text as a configuration; returns its path."""
    def put(content, name="spliced.cfg"):
        path = os.path.join(directory, name)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        return path

    return put


@pytest.fixture
def closing():
    """Sockets and the like that are closed when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda thing: stack.enter_context(contextlib.closing(thing))


@pytest.fixture
def log():
    server = LogServer()
    yield server
    server.close()


@pytest.fixture
def endpoint(directory):
    return lambda family="ipv4", **options: Endpoint(family, directory, **options)


@pytest.fixture
def start_proxy(directory, log):
    """Starts daemons; each is stopped and examined after the test.

    The test's own sockets are closed first: fixtures end in reverse order, so a test
    that keeps sockets open takes `closing` after this one.
    """
    started = []

    def start(body, engine="auto", arguments=(), **parts):
        daemon = Proxy(directory, body, engine, parts.pop("log", log), **parts)
        started.append(daemon)
        return daemon.start(*arguments)

    yield start
    try:
        for daemon in started:
            daemon.stop()
    finally:
        for daemon in started:
            daemon.kill()


class Link:
    """A proxy with one listening server behind it, and pairs of joined sockets."""

    def __init__(self, daemon, front, back, listener, closing):
        self.daemon, self.front, self.back, self.listener = daemon, front, back, listener
        self.closing = closing
        self.log = daemon.log

    def pair(self, **options):
        """(client, server) joined through the daemon."""
        client = self.closing(self.front.connect(**options))
        return client, self.closing(accept(self.listener))


@pytest.fixture
def make_link(start_proxy, endpoint, closing):
    """Makes a Link; lines are added to the listen section `relayed` and its server line."""
    def make(engine, family="ipv4", lines=(), server_words="", backlog=1024, **parts):
        front, back = endpoint(family), endpoint(family)
        listener = closing(back.listen(backlog))
        body = "\n".join(["listen relayed", f"bind {front.text}", *lines,
                          f"server one {back.text} {server_words}"])
        return Link(start_proxy(body, engine, **parts), front, back, listener, closing)

    return make


@pytest.fixture
def link(make_link, engine, family):
    return make_link(engine, family)


@pytest.fixture(scope="session")
def server_directory():
    path = tempfile.mkdtemp(prefix="spliced-srv-")
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def _server_fixture(name, maker):
    @pytest.fixture(scope="session", name=name)
    def fixture(server_directory):
        missing = [program for program in maker.programs if servers.find_program(program) is None]
        if missing:
            pytest.skip(f"{missing[0]} is not installed")
        server = maker(server_directory)
        try:
            server.start()
            yield server
        finally:
            server.stop()

    return fixture


redis_server = _server_fixture("redis_server", servers.Redis)
postgresql_server = _server_fixture("postgresql_server", servers.PostgreSQL)
mariadb_server = _server_fixture("mariadb_server", servers.MariaDB)
nginx_server = _server_fixture("nginx_server", servers.Nginx)
ssh_server = _server_fixture("ssh_server", servers.Ssh)


@pytest.fixture
def iperf3_server(server_directory):
    """One a test: an iperf3 server serves one client at a time."""
    if servers.find_program("iperf3") is None:
        pytest.skip("iperf3 is not installed")
    server = servers.Iperf3(server_directory)
    try:
        server.start()
        yield server
    finally:
        server.stop()

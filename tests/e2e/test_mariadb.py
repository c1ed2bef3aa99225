"""MariaDB through the daemon: a protocol in which the server speaks first."""

import pytest

from lib.clients import mariadb_address, run_client
from lib.endpoints import accept


@pytest.fixture
def front(mariadb_server, start_proxy, endpoint, engine, family):
    place = endpoint(family)
    start_proxy(f"listen sql\nbind {place.text}\nserver sql {mariadb_server.endpoint(family).text}", engine)
    return place


def query(place, statement):
    return run_client("mariadb", "--no-defaults", *mariadb_address(place), "--user=root", "--batch",
                      "--skip-column-names", "--max-allowed-packet=16M", stdin=statement).strip()


def test_rows_come_back(front):
    assert query(front, "select 6 * 7; select repeat('ab', 3);") == "42\nababab"
    rows = query(front, "with recursive n as (select 1 i union all select i + 1 from n "
                 "where i < 1000) select i, repeat(sha1(i), 20) from n;").splitlines()
    assert len(rows) == 1000 and rows[-1].startswith("1000\t")


def test_a_large_value_is_whole(front):
    assert query(front, "select repeat('0123456789abcdef', 500000);") == "0123456789abcdef" * 500000


def test_a_greeting_reaches_a_silent_client(make_link, engine, family):
    link = make_link(engine, family)
    client = link.closing(link.front.connect())
    server = link.closing(accept(link.listener))
    server.sendall(b"greeting")
    assert client.recv(100) == b"greeting"

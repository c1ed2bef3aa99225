"""PostgreSQL through the daemon: pgbench's load, and a large result set in each direction."""

import os
import re

import pytest

from lib.clients import postgresql_address, run_client


@pytest.fixture
def front(postgresql_server, start_proxy, endpoint, directory, engine, family):
    path = os.path.join(directory, ".s.PGSQL.5432") if family == "unix" else None
    place = endpoint(family, path=path)
    server = postgresql_server.endpoint(family).text
    start_proxy(f"listen sql\nbind {place.text}\nserver sql {server}", engine)
    return place


def test_pgbench_loses_no_transaction(front):
    report = run_client("pgbench", *postgresql_address(front), "-U", "tester", "-n", "-S", "-c", 4, "-j", 1,
                        "-t", 100, "postgres")
    assert "number of transactions actually processed: 400/400" in report
    assert re.search(r"number of failed transactions: 0 ", report), report


def test_pgbench_with_a_connection_for_each_transaction(front):
    report = run_client("pgbench", *postgresql_address(front), "-U", "tester", "-n", "-S", "-C", "-c", 2,
                        "-t", 20, "postgres")
    assert "number of transactions actually processed: 40/40" in report


def test_a_large_result_and_a_large_statement_are_whole(front):
    address = [*postgresql_address(front), "-U", "tester", "-At", "postgres"]
    result = run_client("psql", *address, "-c", "select repeat(md5('x'), 500000)")
    assert result.strip() == "9dd4e461268c8034f5c8564e155c67a6" * 500000
    statement = f"select md5('{'y' * 2_000_000}'), length('{'z' * 1_000_000}');"
    assert run_client("psql", *address, stdin=statement).strip() == "81e9cbb83f4e765947e6c646ac5ce061|1000000"


@pytest.mark.parametrize("mode", ["disable", "prefer"])
def test_rules_about_names_do_not_hold_a_client_up_that_asks_first(
        postgresql_server, start_proxy, endpoint, closing, mode):
    """Neither the question whether there is TLS nor a start without it is a hello; the wait would fail the client."""
    place, elsewhere = endpoint("ipv4"), endpoint("ipv4")
    closing(elsewhere.listen())
    start_proxy(f"frontend sql\nbind {place.text}\ntcp-request inspect-delay 120s\n"
                "acl asks req.payload(0,8) -m bin 0000000804d2162f\n"
                "use_backend named if { req.ssl_sni -i db.example }\n"
                "use_backend asked if asks\ndefault_backend plain\n"
                f"backend named\nserver one {elsewhere.text}\n"
                f"backend plain\nserver one {postgresql_server.endpoint('ipv4').text}\n"
                f"backend asked\nserver one {postgresql_server.endpoint('ipv4').text}")
    answer = run_client("psql", f"host={place.host} port={place.port} user=tester dbname=postgres sslmode={mode}",
                        "-At", "-c", "select 6 * 7")
    assert answer.strip() == "42"

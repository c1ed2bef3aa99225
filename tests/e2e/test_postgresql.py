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

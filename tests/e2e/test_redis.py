"""Redis through the daemon: data put in comes out, and a benchmark's load is carried."""

import csv
import io

import pytest

from lib.clients import redis_address, run_client
from lib.pattern import pattern_bytes


@pytest.fixture
def front(redis_server, start_proxy, endpoint, engine, family):
    place = endpoint(family)
    start_proxy(f"listen redis\nbind {place.text}\nserver redis {redis_server.endpoint(family).text}", engine)
    return place


def test_values_come_back(front):
    for size in (1, 1000, 300_000):
        value = pattern_bytes(size).hex()
        assert run_client("redis-cli", *redis_address(front), "-x", "set", "key", stdin=value).strip() == "OK"
        assert run_client("redis-cli", *redis_address(front), "get", "key").rstrip("\n") == value


def test_benchmark_runs_without_an_error(front):
    report = run_client("redis-benchmark", *redis_address(front), "-t", "set,get,lrange_100", "-n", 3000,
                        "-c", 40, "-d", 200, "--csv")
    rows = list(csv.DictReader(io.StringIO(report)))
    assert len(rows) >= 3 and all(float(row["rps"]) > 0 for row in rows), report


def test_pipelined_benchmark_runs_without_an_error(front):
    report = run_client("redis-benchmark", *redis_address(front), "-t", "set,get", "-n", 20000, "-c", 8,
                        "-P", 32, "-d", 500, "--csv")
    assert all(float(row["rps"]) > 0 for row in csv.DictReader(io.StringIO(report))), report

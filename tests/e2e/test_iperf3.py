"""iperf3 through the daemon: bulk in one direction, the other, and both at once."""

import json

import pytest

from lib.clients import run_client


@pytest.fixture
def front(iperf3_server, start_proxy, endpoint, engine, internet_family):
    place = endpoint(internet_family)
    server = iperf3_server.endpoint(internet_family).text
    # iperf3 tells its streams apart by the order of their connections: one thread keeps it.
    start_proxy(f"listen bulk\nbind {place.text}\nserver iperf3 {server}", engine, global_lines=["nbthread 1"])
    return place


@pytest.mark.parametrize("words", [(), ("--reverse",), ("--bidir",), ("--parallel", "4")],
                         ids=["to_the_server", "to_the_client", "both_ways", "four_streams"])
def test_bulk_flows(front, words):
    report = json.loads(run_client("iperf3", "-c", front.host, "-p", front.port, "-t", 1, "-J", *words))
    assert "error" not in report
    ends = [report["end"][key] for key in report["end"] if key.startswith("sum_received")]
    assert len(ends) == (2 if "--bidir" in words else 1)
    assert all(end["bytes"] > 10_000_000 for end in ends), ends


def test_an_exact_amount_arrives(front):
    report = json.loads(run_client("iperf3", "-c", front.host, "-p", front.port, "-n", "64M", "-J"))
    # A block more goes when the socket takes several in one go.
    assert 64 << 20 <= report["end"]["sum_sent"]["bytes"] <= 65 << 20

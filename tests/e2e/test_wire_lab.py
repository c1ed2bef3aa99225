"""The wire programs between real hosts, without the daemon: the smallest proxy that splices
(tests/bpf/lab_wire.c) in a lab of namespaces.  Every byte goes through rewritten packets."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lib.netlab import Netlab

ROOT = Path(__file__).resolve().parents[2]
PORT = 9000
# Both ends send SIZE bytes and read to the other's end; each prints what it got and what it sent.
END = """
import hashlib, random, socket, sys, threading
role, host, port, seed, size = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
family = socket.AF_INET6 if ':' in host else socket.AF_INET
if role == 'server':
    listener = socket.create_server((host, port), family=family)
    print('READY', flush=True)
    stream = listener.accept()[0]
else:
    stream = socket.create_connection((host, port))
    print('CONNECTED', flush=True)
sys.stdin.readline()
block = random.Random(seed).randbytes(1 << 20)
sent, got, count = hashlib.sha256(), hashlib.sha256(), [0, 0]
def send():
    while count[0] < size:
        part = block[:size - count[0]]
        stream.sendall(part); sent.update(part); count[0] += len(part)
    stream.shutdown(socket.SHUT_WR)
sender = threading.Thread(target=send)
sender.start()
while part := stream.recv(1 << 18):
    got.update(part); count[1] += len(part)
sender.join()
print(got.hexdigest(), sent.hexdigest(), *count, flush=True)
"""


def lab_program():
    build = Path(os.environ.get("SPLICED_BINARY", ROOT / "build" / "spliced")).resolve().parent
    for folder in (build, build.parent):
        if (folder / "tests" / "lab_wire").exists():
            return str(folder / "tests" / "lab_wire")
    return None


pytestmark = [
    pytest.mark.skipif(Netlab.missing() is not None, reason=f"a network lab: {Netlab.missing()}"),
    pytest.mark.skipif(lab_program() is None, reason="lab_wire is not built (it needs clang, bpftool and libbpf)"),
]


def expect(process, word):
    line = process.stdout.readline()
    if line.startswith("SKIP"):
        pytest.skip(line)
    assert line.split() == [word], line


def start_proxy(lab, family, way="neigh", amount=0):
    listen, server = lab.address("proxy", family, "client"), lab.address("server", family)
    sides = [lab.interface("proxy", side) for side in ("client", "server")]
    proxy = lab.start("proxy", [lab_program(), "proxy", listen, str(PORT), server, str(PORT), *sides, str(amount), way])
    expect(proxy, "READY")
    return proxy


def transfer(lab, family, up, down, is_busy=False, way="neigh"):
    """Both directions at once through a splice, which a busy pair enters while bytes flow;
    returns the pair's counters by direction."""
    listen, server = lab.address("proxy", family, "client"), lab.address("server", family)
    far = lab.start("server", [sys.executable, "-c", END, "server", server, str(PORT), "2", str(down)])
    expect(far, "READY")
    proxy = start_proxy(lab, family, way, 10_000_000 if is_busy else 0)
    near = lab.start("client", [sys.executable, "-c", END, "client", listen, str(PORT), "1", str(up)])
    expect(near, "CONNECTED")
    if not is_busy:
        expect(proxy, "SPLICED")
    for process in (near, far):
        process.stdin.write("\n")
        process.stdin.flush()
    if is_busy:
        expect(proxy, "SPLICED")
    here, there = near.stdout.readline().split(), far.stdout.readline().split()
    assert here[:2] == there[1::-1], (here, there)
    assert [int(word) for word in here[2:]] == [up, down]
    proxy.stdin.close()
    counters = [json.loads(line) for line in proxy.stdout.read().splitlines()]
    assert proxy.wait() == 0
    return counters


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("are_offloads_on", [True, False], ids=["offloads", "plain"])
def test_both_directions_arrive_whole(family, are_offloads_on):
    size = 200_000_000 if are_offloads_on else 30_000_000
    with Netlab(are_offloads_on=are_offloads_on) as lab:
        counters = transfer(lab, family, size, size // 2)
    for counter, sent in zip(counters, (size, size // 2)):
        assert counter["bytes"] >= sent
        assert counter["state"] & 3 == 3
        assert counter["outside"] == counter["malformed"] == counter["too_big"] == counter["expired"] == 0


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("permille", [10, 50])
def test_loss_and_repetition_are_survived(family, permille):
    # Merged packets would be too few to lose any for sure.
    with Netlab(are_offloads_on=False) as lab:
        for host in ("client", "server"):
            expect(lab.start(host, [lab_program(), "loss", str(permille), "5", "0", "eth"]), "READY")
        counters = transfer(lab, family, 10_000_000, 10_000_000)
    assert all(counter["retransmits"] > 0 for counter in counters)
    assert all(counter["outside"] == counter["malformed"] == 0 for counter in counters)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("are_offloads_on", [True, False], ids=["offloads", "plain"])
def test_a_pair_in_full_swing_is_taken_over(family, are_offloads_on):
    with Netlab(are_offloads_on=are_offloads_on) as lab:
        counters = transfer(lab, family, 100_000_000, 100_000_000, is_busy=True)
    # Some of the bytes went each way, and the stack was given copies.
    assert all(0 < counter["bytes"] < 92_000_000 and counter["copies"] > 0 for counter in counters)
    assert all(counter["malformed"] == counter["outside"] == 0 for counter in counters)


def path_mtu(lab, family, host, to):
    """What a host's stack has learnt of the way to an address."""
    words = lab.run(host, ["ip", "route", "get", lab.address(*to)], stdout=subprocess.PIPE, text=True).stdout.split()
    return int(words[words.index("mtu") + 1]) if "mtu" in words else None


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("offloads", ["all", "none", "only the sender's"])
def test_a_sender_is_told_that_the_way_out_is_narrower(family, offloads):
    with Netlab(are_offloads_on=offloads != "none", server_mtu=1400) as lab:
        if offloads == "only the sender's":
            # Then the answer to packets without a sum leaves with one, which the client checks.
            lab.offloads_off(lab.names["proxy"], "client")
        counters = transfer(lab, family, 20_000_000, 10_000_000)
        assert path_mtu(lab, family, "client", ("proxy", family, "client")) == 1400
    assert counters[0]["too_big"] >= counters[0]["told"] > 0
    assert counters[1]["too_big"] == 0
    assert all(counter["malformed"] == counter["outside"] == 0 for counter in counters)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("are_offloads_on", [True, False], ids=["offloads", "plain"])
def test_a_router_behind_the_proxy_reaches_the_sender(family, are_offloads_on):
    with Netlab(are_offloads_on=are_offloads_on, far_mtu=1400) as lab:
        counters = transfer(lab, family, 20_000_000, 10_000_000, way="fib")
        assert path_mtu(lab, family, "client", ("proxy", family, "client")) == 1400
    assert counters[0]["icmp"] > 0
    assert counters[0]["too_big"] == counters[0]["told"] == counters[1]["icmp"] == 0
    assert all(counter["malformed"] == counter["outside"] == 0 for counter in counters)

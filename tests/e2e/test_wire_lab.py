"""The wire programs between real hosts, without the daemon: the smallest proxy that splices
(tests/bpf/lab_wire.c) in a lab of namespaces.  Every byte goes through rewritten packets."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lib.netlab import Netlab

ROOT = Path(__file__).resolve().parents[2]
PORT = 9000
END = str(ROOT / "tests" / "e2e" / "lib" / "lab_end.py")


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


def tell(process):
    process.stdin.write("\n")
    process.stdin.flush()


def start_end(lab, host, role, address, *words):
    seed = "1" if role == "client" else "2"
    size, *kind = words
    process = lab.start(host, [sys.executable, END, role, address, str(PORT + (role == "server")), seed, str(size), *kind])
    expect(process, "CONNECTED" if role == "client" else "READY")
    return process


def start_proxy(lab, family, way="neigh", amount=0, server_host="server"):
    """`server_host` "client" has both legs on one interface."""
    listen, server = lab.address("proxy", family, "client"), lab.address(server_host, family)
    sides = [lab.interface("proxy", side) for side in ("client", server_host)]
    if way == "mac":
        way = "mac=" + ",".join(lab.mac(host) for host in ("client", server_host))
    proxy = lab.start("proxy", [lab_program(), "proxy", listen, str(PORT), server, str(PORT + 1), *sides,
                               str(amount), way])
    expect(proxy, "READY")
    return proxy


def start_all(lab, family, sizes, way="neigh", is_busy=False, server_host="server", kind=()):
    """Client, server and proxy of one connection, both ends told to begin."""
    up, down = sizes
    far = start_end(lab, server_host, "server", lab.address(server_host, family), down, *kind)
    proxy = start_proxy(lab, family, way, 10_000_000 if is_busy else 0, server_host)
    near = start_end(lab, "client", "client", lab.address("proxy", family, "client"), up, *kind)
    if not is_busy:
        expect(proxy, "SPLICED")
    tell(near)
    tell(far)
    if is_busy:
        expect(proxy, "SPLICED")
    return near, far, proxy


def finish_all(near, far, proxy, sizes):
    """Every byte has arrived; returns the pair's counters by direction."""
    here, there = near.stdout.readline().split(), far.stdout.readline().split()
    assert here[:2] == there[1::-1], (here, there)
    assert [int(word) for word in here[2:]] == list(sizes)
    proxy.stdin.close()
    counters = [json.loads(line) for line in proxy.stdout.read().splitlines()]
    assert proxy.wait() == 0
    return counters


def transfer(lab, family, up, down, **options):
    """Both directions at once through a splice, which a busy pair enters while bytes flow."""
    return finish_all(*start_all(lab, family, (up, down), **options), (up, down))


def assert_flawless(counters):
    for counter in counters:
        assert counter["outside"] == counter["malformed"] == counter["too_big"] == counter["expired"] == 0


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("are_offloads_on", [True, False], ids=["offloads", "plain"])
def test_both_directions_arrive_whole(family, are_offloads_on):
    size = 200_000_000 if are_offloads_on else 30_000_000
    with Netlab(are_offloads_on=are_offloads_on) as lab:
        counters = transfer(lab, family, size, size // 2)
    for counter, sent in zip(counters, (size, size // 2)):
        assert counter["bytes"] == sent + 1  # the end has a number, too
        assert counter["state"] & 3 == 3
    assert_flawless(counters)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("are_offloads_on", [True, False], ids=["offloads", "plain"])
@pytest.mark.parametrize("permille", [10, 50])
def test_loss_repetition_and_disorder_are_survived(family, are_offloads_on, permille):
    # Merged packets are few, so there have to be more bytes for some to be lost for sure.
    size = 50_000_000 if are_offloads_on else 10_000_000
    with Netlab(are_offloads_on=are_offloads_on) as lab:
        losses = [lab.start(host, [lab_program(), "loss", str(permille), "5", "10", "eth"])
                  for host in ("client", "server")]
        for loss in losses:
            expect(loss, "READY")
        counters = transfer(lab, family, size, size)
        for loss in losses:
            loss.stdin.close()
            counts = json.loads(loss.stdout.read())
            assert counts["lost"] > 0 and counts["late"] > 0
    assert all(counter["retransmits"] > 0 for counter in counters)
    assert_flawless(counters)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("are_offloads_on", [True, False], ids=["offloads", "plain"])
def test_a_pair_in_full_swing_is_taken_over(family, are_offloads_on):
    with Netlab(are_offloads_on=are_offloads_on) as lab:
        counters = transfer(lab, family, 100_000_000, 100_000_000, is_busy=True)
    # Some of the bytes went each way, and the stack was given copies.
    assert all(0 < counter["bytes"] < 92_000_000 and counter["copies"] > 0 for counter in counters)
    assert all(counter["malformed"] == counter["outside"] == 0 for counter in counters)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_segments_lost_during_the_hand_over_do_not_hold_it_up(family):
    with Netlab(are_offloads_on=False) as lab:
        losses = [lab.start("proxy", [lab_program(), "loss", "20", "5", "10", side]) for side in ("client", "server")]
        for loss in losses:
            expect(loss, "READY")
        counters = transfer(lab, family, 80_000_000, 80_000_000, is_busy=True)
        for loss in losses:
            loss.stdin.close()
            assert json.loads(loss.stdout.read())["lost"] > 0
    assert all(counter["copies"] > 0 and counter["malformed"] == 0 for counter in counters)


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


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("are_offloads_on", [True, False], ids=["offloads", "plain"])
@pytest.mark.parametrize("way", ["fib", "peer", "mac"])
def test_every_way_out_carries_traffic(family, are_offloads_on, way):
    size = 50_000_000 if are_offloads_on else 10_000_000
    with Netlab(are_offloads_on=are_offloads_on) as lab:
        assert_flawless(transfer(lab, family, size, size, way=way))


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("way", ["neigh", "peer"])
def test_a_small_way_out_is_told_on_every_way_back(family, way):
    with Netlab(server_mtu=1400) as lab:
        assert transfer(lab, family, 5_000_000, 100_000, way=way)[0]["told"] > 0


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("vlans", [{"client": 7, "server": 9}, {"client": 7}, {"server": 9}],
                         ids=["both", "client", "server"])
def test_a_leg_may_be_in_a_vlan(family, vlans):
    if not Netlab.has_vlans():
        pytest.skip("the kernel has no VLAN interfaces")
    with Netlab(vlans=vlans) as lab:
        assert_flawless(transfer(lab, family, 50_000_000, 50_000_000))


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_tags_that_only_carry_a_priority_are_taken_off(family):
    with Netlab() as lab:
        tagger = lab.start("client", [lab_program(), "tag", "eth"])
        expect(tagger, "READY")
        counters = transfer(lab, family, 20_000_000, 20_000_000)
        tagger.stdin.close()
        assert json.loads(tagger.stdout.read())["tagged"] > counters[0]["packets"] > 0
    assert_flawless(counters)


@pytest.mark.parametrize("is_busy", [False, True], ids=["quiet", "busy"])
def test_merged_packets_beyond_64_kib_pass(is_busy):
    """Only IPv6: the ip(8) of today's distributions cannot set it for IPv4."""
    with Netlab() as lab:
        for host in ("client", "server"):
            lab.ip("-n", lab.names[host], "link", "set", "eth", "gso_max_size", "150000", "gro_max_size", "150000")
        counters = transfer(lab, "ipv6", 200_000_000, 200_000_000, is_busy=is_busy)
    assert_flawless(counters)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("way", ["neigh", "fib", "mac"])
def test_both_legs_may_be_on_one_interface(family, way):
    with Netlab() as lab:
        assert_flawless(transfer(lab, family, 50_000_000, 50_000_000, way=way, server_host="client"))


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
@pytest.mark.parametrize("are_offloads_on", [True, False], ids=["offloads", "plain"])
def test_sequence_numbers_wrap(family, are_offloads_on):
    with Netlab(are_offloads_on=are_offloads_on) as lab:
        counters = transfer(lab, family, 40_000_000, 60_000_000, way="wrap", kind=["wrap"])
    # Counted on beyond 32 bits.
    assert all(counter["highest"] >= 2**32 for counter in counters)
    assert_flawless(counters)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_closed_window_and_a_slow_reader_lose_nothing(family):
    sizes = (8_000_000, 10_000)
    with Netlab() as lab:
        near, far, proxy = start_all(lab, family, sizes, kind=["slow"])
        expect(near, "FULL")
        tell(far)
        counters = finish_all(near, far, proxy, sizes)
    # The proxy held none of it.
    assert counters[0]["slipped"] == counters[0]["copies"] == 0
    assert_flawless(counters)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_congestion_marks_are_kept(family):
    with Netlab() as lab:
        for host in lab.hosts:
            lab.run(host, ["sysctl", "-qw", "net.ipv4.tcp_ecn=1"])
        marker = lab.start("client", [lab_program(), "mark", "eth"])
        expect(marker, "READY")
        sizes = (20_000_000, 0)
        near, far, proxy = start_all(lab, family, sizes)
        counters = finish_all(near, far, proxy, sizes)
        marker.stdin.close()
        counts = json.loads(marker.stdout.read())
        assert counts["marked"] > 0 and counts["echoed"] > 0
    assert_flawless(counters)


URGENT = """
import select, socket, sys
role, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ':' in host else socket.AF_INET
if role == 'client':
    stream = socket.create_connection((host, port))
    print('CONNECTED', flush=True)
    sys.stdin.readline()
    stream.sendall(b'abc')
    stream.send(b'!', socket.MSG_OOB)
    stream.sendall(b'def')
    stream.shutdown(socket.SHUT_WR)
    stream.recv(1)
else:
    listener = socket.create_server((host, port), family=family)
    print('READY', flush=True)
    stream = listener.accept()[0]
    select.select([], [], [stream])
    urgent, rest = stream.recv(1, socket.MSG_OOB), b''
    while part := stream.recv(100):
        rest += part
    print(urgent.decode(), rest.decode(), flush=True)
"""


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_urgent_data_stays_urgent(family):
    with Netlab() as lab:
        server, listen = lab.address("server", family), lab.address("proxy", family, "client")
        far = lab.start("server", [sys.executable, "-c", URGENT, "server", server, str(PORT + 1)])
        expect(far, "READY")
        proxy = start_proxy(lab, family)
        near = lab.start("client", [sys.executable, "-c", URGENT, "client", listen, str(PORT)])
        expect(near, "CONNECTED")
        expect(proxy, "SPLICED")
        tell(near)
        assert far.stdout.readline().split() == ["!", "abcdef"]


FORGETFUL = """
import socket, struct, sys
host, port = sys.argv[1], int(sys.argv[2])
def connect(local):
    stream = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    stream.bind(('', local))
    stream.setblocking(not local)
    stream.connect_ex((host, port))
    return stream
stream = connect(0)
local = stream.getsockname()[1]
print('CONNECTED', flush=True)
sys.stdin.readline()
TCP_REPAIR = 19
stream.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
stream.close()
again = connect(local)
sys.stdin.readline()
"""

SILENT = """
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
listener = socket.create_server((host, port), family=socket.AF_INET6 if ':' in host else socket.AF_INET)
print('READY', flush=True)
stream = listener.accept()[0]
try:
    stream.recv(1)
except ConnectionResetError:
    print('RESET', flush=True)
"""


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_client_that_begins_anew_resets_what_it_has_forgotten(family):
    with Netlab() as lab:
        far = lab.start("server", [sys.executable, "-c", SILENT, lab.address("server", family), str(PORT + 1)])
        expect(far, "READY")
        proxy = start_proxy(lab, family)
        near = lab.start("client", [sys.executable, "-c", FORGETFUL, lab.address("proxy", family, "client"), str(PORT)])
        expect(near, "CONNECTED")
        expect(proxy, "SPLICED")
        # Without a word to the server; its new SYN is answered, and that answer reset.
        tell(near)
        expect(far, "RESET")
        proxy.stdin.close()
        counters = [json.loads(line) for line in proxy.stdout.read().splitlines()]
    assert counters[0]["state"] & 4


def links_of(pid):
    """The numbers of the BPF links that a process holds."""
    infos = [path.read_text() for path in Path(f"/proc/{pid}/fdinfo").iterdir()]
    return {int(number) for info in infos for number in re.findall(r"^link_id:\s*(\d+)$", info, re.M)}


def all_links():
    shown = subprocess.run(["bpftool", "-j", "link", "show"], stdout=subprocess.PIPE, check=True,
                           env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin"))
    return {link["id"] for link in json.loads(shown.stdout)}


@pytest.mark.skipif(shutil.which("bpftool", path=os.environ["PATH"] + ":/usr/sbin") is None, reason="no bpftool")
@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_killed_proxy_leaves_no_rules_and_no_wrong_bytes(family):
    with Netlab() as lab:
        near, far, proxy = start_all(lab, family, (10**12, 10**12), is_busy=True, kind=["broken"])
        links = links_of(proxy.pid)
        assert len(links) == 4 and links <= all_links()
        proxy.kill()
        proxy.wait()
        assert not links & all_links()
        # Nobody answers for the connection any more: the ends see a reset or lose patience.
        for end in (near, far):
            answer, count = end.stdout.readline().split()
            assert answer == "RIGHT" and int(count) > 0

"""splicebench compare with wire among its subjects: where it is measured, whether the load
was on the wire, and what is reported, on figures and answers made up for the test."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lib.bench_figures import asking_subject, results, row

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from splicebench import agreement, claims, costs, report, steps, subjects  # noqa: E402
from splicebench.programs import SubjectError, UsageError  # noqa: E402


def show_relay(wire_bytes, copy_bytes, now=0):
    return (f"# engine now ever bytes moves_in refusals packets retransmits availability\n"
            f"wire {now} 2 {wire_bytes} 2 0 9 0 available\nsplice 0 0 0 0 0 0 0 unavailable: no\n"
            f"copy 0 2 {copy_bytes} 0 0 0 0 available\n# why wire did not take connections over\n"
            "held: 3 (bytes always waited in the proxy)\n# what the engines hold\nMaxpipes: 512\n")


def wire_subject(monkeypatch, *answers):
    """A subject whose runtime socket gives these answers, the last of them for ever; each waiting takes a second."""
    now, said = [0.0], list(answers)

    def sleep(_):
        now[0] += 1.0

    monkeypatch.setattr(claims, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    subject = subjects.Subject("spliced-wire", SimpleNamespace(
        next_port=lambda: 1, server_address="a", proxy_address="b"), None)
    subject.talk = lambda *_: said.pop(0) if len(said) > 1 else said[0]
    return subject


@pytest.mark.parametrize("kind", ["bulk", "pingpong", "incast"])
def test_what_is_called_wire_must_have_carried_nearly_all(monkeypatch, kind):
    assert wire_subject(monkeypatch, show_relay(950, 50)).check_after_load(kind, 900) == 950
    # Its counter comes late.
    late = wire_subject(monkeypatch, show_relay(10, 50), show_relay(10, 50), show_relay(950, 50))
    assert late.check_after_load(kind, 900) == 950
    for answer, load_bytes, words in (
            (show_relay(850, 150), 100, r"was not on the wire: 850 of 1,000 bytes, .*refused: held: 3 \(bytes always"),
            (show_relay(850, 0), 1000, "850 of 1,000 bytes"), (show_relay(0, 0), 0, "0 of 0 bytes"),
            ("copy 0 2 9 0 0 0 0 available\n", 9, "no line for it"), ("", 9, "no line for it")):
        with pytest.raises(SubjectError, match=f"spliced-wire .*{words}"):
            wire_subject(monkeypatch, answer).check_after_load(kind, load_bytes)


def test_what_others_carried_before_the_measured_time_does_not_count_against_wire(monkeypatch):
    subject = wire_subject(monkeypatch, show_relay(0, 500), show_relay(1000, 600))
    subject.begin_measuring()
    assert subject.check_after_load("bulk", 900) == 1000
    subject = wire_subject(monkeypatch, show_relay(0, 500), show_relay(1000, 800))
    subject.begin_measuring()
    with pytest.raises(SubjectError, match="1,000 of 1,300 bytes"):
        subject.check_after_load("bulk", 900)


def test_short_connections_and_single_bytes_need_not_have_come_onto_the_wire(monkeypatch):
    subject = wire_subject(monkeypatch, show_relay(0, 100))
    assert [subject.check_after_load(kind, 100) for kind in ("churn", "dribble")] == [None, None]


def test_connections_on_the_wire_are_counted_whole(monkeypatch):
    subject = wire_subject(monkeypatch, show_relay(1, 1, now=9))
    assert subject.count_taken() == 4 and subject.has_taken(4) and not subject.has_taken(5)
    assert asking_subject("spliced-copy", []).has_taken(5)


def test_wire_is_left_out_of_loopback_alone_and_routing_has_its_name_over_veth():
    placed, left_out = subjects.place_subjects(["direct", "spliced-wire", "spliced-auto"], ["loopback", "veth"])
    assert placed == {"loopback": ["direct", "spliced-auto"], "veth": ["forward", "spliced-wire", "spliced-auto"]}
    assert len(left_out) == 1 and "never come in by a network interface" in left_out[0]
    assert left_out[0].startswith("loopback spliced-wire: ")
    placed, left_out = subjects.place_subjects(["forward", "direct", "spliced-wire:retry=1"], ["loopback", "veth"])
    assert placed == {"loopback": ["direct"], "veth": ["forward", "spliced-wire:retry=1"]}
    assert [line.split(":")[0] for line in left_out] == ["loopback forward", "loopback spliced-wire"]


def test_a_topology_without_subjects_is_not_built_and_none_at_all_is_an_error():
    assert subjects.place_subjects(["spliced-wire"], ["loopback", "veth"])[0] == {"veth": ["spliced-wire"]}
    with pytest.raises(UsageError, match="no subject is left: loopback spliced-wire: "):
        subjects.place_subjects(["spliced-wire"], ["loopback"])


def test_both_default_sets_have_wire():
    assert "spliced-wire" in subjects.DEFAULT and "spliced-wire" in subjects.QUICK


@pytest.mark.parametrize("said, expected", [
    ("Engines:\n  auto     available: x\n  wire     available: y\n", None),
    ("Engines:\n  wire     unavailable: the process lacks CAP_BPF\n",
     "the engine wire is unavailable: the process lacks CAP_BPF"),
    ("Engines:\n  copy     available: wire    available\n", "this spliced was built without the engine wire")])
def test_wire_says_itself_why_it_is_unavailable(monkeypatch, said, expected):
    subjects.refuse_wire.cache_clear()
    monkeypatch.setattr(subjects.programs, "run", lambda *_, **__: SimpleNamespace(stdout=said))
    assert subjects.refuse_reason("spliced-wire", "/bin/spliced") == expected
    assert subjects.refuse_reason("spliced-copy", "/bin/spliced") is None
    subjects.refuse_wire.cache_clear()


def veth_results(**rows):
    kept = results(**rows)
    kept["topologies"]["veth"] = kept["topologies"].pop("loopback")
    return kept


def test_over_veth_routing_is_called_forward_and_has_ratios():
    wire = row(90, 95, 99)
    for one in wire["rounds"]:
        one["figures"].update(proxy_cpu_s_per_unit=0.00001, machine_cpu_s_per_unit=1.05)
    found = report.check_results(
        veth_results(direct=row(100, 100, 100), haproxy=row(50, 50, 50), spliced_wire=wire), "x")
    for text in (report.markdown(found), report.text(found)):
        assert "direct" not in text.replace("--direction", "")
    page = report.markdown(found)
    assert "| subject | messages/s | ÷ haproxy | ÷ forward | p50 µs | p99 µs | p99 ÷ haproxy | p99 ÷ forward |" in page
    assert "| spliced-wire | 95.0 (90.0–99.0) | 1.90× | 0.95× |" in page
    assert "| machine CPU s | machine ÷ haproxy | machine ÷ forward |" in page
    assert "| spliced-wire | <0.0001 (<0.0001–<0.0001) | <0.01× | 1.05 (1.05–1.05) | 1.05× | 1.05× |" in page
    assert "ceiling here (forward): 100 messages/s. spliced-wire reached" in page


def test_a_proxy_that_uses_no_processor_time_is_divided_by_nowhere():
    idle = row(90, 95, 99)
    for one in idle["rounds"]:
        one["figures"].update(proxy_cpu_s_per_unit=0.0)
    found = report.check_results(veth_results(haproxy=idle, spliced_wire=idle, spliced_copy=row(1, 2, 3)), "x")
    page = report.markdown(found)
    assert "inf" not in page and "nan" not in page
    assert "| spliced-copy | 0.500 (0.500–0.500) | 1.00 (" in page and "| spliced-wire | 0.000 (0.000–0.000) |" in page


def test_runs_are_not_compared_by_processor_time_that_is_none():
    def run_with(seconds):
        kept = veth_results(spliced_wire=row(90, 95, 99))
        for one in kept["topologies"]["veth"]["workloads"]["pingpong-64"]["subjects"]["spliced-wire"]["rounds"]:
            one["figures"]["proxy_cpu_s_per_unit"] = seconds
        return kept

    def rows_of(one, other):
        return [line[1] for line in agreement.compare_runs(one, other)[0].rows]

    assert "proxy_cpu_s_per_unit" not in rows_of(run_with(0.00001), run_with(0.0009))
    assert "proxy_cpu_s_per_unit" in rows_of(run_with(0.00001), run_with(0.5))


def test_memory_of_wire_has_its_tables_and_what_was_there_before():
    found = row(2000)
    found["rounds"][0]["figures"].update(rss_bytes=480, slab_bytes=20_000, maps_bytes=697, place_bytes=537, places=6001,
                                         rss_before_bytes=12 << 20, taken=1990)
    kept = veth_results(forward=row(2000), spliced_wire=found)
    kept["topologies"]["veth"]["workloads"]["pingpong-64"]["kind"] = "idle"
    page = report.markdown(kept)
    assert "| BPF tables | of it from the start |" in page and "| 697 | 537 |" in page
    assert "spliced-wire carried 1,990 of the connections on the wire" in page and "6,001 places" in page
    assert "took 12.0 MiB (RSS) before the first connection" in page


def test_tables_of_a_process_are_counted_once_without_its_ring_buffer(monkeypatch):
    def describe(number, kind, entries, size):
        return f"pos:\t0\nmap_type:\t{kind}\nmax_entries:\t{entries}\nmemlock:\t{size}\nmap_id:\t{number}\n"

    texts = {"3": "pos:\t0\nflags:\t02\n", "4": describe(1, 2, 6001, 1000), "5": describe(1, 2, 6001, 1000),
             "6": describe(2, 27, 262144, 50), "7": describe(3, 2, 1, 70), "8": describe(4, 1, 12002, 200)}
    monkeypatch.setattr(costs.os, "listdir", lambda _: list(texts))
    monkeypatch.setattr(costs.os.path, "isdir", lambda _: True)
    monkeypatch.setattr(costs, "read_text", lambda path: texts[path.rsplit("/", 1)[1]])
    assert costs.read_tables(1) == 1200
    texts.clear()
    assert costs.read_tables(1) is None and costs.read_tables(None) is None
    assert steps.count_places({"maps": 1200, "rss": 5}, {"WireConnectionsMax": "6"}) == {
        "places": 6, "place_bytes": 200, "rss_before_bytes": 5}
    assert steps.count_places({"maps": None, "rss": 5}, {"WireConnectionsMax": "6"}) == {}
    assert steps.count_places({"maps": 1200, "rss": 5}, {}) == {}

"""The parts of the demonstration that decide: where it runs, and whether wire carried its row."""

import contextlib
import sys
from types import SimpleNamespace

import pytest

from lib.proxy import REPOSITORY

sys.path.insert(0, str(REPOSITORY / "tools"))

import demo  # noqa: E402
import demo_place  # noqa: E402
from splicebench.programs import UsageError  # noqa: E402

ENGINES = [("wire", None), ("copy", None)]


def refuse(*_):
    raise UsageError("no namespaces here")


def test_without_wire_the_demo_runs_on_loopback(monkeypatch):
    monkeypatch.setattr(demo_place, "Lab", refuse)
    known = [("wire", "the process lacks CAP_BPF"), ("copy", None)]
    place, told = demo_place.choose_place(known, contextlib.ExitStack())
    assert isinstance(place, demo_place.Loopback) and told == known


@pytest.mark.parametrize("why_not, lab, words", [
    ("it needs root", None, "no network interface to go by: it needs root"),
    (None, refuse, "no network interface to go by: no namespaces here")])
def test_where_no_namespaces_can_be_made_wire_is_left_out_and_says_why(monkeypatch, why_not, lab, words):
    monkeypatch.setattr(demo_place.topology, "refuse_reason", lambda _: why_not)
    monkeypatch.setattr(demo_place, "Lab", lab)
    place, told = demo_place.choose_place(ENGINES, contextlib.ExitStack())
    assert isinstance(place, demo_place.Loopback) and told == [("wire", words), ("copy", None)]


def test_where_wire_can_be_had_the_demo_runs_between_namespaces(monkeypatch):
    monkeypatch.setattr(demo_place.topology, "refuse_reason", lambda _: None)
    monkeypatch.setattr(demo_place, "Lab", lambda _stack: "the lab")
    assert demo_place.choose_place(ENGINES, contextlib.ExitStack()) == ("the lab", ENGINES)


@pytest.mark.parametrize("wire, copy, engine, problem", [
    (950, 50, "wire", None), (800, 200, "wire", "only 80% of the bytes were on the wire"),
    (0, 0, "wire", "only 0% of the bytes were on the wire"), (0, 1000, "copy", None), (100, 900, "auto", None)])
def test_a_row_of_wire_needs_its_bytes_on_the_wire(monkeypatch, wire, copy, engine, problem):
    counts = [{"wire": 7, "copy": 5}, {"wire": 7 + wire, "copy": 5 + copy}]
    monkeypatch.setattr(demo, "count_bytes", lambda _: counts.pop(0))
    carriers = demo.Carriers("folder")
    carriers.finish()
    nothing_wrong = SimpleNamespace(problem=None)
    assert demo.problem_of((engine, nothing_wrong, nothing_wrong, carriers)) == problem
    words = {950: "wire 95%, copy 5%", 800: "wire 80%, copy 20%", 100: "copy 90%, wire 10%"}
    assert carriers.words() == words.get(wire, "copy 100%" if copy else "-")

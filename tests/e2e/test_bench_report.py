"""splicebench compare: its arithmetic and its reports, on figures made up for the
test, without any measuring."""

import contextlib
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lib.bench_figures import asking_subject, record, results, row

BENCH = Path(__file__).resolve().parents[2] / "bench"
sys.path.insert(0, str(BENCH))

import compare_main  # noqa: E402
from splicebench import agreement, charts, costs, figures, options, programs, questions, report  # noqa: E402
from splicebench import rounds, signals, steps, subjects, tables, topology, workloads  # noqa: E402
from splicebench.programs import SubjectError, UsageError  # noqa: E402


def run_main(*arguments):
    """(exit status, stdout, stderr) of the program in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = compare_main.main(list(arguments))
        except SystemExit as end:
            status = end.code
    return status, out.getvalue(), err.getvalue()


def test_a_spread_is_median_least_and_greatest_of_what_is_there():
    assert figures.spread_of([3, None, 1, 10]) == {"median": 3, "min": 1, "max": 10, "count": 3}
    assert figures.spread_of([None]) is None


def test_a_ratio_is_the_median_of_the_rounds_own_ratios():
    # The machine is twice as fast in the last round: medians of each alone would say 2 / 2 = 1.
    ratio = figures.ratio_of_rounds([2, 2, 8], [1, 2, 4])
    assert ratio == {"median": 2, "min": 1, "max": 2, "count": 3}


def test_a_round_without_both_values_has_no_ratio():
    assert figures.ratio_of_rounds([1, None, 3], [2, 2, 0])["count"] == 1
    assert figures.ratio_of_rounds([1], [None]) is None


@pytest.mark.parametrize("xs, ys, expected", [
    ([1, 2, 3, 4], [10, 20, 25, 1000], 1.0),
    ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
    ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8),
    ([1, 2, 2, 3], [1, 2, 2, 3], 1.0),
    ([1, 1, 1], [1, 2, 3], None),
    ([1, 2], [1, 2], None),
])
def test_rank_correlation(xs, ys, expected):
    found = figures.spearman(xs, ys)
    assert found is None if expected is None else math.isclose(found, expected)


def test_equal_values_share_their_rank():
    assert figures.rank_values([5, 1, 5, 9]) == [2.5, 1, 2.5, 4]


@pytest.mark.parametrize("knee", [1_000, 30_000, 55_555, 99_000])
def test_the_knee_is_found_within_its_tolerance(knee):
    found, searched = figures.find_knee(lambda rate: rate <= knee, 500, 80_000, tolerance=0.03, steps_max=20)
    assert knee * 0.96 <= found <= knee
    assert all(held == (rate <= knee) for rate, held in searched)


def test_a_knee_below_the_search_is_zero_and_costs_one_step():
    assert figures.find_knee(lambda rate: False, 500, 80_000) == (0.0, [(500, False)])


def test_a_knee_without_end_stops_rising():
    found, searched = figures.find_knee(lambda rate: True, 1, 100)
    assert (found, len(searched)) == (225, 4)


def test_the_search_for_the_knee_is_bounded():
    _, searched = figures.find_knee(lambda rate: rate < 61_803, 1, 100_000, tolerance=1e-9, steps_max=9)
    assert len(searched) == 9


def test_the_better_two_of_three_trials_decide_and_no_more_are_made():
    for answers, expected, used in (([True, True], True, 2), ([False, True, False], False, 3), ([False] * 2, False, 2)):
        left = list(answers)
        assert questions.majority(lambda: left.pop(0)) is expected
        assert len(answers) - len(left) == used


def test_a_rate_holds_only_when_it_is_carried_in_time_and_without_errors():
    assert questions.holds(record(10_000, p99=1_999), 10_000, 2_000)
    assert not questions.holds(record(10_000, p99=2_001), 10_000, 2_000)
    assert not questions.holds(record(9_000, p99=100), 10_000, 2_000)
    assert not questions.holds(record(10_000, p99=100, errors=1), 10_000, 2_000)


def test_a_signal_is_foretold_from_the_other_rounds_only():
    # The first round's scale is twice the second's: each foretells the other wrongly.
    errors = figures.prediction_errors([[(0, 0.0), (2, 1.0)], [(0, 0.0), (1, 1.0)]])
    assert errors == [0, 0, 0, 0.5]
    assert figures.prediction_errors([[(0, 0.0), (1, 1.0)]]) == []


def test_signals_are_ranked_by_correlation_and_constant_ones_come_last():
    steps_of = [{"fraction": fraction, "signals": {"idle CPU": 1 - fraction, "steady": 7, "wild": wild,
                                                   "delay": fraction ** 3}}
                for fraction, wild in zip(signals.FRACTIONS, (5, 1, 4, 2, 3, 9, 7, 8, 6, 12, 10, 11))]
    rows = signals.rate_signals([steps_of, steps_of])
    assert [line[0] for line in rows][2:] == ["wild", "steady"]
    assert rows[3][1] is None
    by_name = {line[0]: line for line in rows}
    assert math.isclose(by_name["delay"][1], -1.0) and math.isclose(by_name["idle CPU"][1], 1.0)
    assert "delay" in signals.name_winner(rows)


@pytest.mark.parametrize("steal, foreign, expected", [
    (0.03, 0.10, None), (0.031, 0.0, "steal 3.1% of the machine"),
    (0.0, 0.2, "foreign processes 20.0% of the machine")])
def test_a_disturbed_step_says_by_what(steal, foreign, expected):
    limits = {"steal": 0.03, "foreign": 0.10}
    assert figures.is_noisy({"steal_share": steal, "foreign_share": foreign}, limits) == expected


def measure_steps(monkeypatch, noises, **more):
    made = []

    def measure_once(*_arguments, **_options):
        noise = noises[len(made)]
        found = record(len(made), noise=f"steal {noise}" if noise > 0.03 else None)
        found["costs"]["steal_share"] = noise
        made.append(found)
        return found

    monkeypatch.setattr(steps, "measure_once", measure_once)
    kept, dropped = steps.measure(None, "haproxy", workloads.ALL["bulk-1"], 1, **more)
    return kept["costs"]["steal_share"], len(dropped), len(made)


def test_a_disturbed_step_is_dropped_and_made_again(monkeypatch):
    assert measure_steps(monkeypatch, [0.5, 0.01]) == (0.01, 1, 2)


def test_an_undisturbed_step_is_made_once(monkeypatch):
    assert measure_steps(monkeypatch, [0.0]) == (0.0, 0, 1)


def test_of_steps_that_were_all_disturbed_the_least_disturbed_is_kept(monkeypatch):
    assert measure_steps(monkeypatch, [0.5, 0.2, 0.9]) == (0.2, 2, 3)


def test_no_step_is_made_again_when_time_is_up(monkeypatch):
    assert measure_steps(monkeypatch, [0.5], may_repeat=lambda: False) == (0.5, 0, 1)


def test_processor_time_of_a_family_stays_when_a_child_ends(monkeypatch):
    before = {1: (0, 0.1, 0, False), 5: (1, 1.0, 0, False), 6: (5, 0.4, 0, False), 2: (0, 0.07, 0, True),
              9: (1, 0.03, 0, False)}
    after = {1: (0, 0.1, 0, False), 5: (1, 1.0, 0.45, False), 2: (0, 9.9, 0, True), 9: (1, 0.08, 0, False)}
    monkeypatch.setattr(costs, "read_threads", lambda pid: {"run_s": 0, "run_delay_s": 0, "voluntary": 0,
                                                            "involuntary": 0})
    assert costs.read_family(after, 5)["cpu_s"] - costs.read_family(before, 5)["cpu_s"] == pytest.approx(0.05)
    assert costs.foreign_seconds(after, 5) - costs.foreign_seconds(before, 5) == pytest.approx(0.05)


def test_costs_are_told_for_the_work_done_in_their_window():
    spent = {"window_s": 0.5, "machine_cpu_s": 0.8, "softirq_s": 0.1,
             "proxy": {"cpu_s": 0.4, "run_delay_s": 0, "switches": 1000}}
    found = costs.costs_per_unit(spent, workloads.ALL["bulk-1"], 2e9)
    assert found["proxy_cpu_s_per_unit"] == pytest.approx(0.4)
    assert found["machine_cpu_s_per_unit"] == pytest.approx(0.8)
    assert found["switches_per_work"] == pytest.approx(1000 / (1e9 / (1 << 20)))
    assert costs.costs_per_unit(spent, workloads.ALL["bulk-1"], 0) == {}


def test_what_watch_counts_is_told_for_a_message():
    said = {"seconds": 2.0, "source": "bpf", "why_not_bpf": None,
            "pids": [{"syscalls": 80_000, "wakeups": 10_000, "wake_latency_us": {"p50": 3, "p99": 9, "count": 5}}]}
    found = costs.watched_figures(said, workloads.ALL["pingpong-64"], 10_000)
    assert (found["syscalls_per_work"], found["wakeups_per_work"], found["wake_p99_us"]) == (4, 0.5, 9)
    said["pids"][0]["wake_latency_us"] = {"p50": 0, "p99": 0, "count": 0}
    found = costs.watched_figures(said, workloads.ALL["pingpong-64"], 10_000)
    assert (found["wake_p50_us"], found["wake_p99_us"]) == (None, None)
    said["pids"][0]["syscalls"] = None
    assert "syscalls_per_work" not in costs.watched_figures(said, workloads.ALL["pingpong-64"], 10_000)


def test_a_child_that_lost_its_parent_before_it_could_say_so_does_not_become_its_program():
    for parent, status in ((os.getpid(), 0), (os.getppid(), 1)):
        child = subprocess.Popen(["/bin/true"], preexec_fn=programs.die_with(parent))
        assert child.wait(10) == status


def test_steps_are_shortened_to_keep_the_time_and_never_below_the_least():
    assert figures.seconds_per_step(100, 100, 0.3, 0.2, 2) == 0.7
    assert figures.seconds_per_step(10, 100, 0.3, 0.2, 2) == 0.2
    assert figures.seconds_per_step(1000, 100, 0.3, 0.2, 2) == 2


def plan_of(mode):
    names = {"quick": (workloads.QUICK, subjects.QUICK), "full": (workloads.DEFAULT, subjects.DEFAULT)}[mode]
    asked = SimpleNamespace(mode=mode, rounds={"quick": 3, "full": 5}[mode], watch=mode == "full", seconds=None)
    placed, _ = subjects.place_subjects(names[1], ["loopback", "veth"])
    return rounds.Plan(asked, placed, [workloads.ALL[name] for name in names[0]])


@pytest.mark.parametrize("mode, minutes", [("quick", 2), ("full", 20)])
def test_the_plan_keeps_its_promise_of_time(mode, minutes):
    plan = plan_of(mode)
    assert plan.total_seconds() <= minutes * 60
    assert plan.seconds > rounds.STEP_SECONDS[mode][0]


@pytest.mark.parametrize("cpu, mask", [(0, "1"), (5, "20"), (32, "1,00000000"), (70, "40,00000000,00000000")])
def test_a_cpu_is_written_as_the_kernel_reads_it(cpu, mask):
    assert topology.cpu_mask(cpu) == mask


@pytest.mark.parametrize("value, text", [(None, "–"), (123456.7, "123,457"), (45.67, "45.7"), (1.234, "1.23"),
                                         (0.1234, "0.123"), (0.0, "0.000"), (0.0123, "0.012"), (0.00012, "0.00012"),
                                         (0.00002, "<0.0001"), (-0.00002, ">-0.0001"), (-3097.4, "-3,097")])
def test_numbers_have_about_three_digits(value, text):
    assert tables.number(value) == text


@pytest.mark.parametrize("name, expected", [
    ("spliced-auto", ("auto", "")), ("spliced-splice", ("splice", "")),
    ("spliced-auto:wake-bytes=0+pipe-size=256k", ("auto", "wake-bytes 0 pipe-size 256k")),
    ("spliced-wire-peer", ("wire", "")), ("spliced-wire-peer:wake-bytes=0", ("wire", "wake-bytes 0")),
    ("spliced-copy-peer", None), ("spliced", None), ("spliced-auto:", None), ("spliced-auto:x", None)])
def test_a_subject_of_spliced_names_engine_and_tuning(name, expected):
    assert subjects.split_spliced(name) == expected


def test_the_report_has_medians_ratios_errors_and_the_ceiling():
    page = report.markdown(results(direct=row(100, 110, 120), haproxy=row(50, 55, 60), spliced_auto=row(95, 99, 118)))
    assert "| direct | 110 (100–120) | 2.00× |" in page
    assert "| spliced-auto | 99.0 (95.0–118) | 1.90× | 0.95× |" in page
    assert "The generator's ceiling here (direct): 110 messages/s. spliced-auto reached more than 85% of it" in page
    assert "* nginx-64k: nginx is not installed" in page
    assert "`splicebench compare --quick`, 2024-02-03, 1 min 01 s" in page


@pytest.mark.parametrize("kind", sorted(workloads.PACED))
def test_a_load_with_a_rate_of_its_own_has_no_ceiling(kind):
    kept = results(direct=row(100, 100, 100), haproxy=row(100, 100, 100))
    entry = kept["topologies"]["loopback"]["workloads"].pop("pingpong-64")
    kept["topologies"]["loopback"]["workloads"][f"{kind}-64"] = {**entry, "kind": kind}
    page = report.markdown(kept)
    assert "The generator's ceiling" not in page and report.PACED_NOTE in page
    assert f"### {kind}-64: 64 connections, --rate " in page


def test_every_kind_of_load_is_known_to_all_reports():
    """A comparison of a kind is reported, drawn, and compared with another."""
    for kind in {workload.kind for workload in workloads.ALL.values()}:
        kept = results(direct=row(100, 110), haproxy=row(50, 55))
        kept["topologies"]["loopback"]["workloads"]["pingpong-64"]["kind"] = kind
        assert report.markdown(kept) and charts.charts_of({"kind": kind})
        agreement.compare_runs(kept, kept)
    assert {"rate", "cpu", "p99"} == {suffix for suffix, _, _ in charts.charts_of({"kind": "incast"})}


def test_what_is_chosen_by_name_costs_no_default_comparison_time():
    assert not {workloads.ALL[name].kind for name in workloads.DEFAULT + workloads.QUICK} & workloads.PACED


def test_failures_dropped_and_disturbed_steps_are_in_the_report():
    rows = row(50, 60, dropped=["steal 9.0% of the machine"])
    rows["rounds"][0]["noise"] = "steal 4.0% of the machine"
    found = results(haproxy=rows, socat=row(failed="socat did not start: no"))
    found["failures"].append({"topology": "loopback", "workload": "pingpong-64", "subject": "socat", "why": "it fell"})
    for text in (report.markdown(found), report.text(found)):
        assert "Steps dropped and made again: 1 (because of steal)." in text
        assert "disturbed" in text and "socat failed: socat did not start: no." in text
        assert "it fell" in text


def test_equal_runs_agree():
    one = results(haproxy=row(50, 55, 60), spliced_auto=row(70, 72, 74))
    _, verdict, does_agree = agreement.compare_runs(one, results(haproxy=row(52, 54, 61), spliced_auto=row(71, 72, 90)))
    assert does_agree and "agree" in verdict


def test_runs_that_lie_apart_in_every_row_do_not_agree():
    one = results(haproxy=row(50, 51, 52, 53, 54), spliced_auto=row(70, 71, 72, 73, 74))
    other = results(haproxy=row(90, 91, 92, 93, 94), spliced_auto=row(30, 31, 32, 33, 34))
    table, verdict, does_agree = agreement.compare_runs(one, other)
    assert not does_agree and "do not agree" in verdict
    assert [line[-1] for line in table.rows].count("APART") == 3
    assert not agreement.compare_runs(one, {**other, "topologies": {}})[2]


def test_chance_apart_and_what_it_allows():
    assert figures.chance_apart(5, 5) == pytest.approx(2 / 252)
    assert figures.allowed_apart([]) == 0
    assert figures.allowed_apart([0.0] * 50) == 0
    assert figures.allowed_apart([2 / 252] * 100) == 3


def test_reports_come_from_kept_figures(directory):
    kept, page = Path(directory) / "kept.json", Path(directory) / "page.md"
    kept.write_text(json.dumps(results(direct=row(100), haproxy=row(50))))
    status, out, _ = run_main("--from", str(kept), "--markdown", str(page))
    assert status == 0
    assert "loopback pingpong-64: 64 connections" in out and "## loopback" in page.read_text()


def test_two_kept_runs_are_compared_by_a_flag(directory):
    kept = Path(directory) / "kept.json"
    kept.write_text(json.dumps(results(direct=row(100, 101), haproxy=row(50, 51))))
    status, out, _ = run_main("--compare-runs", str(kept), str(kept))
    assert status == 0 and "The two runs agree." in out


@pytest.mark.parametrize("arguments, words", [
    (["--frobnicate"], "unrecognized arguments: --frobnicate"),
    (["--topologies", "moon"], "there is no topology 'moon'"),
    (["--subjects", "varnish"], "there is no subject 'varnish'"),
    (["--workloads", "nap"], "there is no workload 'nap'"),
    (["--seconds", "0"], "'0' is not a number from 0.1 to 600"),
    (["--cpus", "1"], "'1' is not PROXY,LOAD"),
    (["--link", "fast"], "'fast' is not a rate of tc"),
    (["--question", "why"], "invalid choice: 'why'"),
    (["--from", "/nonexistent.json"], "'/nonexistent.json' cannot be read"),
    (["--binary", "/nonexistent"], "'/nonexistent' is not a program"),
    (["--json", "/nonexistent/x.json"], "'/nonexistent/x.json' cannot be written"),
    (["--link", "1gbit", "--topologies", "loopback"], "--link needs the topology veth"),
    (["--quick", "--full"], "not allowed with argument"),
    (["--rate", "100"], "--rate goes with --question equal-load"),
    (["--question", "knee", "--rate", "100"], "--rate goes with --question equal-load"),
    (["--size", "100"], "--size goes with --question equal-load or maximum"),
])
def test_a_wrong_flag_is_refused_in_one_sentence(arguments, words):
    status, out, err = run_main(*arguments)
    assert status == 2 and out == ""
    assert words in err and err.count("\n") == 1
    assert err.endswith("Try 'splicebench compare --help'.\n")


def drop_cpu(kept):
    del kept["facts"]["cpu"]


def drop_figures(kept):
    del kept["topologies"]["loopback"]["workloads"]["pingpong-64"]["subjects"]["direct"]["rounds"][0]["figures"]


def spoil_topologies(kept):
    kept["topologies"] = ["loopback"]


@pytest.mark.parametrize("spoil, words, is_compared", [
    (drop_cpu, "it has no 'cpu'", False), (drop_figures, "it has no 'figures'", True),
    (spoil_topologies, "it is not as expected", True)])
def test_kept_figures_with_something_missing_are_refused_in_one_sentence(directory, spoil, words, is_compared):
    path, kept = Path(directory) / "kept.json", results(direct=row(100, 101), haproxy=row(50, 51))
    spoil(kept)
    path.write_text(json.dumps(kept))
    for arguments in [("--from", str(path))] + [("--compare-runs", str(path), str(path))] * is_compared:
        status, out, err = run_main(*arguments)
        assert (status, out) == (2, "") and words in err and err.count("\n") == 1 and str(path) in err


def test_kept_figures_of_something_else_are_refused(directory):
    path = Path(directory) / "other.json"
    path.write_text('{"a": 1}')
    status, _, err = run_main("--from", str(path))
    assert status == 2 and "does not hold the results of a comparison" in err


def test_what_cannot_be_had_is_left_out_and_nothing_left_is_an_error(monkeypatch):
    monkeypatch.setattr(topology.os, "geteuid", lambda: 1000)
    asked = SimpleNamespace(topologies=None, link=None)
    assert options.choose_topologies(asked, ["loopback", "veth"]) == (
        ["loopback"], ["veth: it needs root, for network namespaces"])
    asked.topologies = ["veth"]
    with pytest.raises(UsageError, match="no topology is left: veth: it needs root"):
        options.choose_topologies(asked, ["loopback", "veth"])


def test_a_missing_program_leaves_its_subject_out(monkeypatch):
    monkeypatch.setattr(subjects.programs, "find_program", lambda name: None)
    asked = SimpleNamespace(subjects=["direct", "haproxy", "nginx-64k", "spliced-auto"], spliced=None)
    kept, left_out = options.choose_subjects(asked, [])
    assert kept == ["direct"]
    assert left_out == ["haproxy: haproxy is not installed", "nginx-64k: nginx is not installed",
                        "spliced-auto: spliced was not found: build it, or name it with --spliced"]


def test_every_round_has_an_order_of_its_own_and_the_first_is_as_given():
    names = ["a", "b", "c", "d", "e", "f", "g"]
    orders = [figures.order_of(names, number) for number in range(5)]
    assert orders[0] == names and all(sorted(order) == names for order in orders)
    assert len({order[0] for order in orders}) == 5
    assert len({order[order.index("c") - 1] for order in orders[1:]}) == 4
    assert [figures.order_of(["a", "b"], number) for number in range(2)] == [["a", "b"], ["b", "a"]]
    assert figures.order_of(["a"], 3) == ["a"] and figures.order_of([], 3) == []


def test_rounds_measure_in_their_own_order(monkeypatch):
    met = []
    plan = plan_of("quick")
    comparison = SimpleNamespace(plan=plan, where="")
    table = {workload.name: {"subjects": {}} for workload in plan.workloads}
    names = plan.placed["loopback"]
    stage = SimpleNamespace(topology=SimpleNamespace(name="loopback"))
    for number in range(2):
        rounds.Comparison._each(comparison, "round", stage, table,
                                lambda _stage, workload, name, _row: met.append((workload.name, name)), number)
    orders = [[name for workload, name in met if workload == "bulk-1"][start:][:len(names)]
              for start in (0, len(names))]
    assert sorted(orders[0]) == sorted(orders[1]) and orders[0] != orders[1]
    assert list(table["bulk-1"]["subjects"]) == names


def test_no_topology_that_can_be_built_is_an_error_that_says_why(monkeypatch):
    def refuse(name, *_):
        raise UsageError(f"the {name} of this machine is broken")

    monkeypatch.setattr(rounds, "Topology", refuse)
    monkeypatch.setattr(rounds.facts, "collect", lambda *_: {})
    asked = SimpleNamespace(progress=False, steal_max=3, foreign_max=10, cpus=(0, 0), congestion=None, link=None)
    comparison = rounds.Comparison(asked, plan_of("quick"), [], "splicebench compare")
    with pytest.raises(UsageError, match="no topology is left: loopback: the loopback of .*; veth: the veth of"):
        comparison.run()


@pytest.mark.parametrize("refused", ["add", "sysctl"])
def test_loopback_without_namespaces_is_measured_as_it_is_with_a_note(monkeypatch, refused):
    ran = []

    def run(*words, **_):
        ran.append(words)
        if refused in words:
            raise UsageError("mount --make-shared /run/netns failed: Operation not permitted")
        return SimpleNamespace(stdout="cubic\n")

    monkeypatch.setattr(topology.os, "geteuid", lambda: 0)
    monkeypatch.setattr(topology, "find_program", lambda name: f"/sbin/{name}")
    monkeypatch.setattr(topology, "run", run)
    with topology.Topology("loopback", (0, 1)) as place:
        facts = place.facts()
        assert place.command("proxy", 0, "x") == ["/sbin/taskset", "-c", "0", "x"]
    assert not facts["has_namespace"] and "loopback is measured as it is" in facts["note"]
    assert "Operation not permitted" in facts["note"]
    assert any("del" in words for words in ran)
    kept = results(direct=row(100))
    kept["topologies"]["loopback"]["facts"] = facts
    assert facts["note"] in report.markdown(kept) and facts["note"] in report.text(kept)
    for name, congestion in (("veth", None), ("loopback", "reno")):
        with pytest.raises(UsageError), topology.Topology(name, (0, 1), congestion):
            pass


def test_the_proxys_own_figures_are_the_last_it_gave_while_the_load_ran(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(signals.time, "monotonic", lambda: now[0])
    probe = signals.LoopProbe(asking_subject("spliced-auto", [
        {"LoopLag_us": "5", "LoopBusy_pct": "40"}, {"LoopLag_us": "7", "LoopBusy_pct": "50", "Uptime": "9"}, {}]))
    for now[0] in (1.0, 1.05, 2.0, 3.0):
        probe.look()
    assert probe.last == {"LoopLag_us (its own)": 7, "LoopBusy_pct (its own)": 50}


def test_steps_of_signals_are_long_enough_for_a_second_of_the_proxys_own():
    assert signals.step_seconds(SimpleNamespace(seconds=0.2)) >= 2.2
    assert signals.step_seconds(SimpleNamespace(seconds=3.0)) == 3.0


@pytest.mark.parametrize("name, info, expected", [
    ("haproxy-splice", {"TotalSplicdedBytesOut": "950", "TotalBytesOut": "1000"}, 950),
    ("haproxy-splice", {"TotalSplicdedBytesOut": "890", "TotalBytesOut": "1000"}, "890 of 1,000 bytes"),
    ("haproxy-splice-1m", {"TotalSplicedBytesOut": "100"}, "100 of 500 bytes"),
    ("haproxy-splice", {}, "is missing"),
    ("spliced-splice", {"TotalSplicdedBytesOut": "0", "TotalBytesOut": "1000"}, "0 of 1,000 bytes"),
    ("spliced-splice:pipe-size=64k", {"TotalSplicdedBytesOut": "1000", "TotalBytesOut": "1000"}, 1000),
    ("spliced-auto", {}, None), ("haproxy", {}, None)])
def test_what_is_called_splicing_must_have_spliced_nearly_all_of_bulk(name, info, expected):
    subject = asking_subject(name, [info])
    if isinstance(expected, str):
        with pytest.raises(SubjectError, match=f"{name} did not splice: .*{expected}"):
            subject.check_after_load("bulk", 500)
    else:
        assert subject.check_after_load("bulk", 500) == expected
    assert subject.check_after_load("churn", 500) is None


class FakeRun(contextlib.nullcontext):
    """A subject, its load and its watcher in one."""

    pid, name = 1, "spliced-auto"

    def __init__(self, ended, errors):
        super().__init__()
        self.enter_result, self.ended, self.answer = self, ended, {"messages_per_s": 10, "errors_total": errors,
                                                                   "errors": {"reset": errors}}

    def has_ended(self):
        return self.ended

    def finish(self):
        return self.answer


def watch_once(monkeypatch, ended, errors=0):
    fake = FakeRun(ended, errors)
    said = {"seconds": 1.0, "pids": [{"syscalls": 10, "wakeups": 1, "wake_latency_us": None}]}
    monkeypatch.setattr(steps, "Load", lambda *_, **__: fake)
    monkeypatch.setattr(steps, "Watch", lambda *_: SimpleNamespace(finish=lambda: (said, None)))
    monkeypatch.setattr(steps, "wait_window", lambda *_: True)
    monkeypatch.setattr(costs, "read_processes", dict)
    stage = SimpleNamespace(binary="x", subject=lambda name: fake)
    return steps.watch(stage, "spliced-auto", workloads.ALL["pingpong-64"])


def test_a_watch_that_outlives_its_load_has_no_figures(monkeypatch):
    found = watch_once(monkeypatch, ended=True)
    assert "the load ended first" in found["why_not"] and "syscalls_per_work" not in found
    assert watch_once(monkeypatch, ended=False)["syscalls_per_work"] == 1


@pytest.mark.parametrize("ended", [False, True])
def test_errors_of_a_watched_load_count(monkeypatch, ended):
    assert watch_once(monkeypatch, ended, errors=3)["wrong"] == "3 errors (reset 3)"
    assert "wrong" not in watch_once(monkeypatch, ended)


def test_cpus_that_were_asked_for_must_be_there(monkeypatch):
    monkeypatch.setattr(options.os, "sched_getaffinity", lambda _: {2, 3, 5})
    assert options.choose_cpus(None) == (2, 3) and options.choose_cpus((5, 2)) == (5, 2)
    with pytest.raises(UsageError, match="CPU 0 is not among those"):
        options.choose_cpus((0, 1))
    monkeypatch.setattr(options.os, "sched_getaffinity", lambda _: {4})
    assert options.choose_cpus(None) == (4, 4)

"""splicebench compare from end to end: short steps between real proxies, the report
in all its forms, the questions, and what happens when something is missing or wrong."""

import json
import os
import signal
import stat
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from lib.bench import SPLICEBENCH
from lib.proxy import BINARY
from lib.waiting import wait_until

BENCH = Path(__file__).resolve().parents[2] / "bench"
MAIN = BENCH / "compare_main.py"
# The machine that runs tests is never quiet: steps count however disturbed they were.
TOLERANT = ("--steal-max", "100", "--foreign-max", "100")
sys.path.insert(0, str(BENCH))

from splicebench import programs, subjects  # noqa: E402

pytestmark = pytest.mark.skipif(SPLICEBENCH is None, reason="splicebench is not built")


def compare(*arguments, environment=None, binary=SPLICEBENCH, timeout_s=110):
    """Runs the comparison to its end; two CPUs are not taken for granted."""
    cpus = sorted(os.sched_getaffinity(0))
    return subprocess.run(
        ["/usr/bin/python3", str(MAIN), "--binary", str(binary), "--spliced", str(BINARY),
         "--cpus", f"{cpus[0]},{cpus[-1]}", *TOLERANT, *map(str, arguments)],
        capture_output=True, text=True, timeout=timeout_s, check=False, env={**os.environ, **(environment or {})})


def available(*names):
    """Those of these subjects whose programs are installed."""
    return [name for name in names if subjects.refuse_reason(name, str(BINARY)) is None]


def topologies():
    can_be_root = os.geteuid() == 0 and programs.find_program("ip")
    return ["loopback", "veth"] if can_be_root else ["loopback"]


def list_namespaces():
    return {name for name in (os.listdir("/run/netns") if os.path.isdir("/run/netns") else [])
            if name.startswith("sbench")}


@pytest.mark.slow
@pytest.mark.limit(120)
def test_a_quick_comparison_reports_in_all_forms(directory):
    kept, page, charts = (Path(directory) / name for name in ("kept.json", "page.md", "charts"))
    names = ["direct", *available("haproxy", "haproxy-splice", "nginx-64k"), "spliced-auto"]
    done = compare("--quick", "--rounds", 2, "--seconds", 0.2, "--topologies", ",".join(topologies()), "--subjects",
                   ",".join(names), "--json", kept, "--markdown", page, "--svg", charts)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(kept.read_text())
    assert results["failures"] == [] and list(results["topologies"]) == topologies()
    placed, _ = subjects.place_subjects(names, topologies())
    for place, table in results["topologies"].items():
        for workload, entry in table["workloads"].items():
            assert list(entry["subjects"]) == placed[place]
            for name, row in entry["subjects"].items():
                check_row(workload, name, row)
    text = page.read_text()
    assert "Errors in the measured rounds: 0." in text and "The generator's ceiling here (direct)" in text
    assert all(f"| {name} | " in text for name in names)
    if programs.find_program("gnuplot"):
        drawn = sorted(path.name for path in charts.iterdir())
        assert "loopback-bulk-1-rate.svg" in drawn and "loopback-pingpong-64-p99.svg" in drawn
        for path in charts.iterdir():
            assert ElementTree.parse(path).getroot().tag.endswith("svg")
        assert "](charts/loopback-bulk-1-rate.svg)" in text
    else:
        assert "no charts: gnuplot is not installed" in done.stderr
    check_kept(kept, directory)


def check_row(workload, name, row):
    assert row["failed"] is None and row["verified"]["wrong"] is None, (workload, name, row)
    assert len(row["rounds"]) == 2
    for record in row["rounds"]:
        assert record["errors"] == 0 and record["figures"]["throughput"] > 0
        assert record["figures"]["machine_cpu_s_per_unit"] > 0
        assert name in subjects.PLAIN or record["figures"]["proxy_cpu_s_per_unit"] > 0
    if workload.startswith("bulk"):
        assert row["verified"]["bytes"] > 1_000_000
    if workload.startswith("bulk") and name == "haproxy-splice":
        assert all(record["spliced_bytes"] > 0 for record in row["rounds"])


def check_kept(kept, directory):
    """The report can be made again from what was kept, and a run agrees with itself."""
    again = Path(directory) / "again.md"
    done = compare("--from", kept, "--markdown", again)
    assert done.returncode == 0 and "# Performance" in again.read_text()
    done = compare("--compare-runs", kept, kept)
    assert done.returncode == 0 and "The two runs agree." in done.stdout


@pytest.mark.limit(60)
@pytest.mark.parametrize("workload, rate, error", [("dribble-64", 6400, 0.05), ("incast-64", 3008, 0.1)])
def test_a_load_with_a_rate_of_its_own_is_carried(directory, workload, rate, error):
    kept, page = Path(directory) / "kept.json", Path(directory) / "page.md"
    done = compare("--quick", "--rounds", 1, "--seconds", 1, "--topologies", "loopback", "--workloads", workload,
                   "--subjects", "direct,spliced-auto", "--json", kept, "--markdown", page)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(kept.read_text())["topologies"]["loopback"]["workloads"][workload]["subjects"]
    for row in rows.values():
        figures = row["rounds"][0]["figures"]
        assert row["verified"]["wrong"] is None and row["verified"]["bytes"] > 0
        assert figures["throughput"] == pytest.approx(rate, rel=error) and figures["p99_us"] > 0
    assert rows["spliced-auto"]["rounds"][0]["figures"]["proxy_cpu_s_per_unit"] > 0
    assert "at a rate of its own" in page.read_text()


@pytest.mark.limit(60)
def test_idle_connections_cost_memory(directory):
    kept = Path(directory) / "kept.json"
    done = compare("--quick", "--rounds", 1, "--seconds", 0.2, "--topologies", "loopback", "--workloads", "idle-2000",
                   "--subjects", "direct,spliced-copy", "--json", kept)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(kept.read_text())["topologies"]["loopback"]["workloads"]["idle-2000"]["subjects"]
    figures = rows["spliced-copy"]["rounds"][0]["figures"]
    assert 0 < figures["rss_bytes"] < 65536 and figures["slab_bytes"] > 0
    assert "rss_bytes" not in rows["direct"]["rounds"][0]["figures"]


needs_wire = pytest.mark.skipif("veth" not in topologies() or not available("spliced-wire"),
                                reason=f"relay wire over veth: {subjects.refuse_reason('spliced-wire', str(BINARY))}")


@needs_wire
@pytest.mark.limit(90)
def test_wire_is_measured_over_veth_and_its_bytes_were_on_the_wire(directory):
    kept = Path(directory) / "kept.json"
    done = compare("--quick", "--rounds", 1, "--seconds", 0.3, "--topologies", ",".join(topologies()), "--workloads",
                   "bulk-1,pingpong-64", "--subjects", "forward,spliced-copy,spliced-wire", "--json", kept)
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(kept.read_text())
    assert [line.split(":")[0] for line in results["left_out"]] == ["loopback forward", "loopback spliced-wire"]
    for workload, entry in results["topologies"]["veth"]["workloads"].items():
        assert list(entry["subjects"]) == ["forward", "spliced-copy", "spliced-wire"]
        on_wire, copied = (entry["subjects"][name]["rounds"][0] for name in ("spliced-wire", "spliced-copy"))
        assert on_wire["spliced_bytes"] >= 0.9 * on_wire["load"]["bytes"] > 0, workload
        # Nothing but the taking over is left to the process.
        assert on_wire["figures"]["proxy_cpu_s_per_unit"] < copied["figures"]["proxy_cpu_s_per_unit"] / 5
    assert "÷ forward" in done.stdout and "machine ÷ forward" in done.stdout


@needs_wire
@pytest.mark.limit(60)
def test_connections_on_the_wire_cost_memory_in_its_tables(directory):
    kept = Path(directory) / "kept.json"
    done = compare("--quick", "--rounds", 1, "--seconds", 0.2, "--topologies", "veth", "--workloads", "quiet-2000",
                   "--subjects", "spliced-wire", "--json", kept)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(kept.read_text())["topologies"]["veth"]["workloads"]["quiet-2000"]["subjects"]
    figures = rows["spliced-wire"]["rounds"][0]["figures"]
    assert figures["taken"] == 2000 <= figures["places"]
    # The pair's own entry and its two legs in the index, all of it there from the start.
    assert 384 < figures["place_bytes"] <= figures["maps_bytes"] <= 512
    assert "carried 2,000 of the connections on the wire" in done.stdout


@pytest.mark.limit(60)
@pytest.mark.parametrize("question, flags, words", [
    ("equal-load", ["--rate", 2000], "Latency at the same offered load, 2,000 messages/s"),
    ("maximum", [], "Each at its own maximum"),
    ("weaker-maximum", [], "Both at "),
    ("knee", ["--bound-us", 20000], "The knee: the highest rate with p99 of at most 20,000 µs")],
    ids=["equal_load", "maximum", "weaker_maximum", "knee"])
def test_a_question_is_answered(directory, question, flags, words):
    kept, page = Path(directory) / "kept.json", Path(directory) / "page.md"
    done = compare("--quick", "--question", question, "--rounds", 1, "--seconds", 0.2, "--connections", 8, *flags,
                   "--subjects", "spliced-copy,spliced-splice", "--json", kept, "--markdown", page)
    assert done.returncode == 0, done.stdout + done.stderr
    assert words in done.stdout and words in page.read_text()
    answer = json.loads(kept.read_text())["answers"][0]
    assert answer["question"] == question and answer["failures"] == []
    assert {step["subject"] for step in answer["steps"]} == {"spliced-copy", "spliced-splice"}


@pytest.mark.slow
@pytest.mark.limit(120)
def test_signals_are_ranked_around_the_knee(directory):
    kept = Path(directory) / "kept.json"
    done = compare("--quick", "--question", "signals", "--rounds", 1, "--seconds", 0.2, "--connections", 8,
                   "--bound-us", 20000, "--subjects", "spliced-copy", "--json", kept)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(kept.read_text())["answers"][0]["answer"]["subjects"]["spliced-copy"]
    assert found["knee"] > 0
    assert {"idle CPU", "run-queue delay, s/s", "softirq squeezed/s", "accept queue, connections",
            "LoopLag_us (its own)", "LoopBusy_pct (its own)"} <= {row["signal"] for row in found["ranking"]}
    # Asked after the load, the share would be that of a second with nothing to do in it.
    busy = [step["signals"]["LoopBusy_pct (its own)"] for step in json.loads(kept.read_text())["answers"][0]["steps"]
            if "signals" in step]
    assert max(busy) > 30, busy
    assert "rank correlation with the distance" in done.stdout


def fake_generator(directory, change):
    """A generator whose answers are the real one's after `change`, lines of Python about `answer`."""
    path = Path(directory) / "generator"
    path.write_text(f"""#!/usr/bin/python3
import json, subprocess, sys
done = subprocess.run([{str(SPLICEBENCH)!r}, *sys.argv[1:]], stdout=subprocess.PIPE)
answer = json.loads(done.stdout)
{change}
print(json.dumps(answer))
sys.exit(1 if answer["errors_total"] else 0)
""")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.limit(60)
@pytest.mark.parametrize("only_if, words", [
    ("'--sampled' not in sys.argv", "verified run: 3 errors (pattern 3)"),
    ("'--sampled' in sys.argv", "round 1: 3 errors (pattern 3)")], ids=["when_verifying", "in_a_round"])
def test_wrong_bytes_make_the_comparison_fail(directory, only_if, words):
    generator = fake_generator(
        directory, f"if {only_if}: answer['errors']['pattern'] = answer['errors_total'] = 3")
    done = compare("--quick", "--rounds", 1, "--seconds", 0.2, "--topologies", "loopback", "--workloads", "bulk-1",
                   "--subjects", "spliced-copy", binary=generator)
    assert done.returncode == 1
    assert f"FAILED: loopback bulk-1 spliced-copy: {words}" in done.stdout


@pytest.mark.limit(60)
def test_a_subject_that_does_not_start_fails_alone(directory):
    kept = Path(directory) / "kept.json"
    done = compare("--quick", "--rounds", 1, "--seconds", 0.2, "--topologies", "loopback", "--workloads",
                   "pingpong-1", "--subjects", "direct,spliced-nosuchengine", "--json", kept)
    assert done.returncode == 1
    assert "spliced-nosuchengine did not start: " in done.stdout
    rows = json.loads(kept.read_text())["topologies"]["loopback"]["workloads"]["pingpong-1"]["subjects"]
    assert len(rows["direct"]["rounds"]) == 1 and rows["spliced-nosuchengine"]["rounds"] == []


@pytest.mark.limit(60)
def test_a_missing_program_is_left_out_and_named(directory):
    """A search path that holds only what the comparison itself needs."""
    tools = Path(directory) / "tools"
    tools.mkdir()
    for name in ("ip", "sysctl", "taskset", "cat", "sh"):
        if programs.find_program(name):
            (tools / name).symlink_to(programs.find_program(name))
    words = ["/usr/bin/python3", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import compare_main as main; "
             "from splicebench import programs; programs.SEARCH_PATH = sys.argv[2]; "
             "sys.exit(main.main(sys.argv[3:]))", str(BENCH), str(tools), "--quick", "--rounds", "1", "--seconds",
             "0.2", "--topologies", "loopback", "--workloads", "pingpong-1", "--binary", str(SPLICEBENCH),
             "--subjects", "direct,haproxy,socat,nginx-16k", "--svg", str(Path(directory) / "charts"), *TOLERANT]
    done = subprocess.run(words, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for name, program in (("haproxy", "haproxy"), ("socat", "socat"), ("nginx-16k", "nginx")):
        assert f"left out: {name}: {program} is not installed" in done.stderr
        assert f"Left out: {name}: {program} is not installed" in done.stdout
    assert "no charts: gnuplot is not installed" in done.stderr


@pytest.mark.limit(60)
def test_no_root_leaves_veth_out_and_measures_loopback(directory):
    if os.geteuid() != 0:
        pytest.skip("this test gives root up, so it must have it")
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", str(MAIN), "--quick",
             "--rounds", "1", "--seconds", "0.2", "--workloads", "pingpong-1", "--subjects", "direct", "--binary",
             str(SPLICEBENCH), *TOLERANT]
    reached = subprocess.run([*words[:4], "test", "-x", str(SPLICEBENCH), "-a", "-r", str(MAIN)], check=False)
    if reached.returncode != 0:
        pytest.skip("the build is in a place that others may not enter")
    done = subprocess.run(words, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left out: veth: it needs root, for network namespaces" in done.stderr
    refused = subprocess.run([*words, "--congestion", "reno"], capture_output=True, text=True, timeout=50, check=False)
    assert refused.returncode == 2 and "--congestion needs root" in refused.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="this test gives a privilege of root up, so it must have it")
@pytest.mark.limit(60)
def test_root_that_may_not_make_namespaces_measures_loopback_as_it_is():
    words = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    if subprocess.run([*words, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("setpriv cannot give CAP_SYS_ADMIN up here")
    words += ["/usr/bin/python3", str(MAIN), "--binary", str(SPLICEBENCH), "--spliced", str(BINARY), "--quick",
              "--rounds", "1", "--seconds", "0.2", "--workloads", "pingpong-1", "--subjects", "spliced-copy", *TOLERANT]
    done = subprocess.run(words, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "loopback is measured as it is" in done.stdout and "loopback pingpong-1" in done.stdout
    assert "left out: veth: " in done.stderr
    done = subprocess.run([*words, "--topologies", "veth"], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 2 and "no topology is left: veth: " in done.stderr, done.stdout + done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
@pytest.mark.limit(60)
def test_congestion_control_and_a_limited_link_are_in_force(directory):
    available_names = Path("/proc/sys/net/ipv4/tcp_available_congestion_control").read_text().split()
    name = next((name for name in ("reno", "cubic") if name in available_names), None)
    assert name, available_names
    kept = Path(directory) / "kept.json"
    done = compare("--quick", "--rounds", 1, "--seconds", 0.5, "--link", "100mbit", "--congestion", name,
                   "--workloads", "bulk-1", "--subjects", "direct", "--json", kept)
    if "Specified qdisc kind is unknown" in done.stderr:
        pytest.skip("this kernel has no tbf")
    assert done.returncode == 0, done.stdout + done.stderr
    table = json.loads(kept.read_text())["topologies"]["veth"]
    assert table["facts"] == {"congestion": name, "link": "100mbit", "has_namespace": True}
    record = table["workloads"]["bulk-1"]["subjects"]["forward"]["rounds"][0]
    assert 0.002 < record["figures"]["throughput"] < 0.02
    refused = compare("--congestion", "nosuch", "--quick")
    assert refused.returncode == 2 and "this kernel has no congestion control 'nosuch'" in refused.stderr


def is_ignored(pid, number):
    """Whether a process ignores a signal; one that has ended has no more need to."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return True
    masks = [int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:")]
    return not masks or bool(masks[0] >> (number - 1) & 1) or "Z" in next(
        line for line in lines if line.startswith("State:"))


@pytest.mark.limit(60)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_comparison_leaves_nothing_behind(number):
    before = list_namespaces()
    cpus = sorted(os.sched_getaffinity(0))
    process = subprocess.Popen(
        ["/usr/bin/python3", str(MAIN), "--binary", str(SPLICEBENCH), "--spliced", str(BINARY), "--cpus",
         f"{cpus[0]},{cpus[-1]}", "--quick", "--topologies", "loopback", "--subjects", "spliced-copy", "--progress",
         *TOLERANT], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        lines = [process.stderr.readline() for _ in range(3)]
        assert "loopback" in lines[-1], lines
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(number)
        if number != signal.SIGINT:
            wait_until(lambda: is_ignored(process.pid, signal.SIGTERM), "the first signal to be handled")
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + number
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    mine = {name for name in list_namespaces() - before if name.startswith(f"sbench{process.pid}-")}
    assert mine == set()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), "its children to be gone")


def start_article(*arguments):
    cpus = sorted(os.sched_getaffinity(0))
    return subprocess.Popen(
        ["/usr/bin/python3", str(BENCH / "article.py"), "--binary", str(SPLICEBENCH), "--quick", "--methods", "naive",
         "--server-cpu", str(cpus[-1]), "--client-cpu", str(cpus[0]), "--rounds", "50", "--topologies",
         topologies()[-1], *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def list_article_spaces():
    return {name for name in (os.listdir("/run/netns") if os.path.isdir("/run/netns") else [])
            if name.startswith("sba")}


def children_of(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.limit(60)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_article_leaves_no_server_and_no_namespace(number):
    process = start_article()
    try:
        assert process.stderr.readline().startswith("0/")
        wait_until(lambda: children_of(process.pid), "its echo server to run")
        children = children_of(process.pid)
        process.send_signal(number)
        assert process.wait(20) == (-number if number == signal.SIGKILL else 128 + number)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), "its children to be gone")
    mine = f"sba{process.pid}"
    if number == signal.SIGKILL and topologies()[-1] == "veth":
        assert any(name.startswith(mine) for name in list_article_spaces())
        second = start_article("--seconds", "0.01")
        try:
            assert second.stderr.readline().startswith("0/")
        finally:
            second.terminate()
            second.wait(20)
            second.stderr.close()
    assert not any(name.startswith(mine) for name in list_article_spaces())

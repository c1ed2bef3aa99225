"""tools/test.py adds up what the parts print."""

import importlib.util
import json
import re
from pathlib import Path

SPEC = importlib.util.spec_from_file_location(
    "runner", Path(__file__).resolve().parents[2] / "tools" / "test.py")
runner = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(runner)


def numbers(counts):
    return counts.passed, counts.failed, counts.skipped


def count_log(tmp_path, *tests):
    log = tmp_path / "log.json"
    log.write_text("".join(json.dumps(test) + "\n" for test in tests))
    return numbers(runner.count_meson(log))


def test_cases_are_counted_over_several_groups():
    text = "1..2\nok 1 - a\nok 2 - b\n# ok - first\n1..2\nnot ok 1 - c\nnot ok 2 # SKIP d\n# not ok - second\n"
    assert numbers(runner.count_tap(text)) == (2, 1, 1)


def test_a_program_that_prints_no_cases_counts_as_one(tmp_path):
    assert count_log(tmp_path, {"result": "OK", "stdout": "fine\n"}, {"result": "FAIL"}, {"result": "SKIP"},
                     {"result": "TIMEOUT", "stdout": ""}) == (1, 2, 1)


def test_a_crash_after_good_cases_counts_as_a_failure(tmp_path):
    assert count_log(tmp_path, {"result": "FAIL", "stdout": "1..3\nok 1 - a\n"}) == (1, 1, 0)


def test_a_failed_case_is_not_counted_twice(tmp_path):
    assert count_log(tmp_path, {"result": "FAIL", "stdout": "ok 1 - a\nnot ok 2 - b\n"}) == (1, 1, 0)


def test_a_program_that_fails_beside_others_is_run_alone(tmp_path, capfd):
    def failed(word):
        return {"name": word, "result": "FAIL", "stdout": "not ok 1 - a\n", "command": ["sh", "-c", word], "env": {}}

    good, bad = failed("echo ok 1 - a; echo ok 2 - b"), failed("echo not ok 1 - a; exit 1")
    assert count_log(tmp_path, good, {"result": "OK", "stdout": ""}) == (3, 0, 0)
    assert count_log(tmp_path, good, bad) == (2, 1, 0)
    assert "FAILED TWICE: echo not ok" in capfd.readouterr().out
    assert count_log(tmp_path, *[good] * 11) == (0, 11, 0)


def test_a_failing_check_is_one_failure():
    assert numbers(runner.run_checks([("yes", ["true"]), ("no", ["false"])])) == (1, 1, 0)


def test_every_part_says_what_it_is():
    assert all(part.__doc__ for part in runner.PARTS.values())


# The count of runs is kept in a file beside the cases.
CASES = """
import pathlib, pytest
mark = pathlib.Path(__file__).with_name("mark")
def test_fine(): pass
def test_left_out(): pytest.skip("no")
def test_second_time_only():
    if not mark.exists():
        mark.touch()
        assert False
"""


def test_what_fails_beside_others_is_run_alone(tmp_path, capfd):
    (tmp_path / "test_cases.py").write_text(CASES)
    assert numbers(runner.run_pytest_twice(["-q", str(tmp_path)])) == (2, 0, 1)
    assert re.search(r"passed alone: \S*test_cases::test_second_time_only", capfd.readouterr().out)


def test_what_fails_alone_as_well_has_failed(tmp_path, capfd):
    (tmp_path / "test_cases.py").write_text(CASES + "def test_wrong(): assert False\n")
    assert numbers(runner.run_pytest_twice(["-q", str(tmp_path)])) == (2, 1, 1)
    assert re.search(r"FAILED TWICE: \S*test_cases::test_wrong", capfd.readouterr().out)


def test_many_failures_are_no_accident(tmp_path):
    (tmp_path / "test_cases.py").write_text(
        CASES + "@pytest.mark.parametrize('n', range(11))\ndef test_wrong(n): assert False\n")
    assert numbers(runner.run_pytest_twice(["-q", str(tmp_path)])) == (1, 12, 1)


def test_nothing_collected_is_a_failure(tmp_path):
    (tmp_path / "test_cases.py").write_text("import nothing_of_the_kind\n")
    assert numbers(runner.run_pytest_twice(["-q", str(tmp_path)])) == (0, 1, 0)

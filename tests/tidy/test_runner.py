"""tools/test.py adds up what the parts print."""

import importlib.util
import json
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


def test_a_failing_check_is_one_failure():
    assert numbers(runner.run_checks([("yes", ["true"]), ("no", ["false"])])) == (1, 1, 0)


def test_every_part_says_what_it_is():
    assert all(part.__doc__ for part in runner.PARTS.values())

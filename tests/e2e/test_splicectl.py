"""splicectl as the client of the runtime socket."""

import json
import os
import subprocess

import pytest

from lib.proxy import control_program


@pytest.fixture
def control(make_link):
    """Runs splicectl on a daemon's socket; returns the finished process."""
    program = control_program()
    assert program is not None, "splicectl was not built beside the daemon"
    link = make_link("auto")

    def run(*words, socket_path=None, stdin="", environment=None):
        place = ["-s", socket_path or link.daemon.socket_path] if environment is None else []
        return subprocess.run([program, *place, *words], capture_output=True, text=True, timeout=20, input=stdin,
                              check=False, env={**os.environ, **(environment or {})})

    run.daemon = link.daemon
    return run


def test_an_answer_is_printed(control):
    done = control("show", "info")
    assert done.returncode == 0 and f"Pid: {control.daemon.pid}\n" in done.stdout


def test_the_socket_can_come_from_the_environment(control):
    done = control("show", "version", environment={"SPLICED_SOCKET": control.daemon.socket_path})
    assert done.returncode == 0 and done.stdout.strip()


def test_json_is_json(control):
    assert json.loads(control("show", "info", "json").stdout)
    assert json.loads(control("--json", "show", "stat").stdout)


def test_commands_are_read_from_standard_input(control):
    done = control("-", stdin="show version\nshow backend\n")
    assert done.returncode == 0 and "relayed" in done.stdout


@pytest.mark.parametrize("words", [["nonsense"], ["disable", "server", "relayed/none"]])
def test_a_refused_command_is_a_failure(control, words):
    done = control(*words)
    assert done.returncode == 1 and (done.stdout + done.stderr).strip()


def test_a_missing_daemon_is_a_failure_with_a_message(control, directory):
    done = control("show", "info", socket_path=f"{directory}/nobody.sock")
    assert done.returncode == 1 and "nobody.sock" in done.stderr


def test_help_and_version(control):
    assert "splicectl" in control("-h").stdout
    assert control("-V").stdout.strip()

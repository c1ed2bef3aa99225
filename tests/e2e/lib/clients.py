"""Real client programs, run to their end through an endpoint."""

import os
import subprocess

from lib import place
from lib.servers import find_program


def run_client(*arguments, timeout_s=50, text=True, environment=None, stdin=None):
    """Runs a program that must succeed; returns what it printed."""
    program = find_program(str(arguments[0])) or arguments[0]
    done = subprocess.run([*place.prefix("client"), program, *map(str, arguments[1:])], capture_output=True,
                          text=text, timeout=timeout_s, check=False, input=stdin,
                          env={**os.environ, "LC_ALL": "C", **(environment or {})})
    assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def redis_address(endpoint):
    if endpoint.family == "unix":
        return ["-s", endpoint.path]
    return ["-h", endpoint.host, "-p", endpoint.port]


def mariadb_address(endpoint):
    if endpoint.family == "unix":
        return ["--protocol=socket", f"--socket={endpoint.path}"]
    return ["--protocol=tcp", f"--host={endpoint.host}", f"--port={endpoint.port}"]


def postgresql_address(endpoint):
    """libpq finds a unix socket by its folder and the port in its name."""
    if endpoint.family == "unix":
        folder, _, port = endpoint.path.rpartition("/.s.PGSQL.")
        return ["-h", folder, "-p", port]
    return ["-h", endpoint.host, "-p", endpoint.port]


def http_url(endpoint, path):
    if endpoint.family == "unix":
        return f"http://localhost/{path}"
    host = f"[{endpoint.host}]" if endpoint.family == "ipv6" else endpoint.host
    return f"http://{host}:{endpoint.port}/{path}"


def curl_address(endpoint):
    return ["--unix-socket", endpoint.path] if endpoint.family == "unix" else []

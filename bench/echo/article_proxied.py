"""The part of bench/article.py that has a proxy in it: the same blocks to the plain echo
server, through the engines of spliced, through HAProxy, and routed without any proxy."""

import os
import types

from article_figures import size_text
from article_measure import ATTEMPTS_MAX, EchoServer, time_blocks
from splicebench import programs, subjects
from splicebench.programs import SubjectError
from splicebench.topology import Topology

NAME = "proxied"
BASE = "forward"
METHODS = (BASE, "haproxy", "spliced-copy", "spliced-splice", "spliced-wire")


def find_unavailable(spliced):
    """{method: why} of those that cannot be measured here."""
    reasons = {name: subjects.refuse_reason(name, spliced) for name in METHODS}
    return {name: why for name, why in reasons.items() if why}


def measure_once(options, topology, spliced, cell):
    """One server, one proxy, one client, for options.seconds."""
    subject = subjects.Subject(cell["method"], topology, spliced)
    spaces = {part: ("ip", "netns", "exec", topology.namespace_of[part]) for part in ("client", "server")}
    place = types.SimpleNamespace(server_prefix=spaces["server"], address=topology.server_address)
    # Client and server share a CPU, and the proxy has the other for itself.
    near = types.SimpleNamespace(**{**vars(options), "server_cpu": options.client_cpu})
    with EchoServer(near, place, "naive", False, subject.server_port) as server:
        if not server.address:
            return {"failure": server.why_not()}
        try:
            with subject:
                found = time_blocks(options, spaces["client"], subject.address, cell["size"])
                if "failure" not in found:
                    subject.check_after_load("pingpong", 0)
        except SubjectError as error:
            return {"failure": str(error)}
        return {**found, "said": server.said()}


def measure_until_kept(options, topology, spliced, cell):
    attempts = []
    while len(attempts) < ATTEMPTS_MAX and all(result.get("is_dropped") for result in attempts):
        attempts.append(measure_once(options, topology, spliced, cell))
    return attempts


def measure(options, progress):
    spliced = programs.find_spliced(None, os.path.abspath(options.binary))
    unavailable, runs = find_unavailable(spliced), []
    with Topology("veth", (options.server_cpu, options.client_cpu), options.congestion) as topology:
        for turn in range(options.rounds):
            for size in options.sizes:
                for method in METHODS:
                    progress(f"{NAME}, {size_text(size)}, {method}")
                    if method in unavailable:
                        continue
                    cell = {"round": turn, "size": size, "has_busy_poll": False, "method": method}
                    runs += [{**cell, **result}
                             for result in measure_until_kept(options, topology, spliced, cell)]
    return {"methods": list(METHODS), "unavailable": unavailable, "runs": runs}

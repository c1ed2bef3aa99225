"""Figures of splicebench compare that are made up for tests, and a subject that is."""

import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench"))

from splicebench import rounds, subjects  # noqa: E402


def record(throughput, p99=100.0, errors=0, noise=None):
    return {"figures": {"throughput": throughput, "p50_us": 50.0, "p99_us": p99, "proxy_cpu_s_per_unit": 0.5,
                        "machine_cpu_s_per_unit": 1.0, "softirq_s_per_unit": 0.2},
            "load": {"connections": 64, "errors": {"reset": errors}, "errors_total": errors},
            "costs": {"steal_share": 0.0, "foreign_share": 0.0}, "errors": errors, "noise": noise}


def row(*values, **more):
    return {"verified": {"bytes": 10**9, "wrong": None}, "rounds": [record(value) for value in values],
            "dropped": [], "failed": None, "watched": None, **more}


def results(**rows):
    entry = {"kind": "pingpong", "connections": 64,
             "subjects": {name.replace("_", "-"): value for name, value in rows.items()}}
    return {"format": rounds.FORMAT, "command": "splicebench compare --quick", "mode": "quick", "rounds": 3,
            "seconds": 0.5, "warmup": 0.1, "elapsed_s": 61.2, "limits": {"steal": 0.03, "foreign": 0.1},
            "facts": {"cpu": "A processor", "cpus": 2, "memory_bytes": 1 << 33, "kernel": "6.1", "congestion": "cubic",
                      "is_root": True, "cpu_proxy": 0, "cpu_load": 1, "versions": {"haproxy": "HAProxy version 2.6"},
                      "date": "2024-02-03"},
            "left_out": ["nginx-64k: nginx is not installed"], "failures": [],
            "topologies": {"loopback": {"facts": {"congestion": "cubic", "link": None, "has_namespace": True},
                                        "workloads": {"pingpong-64": entry}}}}


def asking_subject(name, answers):
    """A subject whose runtime socket gives these answers, as {key: value}."""
    subject = subjects.Subject(name, SimpleNamespace(next_port=lambda: 1, server_address="a", proxy_address="b"), None)
    subject.ask = lambda *_: answers.pop(0)
    return subject

"""Facts about the machine and the run, without which figures mean nothing."""

import os
import platform
import time

from .costs import read_text
from .programs import first_line
from .subjects import versions


def cpu_model():
    for line in read_text("/proc/cpuinfo").splitlines():
        if line.startswith(("model name", "Model")):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_bytes():
    for line in read_text("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return 0


def collect(options, subjects):
    return {
        "cpu": cpu_model(), "cpus": os.cpu_count(), "memory_bytes": memory_bytes(), "kernel": platform.release(),
        "congestion": read_text("/proc/sys/net/ipv4/tcp_congestion_control").strip(),
        "is_root": os.geteuid() == 0, "cpu_proxy": options.cpus[0], "cpu_load": options.cpus[1],
        "versions": {"splicebench": first_line(options.binary, "--version"), **versions(subjects, options.spliced)},
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }

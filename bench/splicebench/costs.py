"""What a step costs, read from /proc: processor time of the proxy, of the machine and
of strangers, switches, memory; and what `splicebench watch` adds where it is built."""

import json
import os
import subprocess
import time

from . import programs

TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
CPU_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
PF_KTHREAD = 0x00200000  # In the flags of /proc/PID/stat.

RING_BUFFER = 27  # BPF_MAP_TYPE_RINGBUF


def read_text(path):
    """A file of /proc; empty when its process has ended."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def read_processes():
    """{pid: (parent, own seconds, seconds of children it has waited for, is_kernel)}. When a process ends, its time
    goes to its parent: so the sum over a family stays the same, and no short life is missed."""
    table = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        fields = read_text(f"/proc/{name}/stat").rpartition(")")[2].split()
        if fields:
            own, waited = ((int(fields[at]) + int(fields[at + 1])) / TICK for at in (11, 13))
            table[int(name)] = (int(fields[1]), own, waited, bool(int(fields[6]) & PF_KTHREAD))
    return table


def family_of(table, root):
    """The pids of a process and all that descend from it."""
    children = {}
    for pid, (parent, *_) in table.items():
        children.setdefault(parent, []).append(pid)
    found, waiting = set(), [root]
    while waiting:
        pid = waiting.pop()
        if pid in table and pid not in found:
            found.add(pid)
            waiting += children.get(pid, [])
    return found


def foreign_seconds(table, own):
    """Processor time of all processes but our family and the kernel's threads."""
    ours = family_of(table, own)
    return sum(own_s + waited_s for pid, (_, own_s, waited_s, is_kernel) in table.items()
               if pid not in ours and not is_kernel)


def read_family(table, root):
    """What a process and its descendants have used: seconds on a CPU, waiting for one, switches, and how many they
    are. The scheduler's clock is read where it is kept: many processes that each use less than a tick would count
    as nothing."""
    family = family_of(table, root)
    found = {"cpu_s": 0.0, "run_delay_s": 0.0, "switches": 0, "count": len(family)}
    for pid in family:
        threads = read_threads(pid)
        found["cpu_s"] += (threads["run_s"] or table[pid][1]) + table[pid][2]
        found["run_delay_s"] += threads["run_delay_s"]
        found["switches"] += threads["voluntary"] + threads["involuntary"]
    return found


def read_threads(pid):
    """Nanoseconds on a CPU, nanoseconds spent waiting for one, and switches, over the threads of a process."""
    run_ns = delay_ns = voluntary = involuntary = 0
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        threads = []
    for thread in threads:
        times = read_text(f"/proc/{pid}/task/{thread}/schedstat").split()
        if len(times) == 3:
            run_ns += int(times[0])
            delay_ns += int(times[1])
        for line in read_text(f"/proc/{pid}/task/{thread}/status").splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                voluntary += int(line.split()[1])
            elif line.startswith("nonvoluntary_ctxt_switches"):
                involuntary += int(line.split()[1])
    return {"run_s": run_ns / 1e9, "run_delay_s": delay_ns / 1e9, "voluntary": voluntary, "involuntary": involuntary}


def read_cpus():
    """{"cpu": {field: seconds}, "cpu0": …} of /proc/stat."""
    cpus = {}
    for line in read_text("/proc/stat").splitlines():
        if line.startswith("cpu"):
            name, *values = line.split()
            cpus[name] = {field: int(value) / TICK for field, value in zip(CPU_FIELDS, values)}
    return cpus


def read_softnet():
    """Packets handled, dropped and times the budget ran out, over all CPUs."""
    rows = [[int(word, 16) for word in line.split()[:3]] for line in read_text("/proc/net/softnet_stat").splitlines()]
    return {name: sum(row[index] for row in rows) for index, name in enumerate(("processed", "dropped", "squeezed"))}


class Window:
    """The time between two readings. pid: the proxy, or None."""

    def __init__(self, pid=None):
        self.pid = pid
        self.start = self._read()

    def _read(self):
        processes = read_processes()
        return {"s": time.monotonic(), "cpus": read_cpus(), "softnet": read_softnet(),
                "foreign_s": foreign_seconds(processes, os.getpid()),
                "proxy": read_family(processes, self.pid) if self.pid else None}

    def close(self):
        """Seconds spent in between, by whom, and how disturbed the machine was."""
        first, last = self.start, self._read()
        cpu = {field: last["cpus"]["cpu"][field] - first["cpus"]["cpu"][field] for field in first["cpus"]["cpu"]}
        whole = sum(cpu.values())
        foreign = last["foreign_s"] - first["foreign_s"]
        costs = {
            "window_s": last["s"] - first["s"],
            "machine_cpu_s": whole - cpu["idle"] - cpu["iowait"] - cpu["steal"],
            "user_s": cpu["user"] + cpu["nice"], "system_s": cpu["system"], "irq_s": cpu["irq"],
            "softirq_s": cpu["softirq"], "steal_s": cpu["steal"], "idle_s": cpu["idle"] + cpu["iowait"],
            "steal_share": cpu["steal"] / whole if whole else 0.0,
            "foreign_share": min(max(foreign, 0.0) / whole, 1.0) if whole else 0.0,
            "softnet": {key: last["softnet"][key] - first["softnet"][key] for key in first["softnet"]},
            "idle_by_cpu": idle_by_cpu(first["cpus"], last["cpus"]),
        }
        if self.pid:
            proxy = {key: last["proxy"][key] - first["proxy"][key] for key in ("cpu_s", "run_delay_s", "switches")}
            if first["proxy"]["count"] > 1 or last["proxy"]["count"] > 1:
                # Those that ended in between took theirs with them.
                proxy["switches"] = None
            costs["proxy"] = proxy
        return costs


def idle_by_cpu(first, last):
    """{cpu: idle share} of each CPU alone."""
    shares = {}
    for name in first:
        if name != "cpu" and name in last:
            delta = {field: last[name][field] - first[name][field] for field in first[name]}
            whole = sum(delta.values())
            shares[name] = (delta["idle"] + delta["iowait"]) / whole if whole else None
    return shares


def costs_per_unit(costs, workload, work_rate):
    """Seconds for one unit of costs and switches for one of work, out of a window and the work done a second in it."""
    done = work_rate * costs["window_s"]
    units = done / workload.unit_work
    if units <= 0:
        return {}
    proxy = costs.get("proxy") or {}
    figures = {"machine_cpu_s_per_unit": costs["machine_cpu_s"] / units,
               "softirq_s_per_unit": costs["softirq_s"] / units}
    if proxy:
        figures["proxy_cpu_s_per_unit"] = proxy["cpu_s"] / units
        if proxy["switches"] is not None:
            figures["switches_per_work"] = proxy["switches"] / (done / workload.work)
    return figures


def read_memory(pid, network_pid):
    """Bytes: the process's and its children's RSS and PSS, the kernel's for TCP and slab, and what is available."""
    rss = pss = 0
    for member in family_of(read_processes(), pid) if pid else ():
        for line in read_text(f"/proc/{member}/smaps_rollup").splitlines():
            if line.startswith("Rss:"):
                rss += int(line.split()[1]) * 1024
            elif line.startswith("Pss:"):
                pss += int(line.split()[1]) * 1024
    machine = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in read_text("/proc/meminfo").splitlines()}
    pages = 0
    for line in read_text(f"/proc/{network_pid or 'self'}/net/sockstat").splitlines():
        words = line.split()
        if words and words[0] == "TCP:" and "mem" in words:
            pages = int(words[words.index("mem") + 1])
    return {"rss": rss if pid else None, "pss": pss if pid else None, "tcp": pages * PAGE, "maps": read_tables(pid),
            "slab": machine.get("Slab", 0), "available": machine.get("MemAvailable", 0)}


def read_tables(pid):
    """Bytes of kernel memory that the BPF tables of a process take, without its ring buffers and its programs' data;
    None where it holds none or the kernel does not say."""
    found = {}
    folder = f"/proc/{pid}/fdinfo"
    for name in os.listdir(folder) if pid and os.path.isdir(folder) else []:
        fields = dict(line.split(":", 1) for line in read_text(f"{folder}/{name}").splitlines() if ":" in line)
        if "map_id" in fields and "memlock" in fields:
            is_table = int(fields["map_type"]) != RING_BUFFER and int(fields["max_entries"]) > 1
            # A map may be held by several descriptors.
            found[int(fields["map_id"])] = int(fields["memlock"]) if is_table else 0
    return sum(found.values()) if found else None


def count_descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


class Watch:
    """`splicebench watch` beside a load; what it says is read when the load has ended."""

    def __init__(self, binary, pids, seconds):
        words = [binary, "watch", "--pid", ",".join(map(str, pids)), "--seconds", f"{seconds:g}", "--json"]
        self.process = programs.start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                      errors="replace")

    def finish(self):
        """(answer, None), or (None, why there is none)."""
        try:
            out, err = self.process.communicate(timeout=20)
            return json.loads(out), None
        except subprocess.TimeoutExpired:
            return None, "splicebench watch does not end"
        except ValueError:
            return None, (err.strip().splitlines() or [f"exit status {self.process.returncode}"])[-1]
        finally:
            programs.end(self.process)


def watched_figures(answer, workload, work_rate):
    """System calls per MiB or message or connection, switches and wake-up latency, out of what watch said."""
    work = work_rate * answer["seconds"] / workload.work
    calls = [row.get("syscalls") for row in answer["pids"]]
    figures = {"source": answer.get("source"), "why_not_bpf": answer.get("why_not_bpf")}
    if work > 0 and calls and None not in calls:
        figures["syscalls_per_work"] = sum(calls) / work
    if work > 0:
        figures["wakeups_per_work"] = sum(row.get("wakeups") or 0 for row in answer["pids"]) / work
    latencies = [row["wake_latency_us"] for row in answer["pids"] if row.get("wake_latency_us")]
    if latencies:
        busiest = max(latencies, key=lambda row: row.get("count") or 0)
        # Of no wake-ups there is no latency, whatever stands there.
        for key in ("p50", "p99"):
            figures[f"wake_{key}_us"] = busiest.get(key) if busiest.get("count") else None
    return figures

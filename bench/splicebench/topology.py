"""The networks: loopback in a namespace of its own, or client, proxy and server in
three namespaces joined by veth, optionally over a link of limited rate."""

import os
import re

from .programs import UsageError, find_program, run

NAMES = ("loopback", "veth")
PARTS = ("client", "proxy", "server")
# Below the range that the kernel takes ports of clients from, so that none of them is in the way.
PORTS = range(17000, 19999)
EPHEMERAL = "20000 65535"
NAMESPACE = re.compile(r"sbench(\d+)-")


def remove_stale_namespaces():
    """Takes away what a killed comparison left behind."""
    folder = "/run/netns"
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        found = NAMESPACE.match(name)
        if found and not os.path.exists(f"/proc/{found.group(1)}"):
            run("ip", "netns", "del", name, check=False)


def refuse_reason(name):
    """Why this topology cannot be built here, or None."""
    if name == "loopback":
        return None
    if os.geteuid() != 0:
        return "it needs root, for network namespaces"
    return None if find_program("ip") else "ip (package iproute2) is not installed"


class Topology:
    """Where client, proxy and server stand, and by which address each is reached. A context manager."""

    def __init__(self, name, cpus, congestion=None, link=None):
        self.name, self.congestion, self.link_rate = name, congestion, link
        self.cpu_proxy, self.cpu_load = cpus
        self.namespace_of = dict.fromkeys(PARTS)
        own = f"sbench{os.getpid()}"
        if name == "loopback":
            self.proxy_address = self.server_address = "127.0.0.1"
            if os.geteuid() == 0 and find_program("ip"):
                self.namespace_of = dict.fromkeys(PARTS, f"{own}-loop")
        else:
            self.proxy_address, self.server_address = "10.77.1.1", "10.77.2.2"
            self.namespace_of = {part: f"{own}-{part}" for part in PARTS}
        self.namespaces = sorted({space for space in self.namespace_of.values() if space})
        # Why loopback is measured as it is, or None.
        self.note = None
        self._ports = iter(())

    def __enter__(self):
        remove_stale_namespaces()
        try:
            self._make_all()
        except UsageError as error:
            self.__exit__()
            if self.name != "loopback" or self.congestion:
                raise
            self._go_without(f"no network namespace can be made here ({error})")
        except BaseException:
            self.__exit__()
            raise
        if self.name == "loopback" and not self.namespaces and self.note is None:
            self._go_without("a network namespace needs root and ip")
        return self

    def _make_all(self):
        for space in self.namespaces:
            self._make_namespace(space)
        if self.name == "veth":
            self._make_links()

    def _go_without(self, why):
        """Root in a container may not make namespaces; the loopback that is there can be measured all the same."""
        self.namespaces, self.namespace_of = [], dict.fromkeys(PARTS)
        self.note = f"{self.name} is measured as it is, with its own settings: {why}"

    def __exit__(self, *_):
        for space in self.namespaces:
            run("ip", "netns", "del", space, check=False)

    def _make_namespace(self, space):
        run("ip", "netns", "add", space)
        run("ip", "-n", space, "link", "set", "lo", "up")
        # Else the ports of one client and one server are used up within two seconds of short connections, and
        # what is measured is the search for a free one.
        self._set(space, "net.ipv4.tcp_tw_reuse", "1")
        self._set(space, "net.ipv4.ip_local_port_range", EPHEMERAL)
        if self.congestion:
            self._set(space, "net.ipv4.tcp_congestion_control", self.congestion)

    @staticmethod
    def _set(space, key, value):
        run("ip", "netns", "exec", space, "sysctl", "-qw", f"{key}={value}")

    def _make_links(self):
        space = self.namespace_of
        self._make_link(("client", "c0", "10.77.1.2/24"), ("proxy", "c1", "10.77.1.1/24"))
        self._make_link(("server", "s0", "10.77.2.2/24"), ("proxy", "s1", "10.77.2.1/24"))
        for part, via in (("client", "10.77.1.1"), ("server", "10.77.2.1")):
            run("ip", "-n", space[part], "route", "add", "default", "via", via)
        self._set(space["proxy"], "net.ipv4.ip_forward", "1")
        # Each host's packets are handled on its own CPU, as the queues of a network card would.
        for part, device, cpu in (("client", "c0", self.cpu_load), ("server", "s0", self.cpu_load),
                                  ("proxy", "c1", self.cpu_proxy), ("proxy", "s1", self.cpu_proxy)):
            path = f"/sys/class/net/{device}/queues/rx-0/rps_cpus"
            run("ip", "netns", "exec", space[part], "sh", "-c", f"echo {cpu_mask(cpu)} > {path}")
        if self.link_rate:
            for part, device in (("client", "c0"), ("proxy", "c1")):
                run("tc", "-n", space[part], "qdisc", "add", "dev", device, "root", "tbf",
                    "rate", self.link_rate, "burst", "256k", "latency", "20ms")

    def _make_link(self, one, other):
        run("ip", "link", "add", one[1], "netns", self.namespace_of[one[0]], "type", "veth",
            "peer", "name", other[1], "netns", self.namespace_of[other[0]])
        for part, device, address in (one, other):
            run("ip", "-n", self.namespace_of[part], "addr", "add", address, "dev", device)
            run("ip", "-n", self.namespace_of[part], "link", "set", device, "up")

    def next_port(self):
        """A port for a listener; each step takes another one, so that none meets what the last left behind."""
        for port in self._ports:
            return port
        self._ports = iter(PORTS)
        return next(self._ports)

    def command(self, part, cpu, *words):
        """The words that start a program in the namespace of a part, on one CPU."""
        space = self.namespace_of[part]
        inside = [find_program("ip"), "netns", "exec", space] if space else []
        return [*inside, find_program("taskset"), "-c", str(cpu), *words]

    def server_words(self, port):
        """The server's place as the load generator takes it."""
        space = self.namespace_of["server"]
        inside = f"@{space}" if space and space != self.namespace_of["client"] else ""
        return f"{self.server_address}:{port}{inside}"

    def facts(self):
        """What was in force here."""
        words = ["cat", "/proc/sys/net/ipv4/tcp_congestion_control"]
        space = self.namespace_of["proxy"]
        done = run(*(["ip", "netns", "exec", space] if space else []), *words)
        found = {"congestion": done.stdout.strip(), "link": self.link_rate, "has_namespace": bool(self.namespaces)}
        return {**found, "note": self.note} if self.note else found


def cpu_mask(cpu):
    """A CPU as the kernel writes sets of them: hexadecimal words of 32 bits, parted by commas."""
    digits = f"{1 << cpu:x}"
    words = []
    while digits:
        words.insert(0, digits[-8:])
        digits = digits[:-8]
    return ",".join(words)


def check_congestion(name):
    """Refuses an algorithm that this kernel does not have."""
    if os.geteuid() != 0:
        raise UsageError("--congestion needs root: it is set in network namespaces")
    with open("/proc/sys/net/ipv4/tcp_available_congestion_control", encoding="ascii") as file:
        available = file.read().split()
    if name not in available:
        raise UsageError(f"this kernel has no congestion control '{name}', only {', '.join(available)}")

"""Three network namespaces in a row: client, proxy, server, joined by veth, IPv4 and IPv6.

    with Netlab(mtu=1500, are_offloads_on=True) as lab:
        lab.run("client", ["ping", "-c1", lab.address("server", "ipv4")])

Addresses are fixed, the namespaces' names are the process's own.  The congestion control
is set on the routes, because the sysctl refuses restricted ones outside the first
namespace.  Needs root; `Netlab.missing()` says what is not there.
"""

import os
import shutil
import subprocess

HOSTS = ("client", "proxy", "server")
# interface -> (host, peer's address family prefix); the proxy has one on each side.
NETWORKS = {
    "client": ("10.77.1", "fd77:1:"),
    "server": ("10.77.2", "fd77:2:"),
}


class Netlab:
    def __init__(self, mtu=1500, are_offloads_on=True, congestion="cubic", server_mtu=None):
        self.mtu = {"client": mtu, "server": server_mtu or mtu}
        self.are_offloads_on = are_offloads_on
        self.congestion = congestion
        self.processes = []
        self.names = {host: f"lab{os.getpid()}-{host}" for host in HOSTS}

    @staticmethod
    def missing():
        """Why there can be no lab here, or None."""
        if os.geteuid() != 0:
            return "not root"
        for program in ("ip", "ethtool"):
            if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
                return f"{program} is not installed"
        probe = subprocess.run(["unshare", "-n", "true"], stderr=subprocess.DEVNULL)
        return "no network namespaces" if probe.returncode else None

    def address(self, host, family, side=None):
        """The address of the client or the server, or the proxy's on the side of one of them."""
        v4, v6 = NETWORKS[side or host]
        last = 1 if host == "proxy" else 2
        return f"{v4}.{last}" if family == "ipv4" else f"{v6}:{last}"

    def interface(self, host, side=None):
        """What it is called where it is: "eth" at the ends, the side's name at the proxy."""
        return side if host == "proxy" else "eth"

    def ip(self, *words):
        subprocess.run(["ip", *words], check=True)

    def run(self, host, command, **options):
        return subprocess.run(["ip", "netns", "exec", self.names[host], *command], check=True, **options)

    def start(self, host, command, **options):
        """A process with text pipes; it is ended with the lab."""
        process = subprocess.Popen(["ip", "netns", "exec", self.names[host], *command], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.processes.append(process)
        return process

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.__exit__()
            raise
        return self

    def build(self):
        for name in self.names.values():
            self.ip("netns", "add", name)
            self.ip("-n", name, "link", "set", "lo", "up")
        for side in NETWORKS:
            self.build_side(side)
        for family in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            self.run("proxy", ["sysctl", "-qw", f"net.{family}=1"])
        for host in HOSTS:
            self.run(host, ["sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1"])

    def build_side(self, side):
        end, proxy = self.names[side], self.names["proxy"]
        self.ip("link", "add", "name", "eth", "netns", end, "type", "veth", "peer", "name", side, "netns", proxy)
        for name, device, host in ((end, "eth", side), (proxy, side, "proxy")):
            for family, prefix in (("ipv4", "24"), ("ipv6", "64")):
                self.ip("-n", name, "addr", "add", f"{self.address(host, family, side)}/{prefix}", "dev", device,
                        *(["nodad"] if family == "ipv6" else []))
            self.ip("-n", name, "link", "set", device, "mtu", str(self.mtu[side]), "up")
            if not self.are_offloads_on:
                subprocess.run(["ip", "netns", "exec", name, "ethtool", "-K", device, "tso", "off", "gso", "off",
                                "gro", "off", "tx", "off", "rx", "off"], check=True, stdout=subprocess.DEVNULL)
        for family, network in (("-4", f"{NETWORKS[side][0]}.0/24"), ("-6", f"{NETWORKS[side][1]}:/64")):
            gateway = self.address("proxy", "ipv4" if family == "-4" else "ipv6", side)
            self.ip(family, "-n", end, "route", "add", "default", "via", gateway, "congctl", self.congestion)
            for name, device in ((end, "eth"), (proxy, side)):
                self.ip(family, "-n", name, "route", "replace", network, "dev", device, "proto", "kernel",
                        "congctl", self.congestion)

    def __exit__(self, *_):
        for process in self.processes:
            for pipe in (process.stdin, process.stdout):
                if pipe and not pipe.closed:
                    pipe.close()
            process.kill()
            process.wait()
        for name in self.names.values():
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL)

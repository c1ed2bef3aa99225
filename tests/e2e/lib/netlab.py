"""Three network namespaces in a row: client, proxy, server, joined by veth, IPv4 and IPv6.

    with Netlab(mtu=1500, are_offloads_on=True) as lab:
        lab.run("client", ["ping", "-c1", lab.address("server", "ipv4")])

With `far_mtu` a fourth, the router, stands between proxy and server, and its way to the
server takes packets of that size.  `vlans` maps a side to the number of the VLAN in which
its two ends talk.

Addresses are fixed, the namespaces' names are the process's own.  The congestion control
is set on the routes, because the sysctl refuses restricted ones outside the first
namespace.  Needs root; `Netlab.missing()` says what is not there.
"""

import json
import os
import shutil
import subprocess

HOSTS = ("client", "proxy", "server")
# interface -> (host, peer's address family prefix); the proxy has one on each side.
NETWORKS = {
    "client": ("10.77.1", "fd77:1:"),
    "server": ("10.77.2", "fd77:2:"),
}
FAR_NETWORK = ("10.77.3", "fd77:3:")  # router and server, where there is a router


class Netlab:
    def __init__(self, mtu=1500, are_offloads_on=True, congestion="cubic", server_mtu=None, far_mtu=None, vlans=None):
        self.mtu = {"client": mtu, "server": server_mtu or mtu}
        self.are_offloads_on = are_offloads_on
        self.congestion = congestion
        self.far_mtu = far_mtu
        self.vlans = vlans or {}
        self.processes = []
        self.hosts = HOSTS + (("router",) if far_mtu else ())
        self.names = {host: f"lab{os.getpid()}-{host}" for host in self.hosts}

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

    @staticmethod
    def has_vlans():
        """Whether the kernel has 802.1Q interfaces."""
        command = "ip link add name a type dummy && ip link add link a name a.7 type vlan id 7"
        probe = subprocess.run(["unshare", "-n", "sh", "-c", command], stderr=subprocess.DEVNULL)
        return probe.returncode == 0

    def address(self, host, family, side=None):
        """The address of the client or the server, or the proxy's on the side of one of them."""
        if host == "router":
            v4, v6, last = *NETWORKS["server"], 2
        elif host == "server" and self.far_mtu:
            v4, v6, last = *FAR_NETWORK, 2
        else:
            v4, v6 = NETWORKS[side or host]
            last = 1 if host == "proxy" else 2
        return f"{v4}.{last}" if family == "ipv4" else f"{v6}:{last}"

    def interface(self, host, side=None):
        """What it is called where it is: "eth" at the ends, the side's name at the proxy."""
        name = side if host == "proxy" else "eth"
        vlan = self.vlans.get(side if host == "proxy" else host)
        return f"{name}.{vlan}" if vlan else name

    def mac(self, host, side=None):
        """The hardware address of that interface."""
        shown = self.run(host, ["ip", "-j", "link", "show", "dev", self.interface(host, side)], stdout=subprocess.PIPE)
        return json.loads(shown.stdout)[0]["address"]

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
        if self.far_mtu:
            self.build_far()
        for family in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            for host in ("proxy", "router"):
                if host in self.hosts:
                    self.run(host, ["sysctl", "-qw", f"net.{family}=1"])
        for host in self.hosts:
            self.run(host, ["sysctl", "-qw", "net.ipv4.tcp_no_metrics_save=1"])

    def join(self, near, far, mtu):
        """Two (namespace, device) become a cable."""
        self.ip("link", "add", "name", near[1], "netns", near[0], "type", "veth",
                "peer", "name", far[1], "netns", far[0])
        for name, device in (near, far):
            self.ip("-n", name, "link", "set", device, "mtu", str(mtu), "up")
            if not self.are_offloads_on:
                self.offloads_off(name, device)

    def offloads_off(self, name, device):
        subprocess.run(["ip", "netns", "exec", name, "ethtool", "-K", device, "tso", "off", "gso", "off",
                        "gro", "off", "tx", "off", "rx", "off"], check=True, stdout=subprocess.DEVNULL)

    def give_address(self, name, device, v4, v6):
        self.ip("-n", name, "addr", "add", f"{v4}/24", "dev", device)
        self.ip("-n", name, "addr", "add", f"{v6}/64", "dev", device, "nodad")

    def build_side(self, side):
        """The client or the server (or the router in its place), and the proxy's end."""
        host = "router" if side == "server" and self.far_mtu else side
        end, proxy = self.names[host], self.names["proxy"]
        self.join((end, "eth"), (proxy, side), self.mtu[side])
        device, proxy_device = self.interface(side), self.interface("proxy", side)
        if side in self.vlans:
            for name, parent, tagged in ((end, "eth", device), (proxy, side, proxy_device)):
                self.ip("-n", name, "link", "add", "link", parent, "name", tagged, "type", "vlan",
                        "id", str(self.vlans[side]))
                self.ip("-n", name, "link", "set", tagged, "up")
        for name, its, who in ((end, device, host), (proxy, proxy_device, "proxy")):
            self.give_address(name, its, *(self.address(who, family, side) for family in ("ipv4", "ipv6")))
        for family, network in (("-4", f"{NETWORKS[side][0]}.0/24"), ("-6", f"{NETWORKS[side][1]}:/64")):
            gateway = self.address("proxy", "ipv4" if family == "-4" else "ipv6", side)
            self.ip(family, "-n", end, "route", "add", "default", "via", gateway, "congctl", self.congestion)
            for name, its in ((end, device), (proxy, proxy_device)):
                # With the kernel's own metric it takes the place of the kernel's route.
                metric = ["metric", "256"] if family == "-6" else []
                self.ip(family, "-n", name, "route", "replace", network, "dev", its, "proto", "kernel", *metric,
                        "congctl", self.congestion)

    def build_far(self):
        """The server behind the router."""
        router, server = self.names["router"], self.names["server"]
        self.join((server, "eth"), (router, "far"), self.far_mtu)
        v4, v6 = FAR_NETWORK
        self.give_address(router, "far", f"{v4}.1", f"{v6}:1")
        self.give_address(server, "eth", f"{v4}.2", f"{v6}:2")
        for family, gateway, network, name in (("-4", f"{v4}.1", f"{v4}.0/24", "ipv4"),
                                               ("-6", f"{v6}:1", f"{v6}:/64", "ipv6")):
            self.ip(family, "-n", server, "route", "add", "default", "via", gateway, "congctl", self.congestion)
            self.ip(family, "-n", self.names["proxy"], "route", "add", network, "via", self.address("router", name),
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

"""What is compared: each subject's program, its configuration, one running instance
of it, and where it cannot be measured."""

import functools
import os
import re
import shutil
import socket
import tempfile
import time

from . import claims, programs
from .programs import SubjectError, UsageError

START_SECONDS = 10
# The first with proxy_half_close: the load ends its streams in order, one side after the other.
NGINX_LEAST = (1, 21, 4)
NGINX_STREAM_PLACES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/local/nginx/modules")

HAPROXY = """global
    nbthread 1
    maxconn 4000
    {extra_global}
    stats socket {dir}/stats.sock mode 600 level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    {options}
listen relay
    bind {listen}
    maxconn 4000
    server s1 {server}
"""

SPLICED = """global
    nbthread 1
    {tuning}
    {extra_global}
    maxconn 4000
    stats socket {dir}/stats.sock mode 600 level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    relay {engine}
listen relay
    bind {listen}
    server s1 {server}
"""

NGINX = """{load_module}
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000;
pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 19000; }}
stream {{
    server {{
        listen {listen};
        proxy_pass {server};
        proxy_buffer_size {buffer};
        proxy_half_close on;
        tcp_nodelay on;
        proxy_timeout 1h;
    }}
}}
"""


def find_nginx_stream():
    """The line that loads nginx's stream module, "" where it is built in, None where it is not to be had."""
    path = programs.find_program("nginx")
    if path is None:
        return None
    about = programs.run("nginx", "-V", check=False).stderr
    if re.search(r"--with-stream(\s|$)", about):
        return ""
    for folder in NGINX_STREAM_PLACES:
        module = os.path.join(folder, "ngx_stream_module.so")
        if os.path.exists(module):
            return f"load_module {module};"
    return None


def nginx_version():
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", programs.first_line("nginx", "-v") or "")
    return tuple(map(int, found.groups())) if found else (0, 0, 0)


def compose_haproxy(subject, values):
    has_splice = "splice" in subject.name
    values["options"] = "option splice-request\n    option splice-response" if has_splice else ""
    values["extra_global"] = "tune.pipesize 1048576" if subject.name.endswith("-1m") else ""
    return HAPROXY.format(**values), [programs.find_program("haproxy"), "-db", "-q", "-f", values["config"]]


def compose_nginx(subject, values):
    values["load_module"] = find_nginx_stream()
    values["buffer"] = subject.name.split("-")[1]
    words = [programs.find_program("nginx"), "-e", f"{values['dir']}/error.log", "-c", values["config"], "-p",
             values["dir"]]
    return NGINX.format(**values), words


def compose_socat(_subject, values):
    address, port = values["listen"].rsplit(":", 1)
    listen = f"TCP4-LISTEN:{port},bind={address},fork,reuseaddr,nodelay,backlog=1024"
    return None, [programs.find_program("socat"), listen, f"TCP4:{values['server']},nodelay"]


def compose_spliced(subject, values):
    engine, tuning = split_spliced(subject.name)
    values["engine"] = engine
    values["tuning"] = "relay-tuning " + tuning if tuning else ""
    values["extra_global"] = "wire-peer" if has_peer(subject.name) else ""
    return SPLICED.format(**values), [subject.spliced, "-q", "-f", values["config"]]


COMPOSERS = {"haproxy": compose_haproxy, "nginx": compose_nginx, "socat": compose_socat, "spliced": compose_spliced}
FIXED = {
    "direct": "client to server without a proxy; over veth that is forward",
    "forward": "the same over veth, by its name there: plain routing by the host that the proxies have",
    "haproxy": "HAProxy, copying with its own defaults",
    "haproxy-splice": "HAProxy with option splice-request and option splice-response",
    "haproxy-splice-1m": "the same with pipes of 1 MiB (tune.pipesize)",
    "nginx-16k": "nginx's stream module, proxy_buffer_size 16k",
    "nginx-64k": "nginx's stream module, proxy_buffer_size 64k",
    "socat": "socat with its own defaults: a process for each connection",
}
SPLICED_NAME = re.compile(r"spliced-([a-z][a-z0-9]*)(?:(?<=-wire)-peer)?(?::([a-z0-9-]+=[A-Za-z0-9.]+(?:\+[a-z0-9-]+=[A-Za-z0-9.]+)*))?$")
# Those that are no proxy.
PLAIN = ("direct", "forward")
DEFAULT = ["direct", "haproxy", "haproxy-splice", "haproxy-splice-1m", "nginx-16k", "nginx-64k", "socat",
           "spliced-copy", "spliced-splice", "spliced-wire", "spliced-auto"]
QUICK = ["direct", "haproxy", "haproxy-splice", "nginx-64k", "spliced-copy", "spliced-splice", "spliced-wire",
         "spliced-auto"]


def split_spliced(name):
    """(engine, relay-tuning's words) of spliced-ENGINE[:KEY=VALUE[+KEY=VALUE…]]."""
    found = SPLICED_NAME.match(name)
    if not found:
        return None
    return found.group(1), (found.group(2) or "").replace("=", " ").replace("+", " ")


def describe(name):
    """One sentence on a subject; a name that stands for nothing is a wrong flag."""
    if name in FIXED:
        return FIXED[name]
    parts = split_spliced(name)
    if parts is None:
        raise UsageError(f"there is no subject '{name}'; there are {', '.join(FIXED)} and "
                         "spliced-ENGINE[:KEY=VALUE[+KEY=VALUE]], and of the engine wire spliced-wire-peer")
    return (f"spliced with relay {parts[0]}" + (" and wire-peer" if has_peer(name) else "")
            + (f", relay-tuning {parts[1]}" if parts[1] else ""))


def refuse_reason(name, spliced):
    """Why a subject cannot be measured on this machine, or None."""
    family = name.split("-")[0]
    if name in PLAIN:
        return None
    if family == "spliced" and not spliced:
        return "spliced was not found: build it, or name it with --spliced"
    if family == "spliced":
        # Other engines than wire go everywhere, and a name that is none does not start.
        return refuse_wire(spliced) if is_wire(name) else None
    if programs.find_program(family) is None:
        return f"{family} is not installed"
    if family == "nginx" and find_nginx_stream() is None:
        return "nginx has no stream module here (package libnginx-mod-stream)"
    if family == "nginx" and nginx_version() < NGINX_LEAST:
        return f"nginx before {'.'.join(map(str, NGINX_LEAST))} does not carry a half-close"
    return None


def is_wire(name):
    return (split_spliced(name) or ("",))[0] == "wire"


def has_peer(name):
    """Whether packets pass the queues of veth by, as they may on their way into containers."""
    return name.split(":")[0] == "spliced-wire-peer"


@functools.lru_cache
def refuse_wire(spliced):
    """Why this spliced has no engine wire on this machine, in its own words, or None."""
    said = programs.run(spliced, "-vv", check=False).stdout
    found = re.search(r"^ +wire +(available|unavailable)\b:? *(.*)$", said, re.M)
    if not found:
        return "this spliced was built without the engine wire"
    return None if found.group(1) == "available" else f"the engine wire is unavailable: {found.group(2)}"


def refuse_place(name, topology):
    """Why a subject that could be measured elsewhere is not on this topology, or None."""
    if topology != "loopback":
        return None
    if is_wire(name):
        return "packets between two sockets of one host never come in by a network interface, where wire rewrites them"
    return "nothing is routed there; the load without a proxy is direct" if name == "forward" else None


def name_on(name, topology):
    """What a subject is called on a topology."""
    return "forward" if name == "direct" and topology == "veth" else name


def place_subjects(names, topologies):
    """({topology: subjects by their names there}, what is left out and why); a topology without any has no row."""
    placed, left_out = {}, []
    for topology in topologies:
        refusals = {name: refuse_place(name, topology) for name in names}
        left_out += [f"{topology} {name}: {why}" for name, why in refusals.items() if why]
        kept = list(dict.fromkeys(name_on(name, topology) for name in names if not refusals[name]))
        if kept:
            placed[topology] = kept
    if not placed:
        raise UsageError(f"no subject is left: {'; '.join(left_out)}")
    return placed, left_out


class Subject:
    """One instance, started for one step and ended after it. A context manager."""

    def __init__(self, name, topology, spliced):
        self.name, self.topology, self.spliced = name, topology, spliced
        self.is_plain = name in PLAIN
        self.engine = (split_spliced(name) or (None,))[0]
        # A process for each connection: its processes cannot be named before the load runs.
        self.does_fork = name == "socat"
        self.server_port = topology.next_port()
        self.server = f"{topology.server_address}:{self.server_port}"
        self.port = self.server_port if self.is_plain else topology.next_port()
        self.address = self.server if self.is_plain else f"{topology.proxy_address}:{self.port}"
        self.process = self.directory = None
        # What other engines than wire carried before the measured time.
        self.others_before = 0

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def __enter__(self):
        if not self.is_plain:
            self.directory = tempfile.mkdtemp(prefix="splicebench-")
            try:
                self._start()
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_):
        if self.process is not None:
            programs.end(self.process)
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self):
        config = os.path.join(self.directory, "config")
        values = {"dir": self.directory, "config": config, "listen": self.address, "server": self.server}
        text, words = COMPOSERS[self.name.split("-")[0]](self, values)
        if text is not None:
            with open(config, "w", encoding="utf-8") as file:
                file.write(text)
        with open(os.path.join(self.directory, "output"), "wb") as output:
            self.process = programs.start(self.topology.command("proxy", self.topology.cpu_proxy, *words),
                                          stdout=output, stderr=output)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_listening():
            if self.process.poll() is not None:
                raise SubjectError(f"{self.name} did not start: {self._last_words()}")
            if time.monotonic() > deadline:
                raise SubjectError(f"{self.name} does not listen after {START_SECONDS} s")
            time.sleep(0.01)

    def _last_words(self):
        text = ""
        for name in ("output", "error.log"):
            path = os.path.join(self.directory, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text += file.read()
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " / ".join(lines[-3:]) or f"exit status {self.process.returncode}"

    def _is_listening(self):
        wanted = f":{self.port:04X} 00000000:0000 0A"
        try:
            with open(f"/proc/{self.process.pid}/net/tcp", encoding="ascii") as file:
                return wanted in file.read()
        except OSError:  # It has ended.
            return False

    def has_ended(self):
        return self.process is not None and self.process.poll() is not None

    def talk(self, command, timeout_s=2):
        """What the runtime socket of haproxy or spliced answers; empty where there is none."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(timeout_s)
                client.connect(os.path.join(self.directory or "", "stats.sock"))
                client.sendall(command.encode() + b"\n")
                return b"".join(iter(lambda: client.recv(65536), b"")).decode(errors="replace")
        except OSError:
            return ""

    def ask(self, command, timeout_s=2):
        """The same as {key: value}."""
        return dict(re.findall(r"^([^:\n]+): *(.*)$", self.talk(command, timeout_s), re.M))

    def begin_measuring(self):
        """The warm-up is over."""
        if self.engine == "wire":
            self.others_before = claims.count_others(claims.read_engines(self.talk("show relay")))

    def check_after_load(self, kind, load_bytes):
        """Fails where a load did not go the way that the subject is called after. Returns the bytes that did; None for
        other subjects, and for loads of which nothing of that sort is claimed."""
        return claims.check_load(self, kind, load_bytes)

    def count_taken(self):
        """How many connections wire carries now; None for subjects that are not on the wire."""
        return claims.count_on_the_wire(self) if self.engine == "wire" else None

    def has_taken(self, connections):
        """Whether so many connections are where the subject is to have them."""
        taken = self.count_taken()
        return taken is None or taken >= connections


def versions(names, spliced):
    """What the programs behind these subjects say of themselves."""
    asks = {"haproxy": ("haproxy", "-v"), "nginx": ("nginx", "-v"), "socat": ("socat", "-V"),
            "spliced": (spliced, "-v")}
    found = {}
    for family in sorted({name.split("-")[0] for name in names} & set(asks)):
        if asks[family][0]:
            found[family] = programs.first_line(*asks[family])
    if "socat" in found:
        done = programs.run("socat", "-V", check=False)
        found["socat"] = next((line.strip() for line in done.stdout.splitlines() if "version" in line), None)
    return found

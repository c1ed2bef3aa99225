"""What is compared: each subject's program, its configuration, one running instance
of it, and what must be true of it afterwards."""

import os
import re
import shutil
import socket
import tempfile
import time

from . import programs
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
    return SPLICED.format(**values), [subject.spliced, "-q", "-f", values["config"]]


COMPOSERS = {"haproxy": compose_haproxy, "nginx": compose_nginx, "socat": compose_socat, "spliced": compose_spliced}
FIXED = {
    "direct": "client to server without a proxy; over veth that is plain routing",
    "haproxy": "HAProxy, copying with its own defaults",
    "haproxy-splice": "HAProxy with option splice-request and option splice-response",
    "haproxy-splice-1m": "the same with pipes of 1 MiB (tune.pipesize)",
    "nginx-16k": "nginx's stream module, proxy_buffer_size 16k",
    "nginx-64k": "nginx's stream module, proxy_buffer_size 64k",
    "socat": "socat with its own defaults: a process for each connection",
}
SPLICED_NAME = re.compile(r"spliced-([a-z][a-z0-9]*)(?::([a-z0-9-]+=[A-Za-z0-9.]+(?:\+[a-z0-9-]+=[A-Za-z0-9.]+)*))?$")
# HAProxy's counter has had several spellings, TotalSplicdedBytesOut among them; spliced has that one, too.
SPLICED_BYTES = re.compile(r"(?i)total_?splic\w*_?bytes_?out$")
ALL_BYTES = re.compile(r"(?i)total_?bytes_?out$")
# What is called splicing moves at least this much of bulk by splicing; the first bytes of a stream may be copied.
SPLICED_SHARE = 0.9
DEFAULT = ["direct", "haproxy", "haproxy-splice", "haproxy-splice-1m", "nginx-16k", "nginx-64k", "socat",
           "spliced-copy", "spliced-splice", "spliced-auto"]
QUICK = ["direct", "haproxy", "haproxy-splice", "nginx-64k", "spliced-copy", "spliced-splice", "spliced-auto"]


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
                         "spliced-ENGINE[:KEY=VALUE[+KEY=VALUE]]")
    return f"spliced with relay {parts[0]}" + (f", relay-tuning {parts[1]}" if parts[1] else "")


def refuse_reason(name, spliced):
    """Why a subject cannot be measured on this machine, or None."""
    family = name.split("-")[0]
    if family == "direct":
        return None
    if family == "spliced":
        return None if spliced else "spliced was not found: build it, or name it with --spliced"
    if programs.find_program(family) is None:
        return f"{family} is not installed"
    if family == "nginx" and find_nginx_stream() is None:
        return "nginx has no stream module here (package libnginx-mod-stream)"
    if family == "nginx" and nginx_version() < NGINX_LEAST:
        return f"nginx before {'.'.join(map(str, NGINX_LEAST))} does not carry a half-close"
    return None


class Subject:
    """One instance, started for one step and ended after it. A context manager."""

    def __init__(self, name, topology, spliced):
        self.name, self.topology, self.spliced = name, topology, spliced
        self.is_direct = name == "direct"
        # A process for each connection: its processes cannot be named before the load runs.
        self.does_fork = name == "socat"
        self.server_port = topology.next_port()
        self.server = f"{topology.server_address}:{self.server_port}"
        self.port = self.server_port if self.is_direct else topology.next_port()
        self.address = self.server if self.is_direct else f"{topology.proxy_address}:{self.port}"
        self.process = self.directory = None

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def __enter__(self):
        if not self.is_direct:
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

    def ask(self, command, timeout_s=2):
        """What the runtime socket of haproxy or spliced answers, as {key: value}; empty where there is none."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(timeout_s)
                client.connect(os.path.join(self.directory or "", "stats.sock"))
                client.sendall(command.encode() + b"\n")
                answer = b"".join(iter(lambda: client.recv(65536), b"")).decode(errors="replace")
        except OSError:
            return {}
        return dict(re.findall(r"^([^:\n]+): *(.*)$", answer, re.M))

    def check_after_bulk(self, load_bytes):
        """What is called splicing must have spliced, else its figures are not what they are called. Returns the bytes
        it says it has spliced, None for other subjects. load_bytes: of the load, after its warm-up."""
        if not does_claim_splice(self.name):
            return None
        info = self.ask("show info")
        spliced, moved = (find_count(info, pattern) for pattern in (SPLICED_BYTES, ALL_BYTES))
        if spliced is None:
            raise SubjectError(f"{self.name} did not splice: its counter of spliced bytes is missing after bulk")
        # The proxy's counter has the warm-up in it, too.
        whole = max(load_bytes, moved or 0)
        if spliced == 0 or spliced < SPLICED_SHARE * whole:
            raise SubjectError(f"{self.name} did not splice: {spliced:,} of {whole:,} bytes of bulk, at least "
                               f"{SPLICED_SHARE:.0%} are needed")
        return spliced


def does_claim_splice(name):
    """Whether all bulk of a subject is to be spliced."""
    return name.startswith("haproxy-splice") or (split_spliced(name) or ("",))[0] == "splice"


def find_count(info, pattern):
    """The counter whose name matches, out of an answer to show info, or None."""
    return next((int(value) for key, value in info.items() if pattern.match(key.strip()) and value.strip().isdigit()),
                None)


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

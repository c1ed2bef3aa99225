"""Real servers, each in a temporary directory on ipv4, ipv6 and a unix socket, ended by pid."""

import glob
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from lib import place
from lib.endpoints import FAMILIES, INTERNET_FAMILIES, Endpoint, free_port
from lib.pattern import pattern_pieces
from lib.waiting import wait_until

_EXTRA_FOLDERS = ["/usr/sbin", "/sbin", "/usr/local/sbin",
                  *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)]


def find_program(name):
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_EXTRA_FOLDERS]))


def user_prefix(names):
    """The words that run a program as the first of these users that exists, when we are root."""
    if os.geteuid() != 0:
        return []
    for name in names:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    raise RuntimeError(f"none of the users {names} exists")


class Server:
    """A process that listens.  Subclasses say which programs, which command, which files."""

    programs = ()
    families = FAMILIES
    users = ()  # run as the first of these that exists; empty: as ourselves
    ready_seconds = 20

    def __init__(self, directory):
        self.directory = Path(tempfile.mkdtemp(prefix=self.programs[0], dir=directory))
        self.prefix = user_prefix(self.users) if self.users else []
        if self.prefix:
            shutil.chown(self.directory, self.user_name())
        os.chmod(self.directory, 0o755)
        self.port = free_port()
        self.socket_path = str(self.directory / self.socket_name())
        self.process = None

    def user_name(self):
        return next(name for name in self.users if name in {user.pw_name for user in pwd.getpwall()})

    def socket_name(self):
        return "socket"

    def endpoint(self, family):
        if family == "unix":
            return Endpoint("unix", path=self.socket_path)
        return Endpoint(family, port=self.port, role="server")

    def hosts(self):
        """The addresses to listen on."""
        return [place.host("server", family) for family in INTERNET_FAMILIES]

    def prepare(self):
        """Writes what the server needs before its start."""

    def command(self):
        raise NotImplementedError

    def run(self, *arguments, timeout_s=60):
        """A preparing command that must succeed."""
        done = subprocess.run([*self.prefix, *map(str, arguments)], capture_output=True, text=True,
                              timeout=timeout_s, cwd=self.directory, check=False)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self):
        self.prepare()
        with open(self.directory / "output", "wb") as output:
            self.process = subprocess.Popen([*place.prefix("server"), *self.prefix, *map(str, self.command())],
                                            cwd=self.directory, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_until(self.is_ready, f"{self.programs[0]} to listen", self.ready_seconds)
        self.populate()

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.programs[0]} ended: {(self.directory / 'output').read_text()}")
        try:
            for family in self.families:
                self.endpoint(family).connect(2).close()
        except OSError:
            return False
        return True

    def populate(self):
        """Puts data in, once the server listens."""

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Redis(Server):
    programs = ("redis-server", "redis-cli", "redis-benchmark")

    def command(self):
        return [find_program("redis-server"), "--port", self.port, "--bind", *self.hosts(),
                "--unixsocket", self.socket_path, "--save", "", "--appendonly", "no",
                "--dir", self.directory, "--protected-mode", "no"]


class PostgreSQL(Server):
    programs = ("postgres", "initdb", "psql", "pgbench")
    users = ("postgres", "nobody")

    def socket_name(self):
        return f".s.PGSQL.{self.port}"

    def prepare(self):
        self.run(find_program("initdb"), "-D", self.directory / "data", "-A", "trust", "-U", "tester",
                 "--no-sync", "-E", "UTF8", "--locale=C")
        with open(self.directory / "data" / "pg_hba.conf", "a", encoding="ascii") as file:
            file.write("host all all all trust\n")

    def client(self, program):
        """The beginning of a client's command, beside the server."""
        return [*place.prefix("server"), find_program(program), "-h", self.hosts()[0], "-p", str(self.port),
                "-U", "tester"]

    def command(self):
        return [find_program("postgres"), "-D", self.directory / "data", "-p", self.port,
                "-c", "listen_addresses=" + ",".join(self.hosts()), "-k", self.directory, "-F",
                "-c", "shared_buffers=32MB", "-c", "max_connections=60"]

    def is_ready(self):
        done = subprocess.run([*self.client("psql"), "-c", "select 1", "postgres"], capture_output=True, check=False)
        return super().is_ready() and done.returncode == 0

    def populate(self):
        subprocess.run([*self.client("pgbench"), "-q", "-i", "-s", "1", "postgres"], capture_output=True,
                       check=True, timeout=60)


class MariaDB(Server):
    programs = ("mariadbd", "mariadb-install-db", "mariadb")
    users = ("mysql", "nobody")

    def options(self):
        return ["--no-defaults", f"--datadir={self.directory}/data"]

    def prepare(self):
        self.run(find_program("mariadb-install-db"), *self.options(), "--skip-test-db",
                 "--auth-root-authentication-method=normal", "--innodb-log-file-size=8M",
                 "--innodb-flush-method=nosync")

    def command(self):
        return [find_program("mariadbd"), *self.options(), f"--port={self.port}",
                "--bind-address=" + ",".join(self.hosts()), f"--socket={self.socket_path}", "--skip-name-resolve",
                "--skip-grant-tables", f"--pid-file={self.directory}/pid", "--innodb-flush-method=nosync",
                "--max-connections=60", "--max-connect-errors=100000"]


class Nginx(Server):
    programs = ("nginx",)
    sizes = (0, 1, 100, 1000, 65_537, 1 << 20, 64 << 20)

    def prepare(self):
        root = self.directory / "www"
        root.mkdir()
        for size in self.sizes:
            with open(root / f"{size}", "wb") as file:
                for piece in pattern_pieces(size):
                    file.write(piece)
        root.chmod(0o755)
        (self.directory / "nginx.conf").write_text(self.configuration())

    def configuration(self):
        user = "user root;" if os.geteuid() == 0 else ""
        return f"""
daemon off; {user} worker_processes 1; pid {self.directory}/pid; error_log {self.directory}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000;
  client_body_temp_path {self.directory}/body; proxy_temp_path {self.directory}/proxy;
  fastcgi_temp_path {self.directory}/fastcgi; uwsgi_temp_path {self.directory}/uwsgi;
  scgi_temp_path {self.directory}/scgi;
  server {{
    listen {self.hosts()[0]}:{self.port}; listen [{self.hosts()[1]}]:{self.port}; listen unix:{self.socket_path};
    root {self.directory}/www; default_type application/octet-stream;
    client_max_body_size 0; dav_methods PUT;
  }}
}}
"""

    def command(self):
        return [find_program("nginx"), "-e", self.directory / "error.log", "-p", self.directory,
                "-c", self.directory / "nginx.conf"]


class Ssh(Server):
    programs = ("sshd", "ssh", "scp", "sftp", "ssh-keygen")
    families = INTERNET_FAMILIES

    def prepare(self):
        for name in ("host_key", "user_key"):
            self.run(find_program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", self.directory / name)
        shutil.copy(self.directory / "user_key.pub", self.directory / "authorized_keys")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        (self.directory / "config").write_text(f"""
Port {self.port}
ListenAddress {self.hosts()[0]}
ListenAddress {self.hosts()[1]}
HostKey {self.directory}/host_key
AuthorizedKeysFile {self.directory}/authorized_keys
PidFile {self.directory}/pid
PasswordAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
MaxStartups 100
Subsystem sftp internal-sftp
""")

    def command(self):
        return [find_program("sshd"), "-D", "-e", "-f", self.directory / "config"]


class Iperf3(Server):
    programs = ("iperf3",)
    families = ()  # a bare connection would use up its one test; it says when it listens

    def command(self):
        return [find_program("iperf3"), "-s", "-p", self.port, "--forceflush"]

    def is_ready(self):
        return super().is_ready() and b"Server listening" in (self.directory / "output").read_bytes()

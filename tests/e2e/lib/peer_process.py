"""Peers in processes of their own: to have their own descriptor limit, and to be killed.

As a program: python3 -m lib.peer_process MODE FAMILY ADDRESS [COUNT].  It prints one line when it is
ready and obeys lines on its standard input.
"""

import json
import resource
import selectors
import socket
import subprocess
import sys
from pathlib import Path

from lib import place

_FOLDER = Path(__file__).resolve().parents[1]
_KINDS = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6, "unix": socket.AF_UNIX}

# The modes that listen; the others connect.
_SERVING = ("echo", "silent")


class PeerProcess:
    """The parent's handle on one such process."""

    def __init__(self, mode, endpoint, count=0):
        role = "server" if mode in _SERVING else "client"
        if role == "server":
            endpoint.role = role
        self.process = subprocess.Popen(
            [*place.prefix(role), sys.executable, "-m", "lib.peer_process", mode, endpoint.family,
             json.dumps(endpoint.sockaddr), str(count)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_FOLDER)
        self.expect("ready")

    def expect(self, word):
        line = self.process.stdout.readline().strip()
        assert line == word, f"the peer process said {line!r} instead of {word!r}"

    def order(self, command, answer):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        self.expect(answer)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.kill()
        self.process.stdin.close()
        self.process.stdout.close()


def say(word):
    print(word, flush=True)


def serve_echo(kind, address, _count):
    """Echoes on any number of connections."""
    listener = socket.socket(kind)
    if kind != socket.AF_UNIX:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(4096)
    selector = selectors.EpollSelector()
    selector.register(listener, selectors.EVENT_READ)
    say("ready")
    while True:
        for key, _ in selector.select():
            peer = key.fileobj
            if peer is listener:
                selector.register(listener.accept()[0], selectors.EVENT_READ)
                continue
            try:
                data = peer.recv(65536)
                if data:
                    peer.sendall(data)
                    continue
            except OSError:
                pass
            selector.unregister(peer)
            peer.close()


def hold_connections(kind, address, count):
    """Opens count connections; "sample" sends a byte through each and awaits its echo."""
    peers = []
    for _ in range(count):
        peer = socket.socket(kind)
        peer.settimeout(20)
        peer.connect(address)
        peers.append(peer)
    say("ready")
    for line in sys.stdin:
        step = int(line.split()[1])
        for at in range(0, count, step):
            peers[at].sendall(bytes([at % 256]))
        intact = all(peers[at].recv(10) == bytes([at % 256]) for at in range(0, count, step))
        say("alive" if intact else "broken")


def visit_in_turn(kind, address, count):
    """Opens count connections, one after the other, with a few echoes on each."""
    say("ready")
    for _ in sys.stdin:
        for at in range(count):
            with socket.socket(kind) as peer:
                peer.settimeout(20)
                peer.connect(address)
                for word in (b"%d" % at, b"and", b"again", b"once more"):
                    peer.sendall(word)
                    assert peer.recv(100) == word, f"visit {at} was answered wrongly"
        say("visited")


def connect_and_send(kind, address, count):
    """Sends count bytes of x on a connection; "peek" waits for bytes without reading them."""
    peer = socket.socket(kind)
    peer.connect(address)
    peer.sendall(b"x" * count)
    say("ready")
    for _ in sys.stdin:
        say("unread" if peer.recv(1, socket.MSG_PEEK) else "end")


def serve_one_silent(kind, address, count):
    """Accepts one connection; "send" writes count bytes, "peek" waits for some; nothing is ever read."""
    listener = socket.socket(kind)
    listener.bind(address)
    listener.listen(5)
    say("ready")
    peer = listener.accept()[0]
    for line in sys.stdin:
        if line.startswith("peek"):
            say("unread" if peer.recv(1, socket.MSG_PEEK) else "end")
        else:
            peer.sendall(b"y" * count)
            say("sent")


_MODES = {"echo": serve_echo, "hold": hold_connections, "send": connect_and_send, "silent": serve_one_silent,
          "visit": visit_in_turn}


def main(mode, family, address, count):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    place = json.loads(address)
    _MODES[mode](_KINDS[family], tuple(place) if isinstance(place, list) else place, int(count))


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Servers for health checks to look at: what they do with a connection can be changed while they run."""

import contextlib
import socket
import threading

from lib.endpoints import reset


class ScriptedServer:
    """Answers each connection as `script` says: a function of the socket."""

    def __init__(self, place, script=None):
        self.place = place
        self.script = script or close
        self.seen = []  # what scripts have put here
        self.peers = []  # addresses that connected
        self.listener = None
        self.start()

    def start(self):
        self.listener = self.place.listen(timeout_s=None)
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def refuse(self):
        """From now on connections are refused, until start()."""
        listener, self.listener = self.listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    close = refuse

    def _serve(self, listener):
        while True:
            try:
                peer, address = listener.accept()
            except OSError:
                return
            self.peers.append(address)
            threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer):
        with peer, contextlib.suppress(OSError):
            peer.settimeout(10)
            self.script(peer)


def close(peer):
    """Takes the connection and closes it."""


def silent(peer):
    """Takes the connection and says nothing, until the other side leaves."""
    while peer.recv(1000):
        pass


def resetting(peer):
    """Takes a request and resets."""
    peer.recv(1000)
    reset(peer)


def saying(*lines):
    """Greets with the first of them, and answers what comes with the next ones."""
    def script(peer):
        for at, line in enumerate(lines):
            if at > 0 and not peer.recv(4000):
                return
            peer.sendall(line)
        silent(peer)

    return script


def answering(line):
    """Answers one request and closes."""
    def script(peer):
        if peer.recv(4000):
            peer.sendall(line)

    return script


def piecewise(line):
    """Answers one request byte for byte."""
    def script(peer):
        if peer.recv(4000):
            for byte in line:
                peer.sendall(bytes([byte]))
        silent(peer)

    return script

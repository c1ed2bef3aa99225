"""A name server whose answers a test decides, by UDP and TCP on one port.

    with DnsServer() as dns:
        dns.say("db.test", a=["127.0.0.2"], aaaa=["::1"])
        dns.fail("gone.test", NXDOMAIN)
"""

import contextlib
import selectors
import socket
import struct
import threading

NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
SILENT, GARBAGE = "silent", "garbage"  # no answer; bytes that are none
A, AAAA = 1, 28


class DnsServer:
    def __init__(self):
        self.zones = {}  # name -> {type: [address]}
        self.failures = {}  # name -> code, SILENT or GARBAGE
        self.is_truncating = False  # by UDP
        self.asked = []  # (name, type, "udp" or "tcp")
        self.stream, self.datagram = self._open()
        self.port = self.datagram.getsockname()[1]
        self.waker, self.woken = socket.socketpair()
        self.thread = threading.Thread(target=self._serve)

    @staticmethod
    def _open():
        """A port that is free for both."""
        while True:
            stream = socket.create_server(("127.0.0.1", 0))
            datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                datagram.bind(stream.getsockname())
                return stream, datagram
            except OSError:
                stream.close()
                datagram.close()

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.waker.close()
        self.thread.join()
        for opened in (self.stream, self.datagram, self.woken):
            opened.close()

    def say(self, name, a=(), aaaa=()):
        self.failures.pop(name, None)
        self.zones[name] = {A: [socket.inet_pton(socket.AF_INET, text) for text in a],
                            AAAA: [socket.inet_pton(socket.AF_INET6, text) for text in aaaa]}

    def fail(self, name, how):
        self.failures[name] = how

    def count(self, name, way=None):
        return sum(name == asked and way in (None, by) for asked, _, by in list(self.asked))

    def _serve(self):
        with selectors.DefaultSelector() as ready:
            for opened in (self.stream, self.datagram, self.woken):
                ready.register(opened, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    if key.fileobj is self.woken:
                        return
                    with contextlib.suppress(OSError):
                        self._answer_stream() if key.fileobj is self.stream else self._answer_datagram()

    def _answer_datagram(self):
        question, peer = self.datagram.recvfrom(4096)
        answer = self._answer(question, "udp")
        if answer is not None:
            self.datagram.sendto(answer, peer)

    def _answer_stream(self):
        peer, _ = self.stream.accept()
        with peer:
            peer.settimeout(5)
            while head := peer.recv(2, socket.MSG_WAITALL):
                question = peer.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                answer = self._answer(question, "tcp")
                if answer is None:
                    return
                peer.sendall(struct.pack("!H", len(answer)) + answer)

    def _answer(self, question, way):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name, kind = ".".join(labels), struct.unpack("!H", question[at + 1:at + 3])[0]
        self.asked.append((name, kind, way))
        how = self.failures.get(name, NOERROR if name in self.zones else NXDOMAIN)
        if how == SILENT:
            return None
        if how == GARBAGE:
            return question[:2] + b"\xff" * 40
        asked = question[12:at + 5]
        found = self.zones[name].get(kind, []) if how == NOERROR else []
        if self.is_truncating and way == "udp":
            return question[:2] + struct.pack("!HHHHH", 0x8780, 1, 0, 0, 0) + asked
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 1, len(address)) + address for address in found)
        return question[:2] + struct.pack("!HHHHH", 0x8580 | how, 1, len(found), 0, 0) + asked + records

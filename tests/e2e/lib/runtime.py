"""A client of the runtime socket that speaks to it raw, and readers of its answers."""

import csv
import io
import json
import socket


class RuntimeClient:
    def __init__(self, path):
        self.path = path

    def ask(self, command, timeout_s=10.0):
        """One line sent, everything read until the daemon closes."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(timeout_s)
            peer.connect(self.path)
            peer.sendall(command.encode() + b"\n")
            peer.shutdown(socket.SHUT_WR)
            answer = bytearray()
            while chunk := peer.recv(65536):
                answer += chunk
        return answer.decode()

    def info(self):
        """show info as a mapping of text to text."""
        return dict(line.split(": ", 1) if ": " in line else (line.rstrip(":"), "")
                    for line in self.ask("show info").splitlines() if ":" in line)

    def stat(self):
        """show stat as one mapping for each row."""
        return parse_stat(self.ask("show stat"))

    def stat_row(self, proxy, server):
        """The row of FRONTEND, BACKEND or a server."""
        for row in self.stat():
            if (row["pxname"], row["svname"]) == (proxy, server):
                return row
        raise AssertionError(f"show stat has no row {proxy}/{server}")

    def connections(self):
        return int(self.info()["CurrConns"])

    def ask_json(self, command):
        return json.loads(self.ask(command))


def stat_header(answer):
    first = answer.splitlines()[0]
    assert first.startswith("# "), f"a header line was expected: {first!r}"
    return first[2:].rstrip(",").split(",")


def parse_stat(answer):
    assert answer.startswith("# "), f"CSV was expected: {answer[:200]!r}"
    lines = [line for line in answer[2:].splitlines() if line]
    return list(csv.DictReader(io.StringIO("\n".join(lines))))

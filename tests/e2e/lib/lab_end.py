"""One end of a connection in the lab; tests/e2e/test_wire_lab.py starts a pair of them.

    lab_end.py client|server HOST PORT SEED SIZE [wrap|slow|broken]

Each sends SIZE bytes, made from SEED, once a line comes on its input, reads to the other's
end, and prints the hashes of what it got and of what it sent, and how many bytes each was.
    wrap    the client's sequence numbers begin shortly below 2^32; the server takes the
            connection on which something comes
    slow    the client says FULL when the server, which waits for a second line, has closed
            its window; then the server reads in small portions
    broken  the connection will break: each only compares what it got with what the other
            end's SEED makes, and says RIGHT or WRONG and how many bytes came
"""

import fcntl
import hashlib
import random
import select
import socket
import struct
import sys
import termios
import threading

role, host, port, seed, size, kind = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6]), (sys.argv + [""])[6]
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, SEND_QUEUE, SIOCOUTQNSD = 19, 20, 21, 2, 0x894B
SHORTLY, PERIOD, PORTION, PATIENCE_MS = 20_000_000, 1 << 20, 1000, 1000


def say(*words):
    print(*words, flush=True)


def connect():
    stream = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if kind == "wrap":
        stream.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        stream.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, SEND_QUEUE)
        stream.setsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, struct.pack("=I", 2**32 - SHORTLY))
        stream.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 0)
    stream.connect((host, port))
    say("CONNECTED")
    return stream


def accept():
    listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET,
                                    backlog=1024)
    say("READY")
    while True:
        stream = listener.accept()[0]
        if kind != "wrap" or stream.recv(1, socket.MSG_PEEK):
            return stream


def queued(stream, request):
    return struct.unpack("=i", fcntl.ioctl(stream, request, b"\0" * 4))[0]


def is_window_closed(stream):
    """Bytes wait, and none of them is on its way."""
    return 0 < queued(stream, termios.TIOCOUTQ) == queued(stream, SIOCOUTQNSD)


stream = connect() if role == "client" else accept()
sys.stdin.readline()
block = random.Random(seed).randbytes(PERIOD)
sent, got, count = hashlib.sha256(), hashlib.sha256(), [0, 0]


def send_some(part):
    """Waits for room; says when there is none because the other end reads nothing."""
    global kind
    while kind == "slow" and not select.select([], [stream], [], 0.01)[1]:
        if is_window_closed(stream):
            say("FULL")
            kind = ""
    return stream.send(part[:PORTION] if kind == "slow" else part)


def send():
    while count[0] < size:
        part = block[count[0] % PERIOD:][:size - count[0]]
        part = part[:send_some(part)]
        sent.update(part)
        count[0] += len(part)
    stream.shutdown(socket.SHUT_WR)


if kind == "slow" and role == "server":
    sys.stdin.readline()
    kind = ""
    portion = PORTION
else:
    portion = 1 << 18
def compare():
    """Reads until the connection breaks."""
    theirs, is_right = random.Random(3 - seed).randbytes(PERIOD) * 2, True
    try:
        while part := stream.recv(PERIOD):
            at = count[1] % PERIOD
            is_right = is_right and part == theirs[at:at + len(part)]
            count[1] += len(part)
    except OSError:
        pass
    say("RIGHT" if is_right else "WRONG", count[1])


def send_quietly():
    try:
        send()
    except OSError:
        pass


if kind == "broken":
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PATIENCE_MS)
    threading.Thread(target=send_quietly, daemon=True).start()
    compare()
    sys.exit()
sender = threading.Thread(target=send)
sender.start()
while part := stream.recv(portion):
    got.update(part)
    count[1] += len(part)
sender.join()
say(got.hexdigest(), sent.hexdigest(), *count)

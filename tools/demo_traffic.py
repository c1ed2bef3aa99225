"""Traffic for the demonstration: backends, bulk and HTTP load, all verified.

Bulk bytes are a position-unique pattern: every 8 bytes hold their own place in
a block of BLOCK_BYTES, which goes out in pieces, each preceded by its number; an
end mark follows the last.  So a byte lost, repeated, changed or moved is noticed
where it happens, and so is a stream that is cut.  Both ends check what they
receive with one comparison of memory a read.

Every load and every backend is a process of its own; they share only counters.
"""

import array
import mmap
import multiprocessing
import os
import selectors
import socket
import struct
import time

BLOCK_BYTES = 64 << 20
READ_BYTES = 1 << 20
PIECE_BYTES = 8 << 20
HEAD = struct.Struct("<8sQ")
PIECE, END = b"SPLICED+", b"SPLICED."
SOCKET_SECONDS = 15
GRACE_SECONDS = 15
HTTP_CONNECTIONS = 16
HTTP_BODY_BYTES = 64
LATENCIES_MAX = 1 << 21

processes = multiprocessing.get_context("fork")


class Mismatch(Exception):
    """A byte is not what it should be."""


class Pattern:
    """One block of the pattern in shared memory; made once, before any fork."""

    def __init__(self):
        self.fd = os.memfd_create("pattern")
        os.ftruncate(self.fd, BLOCK_BYTES)
        self.memory = mmap.mmap(self.fd, BLOCK_BYTES)
        places = array.array("Q", range(0, BLOCK_BYTES, 8))
        self.memory[:] = memoryview(places).cast("B")
        self.bytes = self.memory[:]


pattern = Pattern()
# What the backends have received and found right; one upload runs at a time.
uploaded = processes.Value("Q", 0, lock=False)


def count_uploaded(count):
    uploaded.value += count


def send_pieces(connection, until):
    """Sends whole pieces until the time is up, then the end mark, then ends this direction."""
    number = 0
    while time.monotonic() < until:
        connection.sendall(HEAD.pack(PIECE, number))
        offset = number * PIECE_BYTES % BLOCK_BYTES
        end = offset + PIECE_BYTES
        while offset < end:
            offset += os.sendfile(connection.fileno(), pattern.fd, offset, end - offset)
        number += 1
    connection.sendall(HEAD.pack(END, number))
    connection.shutdown(socket.SHUT_WR)


def receive_pieces(connection, on_bytes):
    """Reads to the end and compares; returns how many bytes of the pattern were right."""
    number = 0
    buffer = bytearray(READ_BYTES)
    while True:
        head = receive_exactly(connection, HEAD.size)
        if head == HEAD.pack(END, number):
            break
        if head != HEAD.pack(PIECE, number):
            raise Mismatch(f"piece {number} begins with {head.hex()}")
        receive_piece(connection, number, buffer, on_bytes)
        number += 1
    if connection.recv(1):
        raise Mismatch("bytes follow the end mark")
    return number * PIECE_BYTES


def receive_piece(connection, number, buffer, on_bytes):
    view = memoryview(buffer)
    offset = number * PIECE_BYTES % BLOCK_BYTES
    end = offset + PIECE_BYTES
    while offset < end:
        count = connection.recv_into(view[:min(READ_BYTES, end - offset)])
        if count == 0:
            raise Mismatch(f"the stream ends within piece {number}, before its end mark")
        if not pattern.bytes.startswith(view[:count], offset):
            raise Mismatch(f"bytes {offset}..{offset + count} of piece {number} are not as sent")
        offset += count
        on_bytes(count)


def receive_exactly(connection, length):
    data = b""
    while len(data) < length:
        chunk = connection.recv(length - len(data))
        if not chunk:
            raise Mismatch("the stream ends before its end mark")
        data += chunk
    return data


def tune(connection):
    """Blocking, so that sendfile may be used, but never for ever."""
    connection.settimeout(None)
    patience = struct.pack("@ll", SOCKET_SECONDS, 0)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, patience)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def words_for(error):
    if isinstance(error, BlockingIOError):
        return f"nothing moved for {SOCKET_SECONDS} s"
    return str(error) or type(error).__name__


def serve_bulk_connection(connection):
    """The first byte says the role: `U` we receive and answer how much was right;
    `D` and a number of milliseconds: we send."""
    tune(connection)
    role = connection.recv(1)
    if role == b"U":
        try:
            verdict = f"{receive_pieces(connection, count_uploaded)} ok"
        except (Mismatch, OSError) as error:
            verdict = f"0 {words_for(error)}"
        connection.sendall(verdict.encode())
        connection.shutdown(socket.SHUT_WR)
        discard_rest(connection)
    elif role == b"D":
        (length_ms,) = struct.unpack("<I", receive_exactly(connection, 4))
        send_pieces(connection, time.monotonic() + length_ms / 1000)
        connection.recv(1)
    connection.close()


def discard_rest(connection):
    """A close with bytes unread would reset the connection and lose the answer."""
    deadline = time.monotonic() + SOCKET_SECONDS
    while time.monotonic() < deadline and connection.recv(READ_BYTES):
        pass


def serve_bulk(listener):
    while True:
        connection, _ = listener.accept()
        worker = processes.Process(target=guard, args=(serve_bulk_connection, connection), daemon=True)
        worker.start()
        connection.close()
        for child in multiprocessing.active_children():
            child.join(0)


def http_answer(request):
    """Repeats the request's path in the body, padded to one length."""
    path = request.split(b" ", 2)[1] if request.count(b" ") >= 2 else b"?"
    body = path.ljust(HTTP_BODY_BYTES - 1)[:HTTP_BODY_BYTES - 1] + b"\n"
    return (b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(body)) + body


def serve_http(listener):
    """Plain keep-alive HTTP for many connections in one process."""
    selector = selectors.DefaultSelector()
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ, None)
    while True:
        for key, _ in selector.select():
            if key.data is None:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                selector.register(connection, selectors.EVENT_READ, bytearray())
                continue
            if not serve_http_input(key.fileobj, key.data):
                selector.unregister(key.fileobj)
                key.fileobj.close()


def serve_http_input(connection, pending):
    """False when the connection is over."""
    try:
        data = connection.recv(65536)
        if not data:
            return False
        pending += data
        while (end := pending.find(b"\r\n\r\n")) >= 0:
            connection.sendall(http_answer(bytes(pending[:end])))
            del pending[:end + 4]
        return len(pending) < 65536
    except OSError:
        return False


def guard(function, *arguments):
    """Keeps a backend's process quiet when a connection breaks or the demo is interrupted."""
    try:
        function(*arguments)
    except (OSError, KeyboardInterrupt, Mismatch, struct.error):
        pass


def run_backend(bulk, http):
    """Two processes for one backend: bulk may fork a process a connection."""
    for function, listener in ((serve_bulk, bulk), (serve_http, http)):
        child = processes.Process(target=guard, args=(function, listener), daemon=False)
        child.start()
        yield child


class Backends:
    """`count` backends, each with a bulk and an HTTP address in .addresses."""

    def __init__(self, count, host):
        self.children = []
        self.addresses = []
        for _ in range(count):
            listeners = [socket.create_server((host, 0), backlog=512) for _ in range(2)]
            self.addresses.append(dict(zip(("bulk", "http"), [listener.getsockname() for listener in listeners])))
            self.children += run_backend(*listeners)
            for listener in listeners:
                listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for child in self.children:
            child.terminate()
            child.join(2)


class Result:
    """What a load found: count is bytes (bulk) or requests (http)."""

    def __init__(self):
        self.count = 0
        self.seconds = 0.0
        self.p99_us = 0.0
        self.bytes_verified = 0
        self.problem = None

    def rate(self):
        return self.count / self.seconds if self.seconds else 0.0

    def gigabits(self):
        return self.rate() * 8e-9


class Run:
    """Some processes that count into shared numbers and report once, at their end."""

    def __init__(self, functions):
        self.counters = [processes.Value("Q", 0, lock=False) for _ in functions]
        self.reports = []
        self.children = []
        self.uploaded_before = uploaded.value
        for function, counter in zip(functions, self.counters):
            ours, theirs = processes.Pipe(duplex=False)
            child = processes.Process(target=run_reporting, args=(function, counter, theirs), daemon=True)
            child.start()
            theirs.close()
            self.reports.append(ours)
            self.children.append(child)

    def is_running(self):
        return any(child.is_alive() for child in self.children)

    def progress(self):
        return sum(counter.value for counter in self.counters) + uploaded.value - self.uploaded_before

    def finish(self):
        result = Result()
        problems = []
        for child, report in zip(self.children, self.reports):
            if child.is_alive() and not report.poll():
                child.terminate()
                problems.append("it did not end in time")
            else:
                try:
                    count, seconds, p99_us, size, problem = report.recv()
                except EOFError:
                    problems.append("the load ended without a word")
                    continue
                result.count += count
                result.bytes_verified += size
                result.seconds = max(result.seconds, seconds)
                result.p99_us = max(result.p99_us, p99_us)
                problems += [problem] if problem else []
            child.join(2)
        result.problem = "; ".join(problems) or None
        return result


def run_reporting(function, counter, report):
    start = time.monotonic()
    p99_us = size = 0
    try:
        count, p99_us, size = function(counter)
        problem = None if count else "nothing arrived"
    except KeyboardInterrupt:
        count, problem = 0, "interrupted"
    except (OSError, Mismatch, ValueError, struct.error) as error:
        count, problem = counter.value, words_for(error)
    report.send((count, time.monotonic() - start, p99_us, size, problem))


def start_bulk(address, seconds):
    """Up and down at once, a connection each."""
    return Run([lambda counter: load_upload(address, seconds, counter),
                lambda counter: load_download(address, seconds, counter)])


def load_upload(address, seconds, counter):
    """Sends, ends its direction, and asks the backend how much arrived as sent."""
    del counter  # counted by the backend, whose word comes at the end
    with socket.create_connection(address) as connection:
        tune(connection)
        connection.sendall(b"U")
        send_pieces(connection, time.monotonic() + seconds)
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
    right, _, words = answer.decode(errors="replace").partition(" ")
    if words != "ok":
        raise Mismatch(f"upload: {words or 'no answer from the backend'}")
    return int(right), 0, 0


def load_download(address, seconds, counter):
    with socket.create_connection(address) as connection:
        tune(connection)
        connection.sendall(b"D" + struct.pack("<I", int(seconds * 1000)))

        def on_bytes(count):
            counter.value += count

        return receive_pieces(connection, on_bytes), 0, 0


def start_http(address, seconds):
    return Run([lambda counter: load_http(address, seconds, counter)])


class HttpClient:
    """One kept connection with one request on its way."""

    def __init__(self, address, number):
        self.connection = socket.create_connection(address, timeout=SOCKET_SECONDS)
        tune(self.connection)
        self.prefix = b"/%d/" % number
        self.requests = 0
        self.pending = b""

    def ask(self):
        self.requests += 1
        self.path = self.prefix + b"%d" % self.requests
        self.pending = b""
        self.asked = time.monotonic()
        self.connection.sendall(b"GET " + self.path + b" HTTP/1.1\r\nHost: demo\r\n\r\n")

    def read(self):
        """Bytes of the whole right answer, or 0 while it is not complete."""
        data = self.connection.recv(4096)
        if not data:
            raise Mismatch("the server closed a kept connection")
        self.pending += data
        wanted = http_answer(b"GET " + self.path + b" HTTP/1.1")
        if len(self.pending) < len(wanted):
            return 0
        if self.pending != wanted:
            raise Mismatch(f"the answer to {self.path.decode()} is {self.pending[:200]!r}")
        return len(wanted)


def load_http(address, seconds, counter):
    """Closed loop: every connection asks again when it has its answer."""
    selector = selectors.DefaultSelector()
    latencies = array.array("f")
    size = 0
    for number in range(HTTP_CONNECTIONS):
        client = HttpClient(address, number)
        selector.register(client.connection, selectors.EVENT_READ, client)
        client.ask()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ready = selector.select(SOCKET_SECONDS)
        if not ready:
            raise Mismatch(f"no answer for {SOCKET_SECONDS} s")
        for key, _ in ready:
            count = key.data.read()
            if count:
                size += count
                counter.value += 1
                if len(latencies) < LATENCIES_MAX:
                    latencies.append(time.monotonic() - key.data.asked)
                key.data.ask()
    ordered = sorted(latencies)
    p99_us = ordered[int(len(ordered) * 0.99)] * 1e6 if ordered else 0
    return counter.value, p99_us, size

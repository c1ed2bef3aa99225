"""Reading and writing single sockets in the ways that tests of endings and pressure need."""

import socket
import threading
import time

PIECE_BYTES = 65536


def receive_exactly(peer, count):
    """count bytes; a failure says how many there were."""
    data = bytearray()
    while len(data) < count:
        piece = peer.recv(min(count - len(data), 1 << 20))
        assert piece, f"the end came after {len(data)} of {count} bytes"
        data += piece
    return bytes(data)


def receive_to_end(peer):
    """(bytes, ending): ending is "end" for an orderly one, "reset" for a broken one."""
    data = bytearray()
    while True:
        try:
            piece = peer.recv(1 << 20)
        except ConnectionResetError:
            return bytes(data), "reset"
        if not piece:
            return bytes(data), "end"
        data += piece


def assert_same(got, wanted):
    """Equal bytes; a failure names lengths and the first difference, not megabytes."""
    if got == wanted:
        return
    shorter = min(len(got), len(wanted))
    place = next((at for at in range(shorter) if got[at] != wanted[at]), shorter)
    raise AssertionError(f"{len(got)} bytes instead of {len(wanted)}, different from byte {place} on")


def assert_received(peer, wanted, *endings):
    """The peer gets exactly these bytes and then one of these endings."""
    data, ending = receive_to_end(peer)
    assert_same(data, wanted)
    assert ending in endings, f"the connection ended by {ending}, not {' or '.join(endings)}"


def fill(peer, source, still_s=0.3):
    """Writes pieces of `source` until nothing was taken for still_s; returns the count."""
    timeout_s, sent = peer.gettimeout(), 0
    peer.settimeout(still_s)
    try:
        while sent < len(source):
            sent += peer.send(source[sent: sent + PIECE_BYTES])
        raise AssertionError(f"all of {sent} bytes were taken though nobody reads")
    except TimeoutError:
        return sent
    finally:
        peer.settimeout(timeout_s)


def break_is_noticed(peer, deadline_s=5.0):
    """True once writing to a peer fails with a reset or a broken pipe."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        try:
            peer.send(b"x")
            time.sleep(0.005)
        except (ConnectionResetError, BrokenPipeError):
            return True
    return False


def send_all_in_thread(peer, data):
    """Starts writing data; the thread's error is kept in thread.error."""
    class Writer(threading.Thread):
        error = None

        def run(self):
            try:
                peer.sendall(data)
            except OSError as error:
                self.error = error

    writer = Writer(daemon=True)
    writer.start()
    return writer


def echo_until_end(listener, stop):
    """Accepts and echoes in threads until stop is set; for clients that judge by answers."""
    def serve(peer):
        with peer:
            peer.settimeout(30)
            try:
                while data := peer.recv(65536):
                    peer.sendall(data)
                peer.shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def accept_all():
        listener.settimeout(0.2)
        while not stop.is_set():
            try:
                peer, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    thread = threading.Thread(target=accept_all, daemon=True)
    thread.start()
    return thread

"""Bytes whose position can be told from their value, made and checked at C speed."""

import functools
import hashlib
import os
import socket
import threading

BLOCK_BYTES = 64 << 20
PAGE_BYTES = 4096


_block_lock = threading.Lock()


@functools.cache
def _made_block():
    return os.urandom(BLOCK_BYTES)


def _random_block():
    """The same for all threads, also for those that ask first."""
    with _block_lock:
        return _made_block()


def pattern_pieces(total_bytes):
    """Yields views that together are total_bytes long; each is valid until the next.

    The bytes are random inside a block, and the first byte of each page is the block's
    number, so no piece of a page's size can move or be repeated unnoticed.
    """
    size = min(BLOCK_BYTES, -(-total_bytes // PAGE_BYTES) * PAGE_BYTES)
    block = memoryview(bytearray(_random_block()[:size]))
    pages = size // PAGE_BYTES
    for turn in range(0, -(-total_bytes // BLOCK_BYTES)):
        block[0::PAGE_BYTES] = bytes([turn % 256]) * pages
        yield block[: min(BLOCK_BYTES, total_bytes - turn * BLOCK_BYTES)]


def pattern_bytes(total_bytes):
    """A short pattern in one piece."""
    return b"".join(bytes(piece) for piece in pattern_pieces(total_bytes))


def digest_of(pieces):
    digest = hashlib.blake2b()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def send_pattern(peer, total_bytes):
    for piece in pattern_pieces(total_bytes):
        peer.sendall(piece)


def receive_digest(peer, total_bytes=None):
    """Reads total_bytes, or to the end; returns (bytes, digest)."""
    buffer = memoryview(bytearray(1 << 20))
    digest, received = hashlib.blake2b(), 0
    while total_bytes is None or received < total_bytes:
        wanted = len(buffer) if total_bytes is None else min(len(buffer), total_bytes - received)
        count = peer.recv_into(buffer, wanted, socket.MSG_WAITALL)
        if count == 0:
            break
        digest.update(buffer[:count])
        received += count
    return received, digest.hexdigest()

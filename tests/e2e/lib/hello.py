"""What TLS clients say first, made by Python's own TLS, and cut as the network may cut it."""

import ssl
import struct


def client_hello(name=None, alpn=(), has_tls13=True):
    """The first flight of a client that asks for the name."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if not has_tls13:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def in_records(hello, record_bytes):
    """The same message in records of at most so many bytes."""
    message = hello[5:]
    parts = [message[at:at + record_bytes] for at in range(0, len(message), record_bytes)]
    return b"".join(struct.pack(">BHH", 22, 0x0301, len(part)) + part for part in parts)


def with_extension(hello, size):
    """A hello of one record grown by an extension of so many bytes, in records again."""
    message = bytearray(hello[5:])
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + struct.unpack_from(">H", message, at)[0]
    at += 1 + message[at]
    extra = struct.pack(">HH", 0xfff0, size) + bytes(size)
    struct.pack_into(">H", message, at, struct.unpack_from(">H", message, at)[0] + len(extra))
    message += extra
    message[1:4] = struct.pack(">I", len(message) - 4)[1:]
    return in_records(bytes(5) + bytes(message), 16384)

"""Headers of the PROXY protocol, written and read independently of the daemon."""

import ipaddress
import socket
import struct

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
TYPES = {"alpn": 1, "authority": 2, "crc32c": 3, "noop": 4, "unique_id": 5, "netns": 0x30}

# Addresses of nobody here, so that they can only come from a header.
CLIENTS = {"ipv4": "192.0.2.77", "ipv6": "2001:db8::77"}
SERVERS = {"ipv4": "198.51.100.88", "ipv6": "2001:db8:ffff::88"}


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def text_header(family="ipv4", source_port=1234, destination_port=443):
    name = {"ipv4": "TCP4", "ipv6": "TCP6"}[family]
    return f"PROXY {name} {CLIENTS[family]} {SERVERS[family]} {source_port} {destination_port}\r\n".encode()


def tlv(name, value):
    return bytes([TYPES[name]]) + struct.pack(">H", len(value)) + value


def binary_header(family="ipv4", command=1, tlvs=b"", has_checksum=False):
    """family None: unspecified.  Ports are 1234 and 443."""
    code, block = 0, b""
    if family:
        code = {"ipv4": 0x11, "ipv6": 0x21}[family]
        block = b"".join(ipaddress.ip_address(places[family]).packed for places in (CLIENTS, SERVERS))
        block += struct.pack(">HH", 1234, 443)
    body = block + tlvs + (tlv("crc32c", bytes(4)) if has_checksum else b"")
    header = SIGNATURE + bytes([0x20 | command, code]) + struct.pack(">H", len(body)) + body
    return header[:-4] + struct.pack(">I", crc32c(header)) if has_checksum else header


class Received:
    """A header as a server got it."""

    def __init__(self):
        self.version = self.command = self.source = self.destination = None
        self.tlvs = {}


def receive_header(peer):
    """Reads exactly one header from a socket."""
    start = _receive(peer, 6)
    return _receive_text(peer, start) if start == b"PROXY " else _receive_binary(peer, start)


def _receive(peer, count):
    data = b""
    while len(data) < count:
        piece = peer.recv(count - len(data))
        assert piece, f"the end came after {data!r}"
        data += piece
    return data


def _receive_text(peer, line):
    while not line.endswith(b"\r\n"):
        line += _receive(peer, 1)
    header, words = Received(), line[:-2].decode().split(" ")
    header.version, header.command = 1, words[1]
    if words[1] != "UNKNOWN":
        header.source, header.destination = (words[2], int(words[4])), (words[3], int(words[5]))
    return header


def _receive_binary(peer, start):
    start += _receive(peer, 10)
    assert start[:12] == SIGNATURE and start[12] >> 4 == 2, start
    body = _receive(peer, struct.unpack(">H", start[14:])[0])
    header = Received()
    header.version, header.command = 2, ("LOCAL", "PROXY")[start[12] & 15]
    size = {0x11: 4, 0x21: 16}.get(start[13], 0)
    if size:
        ports = struct.unpack(">HH", body[2 * size: 2 * size + 4])
        hosts = [str(ipaddress.ip_address(body[at: at + size])) for at in (0, size)]
        header.source, header.destination = zip(hosts, ports)
    else:
        assert start[13] == 0, start
    _read_tlvs(header, start, body, 2 * size + (4 if size else 0))
    return header


def _read_tlvs(header, start, body, at):
    while at < len(body):
        kind, length = struct.unpack(">BH", body[at: at + 3])
        value = body[at + 3: at + 3 + length]
        assert len(value) == length
        if kind == TYPES["crc32c"]:
            whole = start + body[: at + 3] + bytes(4) + body[at + 7:]
            assert struct.unpack(">I", value)[0] == crc32c(whole), "a wrong checksum"
        name = next(name for name, number in TYPES.items() if number == kind)
        assert name not in header.tlvs
        header.tlvs[name] = value
        at += 3 + length


def family_of(peer):
    return {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6", socket.AF_UNIX: "unix"}[peer.family]

"""An application that lies to the accessibility tree in the way its argument names. Speaks D-Bus by itself: the machine has no library for it."""
import os
import re
import socket
import struct
import subprocess
import sys
import time

SHOWING = (1 << 25) | (1 << 30) | (1 << 8)
ROOT = "/org/a11y/atspi/accessible/root"
ACCESSIBLE, COMPONENT = "org.a11y.atspi.Accessible", "org.a11y.atspi.Component"


class Out:
    def __init__(self):
        self.bytes = bytearray()

    def align(self, to):
        self.bytes += b"\0" * (-len(self.bytes) % to)

    def number(self, value):
        self.align(4)
        self.bytes += struct.pack("<I", value & 0xFFFFFFFF)

    def text(self, value):
        raw = value.encode()
        self.number(len(raw))
        self.bytes += raw + b"\0"

    def signature(self, value):
        self.bytes += bytes([len(value)]) + value.encode() + b"\0"

    def array(self, alignment, write):
        self.number(0)
        at = len(self.bytes) - 4
        self.align(alignment)
        start = len(self.bytes)
        write()
        struct.pack_into("<I", self.bytes, at, len(self.bytes) - start)


class Bus:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.sendall(b"\0AUTH EXTERNAL " + str(os.getuid()).encode().hex().encode() + b"\r\n")
        self.socket.recv(4096)
        self.socket.sendall(b"BEGIN\r\n")
        self.serial = 0
        self.name = self.call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "Hello")

    def send(self, kind, fields, signature, body):
        self.serial += 1
        head = Out()
        head.bytes += bytes([ord("l"), kind, 0, 1])
        head.number(len(body))
        head.number(self.serial)

        def write():
            for code, form, value in fields + ([(8, "g", signature)] if signature else []):
                head.align(8)
                head.bytes += bytes([code])
                head.signature(form)
                {"g": head.signature, "u": head.number}.get(form, head.text)(value)

        head.array(8, write)
        head.align(8)
        self.socket.sendall(bytes(head.bytes) + bytes(body))
        return self.serial

    def read(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                sys.exit(0)
            data += part
        return data

    def receive(self):
        fixed = self.read(16)
        body, serial, fields = struct.unpack("<III", fixed[4:])
        rest = self.read((fields + 7) // 8 * 8 + body)
        values, at = {}, 0
        while at < fields:
            at = (at + 7) // 8 * 8
            code, form = rest[at], chr(rest[at + 2])
            at += 4
            if form == "g":
                values[code] = rest[at + 1:at + 1 + rest[at]].decode()
                at += 2 + rest[at]
            else:
                at = (at + 3) // 4 * 4
                number = struct.unpack_from("<I", rest, at)[0]
                values[code] = number if form == "u" else rest[at + 4:at + 4 + number].decode()
                at += 4 if form == "u" else 5 + number
        return fixed[1], serial, values, rest[(fields + 7) // 8 * 8:]

    def call(self, destination, path, interface, member, signature="", body=b""):
        serial = self.send(1, [(1, "o", path), (2, "s", interface), (3, "s", member), (6, "s", destination)], signature, body)
        while True:
            kind, _, values, rest = self.receive()
            if kind in (2, 3) and values.get(5) == serial:
                if kind == 3:
                    raise RuntimeError(values.get(4))
                return rest[4:4 + struct.unpack("<I", rest[:4])[0]].decode() if values.get(8) == "s" else rest


def items(mode):
    """(path, parent, index, children, name, role)"""
    window = "/window"
    yield ROOT, ROOT, -1, 1, "hostile", 75
    yield window, ROOT if mode != "circle" else "/c1", 0, 1, "hostile window", 23
    if mode == "circle":
        for i in range(1, 100):
            yield f"/c{i}", f"/c{i % 99 + 1}", 0, 1, f"c{i}", 85
    elif mode == "deep":
        for i in range(3000):
            yield f"/d{i}", f"/d{i - 1}" if i else window, 0, 1 if i < 2999 else 0, f"deep {i}", 85
    elif mode == "wide":
        for i in range(100000):
            yield f"/w{i}", window, i, 0, "wide " * 20, 43
    elif mode == "paths":
        for i in range(50):
            yield "/" + "p" * (240 + i) + "/x" * i, window, i, 3, "path", 43
    elif mode == "control":
        yield "/n", window, 0, 0, "name\x01\x1b[31m\u202e" + "\U0001f600" * 300, 43


def reply(bus, mode, serial, values, caller):
    member, path, out, signature = values.get(3), values.get(1), Out(), ""
    if member == "GetItems" and mode not in ("nocache", "endless"):
        signature = "a((so)(so)(so)iiassusau)"

        def write():
            for own, parent, index, count, name, role in items(mode):
                out.align(8)
                for target in (own, ROOT, parent):
                    out.align(8)
                    out.text(bus.name)
                    out.text(target)
                out.number(index)
                out.number(count)
                out.array(4, lambda: (out.text(ACCESSIBLE), out.text(COMPONENT)))
                out.text(name)
                out.number(role)
                out.text("")
                out.array(4, lambda: (out.number(SHOWING), out.number(0)))

        if mode == "wrong":
            signature = "s"
            out.text("no")
        else:
            out.array(8, write)
    elif member == "GetChildren":
        signature = "a(so)"
        # Without end: each child has another.
        child = (path if path != ROOT else "") + "/x" if mode == "endless" else None

        def write():
            if child and len(child) < 240:
                out.align(8)
                out.text(bus.name)
                out.text(child)
            elif child:
                out.align(8)
                out.text("no name of a bus")
                out.text("/evil")

        out.array(8, write)
    elif member == "GetExtents":
        if mode == "drip":
            time.sleep(0.7)
        signature = "(iiii)"
        for number in ((-2147483648, 2147483647, 2147483647, 2147483647) if mode == "extents" else (10, 10, 50, 50)):
            out.number(number)
    elif member == "GetState":
        signature = "au"
        out.array(4, lambda: (out.number(SHOWING), out.number(0)))
    elif member == "GetRole":
        signature = "u"
        out.number(75 if path == ROOT else 4000000000)
    elif member == "GetInterfaces":
        signature = "as"
        out.array(4, lambda: (out.text(ACCESSIBLE), out.text(COMPONENT)))
    elif member == "Get":
        signature = "v"
        out.signature("s")
        out.text("endless")
    else:
        return bus.send(3, [(4, "s", "org.freedesktop.DBus.Error.UnknownMethod"), (5, "u", serial), (6, "s", caller)], "", b"")
    return bus.send(2, [(5, "u", serial), (6, "s", caller)], signature, out.bytes)


def main(mode):
    told = subprocess.check_output(["gdbus", "call", "--session", "-d", "org.a11y.Bus", "-o", "/org/a11y/bus", "-m", "org.a11y.Bus.GetAddress"], text=True)
    bus = Bus(re.search(r"unix:path=([^,']+)", told).group(1))
    plug = Out()
    plug.align(8)
    plug.text(bus.name)
    plug.text(ROOT)
    bus.call("org.a11y.atspi.Registry", ROOT, "org.a11y.atspi.Socket", "Embed", "(so)", plug.bytes)
    open("/tmp/hostile." + mode, "w").close()
    while True:
        kind, serial, values, _ = bus.receive()
        if kind == 1:
            reply(bus, mode, serial, values, values.get(7))


main(sys.argv[1])

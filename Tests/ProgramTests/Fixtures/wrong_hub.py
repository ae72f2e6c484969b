"""Stands for a runaggregator that says what it should not: wrong_hub.py RUNMONITOR WHAT; then asks for a sensor again.

WHAT is kind, long, cut, garbage, order, version, filters, or gone, each said to a sensor that measures with
--enable-tracking; or nothing, flags or settings, said to one that waits for its settings. For each sensor there is a line
with what it said: the kinds of its messages.
"""
import array
import socket
import struct
import subprocess
import sys

HELLO, SETTINGS, FILTERS, MEASURE, READY, REFUSED, REMARK, MEASUREMENT = 1, 2, 3, 5, 6, 7, 8, 11
what = sys.argv[2]
control, theirs = socket.socketpair()
control.settimeout(60)
launcher = subprocess.Popen(["runmonitor", "--sensor"], executable=sys.argv[1], stdin=theirs)
theirs.close()


def start():
    """The stream to a new sensor."""
    ours, other = socket.socketpair()
    control.sendmsg([b"\x00"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [other.fileno()]))])
    other.close()
    ours.settimeout(60)
    return ours


def message(kind, fields=b""):
    return struct.pack("<IB", 1 + len(fields), kind) + fields


def text(value):
    return struct.pack("<I", len(value)) + value


def settings(*flags, filters=struct.pack("<I", 0)):
    return message(SETTINGS, struct.pack("<I", len(flags)) + b"".join(map(text, flags)) + b"\0\1\0" + filters)


def take(stream, count):
    """So many bytes; fewer where the stream ends before."""
    data = b""
    while len(data) < count:
        try:
            piece = stream.recv(count - len(data))
        except ConnectionResetError:
            piece = b""
        if not piece:
            break
        data += piece
    return data


def receive(stream):
    """A message's kind; nil at the end."""
    length = take(stream, 4)
    if len(length) < 4:
        return None
    body = take(stream, struct.unpack("<I", length)[0])
    if body[0] in (REFUSED, REMARK):
        print(body[5:].decode(errors="replace").strip(), file=sys.stderr, flush=True)
    return body[0]


def until(stream, wanted):
    """The kinds that come until one is the wanted one, or the stream ends."""
    kinds = []
    while (kind := receive(stream)) is not None:
        if kind not in (REMARK, 9, 10):
            kinds.append(kind)
        if kind == wanted:
            break
    return kinds


def ending():
    """How the sensor ended, as the launcher has it: by its status or by a signal, and which."""
    control.sendall(b"\x01")
    return tuple(take(control, 2))


stream = start()
kinds = until(stream, HELLO)
if what in ("nothing", "flags", "settings"):
    if what == "flags":
        stream.sendall(settings(b"--no-such-flag"))
    elif what == "settings":
        stream.sendall(message(SETTINGS, b"\xff" * 9))
else:
    stream.sendall(settings(b"--enable-tracking"))
    kinds += until(stream, READY)
    stream.sendall(message(MEASURE, struct.pack("<QBB", 1, 0, 0)))
    kinds += until(stream, MEASUREMENT)
    if what == "kind":
        stream.sendall(message(99))
    elif what == "long":
        stream.sendall(struct.pack("<IB", 0x7FFFFFFF, MEASURE))
    elif what == "cut":
        stream.sendall(message(MEASURE, struct.pack("<QBB", 2, 0, 0))[:-3])
    elif what == "garbage":
        stream.sendall(bytes(range(256)) * 64)
    elif what == "order":
        stream.sendall(message(MEASUREMENT))
    elif what == "version":
        stream.sendall(message(HELLO, text(b"99.0.0")))
    elif what == "filters":
        stream.sendall(message(FILTERS, struct.pack("<I", 1) + struct.pack("<I", 1) + text(b"(") + bytes(6)))
        stream.sendall(message(MEASURE, struct.pack("<QBB", 2, 0, 0)))
        kinds += until(stream, MEASUREMENT)
try:
    stream.shutdown(socket.SHUT_WR)
except OSError:
    pass
kinds += until(stream, None)
print(*kinds, *ending(), flush=True)
stream = start()
kinds = until(stream, HELLO)
stream.sendall(settings())
kinds += until(stream, READY)
stream.shutdown(socket.SHUT_WR)
kinds += until(stream, None)
print(*kinds, *ending(), flush=True)
control.close()
sys.exit(launcher.wait())

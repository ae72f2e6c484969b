"""Stands for a sensor that says what it should not: wrong_sensor.py version|later|kind|long|cut|early, or slow FIFO."""
import array
import socket
import struct
import sys

control = socket.socket(fileno=0)


def channel():
    """The stream that comes with the wish to start."""
    data, ancillary, _, _ = control.recvmsg(1, socket.CMSG_SPACE(4))
    if not data:
        sys.exit(0)
    return socket.socket(fileno=array.array("i", ancillary[0][2])[0])


def message(kind, fields=b""):
    return struct.pack("<IB", 1 + len(fields), kind) + fields


def text(value):
    return struct.pack("<I", len(value)) + value


stream = channel()
wish = sys.argv[1]
if wish == "version":
    stream.sendall(message(1, text(b"0.0.1")))
elif wish == "later":
    stream.sendall(message(1, text(b"99.0.0")))
elif wish == "kind":
    stream.sendall(message(99))
elif wish == "long":
    stream.sendall(struct.pack("<IB", 0x7FFFFFFF, 1))
elif wish == "cut":
    stream.sendall(message(1, text(b"2.0.0"))[:-2])
    stream.close()
elif wish == "early":
    stream.sendall(message(6))
elif wish == "slow":
    def take(count):
        """So many bytes, in as many pieces as they come."""
        data = b""
        while len(data) < count:
            piece = stream.recv(count - len(data))
            if not piece:
                sys.exit(0)
            data += piece
        return data

    def receive():
        """A message's kind and fields."""
        body = take(struct.unpack("<I", take(4))[0])
        return body[0], body[1:]

    stream.sendall(message(1, text(b"2.0.0")))
    receive()
    receive()
    stream.sendall(message(6))
    answers = 0
    # Each answer but the first waits for a byte.
    gate = open(sys.argv[2], "rb", buffering=0)
    while True:
        kind, fields = receive()
        if kind != 5:
            continue
        if answers:
            gate.read(1)
        moved = struct.pack("<QQ", 0, 9)
        nothing = bytes(16)
        balance = moved + nothing * 2 + bytes(5) + nothing * 5
        interval = b"\x01" + struct.pack("<qq", 2, 0) if answers else b"\x00"
        stream.sendall(message(11, fields[:8] + interval + bytes(4) + balance + bytes(1) + bytes(8 * 20) + bytes(4)))
        answers += 1
# It is waited for, or ended, and this is its end.
while control.recv(1):
    stream.close()
    control.sendall(b"\x01\x09")

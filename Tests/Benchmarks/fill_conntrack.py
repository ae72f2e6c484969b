"""Fills the connection table of this network namespace with COUNT UDP entries over loopback.

A datagram to each of many addresses and ports of 127.0.0.0/8 makes one entry; a socket that is never read
takes them, so that nothing is refused.
"""
import socket
import sys

count = int(sys.argv[1])
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind(("0.0.0.0", 9))
senders = []
for index in range(count // 1000 + 1):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.0.0.1", 0))
    for low in range(min(1000, count - index * 1000)):
        sender.sendto(b"x", ("127.1.%d.%d" % (low // 250, low % 250 + 1), 9))
    senders.append(sender)

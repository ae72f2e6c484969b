"""10,000 sockets of 1,000 processes, all of them busy: whose bytes were it?"""
import os
import socket
import sys

import laboratory
from laboratory import goal, median, spread

PROCESSES = 1000
CONNECTIONS = 5
ROUNDS = 11


def connect(listener):
    client = socket.create_connection(listener.getsockname())
    return client, listener.accept()[0]


def serve(control):
    """A process with both ends of some TCP connections: for each byte it is told, all ends send one."""
    listener = socket.create_server(("127.0.0.1", 0))
    pairs = [connect(listener) for _ in range(CONNECTIONS)]
    listener.close()
    control.send(b"r")
    while control.recv(1):
        for client, server in pairs:
            client.send(b"x")
            server.recv(1)
            server.send(b"x")
            client.recv(1)
        control.send(b"d")


def start():
    """Starts a process; returns the socket that controls it."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        for other in controls:
            other.close()
        ours.close()
        serve(theirs)
        os._exit(0)
    theirs.close()
    ours.recv(1)
    return ours


def move():
    for control in controls:
        control.send(b"m")
        control.recv(1)


controls = []


def main():
    laboratory.network()
    for _ in range(PROCESSES):
        controls.append(start())
    for name, limit in [("join", 20), ("join-bpf", 8), ("join-bpf-5.8", 8)]:
        measure(name, limit)


def measure(name, limit):
    instrument = laboratory.Instrument(name)
    move()
    first = instrument.round()
    figures, theirs = [], []
    for _ in range(ROUNDS):
        move()
        figures.append(instrument.round())
        theirs.append(laboratory.cost_of("ss", "-tnpH"))
    flows, named = median(figures, "moved"), median(figures, "processes")
    if flows != PROCESSES * CONNECTIONS or named != PROCESSES:
        sys.exit(f"{flows:.0f} flows of {named:.0f} processes moved: expected {PROCESSES * CONNECTIONS} of {PROCESSES}")
    parts = ", ".join(
        f"{part} {median(figures, part):.1f}" for part in ["refresh", "events", "sockets", "ends", "holders", "readings"])
    goal(f"{name}: {2 * PROCESSES * CONNECTIONS} sockets of {PROCESSES} processes, a tick after the first",
         median(figures, "join"), "ms", limit,
         "of a processor", spread(figures, "join"), f"wall {median(figures, 'join_wall'):.1f} ms", parts,
         f"{median(figures, 'join') / median(figures, 'floor'):.2f} x asking the kernel for the same sockets and "
         f"processes and throwing it away, {median(figures, 'floor'):.1f} ms",
         f"the first tick {first['join']:.0f} ms",
         f"`ss -tnp` takes {median(theirs, 'cpu'):.0f} ms, {median(theirs, 'cpu') / median(figures, 'join'):.0f} x")
    instrument.end()


main()

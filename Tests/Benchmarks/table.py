"""200,000 connections: the dump, its decoding and the ledger, beside the dump alone and beside conntrack(8)."""
import os
import socket
import subprocess
import sys

import laboratory
from laboratory import PROGRAMS, goal, median, spread

ENTRIES = 200_000
MOVING = 20_000
ROUNDS = 11


class Traffic:
    """One UDP connection to each of many addresses behind the wire, a thousand for a socket."""

    def __init__(self, count):
        self.flows = []
        for index in range(count):
            if index % 1000 == 0:
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sender.bind(("10.77.0.1", 0))
            self.flows.append((sender, (f"10.1.{index % 1000 // 250}.{index % 250 + 1}", 9)))
        self.next = 0
        self.move(count)

    def move(self, count):
        """Sends a datagram on the next `count` connections."""
        for _ in range(count):
            sender, address = self.flows[self.next]
            sender.sendto(b"x", address)
            self.next = (self.next + 1) % len(self.flows)


def list_with_conntrack():
    """What conntrack -L takes: of a processor, and by the clock, in milliseconds."""
    wall = 0.0

    def run():
        nonlocal usage
        process = subprocess.Popen(["conntrack", "-L"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = code
        if code:
            raise SystemExit("conntrack -L failed")

    usage = None
    wall = laboratory.milliseconds(run)
    return {"cpu": (usage.ru_utime + usage.ru_stime) * 1e3, "wall": wall}


def peak_of_program(name, *flags):
    """VmHWM in MB of a program after it has shown three reports of the table."""
    process = subprocess.Popen(
        [f"{PROGRAMS}/{name}", "--format", "json", *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for _ in range(3):
        if not process.stdout.readline():
            raise SystemExit(f"{name} ended early")
    peak = laboratory.status(process.pid, "VmHWM")
    process.terminate()
    process.wait()
    return peak


def main():
    room = int(open("/proc/sys/net/netfilter/nf_conntrack_max").read())
    if room < ENTRIES:
        sys.exit(f"the table has room for {room} connections: run sysctl -w net.netfilter.nf_conntrack_max=262144 first")
    laboratory.network()
    traffic = Traffic(ENTRIES)
    instrument = laboratory.Instrument("table")
    instrument.round()
    ours, theirs = [], []
    for _ in range(ROUNDS):
        traffic.move(MOVING)
        ours.append(instrument.round())
        theirs.append(list_with_conntrack())
    entries, moved = median(ours, "entries"), median(ours, "moved")
    if entries != ENTRIES or moved != MOVING:
        sys.exit(f"{entries:.0f} entries of which {moved:.0f} moved: expected {ENTRIES} and {MOVING}")
    cpu, floor, listed = median(ours, "ours"), median(ours, "floor"), median(theirs, "cpu")
    for figures in ours:
        figures["ratio"] = figures["ours"] / figures["floor"]
    what = f"table: dump, decoding and ledger of {ENTRIES} connections"
    goal(f"{what}, of the dump alone", median(ours, "ratio"), "x", 1.3,
         f"{cpu:.0f} ms of processor against {floor:.0f}, wall {median(ours, 'ours_wall'):.0f} against "
         f"{median(ours, 'floor_wall'):.0f}; ledger {median(ours, 'ledger'):.1f} ms; rounds {spread(ours, 'ratio')}")
    goal(f"{what}, of `conntrack -L > /dev/null`", cpu / listed, "x", 0.4,
         f"processor {cpu:.0f} ms in process against the command's {listed:.0f}, wall {median(ours, 'ours_wall'):.0f} against "
         f"{median(theirs, 'wall'):.0f}")
    goal("table: peak memory of dump and ledger", laboratory.status(instrument.process.pid, "VmHWM"), "MB", 120)
    instrument.end()
    goal(f"table: peak memory of runmonitor with {ENTRIES} connections", peak_of_program("runmonitor"), "MB", 120)
    goal(f"table: peak memory of runaggregator with {ENTRIES} connections",
         peak_of_program("runaggregator", "--auto-group"), "MB", 120)


main()

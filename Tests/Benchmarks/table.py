"""Many connections: the first report with 100,000; with 200,000 the dump, its decoding and the ledger, beside the dump alone and
beside conntrack(8)."""
import socket
import subprocess
import sys

import laboratory
from laboratory import PROGRAMS, goal, median, spread

FEWER = 100_000
ENTRIES = 200_000
MOVING = 20_000
ROUNDS = 11


class Traffic:
    """One UDP connection to each of many addresses behind the wire, a thousand for a socket."""

    def __init__(self, count):
        self.flows = []
        self.next = 0
        self.grow(count)

    def grow(self, count):
        """Makes more of them, so that there are `count`."""
        first = len(self.flows)
        for index in range(first, count):
            if index % 1000 == 0:
                sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sender.bind(("10.77.0.1", 0))
            self.flows.append((sender, (f"10.1.{index % 1000 // 250}.{index % 250 + 1}", 9)))
        self.next = first
        self.move(count - first)

    def move(self, count):
        """Sends a datagram on the next `count` connections."""
        for _ in range(count):
            sender, address = self.flows[self.next]
            sender.sendto(b"x", address)
            self.next = (self.next + 1) % len(self.flows)


def peak_of_program(name, *flags):
    """VmHWM in MB of a program after it has shown three reports of the table."""
    process = subprocess.Popen(
        [f"{PROGRAMS}/{name}", "--format", "json", *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for _ in range(3):
        if not process.stdout.readline():
            raise SystemExit(f"{name} ended early")
    peak = sum(laboratory.status(pid, "VmHWM") for pid in laboratory.family(process.pid))
    process.terminate()
    process.wait()
    return peak


def report_once():
    """A whole run to the first report, start and end included: the dump, the join, the rendering."""
    runs = [laboratory.cost_of(f"{PROGRAMS}/runmonitor", "--count", "1", "--format", "json") for _ in range(5)]
    what = f"table: runmonitor --count 1 with {FEWER} connections"
    goal(f"{what}, wall", median(runs, "wall"), "ms", 500, spread(runs, "wall"), f"{median(runs, 'cpu'):.0f} ms of processor")
    goal(f"{what}, peak memory", max(run["peak"] for run in runs), "MB", 100)


def main():
    # Only the first network namespace may change it.
    room = int(open("/proc/sys/net/netfilter/nf_conntrack_max").read())
    if room < ENTRIES:
        sys.exit(f"the table has room for {room} connections: run sysctl -w net.netfilter.nf_conntrack_max=262144 first")
    laboratory.network()
    traffic = Traffic(FEWER)
    report_once()
    traffic.grow(ENTRIES)
    instrument = laboratory.Instrument("table")
    instrument.round()
    ours, theirs = [], []
    for _ in range(ROUNDS):
        traffic.move(MOVING)
        ours.append(instrument.round())
        theirs.append(laboratory.cost_of("conntrack", "-L"))
    entries, moved = median(ours, "entries"), median(ours, "moved")
    if entries != ENTRIES or moved != MOVING:
        sys.exit(f"{entries:.0f} entries of which {moved:.0f} moved: expected {ENTRIES} and {MOVING}")
    for our, their in zip(ours, theirs):
        our["of_floor"] = our["ours"] / our["floor"]
        our["of_peer"] = our["ours"] / their["cpu"]
    what = f"table: dump, decoding and ledger of {ENTRIES} connections"
    walls = f"{median(ours, 'ours_wall'):.0f} ms wall against"
    goal(f"{what}, of the dump alone", median(ours, "of_floor"), "x", 1.3, spread(ours, "of_floor"),
         f"{median(ours, 'ours'):.0f} ms of processor against {median(ours, 'floor'):.0f}",
         f"{walls} {median(ours, 'floor_wall'):.0f}", f"ledger {median(ours, 'ledger'):.1f} ms")
    goal(f"{what}, of `conntrack -L > /dev/null`", median(ours, "of_peer"), "x", 0.4, spread(ours, "of_peer"),
         f"{median(ours, 'ours'):.0f} ms of processor in process against the command's {median(theirs, 'cpu'):.0f}",
         f"{walls} {median(theirs, 'wall'):.0f}",
         f"the dump alone is {median(ours, 'floor') / median(theirs, 'cpu'):.2f} x")
    goal("table: peak memory of dump and ledger", laboratory.status(instrument.process.pid, "VmHWM"), "MB", 120)
    instrument.end()
    goal(f"table: peak memory of runmonitor with {ENTRIES} connections", peak_of_program("runmonitor"), "MB", 120)
    goal(f"table: peak memory of runaggregator with {ENTRIES} connections",
         peak_of_program("runaggregator", "--auto-group"), "MB", 120)


main()

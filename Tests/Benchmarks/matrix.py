"""Every kind of traffic that Tests/ProgramTests/TrafficMatrix.swift names, one after the other: what does watching
cost, and is what it says what the generator has moved?

This namespace is the host; B is on its wire, C a container behind it.
"""
import collections
import json
import re
import subprocess
import time

import laboratory
from laboratory import PROGRAMS, command, goal

HOST, PEER, CONTAINER = "10.78.0.1", "10.78.0.2", "10.78.1.2"
RULES = f"""
table inet bench {{ chain every {{ type filter hook prerouting priority 0; ct state new counter; }}; }}
table ip nat {{ chain out {{ type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }}; }}
"""
# How long the connection table remembers what has no end of its own: until it is read.
TIMEOUTS = ["udp_timeout", "udp_timeout_stream", "icmp_timeout", "generic_timeout"]
# Headers from layer 3 on, by protocol's number, and those of an Ethernet frame, which do not count there. The first
# segments of TCP have eight bytes more of options than those with a time stamp alone.
HEADERS = {"1": 20, "6": 20 + 32, "17": 20 + 8, "132": 20 + 28, "253": 20, "frame": -14}
IPV6_MORE, OPENING = 20, 8
# What a machine may be without.
OPTIONAL = ["uring", "sctp"]
# Where server and client run, their command lines, and how often.
KINDS = [
    ("BA", "tcp-serve", "tcp HOST PORT --send 32000000", 1),
    ("BA", "tcp-serve --send 32000000", "tcp HOST PORT --receive 32000000", 1),
    ("BA", "tcp-serve --send 32000000", "tcp HOST PORT --receive 32000000 --send 32000000", 1),
    ("BA", "udp-serve", "udp HOST PORT --size 1200 --count 20000 --echo", 1),
    ("AB", "udp-serve", "udp HOST PORT --size 1200 --count 20000 --echo", 1),
    ("BA", "udp-serve", "udp HOST PORT --size 64 --count 65536", 1),
    ("BA", "tcp-serve", "ping HOST --count 10000 --size 64", 1),
    ("BA", "tcp-serve --bind ::", "tcp fd78::2 PORT --send 8000000", 1),
    ("BA", "udp-serve --bind ::", "udp fd78::2 PORT --size 1200 --count 4000 --echo", 1),
    ("BA", "tcp-serve --sctp", "tcp HOST PORT --send 1000000 --sctp", 1),
    ("BA", "raw-serve --protocol 253", "raw HOST --protocol 253 --count 1000 --size 1000", 1),
    ("BA", "tcp-serve", "tcp HOST PORT --send 512000 --linger 20", 20),
    ("BA", "tcp-serve", "packet --interface eth0 --count 4000 --size 1014", 1),
    ("BA", "tcp-serve", "tcp HOST PORT --send 8000000 --method uring", 1),
    ("BA", "tcp-serve --send 8000000", "tcp HOST PORT --receive 8000000 --method uring", 1),
    ("BA", "tcp-serve", "tcp HOST PORT --send 8000000 --method sendfile", 1),
    ("BA", "tcp-serve", "tcp HOST PORT --send 8000000 --method splice", 1),
    ("BA", "udp-serve", "udp HOST PORT --size 1200 --count 4000 --method mmsg", 1),
    ("AB", "udp-serve --method mmsg", "udp HOST PORT --size 1200 --count 4000", 1),
    ("AA", "tcp-serve --send 24000000", "tcp HOST PORT --send 24000000 --receive 24000000", 1),
    ("BC", "tcp-serve --send 4000000", "tcp HOST PORT --send 4000000 --receive 4000000", 1),
    ("BA", "tcp-serve", "tcp HOST PORT --send 2097152 --rate 131072", 1),
    ("BA", "tcp-serve", "tcp HOST PORT --send 20000 --connections 60", 1),
    ("BA", "tcp-serve", "tcp HOST PORT --send 100000 --connections 30 --parallel", 1),
]


class Namespace:
    """A network namespace that lives as long as this program, on a wire of its own."""

    def __init__(self, interface, own, other, family6=None):
        self.holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        # An answer: it has unshared.
        self.holder.stdin.write(b"\n")
        self.holder.stdin.flush()
        self.holder.stdout.readline()
        self.enter = f"nsenter --net --target {self.holder.pid} "
        command(f"ip link add {interface} type veth peer name eth0 netns {self.holder.pid}")
        for prefix, device, address, number in [("", interface, own, 1), (self.enter, "eth0", other, 2)]:
            command(f"{prefix}ip addr add {address}/24 dev {device}")
            if family6:
                command(f"{prefix}ip addr add {family6}::{number}/64 dev {device} nodad")
            command(f"{prefix}ip link set {device} up")
        command(f"{self.enter}ip link set lo up")
        command(f"{self.enter}ip route add default via {own}")


class Moved:
    """What one kind of traffic has moved, as its generators say."""

    def __init__(self, name, line, port, owner, counts, server):
        self.name, self.owner, self.counts = name, owner, counts
        self.resent = server["retransmitted"] + self.sum("retransmitted")
        command = line.split()[0]
        number = {"udp": "17", "ping": "1", "raw": "253", "packet": "frame"}.get(command, "6")
        self.number = "132" if "--sctp" in line else number
        # As the table knows its flows.
        self.key = (self.number, port if number in ["6", "17"] else None)
        self.header = HEADERS[self.number] + (IPV6_MORE if "::" in line else 0)

    def sum(self, field):
        return sum(count[field] for count in self.counts)

    def bytes(self, packets):
        """All its bytes at layer 3, in both directions; `packets` are those of its flows in the connection table."""
        payload = self.sum("sent") + self.sum("received") + self.resent
        if self.number == "frame":
            packets = self.sum("datagrams")
        opening = 2 * OPENING * self.sum("connections") if self.number == "6" else 0
        return payload + packets * self.header + opening

    def reported(self, report):
        """What a report says of its owner: of frames all that no flow explains, as their sender is gone at once."""
        if self.number == "frame":
            return report["balance"]["untracked"]["sent"]
        rows = [row for row in report["rows"] if row["name"].endswith("/traffic " + self.owner)]
        return sum(row["received"] + row["sent"] for row in rows)


def packets_of_flows():
    """Packets in both directions, by protocol and the port where they began to go to."""
    lines = subprocess.run(["conntrack", "-L", "-o", "extended"], check=True, capture_output=True, text=True).stdout
    packets = collections.Counter()
    for line in lines.splitlines():
        number, port = line.split()[3], re.search(r"dport=(\d+)", line)
        packets[number, port and port[1]] += sum(map(int, re.findall(r"packets=(\d+)", line)))
    return packets


def run(number, places, server, client, times, enter):
    """Runs one kind to its end; nothing where this machine lacks or forbids it."""
    # So that each has a command line of its own.
    server += f" --note {number}"
    where = {place: enter[place] + f"{PROGRAMS}/traffic " for place in "ABC"}
    serving = subprocess.Popen((where[places[0]] + server).split(), stdout=subprocess.PIPE)
    ready = serving.stdout.readline()
    port = str(json.loads(ready)["ready"]) if ready else ""
    line = client.replace("HOST", HOST if places[0] == "A" else PEER).replace("PORT", port)
    words = (where[places[1]] + line).split()
    done = [subprocess.run(words, stdout=subprocess.PIPE) for _ in range(times if ready else 0)]
    serving.terminate()
    last, _ = serving.communicate()
    if not ready or any(client.returncode for client in done):
        if any(word in line for word in OPTIONAL):
            return None
        raise SystemExit(f"`traffic {line}` failed")
    counts = [json.loads(client.stdout.splitlines()[-1]) for client in done]
    # Whose it is here.
    owner = server if places == "AB" else line
    return Moved(f"{places}: {client}", line, port, owner, counts, json.loads(last.splitlines()[-1]))


def main():
    command("ip link set lo up")
    b = Namespace("eth0", HOST, PEER, "fd78")
    c = Namespace("eth1", "10.78.1.1", CONTAINER)
    for setting in ["netfilter.nf_conntrack_acct=1", "ipv4.ip_forward=1", "ipv4.ping_group_range=0 2147483647"]:
        subprocess.run(["sysctl", "-qw", f"net.{setting}"], check=True)
    for name in TIMEOUTS:
        command(f"sysctl -qw net.netfilter.nf_conntrack_{name}=3600")
    command("nft -f -", input=RULES.encode())
    monitor = laboratory.Watched("runmonitor", "--all-rows")
    begin = time.monotonic()
    moved = [run(number, *kind, {"A": "", "B": b.enter, "C": c.enter}) for number, kind in enumerate(KINDS)]
    kinds = [kind for kind in moved if kind]
    took = time.monotonic() - begin
    share = monitor.share()
    report = monitor.report(ahead=2)
    balance = report["balance"]
    packets = packets_of_flows()
    resident, peak = (laboratory.status(monitor.pid, field) for field in ["VmRSS", "VmHWM"])
    monitor.end()
    moved = {name: balance[name]["received"] + balance[name]["sent"] for name in ["total", "attributed"]}
    goal("matrix: runmonitor, mean", share, "% of a core", 0.5,
         f"{len(kinds)} kinds, {moved['total'] / 1e6:.0f} MB in {took:.0f} s")
    goal("matrix: runmonitor, resident", resident, "MB", 25, f"at most {peak:.1f} MB")
    reasons = balance["unattributed"]["reasons"]
    goal("matrix: bytes without a name", 100 * (1 - moved["attributed"] / moved["total"]), "%", 1,
         *(f"{reason} {count / 1e6:.1f} MB" for reason, count in reasons.items() if count))
    for kind in kinds:
        expected, reported = kind.bytes(packets[kind.key]), kind.reported(report)
        goal(f"matrix: {kind.name}, off its own count", 100 * abs(reported - expected) / expected, "%", 1,
             f"{reported} of {expected} bytes", f"{kind.sum('reordered')} times overtaken")


if __name__ == "__main__":
    main()

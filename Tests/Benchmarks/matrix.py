"""Every kind of traffic that Tests/ProgramTests/TrafficMatrix.swift names, one after the other: what does watching cost?

This namespace is the host; B is on its wire, C a container behind it.
"""
import subprocess
import time

import laboratory
from laboratory import PROGRAMS, command, goal

HOST, PEER, CONTAINER = "10.78.0.1", "10.78.0.2", "10.78.1.2"
RULES = f"""
table inet bench {{ chain every {{ type filter hook prerouting priority 0; ct state new counter; }}; }}
table ip nat {{ chain out {{ type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }}; }}
"""
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


def run(places, server, client, times, enter):
    """Runs one kind to its end; true unless this machine forbids io_uring."""
    where = {place: enter[place] + f"{PROGRAMS}/traffic " for place in "ABC"}
    serving = subprocess.Popen((where[places[0]] + server).split(), stdout=subprocess.PIPE)
    port = serving.stdout.readline().decode().split(":")[1].split(",")[0]
    line = client.replace("HOST", HOST if places[0] == "A" else PEER).replace("PORT", port)
    done = [subprocess.run((where[places[1]] + line).split(), stdout=subprocess.DEVNULL) for _ in range(times)]
    serving.terminate()
    serving.communicate()
    failed = any(client.returncode for client in done)
    if failed and "uring" not in line:
        raise SystemExit(f"`traffic {line}` failed")
    return not failed


def main():
    command("ip link set lo up")
    b = Namespace("eth0", HOST, PEER, "fd78")
    c = Namespace("eth1", "10.78.1.1", CONTAINER)
    for setting in ["netfilter.nf_conntrack_acct=1", "ipv4.ip_forward=1", "ipv4.ping_group_range=0 2147483647"]:
        subprocess.run(["sysctl", "-qw", f"net.{setting}"], check=True)
    command("nft -f -", input=RULES.encode())
    monitor = laboratory.Watched("runmonitor")
    begin = time.monotonic()
    run_kinds = [run(*kind, {"A": "", "B": b.enter, "C": c.enter}) for kind in KINDS]
    took = time.monotonic() - begin
    share = monitor.share()
    balance = monitor.report(ahead=2)["balance"]
    resident, peak = (laboratory.status(monitor.pid, field) for field in ["VmRSS", "VmHWM"])
    monitor.end()
    moved = {name: balance[name]["received"] + balance[name]["sent"] for name in ["total", "attributed"]}
    goal("matrix: runmonitor, mean", share, "% of a core", 0.5,
         f"{sum(run_kinds)} kinds, {moved['total'] / 1e6:.0f} MB in {took:.0f} s")
    goal("matrix: runmonitor, resident", resident, "MB", 25, f"at most {peak:.1f} MB")
    reasons = balance["unattributed"]["reasons"]
    goal("matrix: bytes without a name", 100 * (1 - moved["attributed"] / moved["total"]), "%", 1,
         *(f"{reason} {count / 1e6:.1f} MB" for reason, count in reasons.items() if count))


main()

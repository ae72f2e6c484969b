"""One program that lives for some milliseconds and has many connections: how much of what it moves has its name?

Where the kernel tells nothing of processes, as in these namespaces. usage: brief.py [RUNS]
"""
import statistics
import sys

import laboratory
from laboratory import command, goal
from matrix import HOST, PEER, RULES, Namespace, packets_of_flows, run

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 10
KINDS = ["tcp HOST PORT --send 20000 --connections 60", "tcp HOST PORT --send 100000 --connections 30 --parallel"]


def lost(monitor, b, line):
    """Of one run after the other what had no owner, in percent, and how long the program lived, in milliseconds."""
    shares, lives = [], []
    unnamed = monitor.report()["balance"]["unattributed"]
    before = unnamed["received"] + unnamed["sent"]
    for number in range(RUNS):
        moved = run(number, "BA", "tcp-serve", line, 1, {"A": "", "B": b.enter, "C": ""})
        unnamed = monitor.report(ahead=2)["balance"]["unattributed"]
        now = unnamed["received"] + unnamed["sent"]
        shares.append(100 * (now - before) / moved.bytes(packets_of_flows()[moved.key]))
        lives.append(1000 * moved.sum("seconds"))
        before = now
    return shares, lives


def main():
    command("ip link set lo up")
    b = Namespace("eth0", HOST, PEER)
    command("sysctl -qw net.netfilter.nf_conntrack_acct=1")
    command("nft -f -", input=RULES.split("table ip nat")[0].encode())
    monitor = laboratory.Watched("runmonitor", "--no-namespaces")
    for line in KINDS:
        shares, lives = lost(monitor, b, line)
        goal(f"brief: {line}, without a name", statistics.mean(shares), "%", 10,
             f"{min(shares):.0f} to {max(shares):.0f} in {RUNS} runs", f"each lives {statistics.median(lives):.1f} ms")
    monitor.end()


main()

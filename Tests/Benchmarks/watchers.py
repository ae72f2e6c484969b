"""TCP in bulk over a wire: what does watching it cost, of a core and of the throughput, beside nethogs?

The claim on the first page. Each watcher in turns with nobody watching. usage: watchers.py [ROUNDS]
"""
import json
import statistics
import subprocess
import sys
import time

import laboratory
from laboratory import PROGRAMS, command, goal
from matrix import HOST, PEER, RULES, Namespace

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
BYTES = 8_000_000_000
WATCHERS = {
    "nobody": None,
    "runmonitor": [f"{PROGRAMS}/runmonitor", "--format", "json", "--no-namespaces"],
    "nethogs": ["nethogs", "-t", "-d", "1", "eth0"],
}


def transfer(b):
    """Sends BYTES over two connections into B; returns seconds."""
    server = subprocess.Popen([*b.enter.split(), f"{PROGRAMS}/traffic", "tcp-serve"], stdout=subprocess.PIPE, text=True)
    port = json.loads(server.stdout.readline())["ready"]
    line = f"tcp {PEER} {port} --send {BYTES // 2} --connections 2 --parallel"
    begin = time.monotonic()
    command(f"{PROGRAMS}/traffic {line}", stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - begin
    server.terminate()
    server.wait()
    return seconds


def watched(b, words):
    """Gbit/s, and the share of a core that the watcher took meanwhile, in percent."""
    watcher = None
    if words:
        watcher = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        watcher.stdout.readline()
        used = laboratory.cpu_seconds(watcher.pid)
    seconds = transfer(b)
    share = 0
    if watcher:
        share = 100 * (laboratory.cpu_seconds(watcher.pid) - used) / seconds
        watcher.kill()
        watcher.stdout.close()
        watcher.wait()
    return BYTES * 8 / 1e9 / seconds, share


def main():
    command("ip link set lo up")
    b = Namespace("eth0", HOST, PEER)
    command("sysctl -qw net.netfilter.nf_conntrack_acct=1")
    command("nft -f -", input=RULES.split("table ip nat")[0].encode())
    found = {name: [] for name in WATCHERS}
    transfer(b)
    for number in range(ROUNDS):
        order = list(WATCHERS)
        for name in order if number % 2 else reversed(order):
            found[name].append(watched(b, WATCHERS[name]))
    rate = {name: statistics.median(rate for rate, _ in rounds) for name, rounds in found.items()}
    share = {name: statistics.median(share for _, share in rounds) for name, rounds in found.items()}
    print(f"        nobody watching: {rate['nobody']:.1f} Gbit/s over two connections, {ROUNDS} rounds", flush=True)
    for name in ["runmonitor", "nethogs"]:
        shares = [share for _, share in found[name]]
        text = f"{name}: {share[name]:.2f} % of a core ({min(shares):.2f}..{max(shares):.2f}), {rate[name]:.1f} Gbit/s"
        print(f"        {text}", flush=True)
    goal("runmonitor: throughput less than with nobody watching", 100 * (1 - rate["runmonitor"] / rate["nobody"]), "%", 1)
    goal("runmonitor: of what nethogs takes of a core", 100 * share["runmonitor"] / share["nethogs"], "%", 5)


main()

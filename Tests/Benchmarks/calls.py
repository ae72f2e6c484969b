"""What do BPF programs cost those who send: small datagrams, and TCP in bulk?

Each tier of --witness beside nobody watching, and beside runmonitor without a program, in turns. usage: calls.py [ROUNDS]
"""
import os
import statistics
import subprocess
import sys

import laboratory
from laboratory import goal

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 11
WAYS = ["nobody", "lookup", "bpf", "bpf-5.8"]
DATAGRAMS = "500000"
MEGABYTES = "8192"
HERE = os.path.dirname(os.path.abspath(__file__))
LOAD = f"/tmp/calls_load.{os.getpid()}"


def load(*words):
    return float(subprocess.run([LOAD, *words], check=True, stdout=subprocess.PIPE, text=True).stdout)


def watched(way, *words):
    """What a load says, and what runmonitor takes of a processor meanwhile, in percent."""
    if way == "nobody":
        return load(*words), 0
    monitor = laboratory.Watched("runmonitor", "--interval", "1", "--witness", way)
    monitor.begin()
    value = load(*words)
    share = monitor.share()
    monitor.end()
    return value, share


def compare(*words):
    """The medians of a load's figure and of runmonitor's share, by way."""
    found = {way: [] for way in WAYS}
    for number in range(ROUNDS):
        for way in WAYS if number % 2 else WAYS[::-1]:
            found[way].append(watched(way, *words))
    return {way: tuple(map(statistics.median, zip(*rows))) for way, rows in found.items()}


def main():
    laboratory.command(f"cc -O2 -pthread -o {LOAD} {HERE}/calls_load.c")
    laboratory.network()
    try:
        for threads in sorted({1, min(2, os.cpu_count())}):
            found = compare("datagrams", str(threads), DATAGRAMS)
            nobody, base = found["nobody"][0], found["lookup"][0]
            for way in WAYS[2:]:
                goal(f"{way}: 64-byte datagrams on {threads} processors: more per send", 100 * (found[way][0] / base - 1), "%", 3,
                     f"{found[way][0]:.0f} ns, without a program {base:.0f}, with nobody {nobody:.0f}")
        found = compare("stream", MEGABYTES)
        base = found["nobody"][0]
        for way in WAYS[2:]:
            speed, share = found[way]
            goal(f"{way}: TCP in bulk: less throughput", 100 * (1 - speed / base), "%", 1,
                 f"{speed / 1e9:.1f} Gbit/s, with nobody {base / 1e9:.1f}")
            goal(f"{way}: TCP in bulk: runmonitor, of a core", share, "%", 0.3)
    finally:
        os.unlink(LOAD)


main()

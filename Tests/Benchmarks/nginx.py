"""nginx without keep-alive, as fast as ab asks: how much has its name, and what do the server and runmonitor pay?

Each way of knowing who moves what beside nobody watching, in turns. usage: nginx.py [ROUNDS]
"""
import contextlib
import socket
import statistics
import sys
import threading

import laboratory
from laboratory import goal
from server import load, nginx

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
REQUESTS = 40_000
# Ended connections stay in the table for so many seconds: up to 40,000 of them.
ENDED_FOR = 3
RESTING = 14_000
# asm-generic/socket.h
SO_RCVBUFFORCE = 33
WAYS = ["bpf", "bpf-5.8", "lookup"]


@contextlib.contextmanager
def listening():
    """Somebody who only takes the kernel's events of new and ended entries: what any follower of the table costs."""
    netfilter, new_and_destroy, done = 12, 1 | 4, threading.Event()
    events = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, netfilter)
    events.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
    events.bind((0, new_and_destroy))

    def drain():
        while not done.is_set():
            try:
                events.recv(65536)
            except OSError:
                # Nothing waits, or more came than fits. It rests as long as runmonitor does between two readings.
                done.wait(0.02)

    thread = threading.Thread(target=drain)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        events.close()


def watched(way):
    """Requests a second, the share of bytes that have a name, the share of a processor, and memory in MB."""
    monitor = laboratory.Watched("runmonitor", "--interval", "1", "--all-rows", "--no-lookback", "--witness", way)
    rate, _ = load(REQUESTS)
    share = monitor.share()
    balance = monitor.report(ahead=2)["balance"]
    memory = laboratory.status(monitor.pid, "VmHWM")
    monitor.end()
    named, total = (sum(balance[name][direction] for direction in ("received", "sent")) for name in ("attributed", "total"))
    return rate, 100 * named / total, share, memory


def rest():
    """What runmonitor takes while nothing moves and the table holds connections that have ended."""
    laboratory.command("sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_time_wait=120")
    load(RESTING)
    monitor = laboratory.Watched("runmonitor", "--interval", "1", "--all-rows")
    flows = monitor.report(ahead=2)["health"]["flows"]
    monitor.begin()
    monitor.report(ahead=10)
    goal(f"a quiet host with {flows} ended connections: runmonitor, of a core", monitor.share(), "%", 0.5)
    monitor.end()


def main():
    laboratory.command(f"sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_time_wait={ENDED_FOR}")
    alone, events, found = [], [], {way: [] for way in WAYS}
    # Fills the table, so that the first round meets the same as the others.
    load(REQUESTS)
    for number in range(ROUNDS):
        alone.append(load(REQUESTS)[0])
        with listening():
            events.append(load(REQUESTS)[0])
        for way in WAYS if number % 2 else WAYS[::-1]:
            found[way].append(watched(way))
    base = statistics.median(alone)
    print(f"nginx, ab -c 8, nobody watching: {base:.0f} requests a second ({min(alone):.0f}..{max(alone):.0f})")
    print(f"        the kernel's events alone: {100 * (1 - statistics.median(events) / base):.1f} % fewer requests")
    for way, rows in found.items():
        rate, named, share, memory = map(statistics.median, zip(*rows))
        if way == "lookup":
            print(f"        {way}, for comparison: {100 - named:.1f} % without a name, {100 * (1 - rate / base):.1f} % fewer requests, "
                  f"{share:.1f} % of a core, {memory:.0f} MB")
            continue
        goal(f"{way}: bytes without a name", 100 - named, "%", 0.1, f"{100 - max(r[1] for r in rows):.2f} at best")
        goal(f"{way}: fewer requests a second", 100 * (1 - rate / base), "%", 3, f"{rate:.0f} a second")
        goal(f"{way}: runmonitor, of a core", share, "%", 15, f"{1e4 * share / rate:.1f} us a request")
        goal(f"{way}: peak memory", memory, "MB", 60)


laboratory.network()
with nginx():
    main()
    rest()

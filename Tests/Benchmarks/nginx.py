"""nginx without keep-alive, as fast as ab asks: how much has its name, and what do the server and runmonitor pay?

Each way of knowing who moves what beside nobody watching, in turns. usage: nginx.py [ROUNDS]
"""
import statistics
import sys

import laboratory
from laboratory import goal
from server import load, nginx

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 7
REQUESTS = 40_000
WAYS = ["bpf", "bpf-5.8", "lookup"]


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


def main():
    alone, found = [], {way: [] for way in WAYS}
    # Fills the table, so that the first round meets the same as the others.
    load(REQUESTS)
    for number in range(ROUNDS):
        alone.append(load(REQUESTS)[0])
        for way in WAYS if number % 2 else WAYS[::-1]:
            found[way].append(watched(way))
    base = statistics.median(alone)
    print(f"nginx, ab -c 8, nobody watching: {base:.0f} requests a second ({min(alone):.0f}..{max(alone):.0f})")
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

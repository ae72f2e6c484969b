"""1,000 and 5,000 new flows a second, each of one datagram: is every end received, what does it cost, is memory flat?

usage: flood.py [SECONDS]
"""
import socket
import sys
import time

import laboratory
from laboratory import command, goal

# How many flows a second may take how much of a core, in percent.
GOALS = [(1_000, 10), (5_000, 35)]
BATCH = 50
SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 60
DATAGRAM = b"x" * 100


def send_until(end, sent, rate):
    """Sends to ever new addresses, from a socket for each batch, and returns how many datagrams there were."""
    start, first = time.monotonic(), sent
    while (now := time.monotonic()) < end:
        # The generator's pace: it is ahead of its rate.
        if sent - first > (now - start) * rate:
            time.sleep(BATCH / rate / 2)
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("10.77.0.1", 0))
            for number in range(sent, sent + BATCH):
                sender.sendto(DATAGRAM, (f"10.{128 + number // 62500 % 64}.{number // 250 % 250}.{number % 250 + 1}", 9))
        sent += BATCH
    return sent


def flood(rate, limit):
    monitor = laboratory.Watched("runmonitor")
    resident, sent = [], 0
    for half in range(2):
        sent = send_until(time.monotonic() + SECONDS / 2, sent, rate)
        resident.append(laboratory.status(monitor.pid, "VmRSS"))
    share = monitor.share()
    while (report := monitor.report())["health"]["flows"] > 0:
        pass
    monitor.begin()
    report = monitor.report(ahead=3)
    afterwards, idle = laboratory.status(monitor.pid, "VmRSS"), monitor.share()
    monitor.end()
    total, expected = report["balance"]["total"]["sent"], sent * (len(DATAGRAM) + 28)
    what = f"flood of {sent / SECONDS:.0f} flows a second for {SECONDS} s"
    goal(f"{what}: events lost", report["health"]["missed_events"], "events", 0)
    goal(f"{what}: bytes lost", expected - total, "bytes", 0, f"{total} counted")
    goal(f"{what}: runmonitor", share, "% of a core", limit, f"{idle:.1f} % afterwards")
    goal(f"{what}: resident, growth in its second half", resident[1] - resident[0], "MB", 5,
         f"{resident[0]:.1f} MB, then {resident[1]:.1f}")
    goal(f"{what}: resident, growth afterwards", afterwards - resident[1], "MB", 5, f"{afterwards:.1f} MB")


def main():
    laboratory.network()
    # So that flows end while others begin.
    command("sysctl -qw net.netfilter.nf_conntrack_udp_timeout=2")
    for rate, limit in GOALS:
        flood(rate, limit)


main()

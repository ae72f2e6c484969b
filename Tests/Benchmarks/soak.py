"""A process every 100 ms that sends and ends: does the memory of the monitor stay flat?

usage: soak.py [SECONDS]. What is kept of ended processes is in full use after some 5,500 of them, ten minutes: `run.sh
soak:86400` is a day.
"""
import subprocess
import sys
import time

import laboratory
from laboratory import PROGRAMS, goal

PERIOD = 0.1
SECONDS = int(sys.argv[1]) if len(sys.argv) > 1 else 30
# Until all rows are in use, and a third of a short run.
WARM = min(SECONDS / 3, 1200)


def main():
    laboratory.network()
    laboratory.command("sysctl -qw net.netfilter.nf_conntrack_udp_timeout=2")
    monitor = laboratory.Watched("runmonitor")
    start = time.monotonic()
    resident, processes = [], 0
    while (passed := time.monotonic() - start) < SECONDS:
        if passed >= WARM:
            resident.append(laboratory.status(monitor.pid, "VmRSS"))
        address = f"10.1.{processes // 250 % 250}.{processes % 250 + 1}"
        subprocess.run(
            [f"{PROGRAMS}/traffic", "udp-scatter", address, "9", "--count", "1", "--size", "100"],
            check=True, stdout=subprocess.DEVNULL)
        processes += 1
        time.sleep(max(0, start + processes * PERIOD - time.monotonic()))
    used, report = monitor.share(), monitor.report(ahead=2)
    monitor.end()
    balance = report["balance"]
    unnamed = sum(balance["unattributed"][way] for way in ["received", "sent"])
    share = 100 * unnamed / max(1, sum(balance["total"].values()))
    what = f"soak: a process every {PERIOD * 1000:.0f} ms for {SECONDS} s"
    goal(f"{what}, growth after {WARM:.0f} s", max(resident) - resident[0], "MB", 5,
         f"{resident[0]:.1f} to {resident[-1]:.1f} MB", f"{processes} processes, {share:.1f} % of their bytes without a name",
         f"{used:.2f} % of a core")


main()

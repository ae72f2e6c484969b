"""nginx without keep-alive, and small datagrams: what is named of both ends, and what does watching cost?

The programs of the kernel see all that moves on the machine, also what is not this benchmark's. usage: witness.py [PAIRS]
"""
import statistics
import subprocess
import sys
import threading

import laboratory
from laboratory import goal
from server import load, nginx

PAIRS = int(sys.argv[1]) if len(sys.argv) > 1 else 11
REQUESTS = 20_000
DATAGRAMS = 300_000


class Watch:
    """The instrument at work, which is asked ten times a second as a monitor would."""

    def __init__(self, name):
        self.instrument, self.ended = laboratory.Instrument(name), threading.Event()
        self.instrument.round()
        self.thread = threading.Thread(target=self.ask, daemon=True)
        self.used = laboratory.cpu_seconds(self.instrument.process.pid)
        self.thread.start()

    def ask(self):
        while not self.ended.wait(0.1):
            self.instrument.round()

    def end(self):
        """The last figures, and the seconds of a processor that it took."""
        self.ended.set()
        self.thread.join()
        figures = self.instrument.round()
        used = laboratory.cpu_seconds(self.instrument.process.pid) - self.used
        self.instrument.end()
        return figures, used


def send():
    """Nanoseconds of a processor for a datagram of 64 bytes that a wire loses."""
    script = ("import socket,time\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);s.connect(('10.9.9.9',9));b=b'x'*64\n"
              f"f=s.send;t=time.process_time_ns()\nfor _ in range({DATAGRAMS}): f(b)\nprint(time.process_time_ns()-t)")
    return int(subprocess.check_output([sys.executable, "-c", script])) / DATAGRAMS


def pairs(name, work):
    """Work without and with the programs, in turns, the order changing."""
    for number in range(PAIRS):
        results = {}
        for watched in [False, True] if number % 2 else [True, False]:
            watch = Watch(name) if watched else None
            results[watched] = work()
            if watch:
                figures, used = watch.end()
        yield results[False], results[True], figures, used


def main():
    for name in ["witness", "witness-5.8"]:
        ratios, named, lost, shares = [], [], 0, []
        for (rate, _), (watched, moved), figures, used in pairs(name, lambda: load(REQUESTS)):
            ratios.append(100 * (1 - watched / rate))
            named.append(100 - 100 * min(figures["sent"], figures["received"]) / moved)
            lost += figures["lost"]
            shares.append(1e6 * used / REQUESTS)
        spread = f"{min(ratios):.1f}..{max(ratios):.1f} in {PAIRS} pairs"
        goal(f"{name}: nginx and ab, fewer requests a second", statistics.median(ratios), "%", 3, spread,
             f"{watched:.0f} a second")
        goal(f"{name}: nginx and ab, payload without a name", max(named), "%", 0.1, f"{lost:.0f} uses without room")
        goal(f"{name}: reader for each connection", statistics.median(shares), "us of a core", 7.5)
        more = [100 * (watched / alone - 1) for alone, watched, _, _ in pairs(name, send)]
        goal(f"{name}: 64-byte datagrams, more for each", statistics.median(more), "%", 3, f"{min(more):.1f}..{max(more):.1f}")


laboratory.network()
with nginx():
    main()

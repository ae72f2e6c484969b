"""Short-lived programs that open one connection, send and close at once: are their bytes theirs in the reports?

Each sends a number of bytes that follows from its process number, so that a byte of another's is seen. With and without
a busy loop on every processor. usage: names.py [PROGRAMS]
"""
import json
import os
import subprocess
import sys
import threading

import laboratory
from laboratory import goal

TRIALS = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
HERE = os.path.dirname(os.path.abspath(__file__))
CLIENTS = f"/tmp/owners_clients.{os.getpid()}"
PORT, MOST = 7777, 1000
# Options of TCP in the first packet that --layer payload takes for payload.
OPTIONS = 8


class Sums:
    """What the reports of a monitor say that each process sent, until it ends."""

    def __init__(self, way):
        self.process = subprocess.Popen(
            [f"{laboratory.PROGRAMS}/runmonitor", "--format", "json", "--all-rows", "--no-lookback", "--layer", "payload",
             "--witness", way], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.sent, self.started = {}, threading.Event()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        self.started.wait()

    def read(self):
        for line in self.process.stdout:
            report = json.loads(line)
            if report["event"] == "usage":
                # A row has all that the process moved since the start.
                self.sent.update({row["pid"]: row["sent"] for row in report["rows"] if "pid" in row})
                self.started.set()

    def end(self):
        self.process.terminate()
        self.thread.join()
        self.process.wait()


def measure(way, kind):
    """How many of the programs have exactly what they sent, and how many something else."""
    sums = Sums(way)
    lines = subprocess.check_output(
        [CLIENTS, "run", str(TRIALS), str(PORT), "0", kind, str(MOST)], text=True).splitlines()
    sums.end()
    pids = [int(line.split()[0]) for line in lines]
    expected = {pid: 1 + pid % MOST + OPTIONS for pid in pids}
    named = sum(sums.sent.get(pid) == expected[pid] for pid in pids)
    wrong = sum(sums.sent.get(pid, 0) not in (0, expected[pid]) for pid in pids)
    return named, wrong


def main():
    laboratory.network()
    subprocess.run(["cc", "-O2", "-o", CLIENTS, f"{HERE}/owners_clients.c"], check=True)
    server = subprocess.Popen([CLIENTS, "serve", str(PORT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    server.stdout.readline()
    busy = []
    try:
        for load in ["", ", every processor busy"]:
            if load:
                busy = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count())]
            for way in ["bpf", "bpf-5.8"]:
                for kind in ["exec", "fork"]:
                    named, wrong = measure(way, kind)
                    what = f"{way}: closed at once, {'a program of its own' if kind == 'exec' else 'a bare fork'}{load}"
                    goal(f"{what}: without their name", 100 - 100 * named / TRIALS, "%", 0.1 if load else 0,
                         f"{TRIALS} programs")
                    goal(f"{what}: with another's bytes", wrong, "of them", 0)
    finally:
        for process in busy + [server]:
            process.kill()
            process.wait()
        os.unlink(CLIENTS)


main()

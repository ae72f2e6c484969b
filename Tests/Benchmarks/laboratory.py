"""What the benchmarks share: a network namespace that tracks, instruments, medians and the lines they print.

run.sh starts each benchmark in network, mount and pid namespaces of its own, so nothing is left behind.
"""
import json
import os
import statistics
import subprocess
import threading
import time

PROGRAMS = os.environ["BWMON_PROGRAMS"]
GATEWAY = "10.77.0.2"


def command(line, **options):
    """Runs a command of words without spaces; a failure ends the benchmark."""
    return subprocess.run(line.split(), check=True, **options)


def network():
    """Counts all connections of this namespace; what is sent to 10.0.0.0/8 leaves by a wire and is lost there."""
    command("ip link set lo up")
    command("ip link add wire0 type veth peer name wire1")
    command("ip addr add 10.77.0.1/24 dev wire0")
    command("ip link set wire0 up")
    command("ip link set wire1 up")
    # Not wire1's own address: the kernel drops the packets before it would track them a second time.
    command(f"ip neigh replace {GATEWAY} lladdr 02:00:00:00:00:01 dev wire0")
    command(f"ip route add 10.0.0.0/8 via {GATEWAY}")
    for setting in ["acct=1", "udp_timeout=3600", "udp_timeout_stream=3600"]:
        command(f"sysctl -qw net.netfilter.nf_conntrack_{setting}")
    rules = "table inet bench { chain every { type filter hook output priority 0; ct state new counter; }; }"
    command("nft -f -", input=rules.encode())


class Instrument:
    """The benchmark program, which does one round of work for each line it is given."""

    def __init__(self, name):
        self.process = subprocess.Popen(
            [f"{PROGRAMS}/benchmark", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def round(self):
        """One round's figures, by name."""
        self.process.stdin.write("\n")
        words = self.process.stdout.readline().split()
        if not words:
            raise SystemExit(f"the instrument ended with status {self.process.wait()}")
        return {name: float(value) for name, value in zip(words[::2], words[1::2])}

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Watched:
    """A program at work, writing JSON lines of which the last is kept."""

    def __init__(self, name, *flags):
        self.process = subprocess.Popen(
            [f"{PROGRAMS}/{name}", "--format", "json", *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        self.line, self.count, self.changed = b"", 0, threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()
        self.report()
        self.begin()

    def read(self):
        for line in self.process.stdout:
            if b'"event":"usage"' not in line:
                continue
            with self.changed:
                self.line, self.count = line, self.count + 1
                self.changed.notify_all()

    def begin(self):
        """The share of a processor counts from here."""
        self.start, self.used = time.monotonic(), cpu_seconds(self.pid)

    def share(self):
        """What it has used of one processor, in percent."""
        return 100 * (cpu_seconds(self.pid) - self.used) / (time.monotonic() - self.start)

    def report(self, ahead=1):
        """The report that comes `ahead` reports from now."""
        with self.changed:
            wanted = self.count + ahead
            if not self.changed.wait_for(lambda: self.count >= wanted, timeout=60):
                raise SystemExit(f"{self.process.args} shows nothing any more")
            return json.loads(self.line)

    def end(self):
        self.process.terminate()
        self.process.wait()


def status(pid, field):
    """A number of /proc/PID/status; of memory in MB."""
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"/proc/{pid}/status has no {field}")


def family(pid):
    """A process and all below it."""
    folder = f"/proc/{pid}/task"
    children = (open(f"{folder}/{task}/children").read().split() for task in os.listdir(folder))
    return [pid] + [member for some in children for child in some for member in family(int(child))]


def proportional(pid):
    """Memory of a process in MB, what it shares divided by those who share it (proc(5), smaps_rollup)."""
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit(f"/proc/{pid}/smaps_rollup has no Pss")


def cpu_seconds(pid):
    """What all threads of a process have used of a processor, in user mode and in the kernel."""
    folder = f"/proc/{pid}/task"
    return sum(int(open(f"{folder}/{task}/schedstat").read().split()[0]) for task in os.listdir(folder)) / 1e9


def cost_of(*words):
    """What a command takes with its output thrown away, in milliseconds of a processor and by the clock, and its peak memory in MB."""
    begin = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, process.returncode, usage = os.wait4(process.pid, 0)
    if process.returncode:
        raise SystemExit(f"`{' '.join(words)}` failed")
    wall = time.monotonic() - begin
    return {
        "cpu": (usage.ru_utime + usage.ru_stime) * 1e3, "wall": wall * 1e3, "peak": usage.ru_maxrss * 1024 / 1e6}


def median(figures, name):
    return statistics.median(figure[name] for figure in figures)


def spread(figures, name):
    values = [figure[name] for figure in figures]
    return f"{min(values):.2f}..{max(values):.2f}"


def goal(claim, value, unit, limit, *details):
    """Prints one claim: what was measured, the goal, and whether it is met."""
    verdict = "met" if value <= limit else "MISSED"
    print("; ".join([f"{verdict:6}  {claim}: {value:.3g} {unit} (goal <= {limit} {unit})", *details]), flush=True)

#!/usr/bin/env python3
"""What runpipe costs, beside HAProxy (tuned for splice, and as Debian ships it) and socat, in the same run.

usage: pipe.py [--quick] [bulk|rate|latency|idle|limit]...
Each figure is the median of several runs, taken in turns. The forwarder has the last processor for itself where there
are four or more; with fewer, all share them all.
"""
import os, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.environ.get("BWMON_PROGRAMS", os.path.join(HERE, "../../.build-release/release"))
RUNPIPE, LOAD = os.path.join(PROGRAMS, "runpipe"), os.path.join(PROGRAMS, "pipe-load")
QUICK = "--quick" in sys.argv
WANTED = [word for word in sys.argv[1:] if word != "--quick"] or ["bulk", "rate", "latency", "idle", "limit"]
RUNS, SECONDS = (3, 1.5) if QUICK else (7, 3)
PORT, TARGET = 21080, 21081
CPUS = sorted(os.sched_getaffinity(0))
PROXY_CPUS = set(CPUS[-1:]) if len(CPUS) >= 4 else set(CPUS)
LOAD_CPUS = set(CPUS[:-1]) if len(CPUS) >= 4 else set(CPUS)
THREADS = str(len(PROXY_CPUS))
TICKS = os.sysconf("SC_CLK_TCK")
HAPROXY = """global
  maxconn %d
  nbthread %s
  maxpipes 200
  %s
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  %s
listen bench
  bind 127.0.0.1:%d
  server target 127.0.0.1:%d
"""


def haproxy(tuned):
    file = tempfile.NamedTemporaryFile("w", suffix=".cfg", delete=False)
    limit = 9500 if os.sysconf("SC_OPEN_MAX") <= 20000 else 10500
    file.write(HAPROXY % (limit, THREADS, "tune.pipesize 1048576" if tuned else "",
                          "option splice-request\n  option splice-response" if tuned else "", PORT, TARGET))
    file.close()
    return ["haproxy", "-db", "-q", "-f", file.name]


PEERS = {
    "runpipe": lambda: [RUNPIPE, str(PORT), "127.0.0.1", str(TARGET), "--bind", "127.0.0.1", "--threads", THREADS],
    "haproxy tuned": lambda: haproxy(True),
    "haproxy": lambda: haproxy(False),
    "socat": lambda: ["socat", "-b131072", f"TCP-LISTEN:{PORT},bind=127.0.0.1,reuseaddr,fork,backlog=4096",
                      f"TCP:127.0.0.1:{TARGET}"],
}


def listens():
    with open("/proc/net/tcp") as file:
        return any(f":{PORT:04X} " in line and " 0A " in line for line in file)


def eventually(condition):
    for _ in range(500):
        if condition():
            return True
        time.sleep(0.01)
    return False


class Forwarder:
    """A peer at work, with the processor time of itself and its children."""

    def __init__(self, name, extra=()):
        self.process = subprocess.Popen(
            PEERS[name]() + list(extra), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=lambda: os.sched_setaffinity(0, PROXY_CPUS))
        if not eventually(listens):
            sys.exit(f"{name} does not listen")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        # Children of socat hold its listener a moment longer than it does.
        eventually(lambda: not listens())

    def tree(self):
        pids, known = [], {self.process.pid}
        for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if pid in known or int(fields[1]) in known:
                known.add(pid)
                pids.append((pid, fields))
        return pids

    def cpu(self):
        # With the time of children that have ended.
        return sum(sum(map(int, fields[11:15])) for _, fields in self.tree()) / TICKS

    def memory(self):
        total = 0
        for pid, _ in self.tree():
            for line in open(f"/proc/{pid}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
        return total


def load(*words):
    result = subprocess.run([LOAD, words[0], str(PORT), str(TARGET), *map(str, words[1:])], capture_output=True, text=True,
                            preexec_fn=lambda: os.sched_setaffinity(0, LOAD_CPUS))
    if result.returncode:
        raise RuntimeError(result.stderr)
    return [float(word) for word in result.stdout.split()]


def measure(peers, body, extra=()):
    """Medians by peer of the tuples that body returns, the peers taken in turns."""
    found = {name: [] for name in peers}
    for _ in range(RUNS):
        for name in peers:
            with Forwarder(name, extra) as forwarder:
                found[name].append(body(forwarder))
    return {name: [statistics.median(column) for column in zip(*rows)] for name, rows in found.items()}


def table(title, results, unit, index=0, scale=1.0, more_is_better=True, digits=1):
    ours = results["runpipe"][index]
    print(f"\n{title}")
    for name, values in results.items():
        value = values[index]
        ratio = (ours / value if more_is_better else value / ours) if value and ours else float("nan")
        note = "" if name == "runpipe" else f"   runpipe is {ratio:.2f} x as good"
        print(f"  {name:14} {value * scale:12.{digits}f} {unit}{note}")


def bulk(connections):
    def body(forwarder):
        before, began = forwarder.cpu(), time.time()
        speed, = load("bulk", connections, SECONDS)
        took = time.time() - began
        return speed, (forwarder.cpu() - before) / (speed * took / 1e9)

    results = measure(PEERS, body)
    table(f"bulk, {connections} connection(s)", results, "Gbit/s", 0, 8e-9)
    table(f"processor time, {connections} connection(s)", results, "s per GB", 1, 1, False, 4)


def rate():
    results = measure(PEERS, lambda _: load("rate", SECONDS))
    table("connect, ask, answer, close", results, "connections/s", digits=0)


def latency():
    # Each side on one processor: where the kernel puts a wakened thread is otherwise most of what is measured.
    global PROXY_CPUS, LOAD_CPUS
    PROXY_CPUS, LOAD_CPUS = {CPUS[-1]}, {CPUS[0]}
    results = measure(PEERS, lambda _: load("latency", 20000))
    direct = statistics.median(subprocess_direct() for _ in range(RUNS))
    print(f"\nwithout a forwarder a request takes {direct:.1f} us")
    table("a request on an open connection, median", results, "us", 0, 1, False)
    table("a request on an open connection, 99th of 100", results, "us", 1, 1, False)
    PROXY_CPUS, LOAD_CPUS = set(CPUS[-1:] if len(CPUS) >= 4 else CPUS), set(CPUS[:-1] if len(CPUS) >= 4 else CPUS)


def subprocess_direct():
    result = subprocess.run([LOAD, "latency", str(TARGET), str(TARGET), "20000"], capture_output=True, text=True)
    return float(result.stdout.split()[0])


def idle():
    count = 9400 if os.sysconf("SC_OPEN_MAX") <= 20000 else 10000
    results = {}
    for name in ["runpipe", "haproxy"]:
        with Forwarder(name) as forwarder:
            before = forwarder.memory()
            # Two processes: each end of each connection takes a descriptor in them as well.
            clients = subprocess.Popen([LOAD, "idle", str(PORT), str(TARGET), str(count)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
            if clients.stdout.readline().strip() != "open":
                sys.exit(f"{name}: the connections were not opened")
            used = (forwarder.memory() - before) / count
            cpu, began = forwarder.cpu(), time.time()
            time.sleep(5)
            share = (forwarder.cpu() - cpu) / (time.time() - began) * 100
            clients.stdin.close()
            clients.wait()
        results[name] = [used, share]
    print(f"\n{count} idle connections (descriptors allow {os.sysconf('SC_OPEN_MAX')})")
    for name, (used, share) in results.items():
        print(f"  {name:14} {used:12.0f} bytes of memory each, {share:.2f} % of a processor")


def limit():
    print("\nlimit of 100 kB/s (102400 bytes)")
    for connections in (1, 4, 16):
        with Forwarder("runpipe", ["--limit", "100k"]):
            speed, most, spread = load("limit", connections, 5 if QUICK else 30)
        print(f"  {connections:2} connection(s): {speed:9.0f} bytes/s ({(speed / 102400 - 1) * 100:+.2f} %), "
              f"busiest 100 ms {most / 10240:.2f} x the rate, slowest / fastest {spread:.2f}")


if __name__ == "__main__":
    for name in ["haproxy", "socat"]:
        if not shutil.which(name):
            print(f"{name} is not installed: left out", file=sys.stderr)
            for peer in [peer for peer in PEERS if peer.startswith(name)]:
                del PEERS[peer]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["cc", "-O2", "-pthread", "-o", LOAD, os.path.join(HERE, "Pipe/load.c")], check=True)
    print(f"{len(CPUS)} processors, the forwarder on {sorted(PROXY_CPUS)}, median of {RUNS} runs")
    for name, body in [("bulk", lambda: (bulk(1), bulk(8))), ("rate", rate), ("latency", latency), ("idle", idle),
                       ("limit", limit)]:
        if name in WANTED:
            body()

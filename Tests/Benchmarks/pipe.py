#!/usr/bin/env python3
"""What runpipe costs, beside HAProxy (tuned for splice, and as Debian ships it) and socat, in the same run.

usage: pipe.py [--quick] [--goals] [bulk|rate|busy|latency|idle|limit|laws]...
Each figure is the median of several runs, taken in turns; RUNS in the environment sets how many. Each ratio is the
median of the ratios of consecutive runs, because the speed of the machine drifts. The forwarder has the last processor
for itself where there are four or more; with fewer, all share them all. `laws` is no figure: 1 GiB both ways, over the
loopback, to a reader that stops, and over a wire of 50 ms that loses 1 %. Ends with status 1 and says why when one of
them is broken, with --goals also when a goal is missed.
"""
import json, os, shutil, signal, socket, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAMS = os.environ.get("BWMON_PROGRAMS", os.path.join(HERE, "../../.build-release/release"))
RUNPIPE, LOAD = os.path.join(PROGRAMS, "runpipe"), os.path.join(PROGRAMS, "pipe-load")
QUICK = "--quick" in sys.argv
PARTS = ["bulk", "rate", "busy", "latency", "idle", "limit", "laws"]
WANTED = [word for word in sys.argv[1:] if not word.startswith("--")] or PARTS
FIXTURES = os.path.join(HERE, "../ProgramTests/Fixtures")
MISSED, BROKEN = [], []
RUNS, SECONDS = (3, 1.5) if QUICK else (7, 3)
RUNS = int(os.environ.get("RUNS", RUNS))
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
        raise RuntimeError(f"{' '.join(map(str, words))} ended with status {result.returncode}: {result.stderr}")
    return [float(word) for word in result.stdout.split()]


def measure(peers, body, extra=()):
    """By peer the tuples that body returns, the peers taken in turns."""
    found = {name: [] for name in peers}
    names = list(peers)
    for run in range(RUNS):
        # What ran before changes what the next one measures.
        first = run % len(names)
        order = names[first:] + names[:first]
        for name in order if run % 2 else reversed(order):
            with Forwarder(name, extra) as forwarder:
                found[name].append(body(forwarder))
    return found


def goal(is_met, text):
    """Notes a goal that is missed; returns what to print behind its figure."""
    if not is_met:
        MISSED.append(text)
    return "" if is_met else "   MISSED"


def law(holds, text):
    """Notes a law that is broken."""
    if not holds:
        BROKEN.append(text)
    print(f"  {text}: {'yes' if holds else 'NO'}", flush=True)


def table(title, results, unit, index=0, scale=1.0, more_is_better=True, digits=1, goals={}):
    """`goals`: how many times as good as a peer runpipe has to be."""
    ours = [row[index] for row in results["runpipe"]]
    print(f"\n{title}")
    for name, rows in results.items():
        theirs = [row[index] for row in rows]
        value = statistics.median(theirs)
        pairs = [(own / other if more_is_better else other / own) if own and other else float("nan")
                 for own, other in zip(ours, theirs)]
        ratio = statistics.median(pairs)
        note = "" if name == "runpipe" else f"   runpipe is {ratio:.2f} x as good"
        if name in goals:
            note += goal(round(ratio, 2) >= goals[name], f"{title}: {ratio:.2f} x as good as {name}, not {goals[name]}")
        print(f"  {name:14} {value * scale:12.{digits}f} {unit}{note}", flush=True)


def bulk(connections):
    def body(forwarder):
        before, began = forwarder.cpu(), time.time()
        speed, = load("bulk", connections, SECONDS)
        took = time.time() - began
        return speed, (forwarder.cpu() - before) / (speed * took / 1e9)

    results = measure(PEERS, body)
    table(f"bulk, {connections} connection(s)", results, "Gbit/s", 0, 8e-9,
          goals={"haproxy tuned": 1, "haproxy": 1.7})
    table(f"processor time, {connections} connection(s)", results, "s per GB", 1, 1, False, 4, {"haproxy tuned": 1})


def rate():
    results = measure(PEERS, lambda _: load("rate", 0, SECONDS))
    table("connect, ask, answer, close", results, "connections/s", digits=0,
          goals={"haproxy tuned": 1, "haproxy": 1})


def busy():
    results = measure(PEERS, lambda _: load("rate", 64, SECONDS))
    table("the same beside 64 that send in bulk", results, "connections/s", digits=0,
          goals={"haproxy tuned": 1, "haproxy": 1})
    # Connections must not be had for bulk: to the one that makes more of them.
    table("what those 64 move meanwhile", results, "Gbit/s", 1, 8e-9, goals={"haproxy": 1})


def latency():
    # Each side on one processor: where the kernel puts a wakened thread is otherwise most of what is measured.
    global PROXY_CPUS, LOAD_CPUS
    PROXY_CPUS, LOAD_CPUS = {CPUS[-1]}, {CPUS[0]}
    results = measure(PEERS, lambda _: load("latency", 20000))
    direct = statistics.median(subprocess_direct() for _ in range(RUNS))
    print(f"\nwithout a forwarder a request takes {direct:.1f} us")
    table("a request on an open connection, median", results, "us", 0, 1, False, goals={"haproxy tuned": 1})
    table("a request on an open connection, 99th of 100", results, "us", 1, 1, False,
          goals={"haproxy tuned": 1})
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
        note = goal(used <= 10240 and share < 0.1, f"idle: {used:.0f} bytes, {share:.2f} %") if name == "runpipe" else ""
        print(f"  {name:14} {used:12.0f} bytes of memory each, {share:.2f} % of a processor{note}")


def limit():
    print("\nlimit of 100 kB/s (102400 bytes)")
    for connections in (1, 4, 16):
        with Forwarder("runpipe", ["--limit", "100k"]):
            speed, most, spread = load("limit", connections, 5 if QUICK else 30)
        met = abs(speed / 102400 - 1) <= 0.03 and most <= 20480 and spread >= 0.9
        text = (f"{connections:2} connection(s): {speed:9.0f} bytes/s ({(speed / 102400 - 1) * 100:+.2f} %), "
                f"busiest 100 ms {most / 10240:.2f} x the rate, slowest / fastest {spread:.2f}")
        print(f"  {text}{goal(met, 'limit of ' + text.strip())}", flush=True)


def peer(case, *words, where=()):
    return subprocess.Popen([*where, "python3", os.path.join(FIXTURES, "pipe_peer.py"), case, *words],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


class Counted:
    """runpipe with its reports, and its memory."""

    def __init__(self, host, *flags):
        self.reports = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([RUNPIPE, str(PORT), host, str(TARGET), "--format", "json", *flags],
                                        stdout=self.reports, stderr=subprocess.DEVNULL)
        if not eventually(lambda: f":{PORT:04X} " in open("/proc/net/tcp6").read()):
            sys.exit("runpipe does not listen")

    def memory(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))

    def end(self):
        """Bytes in each direction, when all is said."""
        time.sleep(0.5)
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        self.reports.seek(0)
        row = json.loads(self.reports.readlines()[-1])["rows"][0]
        return row["received"], row["sent"]


def laws():
    size = (64 if QUICK else 1024) << 20
    near = [f"127.0.0.1:{PORT}", f"127.0.0.1:{TARGET}"]
    print(f"\nlaws, with {size >> 20} MiB")
    for mode in ("auto", "on", "off"):
        pipe = Counted("127.0.0.1", "--splice", mode)
        peer("transfer", *near, str(1 << 20)).communicate()
        before = pipe.memory()
        both = peer("transfer", *near, str(size))
        both.communicate()
        grown = pipe.memory() - before
        law(both.returncode == 0, f"--splice {mode}: both ways at once arrive whole")
        law(pipe.end() == (size + (1 << 20),) * 2, f"--splice {mode}: they are counted to the byte")
        law(grown < 1 << 20, f"--splice {mode}: no memory for them ({grown} bytes)")
    pipe = Counted("127.0.0.1")
    peer("transfer", *near, str(1 << 20)).communicate()
    before = pipe.memory()
    reader = peer("slow_reader", *near, str(size))
    reader.stdout.readline()
    grown = pipe.memory() - before
    reader.communicate()
    law(reader.returncode == 0 and pipe.end() == (1 << 20, size + (1 << 20)),
        "a reader that stops gets everything in the end")
    law(grown < 1 << 20, f"it costs no memory ({grown} bytes)")
    wire(size)


def wire(size):
    far = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    namespace = f"/proc/{far.pid}/ns/net"
    eventually(lambda: os.readlink(namespace) != os.readlink("/proc/self/ns/net"))
    enter = ["nsenter", f"--net={namespace}"]
    link = subprocess.Popen(["python3", os.path.join(FIXTURES, "lossy_wire.py"), namespace, "25", "1"],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    link.stdout.readline()
    for number, where in ((1, []), (2, enter)):
        for words in (f"addr add 10.88.0.{number}/24 dev tun0", "link set tun0 up"):
            subprocess.run([*where, "ip", *words.split()], check=True)
    pipe = Counted("10.88.0.2")
    server = peer("transfer", "-", f"10.88.0.2:{TARGET}", str(size), where=enter)
    server.stdout.readline()
    began = time.time()
    client = peer("transfer", f"127.0.0.1:{PORT}", "-", str(size))
    mine, theirs = client.communicate()[0].split(), server.communicate()[0].split()
    took = time.time() - began
    law(bool(mine) and theirs == mine[::-1], f"over a wire of 50 ms with 1 % loss all arrives ({took:.0f} s)")
    law(pipe.end() == (size, size), "that is counted to the byte")
    law(int(link.communicate()[0].split()[-1]) > 100, "the wire did lose packets")
    far.kill()
    far.wait()


if __name__ == "__main__":
    for name in ["haproxy", "socat"]:
        if not shutil.which(name):
            print(f"{name} is not installed: left out", file=sys.stderr)
            for peer in [peer for peer in PEERS if peer.startswith(name)]:
                del PEERS[peer]
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["cc", "-O2", "-pthread", "-o", LOAD, os.path.join(HERE, "Pipe/load.c")], check=True)
    print(f"{len(CPUS)} processors, the forwarder on {sorted(PROXY_CPUS)}, median of {RUNS} runs")
    for name, body in [("bulk", lambda: (bulk(1), bulk(8))), ("rate", rate), ("busy", busy), ("latency", latency),
                       ("idle", idle), ("limit", limit), ("laws", laws)]:
        if name in WANTED:
            body()
    for text in MISSED:
        print(f"MISSED: {text}")
    for text in BROKEN:
        print(f"BROKEN: {text}", file=sys.stderr)
    sys.exit(1 if BROKEN or MISSED and "--goals" in sys.argv else 0)

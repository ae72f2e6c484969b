"""connmonitor beside fping and a capture: pings lost, what a ping costs, how exact its time is, the first, and 1,000 hosts.

usage: probes.py [ROUNDS]
"""
import json
import os
import signal
import statistics
import subprocess
import sys
import time

import capture
import laboratory
from laboratory import goal

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
CONNMONITOR = f"{laboratory.PROGRAMS}/connmonitor"
FOLDER = f"/dev/shm/probes.{os.getpid()}"
PEER = "10.78.0.2"


def addresses(count):
    """Addresses of the loopback interface that nobody else has."""
    return [f"127.{2 + index // 60_000}.{index // 250 % 240}.{index % 250 + 1}" for index in range(count)]


def listed(name, lines):
    path = f"{FOLDER}/{name}"
    with open(path, "w") as file:
        file.write("".join(f"{line}\n" for line in lines))
    return path


def hosts(count, words):
    return listed("hosts", [f"{address} {words}" for address in addresses(count)])


def end(process):
    """Ends a program, and returns what it took of a processor in seconds."""
    process.send_signal(signal.SIGTERM)
    _, process.returncode, usage = os.wait4(process.pid, 0)
    if process.returncode:
        raise SystemExit(f"{process.args} ended with status {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def monitor(path, seconds, *before):
    """connmonitor for so long: its records, and what it took."""
    with open(f"{FOLDER}/records", "wb") as records:
        process = subprocess.Popen([*before, CONNMONITOR, path], stdout=records, stderr=subprocess.DEVNULL)
        begin = time.monotonic()
        time.sleep(seconds)
        resident = laboratory.status(process.pid, "VmRSS")
        # The peak of wait4(2) counts this program's before the exec.
        peak = laboratory.status(process.pid, "VmHWM")
        cpu = end(process)
        found = {"cpu": cpu, "share": 100 * cpu / (time.monotonic() - begin), "resident": resident, "peak": peak}
    return found, [json.loads(line) for line in open(f"{FOLDER}/records") if line.strip()]


def pings(records, each):
    """How many pings were sent, and how many of them were lost."""
    bursts = [record["ping"] for record in records if "ping" in record]
    return len(bursts) * each, round(sum(burst["loss"] for burst in bursts) * each / 100)


def fping(path, count, rounds, period):
    """What fping takes of a processor for so many pings to each of `count` targets, and what it says."""
    # The time between two packets makes the rounds follow each other without a pause.
    process = subprocess.Popen(
        ["fping", "-q", "-c", str(rounds), "-p", str(period), "-i", f"{period / count:.3f}", "-f", path],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    lines = process.stderr.read().splitlines()
    _, process.returncode, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime, process.returncode, lines


def many():
    """5,000 targets, ten pings a second each."""
    count, each, seconds = 5000, 10, 30
    rounds = []
    for _ in range(ROUNDS):
        found, records = monitor(hosts(count, f"ping=1000 numpings={each} json=true"), seconds)
        sent, lost = pings(records, each)
        rounds.append(found | {"sent": sent, "lost": lost, "failed": 100 * (1 - sent / (count * each * seconds))})
    _, status, lines = fping(listed("targets", addresses(count)), count, seconds * each, 1000 / each)
    word = next((line for line in lines if "targets" not in line and "xmt" not in line), "nothing")
    goal("probes: 50,000 pings a second: lost", max(found["lost"] for found in rounds), "pings", 0,
         f"{laboratory.median(rounds, 'sent'):,.0f} sent in {seconds} s", f"fping ends with status {status}: {word}")
    goal("probes: sent less than was asked for", laboratory.median(rounds, "failed"), "%", 5)
    goal("probes: 50,000 pings a second: processor", laboratory.median(rounds, "share"), "% of a core", 60,
         laboratory.spread(rounds, "share"), f"peak memory {laboratory.median(rounds, 'peak'):.1f} MB")


def beside():
    """1,000 targets, five pings a second each, in turns with fping."""
    count, each, seconds = 1000, 5, 20
    rounds = []
    floor = f"{FOLDER}/echo_floor"
    laboratory.command(f"cc -O2 -o {floor} {os.path.dirname(os.path.abspath(__file__))}/echo_floor.c")
    for _ in range(ROUNDS):
        found, records = monitor(hosts(count, f"ping=1000 numpings={each} json=true"), seconds)
        sent, lost = pings(records, each)
        cpu, status, _ = fping(listed("targets", addresses(count)), count, seconds * each, 1000 / each)
        if status:
            raise SystemExit(f"fping failed with status {status}")
        own, peer = found["cpu"] / sent * 1e6, cpu / (count * seconds * each) * 1e6
        kernel = float(subprocess.check_output([floor, str(count), str(seconds // 4)]))
        rounds.append({"own": own, "peer": peer, "ratio": own / peer, "lost": lost, "kernel": kernel, "floor": own / kernel})
    goal("probes: 5,000 pings a second: processor for a ping, to fping", laboratory.median(rounds, "ratio"), "x", 0.5,
         laboratory.spread(rounds, "ratio"),
         f"{laboratory.median(rounds, 'own'):.1f} us, fping {laboratory.median(rounds, 'peer'):.1f}",
         f"{laboratory.median(rounds, 'floor'):.2f} x the system calls alone, {laboratory.median(rounds, 'kernel'):.1f} us",
         f"{sum(found['lost'] for found in rounds)} lost")


def exact():
    """The time of a ping over a wire, to what a capture at its near end has, with and without other work."""
    path = listed("hosts", [f"{PEER} ping=10 numpings=1 json=true"])
    with capture.Wire(PEER):
        for load in ["", ", processor busy"]:
            rounds = []
            for _ in range(ROUNDS):
                hog = subprocess.Popen(["taskset", "-c", "0", "sh", "-c", "while :; do :; done"]) if load else None
                with capture.Capture(f"{FOLDER}/pcap") as wire:
                    _, records = monitor(path, 5, "taskset", "-c", "0")
                if hog:
                    hog.kill()
                    hog.wait()
                own = [record["ping"]["avg"] * 1000 for record in records if record["ping"]["loss"] == 0]
                seen = wire.times()
                if min(len(own), len(seen)) < 50:
                    raise SystemExit(f"{len(own)} replies, {len(seen)} in the capture")
                own, seen = statistics.median(own), statistics.median(seen)
                rounds.append({"own": own, "seen": seen, "apart": abs(own - seen)})
            goal(f"probes: median time of a ping, to a capture{load}", laboratory.median(rounds, "apart"), "us", 20,
                 laboratory.spread(rounds, "apart"),
                 f"{laboratory.median(rounds, 'own'):.1f} us, capture {laboratory.median(rounds, 'seen'):.1f}")


def first():
    """The first ping after the table of neighbours was emptied, beside those that follow it."""
    path = listed("hosts", [f"{PEER} ping=20 numpings=1 json=true"])
    with capture.Wire(PEER):
        rounds = []
        for _ in range(10 * ROUNDS):
            laboratory.command(f"ip neigh flush dev {capture.INTERFACE}")
            if b"lladdr" in subprocess.check_output(["ip", "neigh", "show", PEER]):
                raise SystemExit(f"the hardware address of {PEER} is known after `ip neigh flush`")
            _, records = monitor(path, 0.5)
            own = [record["ping"]["avg"] for record in records if record["ping"]["loss"] == 0]
            if len(own) < 5:
                raise SystemExit(f"{len(own)} replies")
            rounds.append({"first": own[0], "apart": abs(own[0] - statistics.median(own[1:]))})
        goal("probes: first ping after `ip neigh flush`, to the median of the rest", laboratory.median(rounds, "apart"),
             "ms", 1, laboratory.spread(rounds, "apart"), f"{len(rounds)} rounds, first {laboratory.spread(rounds, 'first')} ms")


def record_of(file, address, begin):
    """How long after `begin` the first record of an address comes, in seconds."""
    while not any(address in line for line in open(file)):
        if time.monotonic() - begin > 10:
            raise SystemExit(f"no record of {address}")
        time.sleep(0.002)
    return time.monotonic() - begin


def prompt():
    """The first record after the start, without a route for IPv6, and after another host took the place of the first."""
    for family in ["all", "default"]:
        laboratory.command(f"sysctl -qw net.ipv6.conf.{family}.disable_ipv6=1")
    one, other, rounds = "127.0.0.1", "127.0.0.2", []
    for _ in range(ROUNDS):
        path = listed("hosts", [f"{one} ping=500 json=true"])
        records = f"{FOLDER}/records"
        with open(records, "wb") as output:
            begin = time.monotonic()
            process = subprocess.Popen([CONNMONITOR, path], stdout=output, stderr=subprocess.DEVNULL)
            start = record_of(records, one, begin)
            listed("hosts", [f"{other} ping=500 json=true"])
            begin = time.monotonic()
            process.send_signal(signal.SIGHUP)
            reload = record_of(records, other, begin)
            end(process)
        rounds.append({"start": start, "reload": reload})
    for name, words in [("start", "after the start"), ("reload", "of another host after a reload")]:
        goal(f"probes: first record {words}", laboratory.median(rounds, name), "s", 1, laboratory.spread(rounds, name))


def far():
    """The time of a ping to a host that answers after 200 ms: a TUN device and a network in user space."""
    scenario = listed("scenario", ["[network]", "addresses = 10.9.0.1", "[target 10.9.0.5]", "delay = 200"])
    network = subprocess.Popen(
        [f"{laboratory.PROGRAMS}/fakenet", scenario], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if network.stdout.readline().strip() != "ready":
        raise SystemExit("the network in user space is not ready")
    path = listed("hosts", ["10.9.0.5 ping=1000 numpings=10 json=true"])
    rounds = []
    for _ in range(ROUNDS):
        _, records = monitor(path, 5)
        own = [record["ping"]["avg"] for record in records if "ping" in record and record["ping"]["loss"] == 0]
        rounds.append({"own": statistics.median(own), "apart": abs(statistics.median(own) - 200)})
    network.stdin.close()
    network.wait()
    goal("probes: time of a ping to a host 200 ms away, apart from that", laboratory.median(rounds, "apart"), "ms", 1,
         f"{laboratory.median(rounds, 'own'):.3f} ms")


def whole():
    """1,000 hosts with pings, traces and scans."""
    rounds = []
    for _ in range(ROUNDS):
        found, records = monitor(hosts(1000, "ping=1000 trace=60000 scan=60000 json=true"), 60)
        kinds = {kind: sum(kind in record for record in records) for kind in ["ping", "trace", "scan"]}
        rounds.append(found | kinds | {"lost": pings(records, 10)[1]})
    counts = ", ".join(f"{laboratory.median(rounds, kind):,.0f} {kind}s" for kind in ["ping", "trace", "scan"])
    goal("probes: 1,000 hosts, pings, traces and scans: processor", laboratory.median(rounds, "share"), "% of a core", 30,
         laboratory.spread(rounds, "share"), counts, f"{sum(found['lost'] for found in rounds)} pings lost")
    goal("probes: 1,000 hosts: resident memory", laboratory.median(rounds, "resident"), "MB", 60,
         f"peak {laboratory.median(rounds, 'peak'):.1f} MB")


def main():
    laboratory.command("ip link set lo up")
    os.mkdir(FOLDER)
    try:
        for part in [many, beside, exact, first, prompt, far, whole]:
            if part.__name__ in os.environ.get("PROBES", part.__name__):
                part()
    finally:
        laboratory.command(f"rm -r {FOLDER}")


main()

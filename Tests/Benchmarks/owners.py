"""Who opened that connection? Looked up while it lives, with 1,000 processes and 10,000 descriptors around.

Runs on the host, not in namespaces of its own as the others: only there does the kernel report processes. The
connections are made in a network namespace. What is closed at once is a race that only a BPF program does not run
(names.py).
"""
import os
import subprocess
import sys

PROGRAMS = os.environ["BWMON_PROGRAMS"]
HERE = os.path.dirname(os.path.abspath(__file__))
NAMESPACE = f"bwbench{os.getpid()}"
PORT = 7777
TRIALS = int(os.environ.get("BWMON_TRIALS", "2000"))
CLIENTS = f"/tmp/owners_clients.{os.getpid()}"
RULES = "table inet bench { chain every { type filter hook output priority 0; ct state new counter; }; }"


def inside(line):
    return ["ip", "netns", "exec", NAMESPACE] + line.split()


def command(words, **options):
    subprocess.run(words, check=True, **options)


def companion(words):
    """Starts one that serves until its standard input ends, and waits until it is ready."""
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if process.stdout.readline() != "ready\n":
        raise SystemExit(f"{words} did not start")
    return process


def measure(hold, how, events=True):
    environment = dict(
        os.environ, BWMON_NETNS=f"/run/netns/{NAMESPACE}", BWMON_PROCESS_EVENTS="1" if events else "0",
        BWMON_CLIENTS=f"{CLIENTS} run {TRIALS} {PORT} {hold} {how}")
    answer = subprocess.run(
        [f"{PROGRAMS}/benchmark", "owners"], input="\n", stdout=subprocess.PIPE, text=True, check=True,
        env=environment).stdout.split()
    return {name: float(value) for name, value in zip(answer[::2], answer[1::2])}


def say(what, met, text):
    print(f"{'met' if met else 'MISSED':6}  {what}: {text}", flush=True)


def main():
    command(["cc", "-O2", "-o", CLIENTS, f"{HERE}/owners_clients.c"])
    command(["ip", "netns", "add", NAMESPACE])
    companions = []
    try:
        command(inside("ip link set lo up"))
        command(inside("nft -f -"), input=RULES.encode())
        companions.append(companion(inside(f"{CLIENTS} serve {PORT}")))
        companions.append(companion([CLIENTS, "crowd", "1000", "10"]))
        wrong = trials = 0
        for what, hold, how, events, least in [
            ("closed after 1 ms", 1000, "exec", True, 99),
            ("closed after 1 ms, no program of its own", 1000, "fork", True, 99),
            ("closed at once", 0, "exec", True, None),
            ("closed at once, no program of its own", 0, "fork", True, None),
            ("closed after 1 ms, without process events", 1000, "exec", False, 99),
        ]:
            found = measure(hold, how, events)
            wrong += found["wrong"]
            trials += found["trials"]
            if least is None:
                print(f"        sockets {what}, named: {found['named']:.1f} %; {found}", flush=True)
            else:
                say(f"sockets {what}, named", found["named"] >= least, f"{found['named']:.1f} % (goal >= {least} %); {found}")
            if hold and events:
                say("NEW event to owner, median", found["median"] <= 200, f"{found['median']:.0f} us (goal <= 200 us)")
                say("NEW event to owner, p99", found["p99"] <= 2000, f"{found['p99']:.0f} us (goal <= 2000 us)")
        say("wrong owners", wrong == 0, f"{wrong:.0f} of {trials:.0f}")
    finally:
        for process in companions:
            process.stdin.close()
            process.kill()
            process.wait()
        command(["ip", "netns", "del", NAMESPACE])
        os.unlink(CLIENTS)


main()

"""A host with 100 connections and 100 processes where nothing happens: what does watching it cost?"""
import os
import signal
import socket
import subprocess
import time

import laboratory
from laboratory import PROGRAMS, goal, median, spread

COUNT = 100
SECONDS = 12
# Until then processes that were there before are looked at more often, and the text of the start is unmapped.
STARTED = 25
STARTS = 21


def populate():
    """100 processes with a UDP connection each; returns their numbers."""
    children = []
    for index in range(COUNT):
        children.append(os.fork())
        if children[-1] == 0:
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sender.connect((f"10.1.0.{index + 1}", 9))
            sender.send(b"x")
            signal.pause()
    return children


def start(name, *flags):
    return subprocess.Popen(
        [f"{PROGRAMS}/{name}", *flags], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def first_line(name, *flags):
    """From exec to the first line of a program, and to the end of one that ends by itself, in milliseconds."""
    begin = time.monotonic()
    process = start(name, *flags)
    if not process.stdout.readline():
        raise SystemExit(f"{name} ended without a line")
    shown = time.monotonic() - begin
    if "--count" not in flags:
        process.terminate()
    process.stdout.read()
    _, process.returncode, usage = os.wait4(process.pid, 0)
    cpu = usage.ru_utime + usage.ru_stime
    return {"shown": shown * 1e3, "ended": (time.monotonic() - begin) * 1e3, "cpu": cpu * 1e3}


def watch(name, *flags, packet=False):
    """What a program costs in SECONDS ticks, STARTED reports after its start; with `packet` one moves in each."""
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    process = start(name, "--format", "json", *flags)
    for _ in range(STARTED):
        process.stdout.readline()
    begin = time.monotonic()
    used = sum(map(laboratory.cpu_seconds, laboratory.family(process.pid)))
    for _ in range(SECONDS):
        if packet:
            sender.sendto(b"x", ("10.1.0.1", 9))
        process.stdout.readline()
    family = laboratory.family(process.pid)
    share = (sum(map(laboratory.cpu_seconds, family)) - used) / (time.monotonic() - begin)
    resident = sum(laboratory.status(pid, "VmRSS") for pid in family)
    proportional = sum(map(laboratory.proportional, family))
    process.terminate()
    process.wait()
    return share * 100, resident, proportional


def main():
    laboratory.network()
    children = populate()
    try:
        measure()
    finally:
        # They have no pid namespace of their own that ends them.
        for child in children:
            os.kill(child, signal.SIGKILL)


def measure():
    time.sleep(0.5)
    instrument = laboratory.Instrument("table")
    floors = [instrument.round() for _ in range(SECONDS)]
    instrument.end()
    dump = f"the kernel's walk of its table takes {median(floors, 'floor'):.1f} ms"
    lists = [laboratory.cost_of("conntrack", "-L") for _ in range(SECONDS)]
    listed = f"`conntrack -L` takes {median(lists, 'wall'):.0f} ms, {median(lists, 'cpu'):.0f} of a processor"
    for name, *flags in [["runmonitor"], ["runaggregator", "--auto-group"]]:
        # runaggregator is a hub and its sensor, which share what is read only.
        limit, room = (0.1, 20) if name == "runmonitor" else (0.12, 28)
        share, resident, proportional = watch(name, *flags)
        beside, _, _ = watch(name, *flags, packet=True)
        goal(f"idle: {name}, one tick a second", share, "% of a core", limit, f"{share * 10:.1f} ms a tick",
             f"{beside:.3f} % where one packet moves in each", dump)
        memory = resident if name == "runmonitor" else proportional
        goal(f"idle: {name}, {'resident' if name == 'runmonitor' else 'all its processes, proportional'}", memory, "MB",
             room, f"resident {resident:.1f} MB, proportional {proportional:.1f} MB")
        begun = [first_line(name, "--format", "json", *flags) for _ in range(STARTS)]
        ended = [first_line(name, "--format", "json", "--count", "1", *flags) for _ in range(STARTS)]
        goal(f"idle: {name}, first report after its start", median(begun, "shown"), "ms", 150, spread(begun, "shown"))
        goal(f"idle: {name} --count 1, to its end", median(ended, "ended"), "ms", 150, spread(ended, "ended"),
             f"{median(ended, 'cpu'):.0f} ms of a processor", listed)


main()

"""tstat_send beside tstat_transport 0.6.5: rows a second, memory, a broker on this host, a broker 40 ms away.

usage: tstat.py [ROUNDS]

The peer comes from PyPI, into .build-peers. Traffic stays on the loopback. The path of 40 ms is a relay that hands on each piece
20 ms after it came.
"""
import asyncio
import os
import random
import shutil
import statistics
import subprocess
import sys
import threading
import time

import laboratory
from laboratory import goal

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
FOLDER = f"/tmp/bwmon-tstat.{os.getpid()}"
PEER = os.path.abspath(".build-peers/tstat")
OURS = f"{laboratory.PROGRAMS}/tstat_send"
DELAY = 0.020

SIDE = "ip port pkts_all rst_cnt ack_cnt ack_cnt_p bytes_uniq pkts_data bytes_all pkts_retx bytes_retx pkts_ooo syn_cnt fin_cnt"
SHARED = "first last durat c_first s_first c_last s_last c_first_ack s_first_ack c_isint s_isint c_iscrypto s_iscrypto con_t p2p_t http_t"
ROUND_TRIPS = "rtt_avg rtt_min rtt_max rtt_std rtt_cnt ttl_min ttl_max"
OPTIONS = (
    "f1323_opt tm_opt win_scl sack_opt sack_cnt mss mss_max mss_min win_max win_min win_0 cwin_max cwin_min cwin_ini pkts_rto pkts_fs "
    "pkts_reor pkts_dup pkts_unk pkts_fc pkts_unrto pkts_unfs syn_retx")


def columns():
    """Those of tstat 3 with the sets for end-to-end measures and options."""
    names = [f"c_{name}" for name in SIDE.split()] + [f"s_{name}" for name in SIDE.split()] + SHARED.split()
    for group in ROUND_TRIPS, OPTIONS:
        names += [f"{side}_{name}" for side in "cs" for name in group.split()]
    return names


def value(name, generator):
    kind = name[2:]
    if kind == "ip":
        return f"192.0.2.{generator.randrange(255)}"
    if name in ("first", "last"):
        return f"{1.5e12 + generator.random() * 1e11:.6f}"
    if name == "durat" or kind.startswith("rtt_") and kind != "rtt_cnt":
        return f"{generator.random() * 10_000:.6f}"
    return str(generator.randrange(60_000))


def log(folder, rows):
    """A directory with a log of so many rows, of which a thousand differ."""
    path = f"{folder}/2024_01_01_00_00.out"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(path)
    generator = random.Random(15)
    names = columns()
    lines = [" ".join(value(name, generator) for name in names) + "\n" for _ in range(1000)]
    with open(f"{path}/log_tcp_complete", "w") as file:
        file.write("#09#" + " ".join(f"{name}:{index + 1}" for index, name in enumerate(names)) + "\n")
        for begin in range(0, rows, len(lines)):
            file.writelines(lines[:rows - begin])
    return path


def peer():
    """tstat_transport 0.6.5, with a pika that Python 3.11 can run."""
    if not os.path.exists(f"{PEER}/bin/tstat_send"):
        subprocess.run([sys.executable, "-m", "venv", PEER], check=True)
        for package in "tstat_transport==0.6.5", "pika==0.13.1":
            subprocess.run([f"{PEER}/bin/pip", "install", "-q", package], check=True, stderr=subprocess.DEVNULL)
        # What this pika asks for and Python 3.10 took away.
        with open(f"{PEER}/lib/python3.{sys.version_info.minor}/site-packages/sitecustomize.py", "w") as file:
            file.write("import collections\nimport collections.abc\n\ncollections.Callable = collections.abc.Callable\n")
    return f"{PEER}/bin/tstat_send"


def configuration(port):
    path = f"{FOLDER}/{port}.ini"
    with open(path, "w") as file:
        file.write(
            f"[rabbit]\nhost=localhost\nport={port}\nusername=guest\npassword=guest\nuse_ssl=0\nvhost=/\nqueue=tstat\n"
            "routing_key=tstat\nexchange=\n[rabbit_queue_options]\ndurable=1\n")
    return path


def send(program, folder, port, *flags):
    """Sends a directory that nothing was sent of; returns seconds and the most memory in MB."""
    for name in ".processed", ".tstat_send":
        if os.path.exists(f"{folder}/2024_01_01_00_00.out/{name}"):
            os.remove(f"{folder}/2024_01_01_00_00.out/{name}")
    command = [program, "-d", folder, "-c", configuration(port), "-T", "0", "-S", "s", *flags]
    if program == OURS:
        command += ["--settle", "0"]
    begin = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}: {errors[-1000:]}")
    return seconds, usage.ru_maxrss / 1024


def median(program, folder, port, *flags):
    """The medians of several runs: seconds and memory."""
    runs = [send(program, folder, port, *flags) for _ in range(ROUNDS)]
    return statistics.median(run[0] for run in runs), statistics.median(run[1] for run in runs)


class Broker:
    """The RabbitMQ of the tests."""

    def __init__(self):
        key, certificate = f"{FOLDER}/key.pem", f"{FOLDER}/certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", key,
             "-out", certificate], check=True, stderr=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [sys.executable, "Tests/Lab/Fixtures/rabbit_server.py", certificate, key, f"{FOLDER}/broker"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit("the broker did not start")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Relay:
    """A path to a port: each piece is handed on a while after it came."""

    def __init__(self, port):
        self.target = port
        self.loop = asyncio.new_event_loop()
        self.port = self.loop.run_until_complete(self.listen())
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    async def listen(self):
        server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        return server.sockets[0].getsockname()[1]

    async def accept(self, reader, writer):
        other = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self.carry(reader, other[1]), self.carry(other[0], writer))

    async def carry(self, reader, writer):
        queue = asyncio.Queue()

        async def deliver():
            while True:
                due, piece = await queue.get()
                await asyncio.sleep(max(0, due - time.monotonic()))
                if not piece:
                    break
                writer.write(piece)
            writer.close()

        task = asyncio.ensure_future(deliver())
        try:
            while True:
                piece = await reader.read(1 << 20)
                await queue.put((time.monotonic() + DELAY, piece))
                if not piece:
                    break
        except ConnectionError:
            await queue.put((time.monotonic(), b""))
        await task


def main():
    os.makedirs(FOLDER)
    os.chmod(FOLDER, 0o755)
    original = peer()
    million, few = f"{FOLDER}/million", f"{FOLDER}/few"
    log(million, 1_000_000)
    log(few, 20_000)
    ours, memory = median(OURS, million, 1, "-N")
    theirs, _ = median(original, few, 1, "-N")
    goal("tstat: time of a row without a transport, to tstat_transport 0.6.5", ours / 50 / theirs, "x", 1 / 50,
         f"{1_000_000 / ours:,.0f} and {20_000 / theirs:,.0f} rows/s")
    goal("tstat: memory for a log of 1,000,000 rows", memory, "MB", 30)
    shutil.rmtree(million)
    broker = Broker()
    try:
        ours, theirs = median(OURS, few, broker.port)[0], median(original, few, broker.port)[0]
        goal("tstat: 400 messages to a broker on this host, to tstat_transport 0.6.5", ours / theirs, "x", 1 / 5,
             f"{ours:.2f} s and {theirs:.2f} s")
        relay = Relay(broker.port)
        ours, theirs = median(OURS, few, relay.port)[0], median(original, few, relay.port)[0]
        goal("tstat: 400 messages to a broker 40 ms away, to tstat_transport 0.6.5", ours / theirs, "x", 1 / 20,
             f"{ours:.2f} s and {theirs:.2f} s")
    finally:
        broker.end()


try:
    main()
finally:
    shutil.rmtree(FOLDER, ignore_errors=True)

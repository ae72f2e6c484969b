"""Stands between runaggregator and a real runmonitor, and ends sensors with SIGKILL: sensor_proxy.py RUNMONITOR WHEN.

WHEN is start (before the first has said that it is ready), hub (then, and runaggregator with it), or restart (the first
after it has measured, the second before it has said that it is ready).
"""
import array
import os
import select
import signal
import socket
import struct
import subprocess
import sys

READY, MEASUREMENT = 6, 11
when = sys.argv[2]
control = socket.socket(fileno=0)
inner, theirs = socket.socketpair()
launcher = subprocess.Popen(["runmonitor", "--sensor"], executable=sys.argv[1], stdin=theirs)
theirs.close()
hub = sensor = None
number = 0
buffer = b""


def end_sensor():
    """Its SIGKILL, and what its end does to its channel."""
    with open(f"/proc/{launcher.pid}/task/{launcher.pid}/children") as children:
        (pid,) = children.read().split()
    with open("/proc/sys/net/netfilter/nf_conntrack_acct") as setting:
        print(f"sensor {number} is killed, accounting is {setting.read().strip()}", file=sys.stderr, flush=True)
    if when == "hub":
        os.kill(os.getppid(), signal.SIGKILL)
    os.kill(int(pid), signal.SIGKILL)
    close()


def close():
    global hub, sensor
    for stream in (hub, sensor):
        if stream:
            stream.close()
    hub = sensor = None


def pass_on_messages():
    """What the sensor says, but not that it is ready where it is to be killed then."""
    global buffer
    while len(buffer) >= 4 and len(buffer) >= 4 + struct.unpack("<I", buffer[:4])[0]:
        length = 4 + struct.unpack("<I", buffer[:4])[0]
        message, buffer = buffer[:length], buffer[length:]
        dies_at_ready = number == (2 if when == "restart" else 1)
        if message[4] == READY and dies_at_ready:
            return end_sensor()
        hub.sendall(message)
        if message[4] == MEASUREMENT and when == "restart" and number == 1:
            return end_sensor()


while True:
    ready, _, _ = select.select([each for each in (control, inner, hub, sensor) if each], [], [])
    if control in ready:
        data, ancillary, _, _ = control.recvmsg(1, socket.CMSG_SPACE(4))
        if not data:
            break
        if ancillary:
            close()
            hub = socket.socket(fileno=array.array("i", ancillary[0][2])[0])
            sensor, other = socket.socketpair()
            inner.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [other.fileno()]))])
            other.close()
            number += 1
            buffer = b""
        else:
            inner.sendall(data)
        continue
    if inner in ready:
        data = inner.recv(16)
        if not data:
            break
        control.sendall(data)
    elif sensor in ready:
        data = sensor.recv(65536)
        buffer += data
        if data:
            pass_on_messages()
        else:
            close()
    elif hub in ready:
        data = hub.recv(65536)
        if data:
            sensor.sendall(data)
        else:
            sensor.shutdown(socket.SHUT_WR)
            # What it says at its end.
            while data := sensor.recv(65536):
                hub.sendall(data)
            close()
close()
inner.close()
launcher.wait()

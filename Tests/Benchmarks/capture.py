"""A wire between two network namespaces, and tcpdump's view of the pings on it."""
import struct
import subprocess

from laboratory import command

INTERFACE = "probe0"


class Wire:
    """A veth pair to a namespace of its own, whose end has `peer`; this end has the address before it."""

    def __init__(self, peer):
        self.peer = peer

    def __enter__(self):
        # The other namespace lives as long as this process.
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"], stdout=subprocess.PIPE)
        self.holder.stdout.readline()
        inside = f"nsenter --net --target {self.holder.pid}"
        command(f"ip link add {INTERFACE} type veth peer name probe1 netns {self.holder.pid}")
        base, number = self.peer.rsplit(".", 1)
        command(f"ip addr add {base}.{int(number) - 1}/24 dev {INTERFACE}")
        command(f"ip link set {INTERFACE} up")
        command(f"{inside} ip addr add {self.peer}/24 dev probe1")
        command(f"{inside} ip link set probe1 up")
        command(f"ping -q -c 1 {self.peer}", stdout=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()


class Capture:
    """What tcpdump sees of ICMP on this end of the wire while the context lasts."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.process = subprocess.Popen(
            ["tcpdump", "-U", "--immediate-mode", "-Z", "root", "--time-stamp-precision=nano", "-i", INTERFACE,
             "-w", self.path, "icmp"],
            stderr=subprocess.PIPE, text=True)
        while "listening" not in (self.process.stderr.readline() or "listening"):
            pass
        return self

    def __exit__(self, *_):
        # In immediate mode each packet is taken when it comes: none is left in the kernel.
        self.process.terminate()
        self.process.communicate()

    def times(self):
        """From each request to its reply, in microseconds."""
        sent, found = {}, []
        for stamp, frame in packets(self.path):
            start = 14 + (frame[14] & 15) * 4
            kind, key = frame[start], frame[start + 4:start + 8]
            if kind == 8:
                sent[key] = stamp
            elif kind == 0 and key in sent:
                found.append((stamp - sent.pop(key)) / 1e3)
        return found


def packets(path):
    """The time in nanoseconds and the bytes of each packet of a file of nanosecond stamps (pcap-savefile(5))."""
    data = open(path, "rb").read()
    if struct.unpack_from("=I", data)[0] != 0xA1B23C4D:
        raise SystemExit(f"{path} is no capture with nanoseconds")
    place = 24
    while place + 16 <= len(data):
        seconds, nanoseconds, kept, _ = struct.unpack_from("=IIII", data, place)
        yield seconds * 10**9 + nanoseconds, data[place + 16:place + 16 + kept]
        place += 16 + kept

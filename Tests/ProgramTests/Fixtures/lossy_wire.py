"""A wire with delay and loss between two network namespaces: a TUN device in each, packets in between.

usage: lossy_wire.py NETNS_FILE DELAY_MS LOSS_PERCENT   (the namespace that it runs in is the other end)

Both devices are called tun0. Says `ready` when they exist, and at the end of its input how many packets it carried and
lost. A packet is lost by chance, with a fixed seed, or when a thousand wait.
"""
import collections, ctypes, fcntl, os, random, select, struct, sys, time

TUNSETIFF, IFF_TUN, IFF_NO_PI, CLONE_NEWNET = 0x400454CA, 1, 0x1000, 0x40000000
QUEUE = 1000


def tun():
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
    return device


def main():
    delay, loss = float(sys.argv[2]) / 1000, float(sys.argv[3]) / 100
    ends = [tun()]
    with open(sys.argv[1]) as namespace:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            sys.exit(os.strerror(ctypes.get_errno()))
    ends.append(tun())
    print("ready", flush=True)
    chance = random.Random(7)
    waiting = [collections.deque(), collections.deque()]
    carried = lost = 0
    while True:
        due = min((queue[0][0] for queue in waiting if queue), default=None)
        pause = None if due is None else max(0, due - time.monotonic())
        readable, _, _ = select.select([sys.stdin] + ends, [], [], pause)
        if sys.stdin in readable and not sys.stdin.read(1):
            print(f"carried {carried} lost {lost}")
            return
        now = time.monotonic()
        for side, end in enumerate(ends):
            while end in readable:
                try:
                    packet = os.read(end, 65536)
                except (BlockingIOError, OSError):
                    break
                if chance.random() < loss or len(waiting[side]) >= QUEUE:
                    lost += 1
                else:
                    waiting[side].append((now + delay, packet))
        for side, queue in enumerate(waiting):
            while queue and queue[0][0] <= now:
                try:
                    os.write(ends[1 - side], queue.popleft()[1])
                    carried += 1
                except OSError:
                    lost += 1


main()

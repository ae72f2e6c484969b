"""Makes the answers of the kernel's connection table to a running program fail, without a hook in the program.

usage: netlink_fault.py PID break | repair

The program's sockets for questions to netfilter are taken over (pidfd_getfd(2)): a filter drops each answer, and the
reader does not wait for one. With a low limit of open files the program cannot open others in their place.
"""
import ctypes, os, resource, socket, struct, sys

PID, WISH = int(sys.argv[1]), sys.argv[2]
LIMIT = 1024
NETLINK_NETFILTER, SO_ATTACH_FILTER, SYS_PIDFD_GETFD = "12", 26, 438


def sockets():
    """The inodes of the program's netfilter sockets that listen to no group."""
    with open(f"/proc/{PID}/net/netlink") as table:
        rows = [line.split() for line in table][1:]
    return {row[9] for row in rows if row[1] == NETLINK_NETFILTER and int(row[3], 16) == 0}


def spoil(descriptor):
    with socket.socket(fileno=descriptor) as taken:
        # BPF_RET | BPF_K with 0: keep no byte.
        program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))
        taken.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program)))
        taken.setblocking(False)


if WISH == "repair":
    resource.prlimit(PID, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    sys.exit()
# As many as poll(2) takes at once; all numbers below are in use.
resource.prlimit(PID, resource.RLIMIT_NOFILE, (6, LIMIT))
known, handle, found = sockets(), os.pidfd_open(PID), 0
for name in os.listdir(f"/proc/{PID}/fd"):
    link = os.readlink(f"/proc/{PID}/fd/{name}")
    if link.startswith("socket:[") and link[8:-1] in known:
        spoil(ctypes.CDLL(None, use_errno=True).syscall(SYS_PIDFD_GETFD, handle, int(name), 0))
        found += 1
sys.exit(0 if found else "no socket")

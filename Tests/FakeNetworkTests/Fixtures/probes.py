"""probes.py KIND HOST COUNT [TTL [SIZE]]: sends echo requests (echo) or datagrams (udp) to HOST, says "sent", and
prints each ICMP message that comes until the end of stdin, as one JSON object a line:

  from      its source
  ttl       its hop limit, of IPv4
  type, code, word   of its header; word is the second one: identifier and sequence number, or the MTU
  probe     which probe it is about: 0, 1, ...
  quoted    bytes of the packet that an error quotes
  valid     whether its checksum is right (of IPv6 the kernel lets no other pass)
  size, same   bytes of an echo reply's data, and whether they are those of its request
  stranger  true where an echo reply has not our identifier

The sequence number of an echo request, or the destination port of a datagram from 33434 on, is that of the probe.
"""
import json, os, select, socket, struct, sys

kind, host, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
hops, size = (int(word) for word in (sys.argv[4:] + ["64", "32"][len(sys.argv) - 4:]))
v6 = ":" in host
family = socket.AF_INET6 if v6 else socket.AF_INET
identifier = os.getpid() & 0xFFFF
data = bytes(index & 255 for index in range(size))
SO_RCVBUFFORCE = 33
raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if v6 else socket.IPPROTO_ICMP)
raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
sender = raw if kind == "echo" else socket.socket(family, socket.SOCK_DGRAM)
if v6:
    sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, hops)
else:
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops)


def checksum(message):
    if len(message) % 2:
        message += b"\0"
    total = sum(struct.unpack(f"!{len(message) // 2}H", message))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def send(number):
    if kind == "udp":
        return sender.sendto(data, (host, 33434 + number))
    header = struct.pack("!BBHHH", 128 if v6 else 8, 0, 0, identifier, number)
    if not v6:
        header = struct.pack("!BBHHH", 8, 0, checksum(header + data), identifier, number)
    sender.sendto(header + data, (host, 0))


def show(packet, source):
    answer = {"from": source}
    if not v6:
        answer["ttl"] = packet[8]
        packet = packet[(packet[0] & 15) * 4:]
        answer["valid"] = checksum(packet) == 0
    answer["type"], answer["code"], _, answer["word"] = struct.unpack("!BBHI", packet[:8])
    if answer["type"] == (129 if v6 else 0):
        if answer["word"] >> 16 != identifier:
            answer["stranger"] = True
        answer["probe"] = answer["word"] & 0xFFFF
        answer["size"] = len(packet) - 8
        answer["same"] = packet[8:] == data
    elif answer["type"] in ((1, 2, 3) if v6 else (3, 11)):
        quoted = packet[8:]
        answer["quoted"] = len(quoted)
        inner = quoted[40 if v6 else 20:]
        if len(inner) < 8:
            pass
        elif kind == "udp":
            answer["probe"] = struct.unpack("!H", inner[2:4])[0] - 33434
        else:
            answer["probe"] = struct.unpack("!H", inner[6:8])[0]
    else:
        return None
    print(json.dumps(answer), flush=True)


number = 0
while True:
    pause = 0.0005 if number < count else None
    ready, _, _ = select.select([raw, sys.stdin], [], [], pause)
    if raw in ready:
        packet, address = raw.recvfrom(65536)
        show(packet, address[0])
    elif sys.stdin in ready:
        break
    elif number < count:
        try:
            send(number)
        except OSError as error:
            # What the answer to an earlier one has left on the socket.
            print(f"probe {number}: {error}", file=sys.stderr)
        number += 1
        if number == count:
            print("sent", flush=True)

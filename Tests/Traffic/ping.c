#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

// The echo request of RFC 792 and RFC 4443: type, code, checksum, identifier, sequence number.
static void write_request(bool v4, uint64_t sequence, const struct options *o) {
  payload[0] = v4 ? 8 : 128;
  payload[2] = payload[3] = 0;
  uint16_t words[2] = {htons((uint16_t)getpid()), htons((uint16_t)sequence)};
  memcpy(payload + 4, words, sizeof words);
  // The kernel writes the checksum of ping sockets and of ICMPv6.
  if (!v4 || !o->raw) return;
  uint32_t sum = 0;
  for (size_t i = 0; i + 1 < o->size; i += 2) sum += (uint32_t)(payload[i] << 8 | payload[i + 1]);
  if (o->size % 2) sum += (uint32_t)payload[o->size - 1] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  payload[2] = (unsigned char)(~sum >> 8);
  payload[3] = (unsigned char)~sum;
}

// Takes packets until the reply with this sequence number; a raw socket sees those of others too.
static void read_reply(int fd, bool v4, uint64_t sequence, const struct options *o) {
  static unsigned char bytes[sizeof payload];
  for (;;) {
    ssize_t length = recv(fd, bytes, sizeof bytes, 0);
    if (length < 0) fail("no reply to ping %llu", (unsigned long long)sequence);
    ssize_t header = v4 && o->raw ? (bytes[0] & 15) * 4 : 0;
    const unsigned char *icmp = bytes + header;
    if (length - header < 8 || icmp[0] != (v4 ? 0 : 129)) continue;
    if ((uint16_t)(icmp[6] << 8 | icmp[7]) != (uint16_t)sequence) continue;
    if (o->raw && (uint16_t)(icmp[4] << 8 | icmp[5]) != (uint16_t)getpid()) continue;
    totals.received += (uint64_t)(length - header);
    return;
  }
}

int ping(const struct options *options) {
  struct address peer = resolve(options->host, "0");
  bool v4 = peer.storage.ss_family == AF_INET;
  errno = 0;
  if (options->size < 8) fail("--size is at least 8");
  int fd = socket(peer.storage.ss_family, (options->raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC,
                  v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
  if (fd < 0) fail("ping socket (see net.ipv4.ping_group_range)");
  struct timeval limit = {.tv_sec = 60};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  say("{\"connected\":%d}", getpid() & 0xffff);
  gate(options);
  double start = now();
  for (uint64_t i = 1; i <= options->count; i++) {
    if (options->rate) pause_until(start + (double)totals.sent / (double)options->rate);
    write_request(v4, i, options);
    ssize_t sent = sendto(fd, payload, options->size, 0, (struct sockaddr *)&peer.storage, peer.length);
    if (sent != (ssize_t)options->size) fail("a ping was not sent");
    totals.sent += options->size;
    totals.datagrams++;
    read_reply(fd, v4, i, options);
  }
  report();
  hold(options);
  return 0;
}

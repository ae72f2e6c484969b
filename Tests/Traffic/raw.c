#define _GNU_SOURCE
#include "traffic.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { BURST = 16 };

// Raw packets have no acknowledgements: a pause after each burst keeps them in the receiver's queue.
static void send_all(int fd, const struct address *peer, const struct options *o) {
  double start = now();
  for (uint64_t i = 1; i <= o->count; i++) {
    if (o->rate) pause_until(start + (double)totals.sent / (double)o->rate);
    else if (i % BURST == 0) pause_until(now() + 0.0005);
    ssize_t sent = sendto(fd, payload, o->size, 0, (const struct sockaddr *)&peer->storage, peer->length);
    if (sent != (ssize_t)o->size) fail("a packet was not sent");
    totals.sent += o->size;
    totals.datagrams++;
  }
  report();
  hold(o);
}

int raw_sender(const struct options *options) {
  struct address peer = resolve(options->host, "0");
  set_port(&peer, 0);
  int fd = socket(peer.storage.ss_family, SOCK_RAW | SOCK_CLOEXEC, options->protocol);
  if (fd < 0) fail("raw socket");
  say("{\"connected\":%d}", options->protocol);
  gate(options);
  send_all(fd, &peer, options);
  return 0;
}

int raw_receiver(const struct options *options) {
  stop_on_signals();
  struct address local = resolve(options->bind, "0");
  bool v4 = local.storage.ss_family == AF_INET;
  int fd = socket(local.storage.ss_family, SOCK_RAW | SOCK_CLOEXEC, options->protocol);
  int size = 4 << 20;
  if (fd < 0) fail("raw socket");
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  if (bind(fd, (struct sockaddr *)&local.storage, local.length)) fail("bind to %s", options->bind);
  say("{\"ready\":%d,\"pid\":%d}", options->protocol, getpid());
  while (true) {
    if (stopped > LAST_STOP) break;
    // When it is stopped it still takes what has come.
    int flags = stopped ? MSG_DONTWAIT : 0;
    ssize_t length = recv(fd, payload, sizeof payload, flags);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && errno == EAGAIN && flags) break;
    if (length < 0) fail("recv");
    // The IPv4 header comes with it, that of IPv6 does not (raw(7)).
    totals.received += (uint64_t)(length - (v4 ? (payload[0] & 15) * 4 : 0));
    totals.datagrams++;
  }
  report();
  return 0;
}

int packet_sender(const struct options *options) {
  errno = 0;
  if (options->size < ETH_HLEN) fail("--size is at least %d", ETH_HLEN);
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("packet socket");
  struct address to = {.length = sizeof(struct sockaddr_ll)};
  unsigned index = options->interface ? if_nametoindex(options->interface) : 0;
  if (index == 0) fail("--interface");
  *(struct sockaddr_ll *)&to.storage = (struct sockaddr_ll){
      .sll_family = AF_PACKET, .sll_ifindex = (int)index, .sll_halen = ETH_ALEN};
  // To everyone, of the EtherType for local experiments (IEEE 802).
  memset(payload, 0xff, ETH_ALEN);
  payload[12] = 0x88;
  payload[13] = 0xb5;
  say("{\"connected\":%u}", index);
  gate(options);
  send_all(fd, &to, options);
  return 0;
}

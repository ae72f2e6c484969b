#define _GNU_SOURCE
#include "traffic.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

// The first byte of a datagram asks for an answer. Answers pace the sender, so that nothing is lost in a queue.
enum { NO_ANSWER, SHORT_ANSWER, SAME_AGAIN };
enum { SHORT = 8, BATCH = 32 };

static int udp_socket(const struct address *address) {
  int fd = socket(address->storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int size = 4 << 20;
  if (fd < 0) fail("socket");
  // Root may go beyond the system's limit; others get what there is.
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  return fd;
}

static void send_one(int fd, const struct address *peer, const struct options *o) {
  ssize_t sent;
  const struct sockaddr *to = o->connected ? 0 : (const struct sockaddr *)&peer->storage;
  if (o->method == METHOD_URING && o->connected) {
    while ((sent = uring_send(fd, payload, o->size)) < 0 && errno == EAGAIN) pause_until(now() + 0.0005);
  } else if (o->method == METHOD_MMSG) {
    struct iovec part = {payload, o->size};
    struct mmsghdr message = {.msg_hdr = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_name = (void *)to, .msg_namelen = to ? peer->length : 0}};
    sent = sendmmsg(fd, &message, 1, 0) == 1 ? (ssize_t)message.msg_len : -1;
  } else {
    sent = sendto(fd, payload, o->size, 0, to, to ? peer->length : 0);
  }
  if (sent != (ssize_t)o->size) fail("a datagram was not sent");
  totals.sent += o->size;
  totals.datagrams++;
}

static void receive_one(int fd, const struct options *o) {
  ssize_t received;
  unsigned char bytes[sizeof payload];
  if (o->method == METHOD_URING) {
    double limit = now() + 20;
    while ((received = uring_receive(fd, bytes, sizeof bytes)) < 0 && errno == EAGAIN && now() < limit)
      pause_until(now() + 0.0002);
  } else {
    received = recv(fd, bytes, sizeof bytes, 0);
  }
  if (received < 0) fail("no answer");
  totals.received += (uint64_t)received;
}

int udp_client(const struct options *options) {
  struct address peer = resolve(options->host, options->port);
  int fd = udp_socket(&peer);
  struct timeval limit = {.tv_sec = 60};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  struct address local = {.storage.ss_family = peer.storage.ss_family, .length = peer.length};
  set_port(&local, options->source_port);
  if (bind(fd, (struct sockaddr *)&local.storage, local.length)) fail("bind");
  if (options->connected && connect(fd, (struct sockaddr *)&peer.storage, peer.length)) fail("connect");
  say("{\"connected\":%d}", local_port(fd));
  gate(options);
  double start = now();
  uint64_t waiting = 0;
  for (uint64_t i = 1; i <= options->count; i++) {
    bool ask = i % options->window == 0 || i == options->count;
    payload[0] = options->echo ? SAME_AGAIN : ask ? SHORT_ANSWER : NO_ANSWER;
    if (options->rate) pause_until(start + (double)totals.sent / (double)options->rate);
    send_one(fd, &peer, options);
    waiting += payload[0] != NO_ANSWER;
    for (; waiting && (ask || !options->echo); waiting--) receive_one(fd, options);
    if (options->step && i == options->count / 2) {
      report();
      wait_for_byte();
    }
  }
  totals.connections = 1;
  report();
  hold(options);
  return 0;
}

static int *connected_sockets(const struct options *options) {
  // As many as are allowed without a privilege.
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit)) fail("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit)) fail("setrlimit");
  int *sockets = calloc(options->count, sizeof *sockets);
  if (sockets == NULL) fail("calloc");
  return sockets;
}

// One datagram to each of --count addresses: as many flows. From one socket, with --connected from one for each, at --bind.
int udp_scatter(const struct options *options) {
  struct address peer = resolve(options->host, options->port);
  struct sockaddr_in *to = (struct sockaddr_in *)&peer.storage;
  errno = 0;
  if (to->sin_family != AF_INET) fail("an IPv4 address is needed");
  uint32_t start = ntohl(to->sin_addr.s_addr);
  int fd = udp_socket(&peer), *sockets = options->connected ? connected_sockets(options) : NULL;
  // All have ports of their own only at one address.
  struct address local = resolve(options->bind, 0);
  uint64_t rounds[] = {options->count, options->after};
  for (int round = 0; round < 2; round++) {
    for (uint64_t i = 0; i < rounds[round]; i++) {
      to->sin_addr.s_addr = htonl(start + (uint32_t)i);
      if (sockets && round == 0) {
        sockets[i] = udp_socket(&peer);
        if (bind(sockets[i], (struct sockaddr *)&local.storage, local.length)) fail("bind to %s", options->bind);
        if (connect(sockets[i], (struct sockaddr *)to, peer.length)) fail("connect");
      }
      if (sockets) fd = sockets[i];
      // ENOBUFS: the wire's queue is full.
      while (sendto(fd, payload, options->size, 0, (struct sockaddr *)to, peer.length) < 0) {
        if (errno != ENOBUFS && errno != EAGAIN) fail("a datagram was not sent");
        pause_until(now() + 0.0005);
      }
      totals.sent += options->size;
      totals.datagrams++;
    }
    report();
    if (round == 0) gate(options);
  }
  hold(options);
  return 0;
}

int udp_server(const struct options *options) {
  stop_on_signals();
  struct address local = resolve(options->bind, options->port);
  int fd = udp_socket(&local);
  if (bind(fd, (struct sockaddr *)&local.storage, local.length)) fail("bind to %s", options->bind);
  say("{\"ready\":%d,\"pid\":%d}", local_port(fd), getpid());
  unsigned char(*bytes)[sizeof payload] = malloc(BATCH * sizeof *bytes);
  while (true) {
    struct mmsghdr messages[BATCH];
    struct iovec parts[BATCH];
    struct sockaddr_in6 peers[BATCH];
    for (int i = 0; i < BATCH; i++) {
      parts[i] = (struct iovec){bytes[i], sizeof *bytes};
      messages[i] = (struct mmsghdr){.msg_hdr = {
          .msg_iov = &parts[i], .msg_iovlen = 1, .msg_name = &peers[i], .msg_namelen = sizeof peers[i]}};
    }
    if (stopped > LAST_STOP) break;
    // MSG_WAITFORONE: at least one, then what is there. When it is stopped it still takes what has come.
    int flags = stopped ? MSG_DONTWAIT : MSG_WAITFORONE;
    int count = recvmmsg(fd, messages, options->method == METHOD_MMSG ? BATCH : 1, flags, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN && flags == MSG_DONTWAIT) break;
    if (count < 0) fail("recvmmsg");
    for (int i = 0; i < count; i++) {
      totals.received += messages[i].msg_len;
      totals.datagrams++;
      if (messages[i].msg_len == 0 || bytes[i][0] == NO_ANSWER) continue;
      size_t length = bytes[i][0] == SAME_AGAIN ? messages[i].msg_len : SHORT;
      if (sendto(fd, bytes[i], length, 0, (struct sockaddr *)&peers[i], messages[i].msg_hdr.msg_namelen) < 0)
        fail("an answer was not sent");
      totals.sent += length;
    }
  }
  report();
  return 0;
}

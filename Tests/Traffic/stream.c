#define _GNU_SOURCE
#include "traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

bool stream_finished(const struct stream *s) {
  return s->sent == s->to_send && (s->received >= s->to_receive || s->ended);
}

short stream_events(const struct stream *s) {
  return (short)((s->sent < s->to_send ? POLLOUT : 0) | (s->ended ? 0 : POLLIN));
}

static bool not_ready(ssize_t moved) { return moved < 0 && (errno == EAGAIN || errno == EINTR); }

void stream_step(struct stream *s, short events, const struct options *options) {
  if (events & (POLLIN | POLLHUP | POLLERR) && !s->ended) {
    ssize_t received = pull(s->fd, sizeof payload, options->method);
    if (received < 0 && !not_ready(received)) fail("receive");
    s->ended = received == 0;
    if (received > 0) s->received += (uint64_t)received, totals.received += (uint64_t)received;
  }
  if (events & POLLOUT && s->sent < s->to_send) {
    // At a given rate: a twentieth of a second's bytes at a time.
    uint64_t most = options->rate ? options->rate / 20 + 1 : sizeof payload;
    uint64_t rest = s->to_send - s->sent;
    ssize_t sent = push(s->fd, rest < most ? rest : most, options->method);
    if (sent < 0 && !not_ready(sent)) fail("send");
    if (sent > 0) s->sent += (uint64_t)sent, totals.sent += (uint64_t)sent;
  }
}

void run_streams(struct stream *streams, size_t count, const struct options *options) {
  struct pollfd *polled = calloc(count, sizeof *polled);
  double start = now();
  uint64_t before = totals.sent;
  for (;;) {
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
      bool finished = stream_finished(&streams[i]);
      polled[i] = (struct pollfd){.fd = finished ? -1 : streams[i].fd, .events = stream_events(&streams[i])};
      open += !finished;
    }
    if (open == 0) break;
    if (options->rate) pause_until(start + (double)(totals.sent - before) / (double)options->rate);
    int ready = poll(polled, count, 60000);
    if (ready < 0 && errno != EINTR) fail("poll");
    errno = 0;
    if (ready == 0) fail("nothing moved for 60 s");
    for (size_t i = 0; i < count; i++) {
      stream_step(&streams[i], polled[i].revents, options);
      errno = 0;
      if (streams[i].ended && streams[i].received < streams[i].to_receive) fail("the peer closed too early");
    }
  }
  free(polled);
}

// SIOCOUTQ counts what the peer's TCP has not acknowledged (tcp(7)).
void wait_until_acknowledged(int fd) {
  double limit = now() + 20;
  for (int unsent = 1; unsent > 0;) {
    if (ioctl(fd, SIOCOUTQ, &unsent)) fail("SIOCOUTQ");
    if (now() > limit) fail("not acknowledged within 20 s");
    if (unsent > 0) pause_until(now() + 0.001);
  }
}

// What was sent again makes a stream longer than payload and headers; what arrived in another order makes its
// acknowledgements longer.
void count_disorder(int fd) {
  struct tcp_info info = {0};
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length)) fail("TCP_INFO");
  totals.retransmitted += info.tcpi_bytes_retrans;
  totals.reordered += info.tcpi_reord_seen;
}

// IPPROTO_MPTCP is newer than some C libraries.
int stream_protocol(const struct options *options) {
  return options->sctp ? IPPROTO_SCTP : options->mptcp ? 262 : 0;
}

// A socket stays in the network namespace in which it was made.
static int make_socket(int family, const struct options *options) {
  bool elsewhere = options->network && !options->keep;
  int home = -1;
  if (elsewhere) {
    home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    enter(open(options->network, O_RDONLY | O_CLOEXEC));
  }
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, stream_protocol(options));
  if (fd < 0) fail("socket");
  if (elsewhere) enter(home);
  return fd;
}

int connect_tcp(const struct options *options) {
  struct address peer = resolve(options->host, options->port);
  int fd = make_socket(peer.storage.ss_family, options);
  if (options->source_port) {
    struct address local = {.storage.ss_family = peer.storage.ss_family, .length = peer.length};
    set_port(&local, options->source_port);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&local.storage, local.length)) fail("bind to port %d", options->source_port);
  }
  if (connect(fd, (struct sockaddr *)&peer.storage, peer.length)) fail("connect to %s", options->host);
  if (fcntl(fd, F_SETFL, O_NONBLOCK)) fail("O_NONBLOCK");
  totals.connections++;
  return fd;
}

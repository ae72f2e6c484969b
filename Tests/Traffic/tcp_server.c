#define _GNU_SOURCE
#include "traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { MOST = 256 };

static int bound_to(const struct options *options, const char *port) {
  struct address local = resolve(options->bind, port);
  int fd = socket(local.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, stream_protocol(options));
  if (fd < 0) fail("socket");
  int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (options->workers && !options->prefork) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&local.storage, local.length)) fail("bind to %s %s", options->bind, port);
  return fd;
}

// As inetd does: a program of its own for each connection.
static void delegate(int fd, const struct options *options) {
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    char number[16], size[32], rate[32];
    snprintf(number, sizeof number, "%d", fd);
    snprintf(size, sizeof size, "%llu", (unsigned long long)options->send);
    snprintf(rate, sizeof rate, "%llu", (unsigned long long)options->rate);
    if (fcntl(fd, F_SETFD, 0)) fail("F_SETFD");
    execl(options->exec, options->exec, "tcp-resume", "--fd", number, "--after", size, "--rate", rate, (char *)0);
    fail("exec %s", options->exec);
  }
  close(fd);
  totals.connections++;
}

// Sends --send bytes on each connection and takes what comes until the client ends it. When it is stopped it still takes
// what has come: unread bytes would end a connection by a reset.
static void serve(int listener, const struct options *options) {
  struct stream streams[MOST];
  size_t count = 0;
  while (true) {
    bool stops = stopped;
    struct pollfd polled[MOST + 1] = {{.fd = count < MOST && !stops ? listener : -1, .events = POLLIN}};
    for (size_t i = 0; i < count; i++) {
      short events = stream_events(&streams[i]);
      int fd = stops && streams[i].ended ? -1 : streams[i].fd;
      polled[i + 1] = (struct pollfd){.fd = fd, .events = stops ? events & POLLIN : events};
    }
    int ready = poll(polled, count + 1, stops ? 0 : -1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) fail("poll");
    if (ready == 0 || stopped > LAST_STOP) return;
    for (size_t i = count; i-- > 0;) {
      stream_step(&streams[i], polled[i + 1].revents, options);
      if (!stream_finished(&streams[i])) continue;
      if (!options->sctp) count_disorder(streams[i].fd);
      close(streams[i].fd);
      streams[i] = streams[--count];
    }
    if (!(polled[0].revents & POLLIN)) continue;
    // Another worker may have been faster.
    int fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) continue;
    if (options->exec) {
      delegate(fd, options);
      continue;
    }
    streams[count++] = (struct stream){.fd = fd, .to_send = options->send, .to_receive = UINT64_MAX};
    totals.connections++;
    // As one who works on a request before the next is taken.
    if (options->work) pause_until(now() + options->work * 1e-3);
  }
}

int tcp_server(const struct options *options) {
  stop_on_signals();
  // Nobody waits for those who serve.
  if (options->exec) signal(SIGCHLD, SIG_IGN);
  // Bound, not listening: with SO_REUSEPORT it keeps the port and takes no connection from the workers.
  int listener = bound_to(options, options->port);
  int port = local_port(listener);
  if (options->workers && options->prefork) {
    if (listen(listener, 128)) fail("listen");
    // As with socket activation: nobody accepts yet, and the parent never will.
    if (options->gate) say("{\"ready\":%d,\"pid\":%d}", port, getpid());
    gate(options);
  }
  if (options->workers) become_workers(options);
  if (options->workers && !options->prefork) {
    char text[8];
    snprintf(text, sizeof text, "%d", port);
    close(listener);
    listener = bound_to(options, text);
  }
  if (listen(listener, 128)) fail("listen");
  say("{\"ready\":%d,\"pid\":%d}", port, getpid());
  if (!options->workers) gate(options);
  serve(listener, options);
  report();
  return 0;
}

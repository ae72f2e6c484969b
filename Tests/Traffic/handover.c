#define _GNU_SOURCE
#include "traffic.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// Connections that change hands: by fork, by exec, by SCM_RIGHTS.

static void move(int fd, uint64_t to_send, const struct options *options) {
  struct stream stream = {.fd = fd, .to_send = to_send};
  run_streams(&stream, 1, options);
  wait_until_acknowledged(fd);
}

static int connect_and_send(const struct options *options) {
  int fd = connect_tcp(options);
  say("{\"connected\":%d,\"pid\":%d}", local_port(fd), getpid());
  move(fd, options->send, options);
  return fd;
}

static int go_on(int fd, const struct options *options) {
  gate(options);
  move(fd, options->after, options);
  // Of the connection's whole life: whoever had it before has not counted it.
  count_disorder(fd);
  report();
  hold(options);
  return 0;
}

int tcp_fork(const struct options *options) {
  int fd = connect_and_send(options);
  report();
  pid_t parent = getpid(), child = fork();
  if (child < 0) fail("fork");
  if (child > 0) return 0;
  // A process of its own from here on: it counts from zero and starts once the parent is gone.
  while (getppid() == parent) pause_until(now() + 0.001);
  totals = (struct totals){0};
  say("{\"child\":%d}", getpid());
  return go_on(fd, options);
}

int tcp_exec(const struct options *options) {
  int fd = connect_and_send(options);
  report();
  gate(options);
  char number[16], size[32];
  snprintf(number, sizeof number, "%d", fd);
  snprintf(size, sizeof size, "%llu", (unsigned long long)options->after);
  if (fcntl(fd, F_SETFD, 0)) fail("F_SETFD");
  execl(options->exec, options->exec, "tcp-resume", "--fd", number, "--after", size,
        options->hold ? "--hold" : (char *)0, (char *)0);
  fail("exec %s", options->exec);
}

int tcp_resume(const struct options *options) { return go_on(options->fd, options); }

static void give(int channel, int fd) {
  char byte = 0, control[CMSG_SPACE(sizeof fd)] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){
      .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof fd)};
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(channel, &message, 0) != 1) fail("sendmsg of a descriptor");
}

static int take(int channel) {
  int fd;
  char byte, control[CMSG_SPACE(sizeof fd)] = {0};
  struct iovec part = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(channel, &message, MSG_CMSG_CLOEXEC) != 1) fail("recvmsg of a descriptor");
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS) fail("no descriptor came");
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

int tcp_pass(const struct options *options) {
  int channel[2], status = 0;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel)) fail("socketpair");
  pid_t child = fork();
  if (child < 0) fail("fork");
  if (child == 0) {
    close(channel[0]);
    int fd = take(channel[1]);
    say("{\"child\":%d}", getpid());
    return go_on(fd, options);
  }
  close(channel[1]);
  int fd = connect_and_send(options);
  report();
  give(channel[0], fd);
  // With --keep both hold the socket.
  if (!options->keep) close(fd);
  if (waitpid(child, &status, 0) != child) fail("waitpid");
  return status != 0;
}

#define _GNU_SOURCE
#include "traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>

unsigned char payload[1 << 16];

static size_t at_most(size_t length) { return length < sizeof payload ? length : sizeof payload; }

// A file in memory to send from.
static int source(void) {
  static int fd = -1;
  if (fd >= 0) return fd;
  fd = memfd_create("payload", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, sizeof payload)) fail("memfd_create");
  return fd;
}

static int pipes[2] = {-1, -1};
static size_t in_pipe;

static void open_pipe(void) {
  if (pipes[0] < 0 && pipe2(pipes, O_CLOEXEC)) fail("pipe2");
}

// What a full socket left in the pipe goes first, so that nothing is sent twice or lost.
static ssize_t push_spliced(int fd, size_t length) {
  open_pipe();
  if (in_pipe == 0) {
    loff_t offset = 0;
    ssize_t filled = splice(source(), &offset, pipes[1], 0, at_most(length), 0);
    if (filled <= 0) fail("splice into a pipe");
    in_pipe = (size_t)filled;
  }
  ssize_t sent = splice(pipes[0], 0, fd, 0, in_pipe, SPLICE_F_NONBLOCK);
  if (sent > 0) in_pipe -= (size_t)sent;
  return sent;
}

static ssize_t pull_spliced(int fd, size_t length) {
  open_pipe();
  ssize_t received = splice(fd, 0, pipes[1], 0, at_most(length), SPLICE_F_NONBLOCK);
  for (ssize_t rest = received; rest > 0;) {
    ssize_t taken = read(pipes[0], payload, at_most((size_t)rest));
    if (taken <= 0) fail("read from a pipe");
    rest -= taken;
  }
  return received;
}

static ssize_t push_messages(int fd, size_t length) {
  struct iovec part = {payload, at_most(length) / 2}, rest = {payload, at_most(length) - part.iov_len};
  struct mmsghdr messages[2] = {
      {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &rest, .msg_iovlen = 1}}};
  int first = part.iov_len == 0;
  int count = sendmmsg(fd, messages + first, 2 - (unsigned)first, MSG_NOSIGNAL);
  if (count < 0) return -1;
  ssize_t sent = 0;
  for (int i = 0; i < count; i++) sent += messages[first + i].msg_len;
  return sent;
}

static ssize_t pull_messages(int fd, size_t length) {
  struct iovec part = {payload, at_most(length)};
  struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
  return recvmmsg(fd, &message, 1, 0, 0) < 0 ? -1 : (ssize_t)message.msg_len;
}

ssize_t push(int fd, size_t length, enum method method) {
  off_t start = 0;
  switch (method) {
  case METHOD_SENDFILE: return sendfile(fd, source(), &start, at_most(length));
  case METHOD_SPLICE: return push_spliced(fd, length);
  case METHOD_MMSG: return push_messages(fd, length);
  case METHOD_URING: return uring_send(fd, payload, at_most(length));
  case METHOD_PLAIN: break;
  }
  return send(fd, payload, at_most(length), MSG_NOSIGNAL);
}

ssize_t pull(int fd, size_t length, enum method method) {
  switch (method) {
  case METHOD_SPLICE: return pull_spliced(fd, length);
  case METHOD_MMSG: return pull_messages(fd, length);
  case METHOD_URING: return uring_receive(fd, payload, at_most(length));
  case METHOD_SENDFILE: case METHOD_PLAIN: break;
  }
  return recv(fd, payload, at_most(length), 0);
}

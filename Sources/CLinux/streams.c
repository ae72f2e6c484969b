#define _GNU_SOURCE
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

int clinux_stream_socket(int family) {
  return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

int clinux_accept(int listener, void *address) {
  socklen_t length = sizeof(struct sockaddr_storage);
  return accept4(listener, address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t clinux_splice(int from, int to, size_t length) {
  // The C library's splice() is a cancellation point, which costs two more calls. Nobody cancels our threads.
  ssize_t count;
  do count = syscall(SYS_splice, from, NULL, to, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  while (count < 0 && errno == EINTR);
  return count;
}

int clinux_resize_pipe(int pipe, int bytes) { return fcntl(pipe, F_SETPIPE_SZ, bytes); }

int clinux_pipe_size(int pipe) { return fcntl(pipe, F_GETPIPE_SZ); }

ssize_t clinux_write_now(int file, const void *bytes, size_t length) {
  struct iovec piece = {.iov_base = (void *)bytes, .iov_len = length};
  return pwritev2(file, &piece, 1, -1, RWF_NOWAIT);
}

#define _GNU_SOURCE
#include "streams.h"

#include <fcntl.h>

int clinux_accept(int listener, struct sockaddr_storage *address) {
  socklen_t length = sizeof *address;
  return accept4(listener, (struct sockaddr *)address, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t clinux_splice(int from, int to, size_t length) {
  return splice(from, NULL, to, NULL, length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

int clinux_resize_pipe(int pipe, int bytes) { return fcntl(pipe, F_SETPIPE_SZ, bytes); }

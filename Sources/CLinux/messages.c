#define _GNU_SOURCE
#include "messages.h"

#include <errno.h>
#include <sys/socket.h>

int clinux_receive_many(int socket, void *buffer, size_t size, ssize_t lengths[CLINUX_DATAGRAMS]) {
  struct mmsghdr messages[CLINUX_DATAGRAMS] = {0};
  struct iovec places[CLINUX_DATAGRAMS];
  for (int index = 0; index < CLINUX_DATAGRAMS; index++) {
    places[index] = (struct iovec){.iov_base = (char *)buffer + index * size, .iov_len = size};
    messages[index].msg_hdr.msg_iov = &places[index];
    messages[index].msg_hdr.msg_iovlen = 1;
  }
  int count;
  do count = recvmmsg(socket, messages, CLINUX_DATAGRAMS, MSG_WAITFORONE | MSG_TRUNC, NULL);
  while (count < 0 && errno == EINTR);
  for (int index = 0; index < count; index++) lengths[index] = messages[index].msg_len;
  return count;
}

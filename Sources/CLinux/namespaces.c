#define _GNU_SOURCE
#include "namespaces.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>

struct visit {
  int namespace_descriptor;
  int protocol;
  int socket;
  int error;
};

static void *enter(void *argument) {
  struct visit *visit = argument;
  if (setns(visit->namespace_descriptor, CLONE_NEWNET) == 0)
    visit->socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, visit->protocol);
  visit->error = errno;
  return NULL;
}

int clinux_netlink_socket_in(int descriptor, int protocol) {
  struct visit visit = {.namespace_descriptor = descriptor, .protocol = protocol, .socket = -1};
  // Signals are for the threads that were there before: a new one has the mask of its maker.
  sigset_t all, before;
  sigfillset(&all);
  // By this one a thread is asked to give up capabilities.
  sigdelset(&all, SIGSYS);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int error = pthread_create(&thread, NULL, enter, &visit);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (error != 0) {
    errno = error;
    return -1;
  }
  pthread_join(thread, NULL);
  if (visit.socket < 0) errno = visit.error;
  return visit.socket;
}

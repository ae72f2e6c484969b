#define _GNU_SOURCE
#include "traffic.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

// Connections that the process's own files in /proc do not show, or that are in another network namespace than it.

static struct options chosen;
static pthread_t main_thread;

static void *work(void *unused) {
  (void)unused;
  if (chosen.keep && unshare(CLONE_FILES)) fail("unshare");
  if (!chosen.keep) pthread_join(main_thread, 0);
  exit(tcp_client(&chosen));
}

int tcp_thread(const struct options *options) {
  chosen = *options;
  main_thread = pthread_self();
  pthread_t thread;
  if (pthread_create(&thread, 0, work, 0)) fail("pthread_create");
  // With --keep the main thread stays, and the other one has descriptors of its own.
  if (chosen.keep) pthread_join(thread, 0);
  pthread_exit(0);
}

void enter(int network) {
  if (network < 0 || setns(network, CLONE_NEWNET)) fail("entering a network namespace");
  close(network);
}

static void *work_elsewhere(void *unused) {
  (void)unused;
  enter(open(chosen.network, O_RDONLY | O_CLOEXEC));
  exit(tcp_client(&chosen));
}

int tcp_elsewhere(const struct options *options) {
  chosen = *options;
  // Without --keep only the socket is made there.
  if (!chosen.keep) return tcp_client(options);
  pthread_t thread;
  if (pthread_create(&thread, 0, work_elsewhere, 0)) fail("pthread_create");
  pthread_join(thread, 0);
  return 1;
}

#define _GNU_SOURCE
#include "traffic.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

// A connection of a thread that the process's own files in /proc do not show.

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

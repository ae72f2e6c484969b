#define _GNU_SOURCE
#include "first_thread.h"

#include "privileges.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

// What the thread does and what it is to run next, all under the lock. It is busy from when it is given something.
static enum { none, idle, busy } state = none;
static void *(*next_body)(void *);
static void *next_argument;
// Whether it has what others gave up.
static int has_priority;

static int start(void *(*body)(void *), void *argument) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, body, argument);
  if (error == 0) pthread_detach(thread);
  return error;
}

static void *serve(void *unused) {
  (void)unused;
  clinux_keep_priority();
  pthread_mutex_lock(&lock);
  has_priority = clinux_has_priority();
  for (;;) {
    while (next_body == NULL) pthread_cond_wait(&changed, &lock);
    void *(*body)(void *) = next_body;
    void *argument = next_argument;
    next_body = NULL;
    pthread_mutex_unlock(&lock);
    body(argument);
    pthread_mutex_lock(&lock);
    state = idle;
    pthread_cond_broadcast(&changed);
  }
  return NULL;
}

/// Waits until what it runs has returned, for a second at most: a listener reports its failure before it returns. Under the
/// lock.
static void wait_until_idle(void) {
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec++;
  while (state == busy && pthread_cond_clockwait(&changed, &lock, CLOCK_MONOTONIC, &end) != ETIMEDOUT) continue;
}

/// Has it run `body`, and makes it where there is none. Returns 0, or an error number if it cannot. Under the lock.
static int give(void *(*body)(void *), void *argument) {
  if (state == busy) return EBUSY;
  int error = state == none ? start(serve, NULL) : 0;
  if (error != 0) return error;
  state = busy;
  next_body = body;
  next_argument = argument;
  pthread_cond_broadcast(&changed);
  return 0;
}

int clinux_start_thread(void *(*body)(void *), void *argument, int comes_first) {
  if (!comes_first) return start(body, argument);
  pthread_mutex_lock(&lock);
  if (state == busy && has_priority && !clinux_has_priority()) wait_until_idle();
  int error = give(body, argument);
  pthread_mutex_unlock(&lock);
  return error == 0 ? 0 : start(body, argument);
}

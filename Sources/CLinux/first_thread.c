#define _GNU_SOURCE
#include "first_thread.h"

#include "privileges.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

// Whether there is the thread, and what it is to run next; all under the lock.
static enum { none, idle, busy } state = none;
static void *(*next_body)(void *);
static void *next_argument;

static int start(void *(*body)(void *), void *argument) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, body, argument);
  if (error == 0) pthread_detach(thread);
  return error;
}

static void *serve(void *unused) {
  (void)unused;
  prctl(PR_SET_NAME, "flow-events", 0L, 0L, 0L);
  clinux_keep_priority();
  pthread_mutex_lock(&lock);
  for (;;) {
    state = idle;
    pthread_cond_broadcast(&changed);
    while (next_body == NULL) pthread_cond_wait(&changed, &lock);
    void *(*body)(void *) = next_body;
    next_body = NULL;
    pthread_mutex_unlock(&lock);
    body(next_argument);
    pthread_mutex_lock(&lock);
  }
  return NULL;
}

/// Makes the thread if there is none; under the lock.
static int make(void) {
  int error = state == none ? start(serve, NULL) : 0;
  while (error == 0 && state == none) pthread_cond_wait(&changed, &lock);
  return error;
}

/// Gives it what it runs a moment to return: one that failed says so before. Under the lock.
static void wait_until_idle(void) {
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_nsec += 100000000;
  if (end.tv_nsec >= 1000000000) end.tv_sec++, end.tv_nsec -= 1000000000;
  while (state == busy && pthread_cond_clockwait(&changed, &lock, CLOCK_MONOTONIC, &end) != ETIMEDOUT) continue;
}

int clinux_reserve_first_thread(void) {
  pthread_mutex_lock(&lock);
  int error = make();
  pthread_mutex_unlock(&lock);
  return error;
}

int clinux_start_thread(void *(*body)(void *), void *argument, int comes_first) {
  if (!comes_first) return start(body, argument);
  pthread_mutex_lock(&lock);
  int error = make();
  // A new thread has what this one has: where that is enough, nothing is waited for.
  if (error == 0 && state == busy && !clinux_has_priority()) wait_until_idle();
  int is_mine = error == 0 && state == idle;
  if (is_mine) {
    state = busy;
    next_body = body;
    next_argument = argument;
    pthread_cond_broadcast(&changed);
  }
  pthread_mutex_unlock(&lock);
  return is_mine ? 0 : start(body, argument);
}

#define _GNU_SOURCE
#include "starter.h"

#include "privileges.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

// What the starter is to do, and what it did; all under the lock.
static enum { none, idle, asked, answered } state = none;
static void *(*wanted_body)(void *);
static void *wanted_argument;
static int result;

static int start(void *(*body)(void *), void *argument) {
  pthread_t thread;
  int error = pthread_create(&thread, NULL, body, argument);
  if (error == 0) pthread_detach(thread);
  return error;
}

static void *serve(void *unused) {
  (void)unused;
  prctl(PR_SET_NAME, "flow-starter", 0L, 0L, 0L);
  clinux_keep_priority();
  pthread_mutex_lock(&lock);
  state = idle;
  pthread_cond_broadcast(&changed);
  for (;;) {
    while (state != asked) pthread_cond_wait(&changed, &lock);
    result = start(wanted_body, wanted_argument);
    state = answered;
    pthread_cond_broadcast(&changed);
  }
  return NULL;
}

int clinux_reserve_starter(void) {
  pthread_mutex_lock(&lock);
  int error = state == none ? start(serve, NULL) : 0;
  while (error == 0 && state == none) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  return error;
}

int clinux_start_thread(void *(*body)(void *), void *argument, int by_starter) {
  if (!by_starter) return start(body, argument);
  pthread_mutex_lock(&lock);
  if (state == none) {
    pthread_mutex_unlock(&lock);
    return start(body, argument);
  }
  while (state != idle) pthread_cond_wait(&changed, &lock);
  wanted_body = body;
  wanted_argument = argument;
  state = asked;
  pthread_cond_broadcast(&changed);
  while (state != answered) pthread_cond_wait(&changed, &lock);
  int error = result;
  state = idle;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  return error;
}

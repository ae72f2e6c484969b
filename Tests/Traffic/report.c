#include "traffic.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped++;
  // Once a second from now on: the loop may have been just about to wait.
  alarm(1);
}

// No SA_RESTART: a blocking call returns EINTR and its loop sees `stopped`.
void stop_on_signals(void) {
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, 0);
  sigaction(SIGINT, &action, 0);
  sigaction(SIGALRM, &action, 0);
}

void say(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  line[length++] = '\n';
  if (write(STDOUT_FILENO, line, (size_t)length) != length) exit(74);
}

void report(void) {
  say("{\"pid\":%d,\"sent\":%llu,\"received\":%llu,\"datagrams\":%llu,\"connections\":%llu,\"retransmitted\":%llu,"
      "\"reordered\":%llu,\"seconds\":%.6f}",
      getpid(),
      (unsigned long long)totals.sent, (unsigned long long)totals.received, (unsigned long long)totals.datagrams,
      (unsigned long long)totals.connections, (unsigned long long)totals.retransmitted,
      (unsigned long long)totals.reordered, now() - beginning);
}

void fail(const char *format, ...) {
  int cause = errno;
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "traffic: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, cause ? ": %s\n" : "\n", strerror(cause));
  va_end(arguments);
  exit(1);
}

void wait_for_byte(void) {
  char byte;
  while (!stopped && read(STDIN_FILENO, &byte, 1) < 0 && errno == EINTR) {}
}

void gate(const struct options *options) {
  if (options->gate) wait_for_byte();
}

void hold(const struct options *options) {
  if (options->hold) wait_for_byte();
}

double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void pause_until(double when) {
  double rest = when - now();
  if (rest <= 0) return;
  struct timespec time = {.tv_sec = (time_t)rest, .tv_nsec = (long)((rest - (double)(time_t)rest) * 1e9)};
  nanosleep(&time, 0);
}

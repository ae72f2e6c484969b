#define _GNU_SOURCE
#include "fakenet.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// All that the device has; what is due goes out in between, so that a burst delays no answer.
static void receive(int device) {
  static uint8_t bytes[MAX_PACKET];
  for (;;) {
    ssize_t length = read(device, bytes, sizeof bytes);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // EIO: a test has set the device down.
    if (length < 0 && errno != EIO) fail("read: %s", strerror(errno));
    if (length < 0) return;
    int64_t time = now();
    handle(bytes, (size_t)length, time);
    send_due(device, time);
  }
}

// Signals come only while it waits.
static void run(int device, const sigset_t *waiting_mask) {
  struct pollfd files[2] = {{.fd = device, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
  while (!stopped) {
    int64_t due = next_due(), rest = due < 0 ? 0 : due - now();
    if (rest < 0) rest = 0;
    struct timespec limit = {.tv_sec = rest / 1000000000, .tv_nsec = rest % 1000000000};
    int found = ppoll(files, 2, due < 0 ? 0 : &limit, waiting_mask);
    if (found < 0 && errno != EINTR) fail("ppoll: %s", strerror(errno));
    send_due(device, now());
    if (found <= 0) continue;
    if (files[0].revents & POLLIN) receive(device);
    if (files[1].revents && !read_commands()) return;
  }
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s SCENARIO\n", argv[0]);
    return 64;
  }
  signal(SIGPIPE, SIG_IGN);
  struct sigaction action = {.sa_handler = stop};
  sigset_t signals, waiting_mask;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, &waiting_mask);
  sigaction(SIGTERM, &action, 0);
  sigaction(SIGINT, &action, 0);
  // Waiting ends when it should, not up to 50 us later.
  prctl(PR_SET_TIMERSLACK, 1UL);
  read_scenario(argv[1]);
  int device = open_device();
  say("ready");
  run(device, &waiting_mask);
  say_counters(0);
  return 0;
}

#define _GNU_SOURCE
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t wake_descriptor = -1;

static void wake(int number) {
  int saved = errno;
  unsigned char byte = (unsigned char)number;
  // A full pipe means that the loop has enough to wake for.
  ssize_t written = write(wake_descriptor, &byte, 1);
  (void)written;
  errno = saved;
}

int clinux_catch_signals(int descriptor) {
  static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
  wake_descriptor = descriptor;
  struct sigaction action = {.sa_handler = wake, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  for (size_t index = 0; index < sizeof caught / sizeof *caught; index++) {
    if (sigaction(caught[index], &action, NULL) != 0) return -1;
  }
  return clinux_ignore_broken_pipes();
}

int clinux_ignore_broken_pipes(void) {
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  return sigaction(SIGPIPE, &ignore, NULL);
}

int clinux_pipe(int ends[2]) { return pipe2(ends, O_NONBLOCK | O_CLOEXEC); }

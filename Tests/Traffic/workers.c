#define _GNU_SOURCE
#include "traffic.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// The parent only waits for the end and passes it on.
void become_workers(const struct options *options) {
  sigset_t ends, before;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  sigprocmask(SIG_BLOCK, &ends, &before);
  pid_t *workers = calloc(options->workers, sizeof *workers);
  for (uint64_t i = 0; i < options->workers; i++) {
    workers[i] = fork();
    if (workers[i] < 0) fail("fork");
    if (workers[i] > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    sigprocmask(SIG_SETMASK, &before, 0);
    free(workers);
    return;
  }
  int signal;
  sigwait(&ends, &signal);
  int worst = 0;
  for (uint64_t i = 0; i < options->workers; i++) {
    int status;
    kill(workers[i], SIGTERM);
    if (waitpid(workers[i], &status, 0) < 0 || status != 0) worst = 1;
  }
  exit(worst);
}

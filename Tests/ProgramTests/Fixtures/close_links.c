// Closes, at SIGUSR2, the descriptors that keep the BPF programs of a process at work, as a fault in it would.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void close_links(int number) {
  (void)number;
  int before = errno;
  for (int descriptor = 3; descriptor < 1024; descriptor++) {
    char path[32], kind[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(path, kind, sizeof kind - 1);
    if (length < 0) continue;
    kind[length] = 0;
    if (!strcmp(kind, "anon_inode:bpf_link")) close(descriptor);
  }
  errno = before;
}

__attribute__((constructor)) static void start(void) {
  struct sigaction action = {.sa_handler = close_links, .sa_flags = SA_RESTART};
  sigaction(SIGUSR2, &action, NULL);
}

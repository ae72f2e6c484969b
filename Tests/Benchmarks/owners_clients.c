// Short-lived programs that open a connection, and a crowd of idle ones around them.
//
//   owners_clients run TRIALS PORT HOLD_US exec|fork [MOST]   a process for each connection, one after the other; each
//       sends 1 + PID % MOST bytes, none without MOST, and writes "PID LOCAL_PORT NANOSECONDS" (CLOCK_MONOTONIC just
//       before connect) when its connection is closed
//   owners_clients crowd COUNT DESCRIPTORS             idle processes; a line when all are there
//   owners_clients serve PORT                          accepts connections and reads them to their end
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <signal.h>

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void pause_for(long microseconds) {
  struct timespec time = {.tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000};
  nanosleep(&time, NULL);
}

static int once(int port, long hold, int most) {
  static char payload[4096];
  struct sockaddr_in remote = loopback(port), local;
  socklen_t length = sizeof local;
  struct timespec start;
  int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  clock_gettime(CLOCK_MONOTONIC, &start);
  if (connect(descriptor, (struct sockaddr *)&remote, sizeof remote) != 0) return 1;
  // Costs less than a microsecond, and nothing can tell the port after the end.
  getsockname(descriptor, (struct sockaddr *)&local, &length);
  if (most > 0 && write(descriptor, payload, 1 + getpid() % most) < 0) return 1;
  if (hold > 0) pause_for(hold);
  close(descriptor);
  dprintf(1, "%d %d %lld\n", getpid(), ntohs(local.sin_port), start.tv_sec * 1000000000LL + start.tv_nsec);
  return 0;
}

static int run(char **arguments, const char *most) {
  int trials = atoi(arguments[0]), port = atoi(arguments[1]);
  long hold = atol(arguments[2]);
  int is_exec = strcmp(arguments[3], "exec") == 0;
  for (int trial = 0; trial < trials; trial++) {
    pid_t child = fork();
    if (child == 0) {
      if (!is_exec) _exit(once(port, hold, atoi(most)));
      execl("/proc/self/exe", "owners-client", "once", arguments[1], arguments[2], most, (char *)NULL);
      _exit(127);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) return 1;
    pause_for(500 + random() % 1000);
  }
  return 0;
}

static int crowd(int count, int descriptors) {
  for (int index = 0; index < count; index++) {
    if (fork() != 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int number = 3; number < descriptors; number++) {
      if (number % 3 == 0) socket(AF_UNIX, SOCK_DGRAM, 0); else open("/dev/null", O_RDONLY);
    }
    pause();
    _exit(0);
  }
  sleep(1);
  printf("ready\n");
  fflush(stdout);
  // Until the one that started it ends.
  while (getchar() != EOF) {}
  return 0;
}

static int serve(int port) {
  struct sockaddr_in local = loopback(port);
  int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&local, sizeof local) != 0 || listen(listener, 512) != 0) return 1;
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    char byte;
    int descriptor = accept(listener, NULL, NULL);
    while (read(descriptor, &byte, 1) > 0) {}
    close(descriptor);
  }
}

int main(int count, char **arguments) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (count >= 6 && strcmp(arguments[1], "run") == 0) return run(arguments + 2, count > 6 ? arguments[6] : "0");
  if (count == 5 && strcmp(arguments[1], "once") == 0)
    return once(atoi(arguments[2]), atol(arguments[3]), atoi(arguments[4]));
  if (count == 4 && strcmp(arguments[1], "crowd") == 0) return crowd(atoi(arguments[2]), atoi(arguments[3]));
  if (count == 3 && strcmp(arguments[1], "serve") == 0) return serve(atoi(arguments[2]));
  return 64;
}

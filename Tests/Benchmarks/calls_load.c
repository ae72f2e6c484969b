// Loads for calls.py. `datagrams THREADS COUNT`: nanoseconds of a processor that a send(2) of 64 bytes takes, each thread
// with its own socket on its own processor. `stream MEGABYTES`: bits a second through one TCP connection over loopback.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { DATAGRAM = 64, CHUNK = 1 << 17 };
static long count;

static void check(int failed, const char *what) {
  if (!failed) return;
  perror(what);
  exit(1);
}

static double seconds(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct sockaddr_in bound(int fd) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  check(bind(fd, (struct sockaddr *)&address, length) != 0, "bind");
  check(getsockname(fd, (struct sockaddr *)&address, &length) != 0, "getsockname");
  return address;
}

static void *send_all(void *argument) {
  long number = (long)argument;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(number, &set);
  check(pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0, "pthread_setaffinity_np");
  // Nobody reads: once its buffer is full the kernel drops what comes, which costs the same each time.
  int sink = socket(AF_INET, SOCK_DGRAM, 0), from = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in address = bound(sink);
  check(connect(from, (struct sockaddr *)&address, sizeof address) != 0, "connect");
  char bytes[DATAGRAM] = {0};
  for (long i = 0; i < count / 10; i++) send(from, bytes, sizeof bytes, 0);
  double before = seconds(CLOCK_THREAD_CPUTIME_ID);
  for (long i = 0; i < count; i++) check(send(from, bytes, sizeof bytes, 0) < 0, "send");
  double *used = malloc(sizeof *used);
  *used = seconds(CLOCK_THREAD_CPUTIME_ID) - before;
  return used;
}

static void datagrams(long threads) {
  pthread_t all[threads];
  double sum = 0;
  for (long i = 0; i < threads; i++) check(pthread_create(&all[i], 0, send_all, (void *)i) != 0, "pthread_create");
  for (long i = 0; i < threads; i++) {
    void *used;
    pthread_join(all[i], &used);
    sum += *(double *)used;
    free(used);
  }
  printf("%.2f\n", sum / (double)(threads * count) * 1e9);
}

static void stream(long megabytes) {
  static char bytes[CHUNK];
  int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = bound(listener);
  check(listen(listener, 1) != 0, "listen");
  pid_t reader = fork();
  if (reader == 0) {
    int peer = accept(listener, 0, 0);
    while (recv(peer, bytes, sizeof bytes, 0) > 0) continue;
    exit(0);
  }
  check(connect(fd, (struct sockaddr *)&address, sizeof address) != 0, "connect");
  double start = seconds(CLOCK_MONOTONIC);
  for (long rest = megabytes << 20; rest > 0;) {
    ssize_t sent = send(fd, bytes, rest < CHUNK ? (size_t)rest : CHUNK, 0);
    check(sent < 0, "send");
    rest -= sent;
  }
  shutdown(fd, SHUT_WR);
  waitpid(reader, 0, 0);
  printf("%.0f\n", (double)(megabytes << 20) * 8 / (seconds(CLOCK_MONOTONIC) - start));
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "datagrams") == 0) {
    count = atol(argv[3]);
    datagrams(atol(argv[2]));
  } else if (argc == 3 && strcmp(argv[1], "stream") == 0) {
    stream(atol(argv[2]));
  } else {
    return 64;
  }
}

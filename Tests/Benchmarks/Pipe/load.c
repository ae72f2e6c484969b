// Clients and a server for the pipe benchmark: both in one process, on the loopback.
//
//   load bulk PORT TARGETPORT CONNECTIONS SECONDS          bytes per second through PORT
//   load rate PORT TARGETPORT CONNECTIONS SECONDS          connections per second: connect, ask, answer, close; beside
//                                                          so many that send in bulk, and bytes per second of those
//   load latency PORT TARGETPORT REQUESTS                  microseconds per request on one connection, the median
//   load idle PORT TARGETPORT CONNECTIONS                  opens them, prints a line, waits for the end of its input
//   load limit PORT TARGETPORT CONNECTIONS SECONDS         bytes per second, the busiest 100 ms, the spread
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { message = 64, piece = 262144 };

static atomic_int stopped;
static int listener;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void no_delay(int fd) {
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static int dial(int port) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = loopback(port);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
  no_delay(fd);
  return fd;
}

static void serve(int port) {
  int one = 1;
  struct sockaddr_in address = loopback(port);
  listener = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 4096) != 0) die("listen");
}

static void start(void *(*body)(void *), void *argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, body, argument) != 0) die("thread");
  pthread_detach(thread);
}

static int read_all(int fd, char *bytes, int count) {
  for (int got = 0; got < count;) {
    ssize_t n = read(fd, bytes + got, count - got);
    if (n <= 0) return 0;
    got += n;
  }
  return 1;
}

// Bulk: each client sends for ever, the server throws away (MSG_TRUNC: without copying).
static atomic_ullong moved[64];

static void *sink(void *argument) {
  long index = (long)argument;
  int fd = accept(listener, NULL, NULL);
  start(sink, (void *)(index + 1));
  for (;;) {
    ssize_t n = recv(fd, NULL, 1 << 20, MSG_TRUNC);
    if (n <= 0) return NULL;
    atomic_fetch_add(&moved[index % 64], n);
  }
}

static void *source(void *argument) {
  static char zeros[piece];
  int fd = (int)(long)argument;
  while (!atomic_load(&stopped)) {
    if (write(fd, zeros, sizeof zeros) < 0) break;
  }
  return NULL;
}

static unsigned long long total(void) {
  unsigned long long sum = 0;
  for (int i = 0; i < 64; i++) sum += atomic_load(&moved[i]);
  return sum;
}

static void bulk(int port, int connections, double seconds) {
  start(sink, 0);
  for (int i = 0; i < connections; i++) start(source, (void *)(long)dial(port));
  while (total() < 1 << 20) usleep(1000);
  usleep(200000);
  unsigned long long before = total();
  double began = now();
  usleep((useconds_t)(seconds * 1e6));
  printf("%.0f\n", (total() - before) / (now() - began));
}

static void limit(int port, int connections, double seconds) {
  start(sink, 0);
  for (int i = 0; i < connections; i++) start(source, (void *)(long)dial(port));
  // What fills the buffers at the start is not the limit's.
  usleep(1500000);
  unsigned long long first[64], last = total(), begin = last, most = 0;
  for (int i = 0; i < 64; i++) first[i] = atomic_load(&moved[i]);
  double began = now();
  while (now() - began < seconds) {
    double until = now() + 0.1;
    while (now() < until) usleep(500);
    unsigned long long sum = total();
    if (sum - last > most) most = sum - last;
    last = sum;
  }
  double took = now() - began, low = 1e18, high = 0;
  for (int i = 0; i < connections; i++) {
    double one = atomic_load(&moved[i]) - first[i];
    if (one < low) low = one;
    if (one > high) high = one;
  }
  printf("%.0f %llu %.3f\n", (last - begin) / took, most, high > 0 ? low / high : 0);
}

// Requests: the server answers each message with one of the same size.
static void *answer(void *argument) {
  char bytes[message];
  int fd = (int)(long)argument;
  while (read_all(fd, bytes, sizeof bytes)) {
    if (write(fd, bytes, sizeof bytes) != sizeof bytes) break;
  }
  close(fd);
  return NULL;
}

static void *answer_each(void *argument) {
  (void)argument;
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    no_delay(fd);
    start(answer, (void *)(long)fd);
  }
  return NULL;
}

// Thrown away by a thread of its own.
static void *discard(void *argument) {
  for (;;) {
    ssize_t n = recv((int)(long)argument, NULL, 1 << 20, MSG_TRUNC);
    if (n <= 0) return NULL;
    atomic_fetch_add(&moved[0], n);
  }
}

// One thread for all: a thread a connection would measure pthread_create. What begins with a zero is bulk.
static void *answer_many(void *argument) {
  (void)argument;
  int set = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(set, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    struct epoll_event events[64];
    int count = epoll_wait(set, events, 64, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int new = accept(listener, NULL, NULL);
        event = (struct epoll_event){.events = EPOLLIN, .data.fd = new};
        if (new >= 0) epoll_ctl(set, EPOLL_CTL_ADD, new, &event);
        continue;
      }
      char bytes[message];
      ssize_t n = read(fd, bytes, sizeof bytes);
      if (n > 0 && bytes[0] == 0) {
        epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL);
        start(discard, (void *)(long)fd);
      } else if (n <= 0 || write(fd, bytes, n) != n) {
        close(fd);
      }
    }
  }
  return NULL;
}

static atomic_ulong rounds;

static void *ask_once_each(void *argument) {
  int port = (int)(long)argument;
  char bytes[message] = {1};
  while (!atomic_load(&stopped)) {
    int fd = dial(port);
    if (write(fd, bytes, sizeof bytes) == sizeof bytes && read_all(fd, bytes, sizeof bytes)) {
      atomic_fetch_add(&rounds, 1);
    }
    // The side that closes first keeps the port for a minute: a reset leaves none behind.
    struct linger linger = {1, 0};
    shutdown(fd, SHUT_WR);
    read(fd, bytes, 1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
  }
  return NULL;
}

static void rate(int port, int connections, double seconds) {
  start(answer_many, NULL);
  for (int i = 0; i < connections; i++) start(source, (void *)(long)dial(port));
  for (int i = 0; i < 16; i++) start(ask_once_each, (void *)(long)port);
  usleep(300000);
  unsigned long before = atomic_load(&rounds);
  unsigned long long bytes = total();
  double began = now();
  usleep((useconds_t)(seconds * 1e6));
  double took = now() - began;
  printf("%.0f %.0f\n", (atomic_load(&rounds) - before) / took, (total() - bytes) / took);
}

static int by_size(const void *left, const void *right) {
  double difference = *(const double *)left - *(const double *)right;
  return (difference > 0) - (difference < 0);
}

static void latency(int port, int requests) {
  start(answer_each, NULL);
  char bytes[message] = {0};
  double *took = calloc(requests, sizeof *took);
  int fd = dial(port);
  for (int i = -1000; i < requests; i++) {
    double began = now();
    if (write(fd, bytes, sizeof bytes) != sizeof bytes || !read_all(fd, bytes, sizeof bytes)) die("request");
    if (i >= 0) took[i] = (now() - began) * 1e6;
  }
  qsort(took, requests, sizeof *took, by_size);
  printf("%.2f %.2f\n", took[requests / 2], took[requests / 100 * 99]);
}

static void idle(int port, int connections) {
  start(answer_many, NULL);
  char bytes[message] = {1};
  for (int i = 0; i < connections; i++) {
    int fd = dial(port);
    if (write(fd, bytes, sizeof bytes) != sizeof bytes || !read_all(fd, bytes, sizeof bytes)) die("request");
  }
  puts("open");
  fflush(stdout);
  while (read(0, bytes, sizeof bytes) > 0) {
  }
}

int main(int count, char **words) {
  if (count < 5) die("usage: see the top of load.c");
  int port = atoi(words[2]);
  double last = atof(words[count - 1]);
  serve(atoi(words[3]));
  if (!strcmp(words[1], "bulk") && count == 6) bulk(port, atoi(words[4]), last);
  else if (!strcmp(words[1], "limit") && count == 6) limit(port, atoi(words[4]), last);
  else if (!strcmp(words[1], "rate") && count == 6) rate(port, atoi(words[4]), last);
  else if (!strcmp(words[1], "latency")) latency(port, (int)last);
  else if (!strcmp(words[1], "idle")) idle(port, (int)last);
  else die("usage: see the top of load.c");
  atomic_store(&stopped, 1);
  fflush(stdout);
  _exit(0);
}

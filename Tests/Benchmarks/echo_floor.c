// The kernel's own part of a ping, for probes.py: COUNT addresses as its, five requests a second each for SECONDS, sent
// together every 4 ms and their replies taken together, with nothing else done. Prints microseconds of a processor for a ping.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EACH = 5, TICKS = 250, SIZE = 64, ROOM = 256, BATCH = 128 };

static char requests[BATCH][SIZE], replies[BATCH][ROOM], controls[BATCH][64];
static struct sockaddr_in targets[BATCH];
static struct iovec out[BATCH], in[BATCH];
static struct mmsghdr sent[BATCH], received[BATCH];

static void check(int failed, const char *what) {
  if (!failed) return;
  perror(what);
  exit(1);
}

static uint16_t checksum(const char *bytes) {
  uint32_t sum = 0;
  for (int at = 0; at < SIZE; at += 2) sum += (uint8_t)bytes[at] | (uint8_t)bytes[at + 1] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

static void prepare(int place, int target, uint16_t sequence) {
  struct icmphdr *header = (struct icmphdr *)requests[place];
  memset(header, 0, SIZE);
  header->type = ICMP_ECHO;
  header->un.echo.id = htons((uint16_t)getpid());
  header->un.echo.sequence = htons(sequence);
  header->checksum = checksum(requests[place]);
  targets[place].sin_family = AF_INET;
  targets[place].sin_addr.s_addr = htonl(127u << 24 | 2 << 16 | (uint32_t)(target / 250) << 8 | (uint32_t)(target % 250 + 1));
  out[place] = (struct iovec){requests[place], SIZE};
  sent[place].msg_hdr = (struct msghdr){.msg_name = &targets[place], .msg_namelen = sizeof targets[place],
                                        .msg_iov = &out[place], .msg_iovlen = 1};
}

static int take(int socket) {
  for (int place = 0; place < BATCH; place++) {
    in[place] = (struct iovec){replies[place], ROOM};
    received[place].msg_hdr = (struct msghdr){.msg_iov = &in[place], .msg_iovlen = 1, .msg_control = controls[place],
                                              .msg_controllen = sizeof controls[place]};
  }
  int taken = recvmmsg(socket, received, BATCH, MSG_DONTWAIT, NULL), ours = 0;
  // A raw socket gets what others asked for, too. Behind the header of IP, which has its length in words.
  for (int place = 0; place < taken; place++) {
    struct icmphdr *header = (struct icmphdr *)(replies[place] + (replies[place][0] & 15) * 4);
    ours += header->type == ICMP_ECHOREPLY && header->un.echo.id == htons((uint16_t)getpid());
  }
  return ours;
}

int main(int count, char **words) {
  check(count != 3, "usage: echo_floor COUNT SECONDS");
  int hosts = atoi(words[1]), seconds = atoi(words[2]), each = hosts * EACH / TICKS, target = 0;
  check(each < 1 || each > BATCH, "COUNT");
  int echo = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP), on = 1;
  check(echo < 0, "socket");
  uint32_t others = ~(1u << ICMP_ECHOREPLY);
  // ICMP_FILTER, which has no header beside netinet's.
  check(setsockopt(echo, SOL_RAW, 1, &others, sizeof others), "ICMP_FILTER");
  check(setsockopt(echo, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on), "SO_TIMESTAMPNS");
  long asked = 0, answered = 0;
  struct timespec next;
  clock_gettime(CLOCK_MONOTONIC, &next);
  for (int tick = 0; tick < seconds * TICKS; tick++) {
    for (int place = 0; place < each; place++, target = (target + 1) % hosts) prepare(place, target, (uint16_t)asked++);
    check(sendmmsg(echo, sent, (unsigned)each, 0) != each, "sendmmsg");
    answered += take(echo);
    next.tv_nsec += 1000000000 / TICKS;
    if (next.tv_nsec >= 1000000000) next.tv_nsec -= 1000000000, next.tv_sec++;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
  }
  struct pollfd late = {.fd = echo, .events = POLLIN};
  while (answered < asked && poll(&late, 1, 1000) > 0) answered += take(echo);
  if (answered != asked) return fprintf(stderr, "%ld of %ld were answered\n", answered, asked), 1;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double used = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  printf("%.2f\n", used / (double)asked);
}

#include "traffic.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct totals totals;
double beginning;

static const struct {
  const char *name;
  int (*run)(const struct options *);
  const char *use;
} commands[] = {
    {"tcp-serve", tcp_server, "[--bind A] [--port P] [--send N] [--connections N] [--workers N [--prefork]] [--work MS] [--exec FILE [--rate B]] [--sctp|--mptcp] [--method M]"},
    {"tcp", tcp_client,
     "HOST PORT [--send N] [--receive N] [--rate B] [--connections N [--parallel] [--linger MS] [--step] [--work MS]] "
     "[--source-port P] [--sctp|--mptcp] [--method M]"},
    {"tcp-fork", tcp_fork, "HOST PORT --send N --after N [--method M]: the parent exits after --send, its child goes on"},
    {"tcp-exec", tcp_exec, "HOST PORT --send N --after N --exec FILE [--method M]: becomes FILE between the two"},
    {"tcp-pass", tcp_pass, "HOST PORT --send N --after N [--keep] [--method M]: hands the socket to a child by SCM_RIGHTS"},
    {"tcp-thread", tcp_thread, "HOST PORT --send N [--keep] [--method M]: a thread's; the main one ends, or stays without its descriptors"},
    {"tcp-elsewhere", tcp_elsewhere,
     "HOST PORT --network FILE --send N [--keep] [--method M]: by a socket of another network namespace; with --keep a thread lives there"},
    {"tcp-resume", tcp_resume, "--fd N --after N [--rate B] [--method M]: goes on with an inherited socket"},
    {"udp-serve", udp_server, "[--bind A] [--port P] [--method M]"},
    {"udp", udp_client, "HOST PORT --count N --size N [--echo] [--connected] [--rate B] [--window N] [--source-port P] [--step] [--method M]"},
    {"udp-scatter", udp_scatter,
     "HOST PORT --count N --size N [--after N] [--connected --bind A]: to N addresses from HOST on, then to the first --after"},
    {"ping", ping, "HOST --count N --size N [--raw] [--rate B]: --size is the ICMP message with its 8-byte header"},
    {"raw-serve", raw_receiver, "[--bind A] --protocol N"},
    {"raw", raw_sender, "HOST --protocol N --count N --size N [--rate B]"},
    {"packet", packet_sender, "--interface I --count N --size N: whole Ethernet frames"},
    {"guest", guest,
     "HOST PORT --bind A --interface TAP --count N --size N: a virtual machine's, in frames to 02:00:00:00:00:01"},
};

static int usage(const char *program) {
  fprintf(stderr, "usage: %s COMMAND ...\n", program);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
    fprintf(stderr, "  %s %s\n", commands[i].name, commands[i].use);
  fputs(common, stderr);
  return 64;
}

int main(int argc, char **argv) {
  beginning = now();
  signal(SIGPIPE, SIG_IGN);
  if (argc < 2) return usage(argv[0]);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (strcmp(argv[1], commands[i].name) != 0) continue;
    struct options options = parse_options(argc, argv, commands[i].use);
    return commands[i].run(&options);
  }
  return usage(argv[0]);
}

#include "traffic.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BIND = 1, PORT, SEND, RECEIVE, AFTER, COUNT, SIZE, RATE, WINDOW, CONNECTIONS, WORKERS, METHOD, SOURCE_PORT,
       PROTOCOL, FD, LINGER, INTERFACE, EXEC, NOTE, CONNECTED, ECHO, PARALLEL, GATE, HOLD, RAW, PREFORK, KEEP, STEP,
       SCTP, MPTCP, NETWORK, WORK };

static const struct option names[] = {
    {"bind", 1, 0, BIND},           {"port", 1, 0, PORT},
    {"send", 1, 0, SEND},           {"receive", 1, 0, RECEIVE},
    {"after", 1, 0, AFTER},         {"count", 1, 0, COUNT},
    {"size", 1, 0, SIZE},           {"rate", 1, 0, RATE},
    {"window", 1, 0, WINDOW},       {"connections", 1, 0, CONNECTIONS},
    {"workers", 1, 0, WORKERS},     {"method", 1, 0, METHOD},
    {"source-port", 1, 0, SOURCE_PORT}, {"protocol", 1, 0, PROTOCOL},
    {"fd", 1, 0, FD},               {"linger", 1, 0, LINGER},
    {"interface", 1, 0, INTERFACE}, {"exec", 1, 0, EXEC},
    {"note", 1, 0, NOTE},           {"connected", 0, 0, CONNECTED},
    {"echo", 0, 0, ECHO},           {"parallel", 0, 0, PARALLEL},
    {"gate", 0, 0, GATE},           {"hold", 0, 0, HOLD},
    {"raw", 0, 0, RAW},             {"prefork", 0, 0, PREFORK},
    {"keep", 0, 0, KEEP},           {"step", 0, 0, STEP},
    {"sctp", 0, 0, SCTP},           {"mptcp", 0, 0, MPTCP},
    {"network", 1, 0, NETWORK},     {"work", 1, 0, WORK},
    {0, 0, 0, 0},
};

const char common[] =
    "common: --gate (a byte on stdin starts it), --hold (sockets stay open until a byte or the end of stdin),\n"
    "  --note TEXT (ignored)\n"
    "M: plain|sendfile|splice|mmsg|uring; with step each connection but the last stays open, udp waits halfway,\n"
    "  until a byte on stdin\n";

const struct options defaults = {
    .bind = "0.0.0.0", .port = "0", .count = 1, .size = 1000, .window = 32, .connections = 1, .fd = -1, .protocol = 253,
};

static uint64_t number(const char *text) {
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno || end == text || *end || *text == '-') fail("not a number: %s", text);
  return value;
}

static enum method method_named(const char *name) {
  static const char *const methods[] = {"plain", "sendfile", "splice", "mmsg", "uring"};
  for (int i = 0; i < 5; i++)
    if (strcmp(name, methods[i]) == 0) return (enum method)i;
  fail("no such method: %s", name);
}

// A flag that a command ignores would be a test of something else.
static bool is_named(const char *flag, const char *use) {
  char text[32];
  snprintf(text, sizeof text, "--%s", flag);
  for (const char *at = use; (at = strstr(at, text)); at++) {
    char next = at[strlen(text)];
    if (next != '-' && !isalpha((unsigned char)next)) return true;
  }
  return false;
}

struct options parse_options(int argc, char **argv, const char *use) {
  struct options o = defaults;
  o.program = argv[0];
  o.command = argv[1];
  int option, index = 0;
  while ((option = getopt_long(argc - 1, argv + 1, "", names, &index)) != -1) {
    if (option != '?' && !is_named(names[index].name, use) && !is_named(names[index].name, common)) {
      fprintf(stderr, "%s takes no --%s\n", argv[1], names[index].name);
      exit(64);
    }
    switch (option) {
    case BIND: o.bind = optarg; break;
    case PORT: o.port = optarg; break;
    case SEND: o.send = number(optarg); break;
    case RECEIVE: o.receive = number(optarg); break;
    case AFTER: o.after = number(optarg); break;
    case COUNT: o.count = number(optarg); break;
    case SIZE: o.size = number(optarg); break;
    case RATE: o.rate = number(optarg); break;
    case WINDOW: o.window = number(optarg); break;
    case CONNECTIONS: o.connections = number(optarg); break;
    case WORKERS: o.workers = number(optarg); break;
    case METHOD: o.method = method_named(optarg); break;
    case SOURCE_PORT: o.source_port = (int)number(optarg); break;
    case PROTOCOL: o.protocol = (int)number(optarg); break;
    case FD: o.fd = (int)number(optarg); break;
    case LINGER: o.linger = (int)number(optarg); break;
    case INTERFACE: o.interface = optarg; break;
    case EXEC: o.exec = optarg; break;
    case NOTE: break;
    case CONNECTED: o.connected = true; break;
    case ECHO: o.echo = true; break;
    case PARALLEL: o.parallel = true; break;
    case GATE: o.gate = true; break;
    case HOLD: o.hold = true; break;
    case RAW: o.raw = true; break;
    case PREFORK: o.prefork = true; break;
    case KEEP: o.keep = true; break;
    case STEP: o.step = true; break;
    case SCTP: o.sctp = true; break;
    case MPTCP: o.mptcp = true; break;
    case NETWORK: o.network = optarg; break;
    case WORK: o.work = (int)number(optarg); break;
    default: exit(64);
    }
  }
  char **rest = argv + 1 + optind;
  if (rest[0]) o.host = rest[0];
  if (rest[0] && rest[1]) o.port = rest[1];
  if (o.size > sizeof payload || o.window == 0) fail("--size is at most %zu, --window at least 1", sizeof payload);
  return o;
}

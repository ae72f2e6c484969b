// A network of routers and hosts behind a TUN device, as a scenario says it; for the tests of probes.
//
//   fakenet SCENARIO      makes the device in the current network namespace, says `ready`, reads commands on stdin
//
// The scenario has sections, lines `key = value`, and comments from # or ; to the end of the line. Times are
// milliseconds and may have a fraction; PCT is a percentage and may have one too.
//
//   [network]
//   name = fake0                     the device
//   addresses = 10.9.0.1 fd09::1     this host's, on the device
//   routes = 10.9.0.0/16 fd09::/16   what lies behind the device; without it the default routes of the addresses' families
//   seed = 1                         of all chances: each hop and target draws from a sequence of its own
//   queue = 65536                    answers that may be on their way at once; the others are counted as overflow
//   mtu = 1500
//   hash = checksum                  what tells ICMP flows apart, of several paths: checksum (type, code, checksum: the
//                                    first four bytes, as with TCP and UDP), identifier or
//                                    addresses (none of ICMP, as Linux does)
//   flow-label = no                  whether IPv6 flow labels tell flows apart
//
//   [hop 10.9.1.1]                   a router; those that are only named in a path have the defaults
//   drop = 0                         PCT of what it should forward that is lost
//
//   [target 10.9.0.5]                a host, or with a prefix (10.9.64.0/18) all hosts in it
//   path = 10.9.1.1 10.9.1.2 | 10.9.1.1 10.9.1.3   its routers, nearest first; | between several paths, of which each
//                                    flow has one; empty for a neighbour
//   balance = flow                   flow, or packet: each packet has a path by chance
//   echo = yes                       whether it answers pings
//   udp = closed                     closed (port unreachable), echo (the same datagram comes back) or silent
//   tcp = refused                    refused (RST), open (SYN+ACK to a SYN, FIN+ACK to a FIN, nothing more) or silent
//
// and in both, for what it answers:
//
//   delay = 0                        the round trip to it, whatever the hops before it have
//   jitter = 0                       up to so much more, uniformly
//   loss = 0                         PCT of its answers, or of the way to it, that is lost
//   silent = no                      yes: it answers nothing; a hop still forwards
//   limit = off                      RATE [BURST]: so many answers per second, in a bucket of BURST (1)
//   duplicate = 0                    PCT of its answers that come twice
//   reorder = 0                      PCT [MS (20)]: so many of its answers are so much later than others
//   late = 0                         PCT [MS (5000)]: the same, for answers that come after all have given up
//   answer = normal                  unreachable CODE, prohibited, or too-big MTU, instead of forwarding or answering
//   garbage = 0                      PCT KIND: so many of its answers are spoilt
//   noise = 0                        PCT KIND: before so many answers comes a spoilt one
//   quote = 0                        bytes that an ICMP error quotes after the IP header; 0 as many as RFC 1812 and RFC
//                                    4443 let it
//   ttl = 255                        hop limit that its answers begin with
//   address = (its name)             where its answers come from
//
// KIND is checksum (a wrong one), truncated (half of an echo's data, half an IP header of what an error quotes),
// identifier (or port) and sequence (or what else tells probes of a flow apart) of another probe, source (another
// address), or payload (the last byte). All but the first have right checksums.
//
// Commands, each answered by one line that begins with the command's number, from 1 on:
//
//   set hop|target NAME KEY VALUE    `N ok` or `N error WHY`
//   counters                         `N {...}`
//   reset                            `N ok`: all counters are 0
//
// SIGTERM or the end of stdin ends it; its last line is the counters. Of each hop and target
// received = answered + lost + ignored + limited + garbage + malformed + overflow.
#ifndef FAKENET_H
#define FAKENET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  MAX_NODES = 1024,
  MAX_PATHS = 64,
  MAX_PATH = 64,
  MAX_PACKET = 65536,
  NAME_SIZE = 64,
  MESSAGE_SIZE = 256,
  LINE_SIZE = 8192,
};

enum { ICMP4 = 1, TCP = 6, UDP = 17, ICMP6 = 58 };

// address.c: addresses of both families; IPv4 has its four bytes first.
struct address {
  uint8_t bytes[16];
  bool v6;
};
bool parse_address(const char *text, struct address *address);
bool parse_prefix(const char *text, struct address *address, int *length);
bool is_within(const struct address *address, const struct address *network, int length);
bool is_equal(const struct address *left, const struct address *right);

// What was made of the packets that ended at a hop or target.
struct counters {
  uint64_t received, answered, lost, ignored, limited, garbage, malformed, overflow;
  // Of the answered ones, and those that came besides.
  uint64_t duplicated, reordered, late, noise;
  // What a hop let pass and what it lost instead.
  uint64_t forwarded, dropped;
};

enum action { ACTION_NORMAL, ACTION_UNREACHABLE, ACTION_PROHIBITED, ACTION_TOO_BIG };
enum garbage {
  GARBAGE_CHECKSUM, GARBAGE_TRUNCATED, GARBAGE_IDENTIFIER, GARBAGE_SEQUENCE, GARBAGE_SOURCE, GARBAGE_PAYLOAD, GARBAGE_KINDS
};
enum udp { UDP_CLOSED, UDP_ECHO, UDP_SILENT };
enum tcp { TCP_REFUSED, TCP_OPEN, TCP_SILENT };

struct path {
  size_t length;
  uint16_t hops[MAX_PATH];
};

// A hop or a target.
struct node {
  bool is_target;
  char name[NAME_SIZE];
  struct address network, address;
  int prefix;
  bool has_address;

  double delay, jitter, loss, duplicate, reorder, reorder_delay, late, late_delay, drop;
  double limit, burst, tokens;
  int64_t refilled;
  bool silent;
  enum action action;
  unsigned action_value;
  double garbage, noise;
  enum garbage garbage_kind, noise_kind;
  unsigned quote, ttl;

  bool echo, balance_packets;
  enum udp udp;
  enum tcp tcp;
  struct path *paths;
  size_t path_count;

  uint64_t random;
  struct counters counters;
};

struct network {
  char name[16], addresses[MESSAGE_SIZE], routes[MESSAGE_SIZE];
  uint64_t seed;
  unsigned queue, mtu;
  bool hash_identifier, hash_addresses, hash_flow_label;
  struct node nodes[MAX_NODES];
  size_t node_count;
  // Packets to nobody, such as the kernel's own to multicast groups.
  uint64_t unknown;
};
extern struct network network;

// scenario.c: the file; ends the program with file:line where it is wrong.
void read_scenario(const char *file);
struct node *find_node(bool is_target, const char *name);
// Returns the node of that name, made with the defaults where there is none; 0 with a message where there can be none.
struct node *make_node(bool is_target, const char *name, char *message);

// settings.c: one key of a section. Returns false with a message, and changes nothing then.
bool set_network(const char *key, const char *value, char *message);
bool set_node(struct node *node, const char *key, const char *value, char *message);
bool set_path(struct node *node, const char *value, char *message);
bool complain(char *message, const char *format, ...) __attribute__((format(printf, 2, 3)));

// values.c: the kinds of values.
char *trim(char *text);
bool set_number(double *number, const char *value, double most, char *message);
bool set_unsigned(unsigned *number, const char *value, unsigned least, unsigned most, char *message);
bool set_switch(bool *flag, const char *value, char *message);
// Which of the words `value` is, -1 with a message where none.
int choice(const char *const *words, int count, const char *value, char *message);

// random.c: chances. Each draws a number of the node's own sequence, but not for 0.
void seed_node(struct node *node);
double uniform(struct node *node);
bool chance(struct node *node, double percent);

// device.c
int open_device(void);

// packet.c: what a packet is.
struct packet {
  const uint8_t *bytes;
  size_t length, header;
  struct address source, destination;
  uint8_t protocol, ttl;
  bool v6, fragment, keep_whole;
};
bool decode(const uint8_t *bytes, size_t length, struct packet *packet);
const uint8_t *transport(const struct packet *packet, size_t *length);
// An ICMP error, about which nobody sends one.
bool is_error(const struct packet *packet);
// A request: an echo request, a datagram, or a segment without RST.
bool is_probe(const struct packet *packet);
bool is_intact(const struct packet *packet);
uint16_t get16(const uint8_t *bytes);
uint32_t get32(const uint8_t *bytes);
void put16(uint8_t *bytes, unsigned value);
void put32(uint8_t *bytes, uint32_t value);

// checksum.c: RFC 1071, with the pseudo header where the protocol has one.
uint16_t header_checksum(const uint8_t *header, size_t length);
uint16_t transport_checksum(const uint8_t *packet);
// Writes the checksums of a whole packet.
void seal(uint8_t *packet);
size_t transport_offset(const uint8_t *packet);

// reply.c: whole packets, in a buffer that the next one uses again.
struct reply {
  uint8_t bytes[MAX_PACKET];
  size_t length;
};
struct error {
  uint8_t type, code;
  uint32_t word;
};
struct reply *echo_reply(const struct packet *request, const struct address *source, unsigned ttl);
struct reply *error_reply(
    const struct packet *about, struct error error, unsigned quote, unsigned quoted_ttl, const struct address *source,
    unsigned ttl);
struct reply *udp_reply(const struct packet *request, const struct address *source, unsigned ttl);
struct reply *tcp_reply(const struct packet *request, bool open, const struct address *source, unsigned ttl);

// garbage.c
void spoil(struct reply *reply, enum garbage kind);

// forward.c: the way of a packet along its path.
void handle(const uint8_t *bytes, size_t length, int64_t now);

// answer.c: what a hop or target at that distance makes of a packet that has come to it.
void answer_error(
    struct node *node, const struct packet *about, struct error error, unsigned distance, int64_t now);
void answer_refusal(struct node *node, const struct packet *about, unsigned distance, int64_t now);
void answer_probe(struct node *node, const struct packet *request, unsigned distance, int64_t now);

// schedule.c: answers on their way, in the order of their times.
bool schedule(int64_t due, const struct reply *reply);
// The time of the first one, -1 without any.
int64_t next_due(void);
void send_due(int device, int64_t now);
size_t waiting(void);

// control.c: commands and lines to stdout, each in one write.
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void say_counters(unsigned long number);
// Returns false at the end of stdin.
bool read_commands(void);
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

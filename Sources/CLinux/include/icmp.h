// ICMP sockets (icmp(7), raw(7)), their error queue and their time stamps, and sendmmsg(2), whose structures the C
// library hides from Swift.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// The most messages that are sent or received at once.
#define CLINUX_ICMP_BATCH 32

/// An ICMP socket that does not block: AF_INET or AF_INET6, with `raw` one that sees all ICMP of this host, else one that sees
/// the replies to its own requests. It reports errors of the path and stamps what it receives. -1 with errno.
int clinux_icmp_socket(int family, int raw);

/// A UDP socket that does not block and reports errors of the path with stamps. -1 with errno.
int clinux_udp_probe_socket(int family);

/// Has a raw socket take only echo replies with this identifier; 0, -1 with errno. Of two filters in the kernel the first
/// looks at the type alone (ICMP_FILTER of raw(7), ICMP6_FILTER) and costs no copy. The second looks at the identifier.
int clinux_icmp_filter(int socket, int family, uint16_t identifier);

/// Whether the kernel stamps what is sent as well; a sent message then comes back by the error queue. 0, -1 with errno.
int clinux_icmp_stamp_sent(int socket, int stamps);

/// The number of routers after which what is sent is dropped; 0 for the usual. 0, -1 with errno.
int clinux_icmp_hop_limit(int socket, int family, int limit);

/// Whether the kernel refuses what is longer than its interface takes, instead of cutting it (IP_MTU_DISCOVER of ip(7), IPv4
/// only); 0, -1 where the system's setting is another than to find out what routers take, or with errno.
int clinux_icmp_refuse_long(int socket, int refuse);

/// An address: its 16 bytes as IPv6 has them, IPv4's mapped, and the interface of a link-local one.
struct clinux_address {
  uint8_t bytes[16];
  uint32_t zone;
};

/// Sends `count` messages, each `lengths[i]` bytes that follow each other in `bytes`, to `addresses`. Returns how many were
/// sent; -1 with errno for why the first was not.
int clinux_icmp_send(
    int socket, int family, const uint8_t *bytes, const uint32_t *lengths, const struct clinux_address *addresses,
    int count);

/// A message that was received.
struct clinux_icmp_message {
  /// Where its bytes begin in the buffer, and how many there are.
  uint32_t offset, length;
  /// Who sent it; for an error whom the request was for.
  struct clinux_address peer;
  /// The kernel's stamp in nanoseconds since 1970 (CLOCK_REALTIME); 0 for none.
  int64_t stamp;
  /// Of the error queue: struct sock_extended_err (linux/errqueue.h). Origin 0 is no error.
  uint8_t origin, type, code;
  uint32_t info;
  int32_t error;
  /// Who reports the error; `has_offender` says whether it is known.
  struct clinux_address offender;
  uint8_t has_offender;
};

/// Takes up to CLINUX_ICMP_BATCH messages that have come, with `errors` those of the error queue, each to its own `size` bytes
/// of `buffer`. Returns how many; 0 when there are none, -1 with errno.
int clinux_icmp_receive(
    int socket, int errors, uint8_t *buffer, size_t size, struct clinux_icmp_message messages[CLINUX_ICMP_BATCH]);

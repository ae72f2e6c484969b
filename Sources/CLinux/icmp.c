#define _GNU_SOURCE
#include "icmp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/net_tstamp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int set(int socket, int level, int option, int value) {
  return setsockopt(socket, level, option, &value, sizeof value);
}

static int stamp(int socket, int flags) {
  return set(
      socket, SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE | flags);
}

static void report(int socket, int family) {
  stamp(socket, 0);
  if (family == AF_INET) set(socket, IPPROTO_IP, IP_RECVERR, 1);
  else set(socket, IPPROTO_IPV6, IPV6_RECVERR, 1);
}

int clinux_icmp_socket(int family, int raw) {
  int type = (raw ? SOCK_RAW : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
  int number = socket(family, type, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
  if (number < 0) return -1;
  // Replies of thousands of hosts may come at once. A refusal costs replies, which are counted as lost.
  if (set(number, SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20) != 0) set(number, SOL_SOCKET, SO_RCVBUF, 8 << 20);
  if (set(number, SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20) != 0) set(number, SOL_SOCKET, SO_SNDBUF, 4 << 20);
  report(number, family);
  return number;
}

int clinux_udp_probe_socket(int family) {
  int number = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (number >= 0) report(number, family);
  return number;
}

// Drops other types before a message is copied for the socket; those of IPv4 from 32 on are left to the second filter.
static void pass(int socket, int family, int type) {
  if (family == AF_INET) {
    const struct icmp_filter dropped = {.data = ~(1U << type)};
    setsockopt(socket, SOL_RAW, ICMP_FILTER, &dropped, sizeof dropped);
    return;
  }
  struct icmp6_filter passed;
  ICMP6_FILTER_SETBLOCKALL(&passed);
  ICMP6_FILTER_SETPASS(type, &passed);
  setsockopt(socket, IPPROTO_ICMPV6, ICMP6_FILTER, &passed, sizeof passed);
}

int clinux_icmp_filter(int socket, int family, uint16_t identifier) {
  const int reply = family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
  pass(socket, family, reply);
  // A raw socket of IPv4 sees the IP header, one of IPv6 does not.
  struct sock_filter steps[] = {
      family == AF_INET ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0)
                        : (struct sock_filter)BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, reply, 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, identifier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff), BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog program = {.len = sizeof steps / sizeof *steps, .filter = steps};
  return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

int clinux_icmp_stamp_sent(int socket, int stamps) {
  return stamp(socket, stamps ? SOF_TIMESTAMPING_TX_SOFTWARE : 0);
}

int clinux_icmp_hop_limit(int socket, int family, int limit) {
  if (limit == 0) limit = -1;
  return family == AF_INET ? set(socket, IPPROTO_IP, IP_TTL, limit)
                           : set(socket, IPPROTO_IPV6, IPV6_UNICAST_HOPS, limit);
}

int clinux_icmp_refuse_long(int socket, int refuse) {
  int before;
  socklen_t length = sizeof before;
  if (refuse && (getsockopt(socket, IPPROTO_IP, IP_MTU_DISCOVER, &before, &length) != 0 || before != IP_PMTUDISC_WANT)) {
    return -1;
  }
  return set(socket, IPPROTO_IP, IP_MTU_DISCOVER, refuse ? IP_PMTUDISC_DO : IP_PMTUDISC_WANT);
}

static socklen_t store(const struct clinux_address *address, int family, struct sockaddr_storage *place) {
  memset(place, 0, sizeof *place);
  if (family == AF_INET) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)place;
    v4->sin_family = AF_INET;
    memcpy(&v4->sin_addr, address->bytes + 12, 4);
    return sizeof *v4;
  }
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)place;
  v6->sin6_family = AF_INET6;
  memcpy(&v6->sin6_addr, address->bytes, 16);
  v6->sin6_scope_id = address->zone;
  return sizeof *v6;
}

static int load(const struct sockaddr *place, struct clinux_address *address) {
  if (place->sa_family == AF_INET) {
    memset(address->bytes, 0, 10);
    memset(address->bytes + 10, 0xff, 2);
    memcpy(address->bytes + 12, &((const struct sockaddr_in *)place)->sin_addr, 4);
    address->zone = 0;
    return 1;
  }
  if (place->sa_family != AF_INET6) return 0;
  memcpy(address->bytes, &((const struct sockaddr_in6 *)place)->sin6_addr, 16);
  address->zone = ((const struct sockaddr_in6 *)place)->sin6_scope_id;
  return 1;
}

int clinux_icmp_send(
    int socket, int family, const uint8_t *bytes, const uint32_t *lengths, const struct clinux_address *addresses,
    int count) {
  struct mmsghdr messages[CLINUX_ICMP_BATCH] = {0};
  struct iovec pieces[CLINUX_ICMP_BATCH];
  struct sockaddr_storage places[CLINUX_ICMP_BATCH];
  if (count > CLINUX_ICMP_BATCH) count = CLINUX_ICMP_BATCH;
  size_t offset = 0;
  for (int index = 0; index < count; index++) {
    pieces[index] = (struct iovec){.iov_base = (void *)(bytes + offset), .iov_len = lengths[index]};
    offset += lengths[index];
    struct msghdr *header = &messages[index].msg_hdr;
    header->msg_iov = &pieces[index];
    header->msg_iovlen = 1;
    header->msg_name = &places[index];
    header->msg_namelen = store(&addresses[index], family, &places[index]);
  }
  int sent;
  do sent = sendmmsg(socket, messages, (unsigned)count, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent;
}

// The offender follows the error (linux/errqueue.h, SO_EE_OFFENDER).
static void read_error(const struct cmsghdr *part, struct clinux_icmp_message *message) {
  const struct sock_extended_err *error = (const struct sock_extended_err *)CMSG_DATA(part);
  message->origin = error->ee_origin;
  message->type = error->ee_type;
  message->code = error->ee_code;
  message->info = error->ee_info;
  message->error = (int32_t)error->ee_errno;
  if (part->cmsg_len < CMSG_LEN(sizeof *error + sizeof(struct sockaddr_in))) return;
  const struct sockaddr *offender = (const struct sockaddr *)(error + 1);
  if (offender->sa_family == AF_INET6 && part->cmsg_len < CMSG_LEN(sizeof *error + sizeof(struct sockaddr_in6)))
    return;
  message->has_offender = (uint8_t)load(offender, &message->offender);
}

static void read_parts(struct msghdr *header, struct clinux_icmp_message *message) {
  for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_TIMESTAMPING) {
      struct timespec times[3];
      if (part->cmsg_len < CMSG_LEN(sizeof times)) continue;
      memcpy(times, CMSG_DATA(part), sizeof times);
      // The first is the software's, the others the device's.
      message->stamp = (int64_t)times[0].tv_sec * 1000000000 + times[0].tv_nsec;
    } else if (
        (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR) ||
        (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR)) {
      if (part->cmsg_len >= CMSG_LEN(sizeof(struct sock_extended_err))) read_error(part, message);
    }
  }
}

int clinux_icmp_receive(
    int socket, int errors, uint8_t *buffer, size_t size, struct clinux_icmp_message messages[CLINUX_ICMP_BATCH]) {
  struct mmsghdr headers[CLINUX_ICMP_BATCH] = {0};
  struct iovec places[CLINUX_ICMP_BATCH];
  struct sockaddr_storage peers[CLINUX_ICMP_BATCH];
  union {
    char bytes[256];
    struct cmsghdr alignment;
  } parts[CLINUX_ICMP_BATCH];
  for (int index = 0; index < CLINUX_ICMP_BATCH; index++) {
    places[index] = (struct iovec){.iov_base = buffer + index * size, .iov_len = size};
    headers[index].msg_hdr = (struct msghdr){
        .msg_name = &peers[index], .msg_namelen = sizeof peers[index], .msg_iov = &places[index], .msg_iovlen = 1,
        .msg_control = parts[index].bytes, .msg_controllen = sizeof parts[index].bytes,
    };
    peers[index].ss_family = AF_UNSPEC;
  }
  int count;
  do count = recvmmsg(socket, headers, CLINUX_ICMP_BATCH, errors ? MSG_ERRQUEUE : 0, NULL);
  while (count < 0 && errno == EINTR);
  if (count < 0) return errno == EAGAIN ? 0 : -1;
  for (int index = 0; index < count; index++) {
    struct clinux_icmp_message *message = &messages[index];
    *message = (struct clinux_icmp_message){.offset = (uint32_t)(index * size), .length = headers[index].msg_len};
    load((const struct sockaddr *)&peers[index], &message->peer);
    read_parts(&headers[index].msg_hdr, message);
  }
  return count;
}

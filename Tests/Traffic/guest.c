#include "traffic.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

// A virtual machine as its host sees it: a process that writes whole frames into a TAP interface. What is in them
// is not its own traffic.

enum { ETHERNET = 14, IP = 20, UDP = 8, HEADERS = ETHERNET + IP + UDP };

static void write_16(size_t place, size_t value) {
  payload[place] = (unsigned char)(value >> 8);
  payload[place + 1] = (unsigned char)value;
}

// RFC 894, RFC 791 and RFC 768; a UDP checksum of 0 means that there is none.
static void write_headers(const struct options *o, size_t length) {
  struct address to = resolve(o->host, o->port), from = resolve(o->bind, "4000");
  const struct sockaddr_in *there = (const struct sockaddr_in *)&to.storage;
  const struct sockaddr_in *here = (const struct sockaddr_in *)&from.storage;
  memset(payload, 0, HEADERS);
  memcpy(payload, (unsigned char[]){2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, ETHERNET);
  payload[ETHERNET] = 0x45;
  write_16(ETHERNET + 2, IP + UDP + length);
  payload[ETHERNET + 8] = 64;
  payload[ETHERNET + 9] = IPPROTO_UDP;
  memcpy(payload + ETHERNET + 12, &here->sin_addr, 4);
  memcpy(payload + ETHERNET + 16, &there->sin_addr, 4);
  uint32_t sum = 0;
  for (size_t i = 0; i < IP; i += 2) sum += (uint32_t)(payload[ETHERNET + i] << 8 | payload[ETHERNET + i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  write_16(ETHERNET + 10, ~sum & 0xffff);
  memcpy(payload + ETHERNET + IP, &here->sin_port, 2);
  memcpy(payload + ETHERNET + IP + 2, &there->sin_port, 2);
  write_16(ETHERNET + IP + 4, UDP + length);
}

int guest(const struct options *options) {
  errno = 0;
  if (!options->interface || strlen(options->interface) >= IFNAMSIZ) fail("--interface");
  if (options->size + HEADERS > sizeof payload) fail("--size is too large");
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
  strcpy(request.ifr_name, options->interface);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request)) fail("TAP interface %s", options->interface);
  write_headers(options, options->size);
  say("{\"connected\":4000}");
  gate(options);
  for (uint64_t i = 0; i < options->count; i++) {
    if (write(fd, payload, options->size + HEADERS) != (ssize_t)(options->size + HEADERS)) fail("write to TAP");
    totals.sent += options->size;
    totals.datagrams++;
  }
  report();
  hold(options);
  return 0;
}

#include "fakenet.h"

#include <string.h>

static struct reply reply;

// Begins a packet back to who sent `request`, and returns where its transport header goes.
static uint8_t *begin(
    const struct packet *request, const struct address *source, uint8_t protocol, unsigned ttl, size_t length) {
  uint8_t *ip = reply.bytes;
  static uint16_t identification;
  size_t header = request->v6 ? 40 : 20;
  memset(ip, 0, header);
  if (request->v6) {
    ip[0] = 0x60;
    put16(ip + 4, (unsigned)length);
    ip[6] = protocol;
    ip[7] = (uint8_t)ttl;
    memcpy(ip + 8, source->bytes, 16);
    memcpy(ip + 24, request->source.bytes, 16);
  } else {
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(length + header));
    put16(ip + 4, ++identification);
    ip[8] = (uint8_t)ttl;
    ip[9] = protocol;
    memcpy(ip + 12, source->bytes, 4);
    memcpy(ip + 16, request->source.bytes, 4);
  }
  reply.length = header + length;
  return ip + header;
}

static struct reply *sealed(void) {
  seal(reply.bytes);
  return &reply;
}

// RFC 792, RFC 4443: the same identifier, sequence number and data.
struct reply *echo_reply(const struct packet *request, const struct address *source, unsigned ttl) {
  size_t length;
  const uint8_t *message = transport(request, &length);
  uint8_t *icmp = begin(request, source, request->protocol, ttl, length);
  memcpy(icmp, message, length);
  icmp[0] = request->v6 ? 129 : 0;
  return sealed();
}

// How much of a packet an error quotes: for IPv4 what fits into 576 bytes (RFC 1812, 4.3.2.3), for IPv6 into the
// smallest MTU of 1280 (RFC 4443, 2.4).
static size_t quoted_length(const struct packet *about, unsigned quote) {
  size_t most = about->v6 ? 1280 - 40 - 8 : 576 - 20 - 8;
  if (quote > 0 && about->header + quote < most) most = about->header + quote;
  return about->length < most ? about->length : most;
}

struct reply *error_reply(
    const struct packet *about, struct error error, unsigned quote, unsigned quoted_ttl, const struct address *source,
    unsigned ttl) {
  size_t quoted = quoted_length(about, quote);
  uint8_t *icmp = begin(about, source, about->v6 ? ICMP6 : ICMP4, ttl, 8 + quoted);
  icmp[0] = error.type;
  icmp[1] = error.code;
  put32(icmp + 4, error.word);
  uint8_t *copy = icmp + 8;
  memcpy(copy, about->bytes, quoted);
  // As it came in here.
  copy[about->v6 ? 7 : 8] = (uint8_t)quoted_ttl;
  if (!about->v6) {
    put16(copy + 10, 0);
    put16(copy + 10, header_checksum(copy, about->header));
  }
  return sealed();
}

struct reply *udp_reply(const struct packet *request, const struct address *source, unsigned ttl) {
  size_t length;
  const uint8_t *datagram = transport(request, &length);
  uint8_t *udp = begin(request, source, UDP, ttl, length);
  memcpy(udp, datagram, length);
  memcpy(udp, datagram + 2, 2);
  memcpy(udp + 2, datagram, 2);
  return sealed();
}

// RFC 9293, 3.10.7.1: what a closed port answers; an open one takes connections and their ends.
struct reply *tcp_reply(const struct packet *request, bool open, const struct address *source, unsigned ttl) {
  enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
  size_t length;
  const uint8_t *segment = transport(request, &length);
  size_t header = (size_t)(segment[12] >> 4) * 4;
  uint8_t flags = segment[13];
  if (header < 20 || header > length || (open && !(flags & (SYN | FIN)))) return 0;
  uint32_t sequence = get32(segment + 4), acknowledged = get32(segment + 8);
  uint32_t end = sequence + (uint32_t)(length - header) + !!(flags & SYN) + !!(flags & FIN);
  uint8_t *tcp = begin(request, source, TCP, ttl, 20);
  memset(tcp, 0, 20);
  memcpy(tcp, segment + 2, 2);
  memcpy(tcp + 2, segment, 2);
  tcp[12] = 5 << 4;
  if (open) {
    // The sequence number of its SYN tells connections apart well enough.
    put32(tcp + 4, flags & SYN ? ~sequence : acknowledged);
    put32(tcp + 8, end);
    tcp[13] = (flags & (SYN | FIN)) | ACK;
    put16(tcp + 14, 65535);
  } else if (flags & ACK) {
    put32(tcp + 4, acknowledged);
    tcp[13] = RST;
  } else {
    put32(tcp + 8, end);
    tcp[13] = RST | ACK;
  }
  return sealed();
}

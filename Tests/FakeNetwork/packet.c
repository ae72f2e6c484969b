#include "fakenet.h"

#include <string.h>

uint16_t get16(const uint8_t *bytes) { return (uint16_t)(bytes[0] << 8 | bytes[1]); }
uint32_t get32(const uint8_t *bytes) { return (uint32_t)get16(bytes) << 16 | get16(bytes + 2); }

void put16(uint8_t *bytes, unsigned value) {
  bytes[0] = (uint8_t)(value >> 8);
  bytes[1] = (uint8_t)value;
}

void put32(uint8_t *bytes, uint32_t value) {
  put16(bytes, value >> 16);
  put16(bytes + 2, value & 0xffff);
}

// RFC 791
static bool decode4(struct packet *packet) {
  const uint8_t *ip = packet->bytes;
  if (packet->length < 20) return false;
  packet->header = (size_t)(ip[0] & 15) * 4;
  size_t total = get16(ip + 2);
  if (packet->header < 20 || total < packet->header || total > packet->length) return false;
  if (header_checksum(ip, packet->header) != 0) return false;
  packet->length = total;
  packet->fragment = (get16(ip + 6) & 0x3fff) != 0;
  packet->keep_whole = (ip[6] & 0x40) != 0;
  packet->ttl = ip[8];
  packet->protocol = ip[9];
  memcpy(packet->source.bytes, ip + 12, 4);
  memcpy(packet->destination.bytes, ip + 16, 4);
  return true;
}

// RFC 8200; extension headers are not looked into.
static bool decode6(struct packet *packet) {
  const uint8_t *ip = packet->bytes;
  if (packet->length < 40) return false;
  packet->header = 40;
  size_t total = (size_t)get16(ip + 4) + 40;
  if (total > packet->length) return false;
  packet->length = total;
  packet->keep_whole = true;
  packet->protocol = ip[6];
  packet->ttl = ip[7];
  packet->source.v6 = packet->destination.v6 = true;
  memcpy(packet->source.bytes, ip + 8, 16);
  memcpy(packet->destination.bytes, ip + 24, 16);
  return true;
}

bool decode(const uint8_t *bytes, size_t length, struct packet *packet) {
  *packet = (struct packet){.bytes = bytes, .length = length};
  if (length == 0) return false;
  packet->v6 = bytes[0] >> 4 == 6;
  if (packet->v6) return decode6(packet);
  return bytes[0] >> 4 == 4 && decode4(packet);
}

const uint8_t *transport(const struct packet *packet, size_t *length) {
  *length = packet->length - packet->header;
  return packet->bytes + packet->header;
}

static bool is_icmp(const struct packet *packet) { return packet->protocol == (packet->v6 ? ICMP6 : ICMP4); }

bool is_error(const struct packet *packet) {
  size_t length;
  const uint8_t *message = transport(packet, &length);
  if (!is_icmp(packet) || length == 0) return false;
  if (packet->v6) return message[0] < 128;
  return message[0] == 3 || message[0] == 4 || message[0] == 5 || message[0] == 11 || message[0] == 12;
}

bool is_probe(const struct packet *packet) {
  size_t length;
  const uint8_t *message = transport(packet, &length);
  if (is_icmp(packet)) return length >= 8 && message[0] == (packet->v6 ? 128 : 8);
  if (packet->protocol == UDP) return length >= 8;
  enum { RST = 4 };
  return packet->protocol == TCP && length >= 20 && !(message[13] & RST);
}

bool is_intact(const struct packet *packet) {
  size_t length;
  const uint8_t *message = transport(packet, &length);
  // A datagram of IPv4 may do without.
  if (packet->protocol == UDP && !packet->v6 && get16(message + 6) == 0) return true;
  return transport_checksum(packet->bytes) == 0;
}

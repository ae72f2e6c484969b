#include "fakenet.h"

static uint32_t add(uint32_t sum, const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i + 1 < length; i += 2) sum += get16(bytes + i);
  if (length % 2) sum += (uint32_t)bytes[length - 1] << 8;
  return sum;
}

static uint16_t finish(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

uint16_t header_checksum(const uint8_t *header, size_t length) { return finish(add(0, header, length)); }

size_t transport_offset(const uint8_t *packet) {
  return packet[0] >> 4 == 6 ? 40 : (size_t)(packet[0] & 15) * 4;
}

uint16_t transport_checksum(const uint8_t *packet) {
  bool v6 = packet[0] >> 4 == 6;
  size_t offset = transport_offset(packet);
  size_t length = v6 ? get16(packet + 4) : get16(packet + 2) - offset;
  uint8_t protocol = packet[v6 ? 6 : 9];
  uint32_t sum = add(0, packet + offset, length);
  // All but ICMP of IPv4.
  if (protocol != ICMP4) {
    sum = add(sum, packet + (v6 ? 8 : 12), v6 ? 32 : 8);
    sum += (uint32_t)length + protocol;
  }
  return finish(sum);
}

void seal(uint8_t *packet) {
  size_t offset = transport_offset(packet);
  if (packet[0] >> 4 == 4) {
    put16(packet + 10, 0);
    put16(packet + 10, header_checksum(packet, offset));
  }
  uint8_t protocol = packet[packet[0] >> 4 == 6 ? 6 : 9];
  uint8_t *field = packet + offset + (protocol == TCP ? 16 : protocol == UDP ? 6 : 2);
  put16(field, 0);
  uint16_t sum = transport_checksum(packet);
  // 0 would say that a datagram has none.
  put16(field, protocol == UDP && sum == 0 ? 0xffff : sum);
}

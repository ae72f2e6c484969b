#include "fakenet.h"

#include <string.h>

// Where a reply says which probe it belongs to: in its own ICMP or TCP header, or in that of the packet it quotes.
static uint8_t *probe_header(struct reply *reply, uint8_t *protocol, size_t *length) {
  bool v6 = reply->bytes[0] >> 4 == 6;
  uint8_t *header = reply->bytes + transport_offset(reply->bytes);
  *protocol = reply->bytes[v6 ? 6 : 9];
  bool is_echo = header[0] == (v6 ? 129 : 0);
  if (*protocol == (v6 ? ICMP6 : ICMP4) && !is_echo) {
    uint8_t *quoted = header + 8;
    *protocol = quoted[v6 ? 6 : 9];
    header = quoted + transport_offset(quoted);
  }
  *length = (size_t)(reply->bytes + reply->length - header);
  return header;
}

// The identifier of ICMP, the ports of TCP and UDP; the sequence number of ICMP, the number that TCP acknowledges or has
// sent, the checksum of UDP, which tells the datagrams of a traceroute apart.
static void change_number(struct reply *reply, bool is_sequence) {
  uint8_t protocol;
  size_t length;
  uint8_t *header = probe_header(reply, &protocol, &length);
  size_t offset = 0;
  switch (protocol) {
  case ICMP4:
  case ICMP6: offset = is_sequence ? 6 : 4; break;
  case TCP: offset = is_sequence ? (reply->bytes + transport_offset(reply->bytes) == header ? 10 : 6) : 2; break;
  case UDP: offset = is_sequence ? 6 : 0; break;
  default: return;
  }
  if (offset + 2 <= length) put16(header + offset, get16(header + offset) ^ 0x5a5a);
}

static void change_source(struct reply *reply) {
  bool v6 = reply->bytes[0] >> 4 == 6;
  struct address other;
  parse_address(v6 ? "2001:db8::bad" : "203.0.113.66", &other);
  memcpy(reply->bytes + (v6 ? 8 : 12), other.bytes, v6 ? 16 : 4);
}

// The last byte, which is data of the probe where it has any.
static void change_payload(struct reply *reply) { reply->bytes[reply->length - 1] ^= 0x5a; }

// Half of the data is left of an echo reply or datagram, half an IP header of the packet that an error quotes, and 14
// bytes of a segment; lengths and checksums are right.
static void truncate_message(struct reply *reply) {
  bool v6 = reply->bytes[0] >> 4 == 6;
  uint8_t protocol = reply->bytes[v6 ? 6 : 9];
  size_t offset = transport_offset(reply->bytes), length = reply->length - offset;
  uint8_t *header = reply->bytes + offset;
  bool is_error = protocol == (v6 ? ICMP6 : ICMP4) && header[0] != (v6 ? 129 : 0);
  size_t left = length <= 8 ? length / 2 : 8 + (is_error ? (v6 ? 20 : 10) : (length - 8) / 2);
  if (left > length) left = length;
  reply->length = offset + left;
  put16(reply->bytes + (v6 ? 4 : 2), (unsigned)(v6 ? left : offset + left));
  if (protocol == UDP && left >= 8) put16(header + 4, (unsigned)left);
}

void spoil(struct reply *reply, enum garbage kind) {
  switch (kind) {
  case GARBAGE_TRUNCATED: truncate_message(reply); break;
  case GARBAGE_IDENTIFIER: change_number(reply, false); break;
  case GARBAGE_SEQUENCE: change_number(reply, true); break;
  case GARBAGE_SOURCE: change_source(reply); break;
  case GARBAGE_PAYLOAD: change_payload(reply); break;
  case GARBAGE_CHECKSUM:
  case GARBAGE_KINDS: break;
  }
  seal(reply->bytes);
  if (kind != GARBAGE_CHECKSUM) return;
  uint8_t protocol = reply->bytes[reply->bytes[0] >> 4 == 6 ? 6 : 9];
  uint8_t *field = reply->bytes + transport_offset(reply->bytes) + (protocol == TCP ? 16 : protocol == UDP ? 6 : 2);
  put16(field, get16(field) ^ 0x5a5a);
}

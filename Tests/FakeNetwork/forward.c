#include "fakenet.h"

#include <string.h>

// The most specific one.
static struct node *target_of(const struct address *address) {
  struct node *best = 0;
  for (size_t i = 0; i < network.node_count; i++) {
    struct node *node = &network.nodes[i];
    if (!node->is_target || !is_within(address, &node->network, node->prefix)) continue;
    if (!best || node->prefix > best->prefix) best = node;
  }
  return best;
}

// FNV-1a, 64 bits
static uint64_t mix(uint64_t hash, const uint8_t *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x100000001b3;
  return hash;
}

// Which flow a packet belongs to, as routers tell it: by addresses, protocol and the first four bytes of what follows
// the IP header (Augustin and others: Avoiding traceroute anomalies with Paris traceroute).
static uint64_t flow_hash(const struct packet *packet) {
  uint64_t hash = mix(0xcbf29ce484222325, packet->source.bytes, 16);
  hash = mix(hash, packet->destination.bytes, 16);
  hash = mix(hash, &packet->protocol, 1);
  if (packet->v6 && network.hash_flow_label) {
    uint8_t label[3] = {packet->bytes[1] & 15, packet->bytes[2], packet->bytes[3]};
    hash = mix(hash, label, 3);
  }
  size_t length;
  const uint8_t *message = transport(packet, &length);
  bool is_icmp = packet->protocol == (packet->v6 ? ICMP6 : ICMP4);
  size_t offset = is_icmp && network.hash_identifier ? 4 : 0, size = offset ? 2 : 4;
  // Later fragments have no ports: a flow of their own.
  bool has_ports = !packet->fragment && !(is_icmp && network.hash_addresses);
  if (has_ports && length >= offset + size) hash = mix(hash, message + offset, size);
  // The low bits of FNV depend on little.
  return hash ^ hash >> 32 ^ hash >> 17;
}

static const struct path *path_of(struct node *target, const struct packet *packet) {
  if (target->path_count == 1) return &target->paths[0];
  if (!target->balance_packets) return &target->paths[flow_hash(packet) % target->path_count];
  return &target->paths[(size_t)(uniform(target) * (double)target->path_count)];
}

static bool is_multicast(const struct address *address) {
  return address->v6 ? address->bytes[0] == 0xff : address->bytes[0] >= 224;
}

void handle(const uint8_t *bytes, size_t length, int64_t now) {
  struct packet packet;
  struct node *target;
  if (!decode(bytes, length, &packet) || is_multicast(&packet.destination)
      || !(target = target_of(&packet.destination))) {
    network.unknown++;
    return;
  }
  const struct path *path = path_of(target, &packet);
  for (size_t i = 0; i < path->length; i++) {
    struct node *hop = &network.nodes[path->hops[i]];
    unsigned distance = (unsigned)i;
    // Its route says so before its hop limit is looked at, as in Linux.
    if (hop->action == ACTION_UNREACHABLE || hop->action == ACTION_PROHIBITED)
      return answer_refusal(hop, &packet, distance, now);
    if (packet.ttl <= i + 1)
      return answer_error(hop, &packet, (struct error){packet.v6 ? 3 : 11, 0, 0}, distance, now);
    if (hop->action == ACTION_TOO_BIG && packet.length > hop->action_value && packet.keep_whole)
      return answer_refusal(hop, &packet, distance, now);
    if (chance(hop, hop->drop)) {
      hop->counters.dropped++;
      // The sender sees no difference.
      if (is_probe(&packet) && packet.ttl > path->length) {
        target->counters.received++;
        target->counters.lost++;
      }
      return;
    }
    hop->counters.forwarded++;
  }
  answer_probe(target, &packet, (unsigned)path->length, now);
}

#include "fakenet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The first word of a value; `rest` is what follows it.
static const char *split(char *value, const char **rest) {
  char *space = strpbrk(value, " \t");
  if (space) *space++ = 0;
  *rest = space ? trim(space) : "";
  return value;
}

// A number and, where it is there, a second one.
static bool set_pair(double *first, double most, double *second, char *value, char *message) {
  const char *rest;
  double one, two = *second;
  if (!set_number(&one, split(value, &rest), most, message)) return false;
  if (*rest && !set_number(&two, rest, 1e9, message)) return false;
  *first = one;
  *second = two;
  return true;
}

static bool set_garbage(double *percent, enum garbage *kind, char *value, char *message) {
  static const char *const kinds[] = {"checksum", "truncated", "identifier", "sequence", "source", "payload"};
  const char *rest;
  double parsed;
  if (!set_number(&parsed, split(value, &rest), 100, message)) return false;
  int found = *rest || parsed > 0 ? choice(kinds, GARBAGE_KINDS, rest, message) : 0;
  if (found < 0) return false;
  *percent = parsed;
  *kind = (enum garbage)found;
  return true;
}

static bool set_answer(struct node *node, char *value, char *message) {
  static const char *const words[] = {"normal", "unreachable", "prohibited", "too-big"};
  const char *rest;
  int action = choice(words, 4, split(value, &rest), message);
  if (action < 0) return false;
  bool has_value = action == ACTION_UNREACHABLE || action == ACTION_TOO_BIG;
  unsigned most = action == ACTION_TOO_BIG ? MAX_PACKET - 1 : 255;
  if (has_value && !set_unsigned(&node->action_value, rest, 0, most, message)) return false;
  if (!has_value && *rest) return complain(message, "%s has no value", words[action]);
  node->action = (enum action)action;
  return true;
}

static bool set_limit(struct node *node, char *value, char *message) {
  if (strcmp(value, "off") == 0) {
    node->limit = 0;
    return true;
  }
  double burst = 1, limit;
  if (!set_pair(&limit, 1e9, &burst, value, message)) return false;
  if (limit <= 0 || burst < 1) return complain(message, "a limit is off, or more than 0 with a burst of at least 1");
  node->limit = limit;
  node->burst = node->tokens = burst;
  return true;
}

static bool set_source(struct node *node, const char *value, char *message) {
  struct address address;
  if (!parse_address(value, &address)) return complain(message, "not an address: %s", value);
  if (address.v6 != node->network.v6) return complain(message, "of the other family: %s", value);
  node->address = address;
  node->has_address = true;
  return true;
}

static bool set_target(struct node *node, const char *key, const char *value, char *message) {
  static const char *const udp[] = {"closed", "echo", "silent"};
  static const char *const tcp[] = {"refused", "open", "silent"};
  static const char *const balance[] = {"flow", "packet"};
  int found;
  if (strcmp(key, "path") == 0) return set_path(node, value, message);
  if (strcmp(key, "echo") == 0) return set_switch(&node->echo, value, message);
  if (strcmp(key, "udp") == 0) {
    if ((found = choice(udp, 3, value, message)) >= 0) node->udp = (enum udp)found;
    return found >= 0;
  }
  if (strcmp(key, "tcp") == 0) {
    if ((found = choice(tcp, 3, value, message)) >= 0) node->tcp = (enum tcp)found;
    return found >= 0;
  }
  if (strcmp(key, "balance") == 0) {
    if ((found = choice(balance, 2, value, message)) >= 0) node->balance_packets = found == 1;
    return found >= 0;
  }
  return complain(message, "a target has no %s", key);
}

bool set_node(struct node *node, const char *key, const char *value, char *message) {
  char copy[LINE_SIZE];
  if ((size_t)snprintf(copy, sizeof copy, "%s", value) >= sizeof copy) return complain(message, "too long");
  if (strcmp(key, "delay") == 0) return set_number(&node->delay, value, 1e9, message);
  if (strcmp(key, "jitter") == 0) return set_number(&node->jitter, value, 1e9, message);
  if (strcmp(key, "loss") == 0) return set_number(&node->loss, value, 100, message);
  if (strcmp(key, "duplicate") == 0) return set_number(&node->duplicate, value, 100, message);
  if (strcmp(key, "reorder") == 0) return set_pair(&node->reorder, 100, &node->reorder_delay, copy, message);
  if (strcmp(key, "late") == 0) return set_pair(&node->late, 100, &node->late_delay, copy, message);
  if (strcmp(key, "silent") == 0) return set_switch(&node->silent, value, message);
  if (strcmp(key, "limit") == 0) return set_limit(node, copy, message);
  if (strcmp(key, "answer") == 0) return set_answer(node, copy, message);
  if (strcmp(key, "garbage") == 0) return set_garbage(&node->garbage, &node->garbage_kind, copy, message);
  if (strcmp(key, "noise") == 0) return set_garbage(&node->noise, &node->noise_kind, copy, message);
  if (strcmp(key, "quote") == 0) return set_unsigned(&node->quote, value, 0, MAX_PACKET, message);
  if (strcmp(key, "ttl") == 0) return set_unsigned(&node->ttl, value, 1, 255, message);
  if (strcmp(key, "address") == 0) return set_source(node, value, message);
  if (node->is_target) return set_target(node, key, value, message);
  if (strcmp(key, "drop") == 0) return set_number(&node->drop, value, 100, message);
  return complain(message, "a hop has no %s", key);
}

bool set_network(const char *key, const char *value, char *message) {
  static const char *const hashes[] = {"checksum", "identifier", "addresses"};
  const struct { const char *key; char *text; size_t size; } texts[] = {
      {"name", network.name, sizeof network.name},
      {"addresses", network.addresses, sizeof network.addresses},
      {"routes", network.routes, sizeof network.routes},
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (strcmp(key, texts[i].key) != 0) continue;
    if ((size_t)snprintf(texts[i].text, texts[i].size, "%s", value) >= texts[i].size)
      return complain(message, "longer than %zu bytes", texts[i].size - 1);
    return true;
  }
  if (strcmp(key, "seed") == 0) {
    char *end;
    network.seed = strtoull(value, &end, 10);
    return (*value && !*end) || complain(message, "not a number: %s", value);
  }
  if (strcmp(key, "queue") == 0) return set_unsigned(&network.queue, value, 1, 1 << 20, message);
  if (strcmp(key, "mtu") == 0) return set_unsigned(&network.mtu, value, 1280, 65535, message);
  if (strcmp(key, "flow-label") == 0) return set_switch(&network.hash_flow_label, value, message);
  if (strcmp(key, "hash") == 0) {
    int found = choice(hashes, 3, value, message);
    if (found >= 0) network.hash_identifier = found == 1, network.hash_addresses = found == 2;
    return found >= 0;
  }
  return complain(message, "a network has no %s", key);
}

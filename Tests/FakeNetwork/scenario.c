#include "fakenet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct network network = {.name = "fake0", .seed = 1, .queue = 65536, .mtu = 1500};

// By address: the same one may be written in several ways.
struct node *find_node(bool is_target, const char *name) {
  struct address address;
  int prefix;
  if (!parse_prefix(name, &address, &prefix)) return 0;
  for (size_t i = 0; i < network.node_count; i++) {
    struct node *node = &network.nodes[i];
    if (node->is_target == is_target && node->prefix == prefix && is_equal(&node->network, &address)) return node;
  }
  return 0;
}

struct node *make_node(bool is_target, const char *name, char *message) {
  struct node *node = find_node(is_target, name);
  if (node) return node;
  struct node new = {
      .is_target = is_target, .reorder_delay = 20, .late_delay = 5000, .ttl = 255, .echo = true,
  };
  if (!parse_prefix(name, &new.network, &new.prefix) || (!is_target && strchr(name, '/'))) {
    complain(message, "not an address: %s", name);
    return 0;
  }
  if (network.node_count == MAX_NODES) {
    complain(message, "more than %d hops and targets", MAX_NODES);
    return 0;
  }
  snprintf(new.name, sizeof new.name, "%s", name);
  new.address = new.network;
  seed_node(&new);
  node = &network.nodes[network.node_count];
  if (is_target && !(new.paths = calloc(1, sizeof *new.paths))) fail("no memory");
  new.path_count = is_target;
  *node = new;
  network.node_count++;
  return node;
}

// All of it, or nothing where any of it is wrong; hops that are new stay.
bool set_path(struct node *node, const char *value, char *message) {
  char copy[LINE_SIZE];
  snprintf(copy, sizeof copy, "%s", value);
  struct path *paths = calloc(MAX_PATHS, sizeof *paths);
  if (!paths) fail("no memory");
  size_t count = 1;
  char *rest;
  bool good = true;
  for (char *word = strtok_r(copy, " \t", &rest); good && word; word = strtok_r(0, " \t", &rest)) {
    if (strcmp(word, "|") == 0) {
      good = count++ < MAX_PATHS || complain(message, "more than %d paths", MAX_PATHS);
      continue;
    }
    struct path *path = &paths[count - 1];
    struct node *hop = make_node(false, word, message);
    if (!hop) good = false;
    else if (hop->network.v6 != node->network.v6) good = complain(message, "of the other family: %s", word);
    else if (path->length == MAX_PATH) good = complain(message, "more than %d hops", MAX_PATH);
    else path->hops[path->length++] = (uint16_t)(hop - network.nodes);
  }
  if (!good) {
    free(paths);
    return false;
  }
  free(node->paths);
  node->paths = paths;
  node->path_count = count;
  return true;
}

// A section's first line, between its brackets: network, or hop or target with a name.
static bool open_section(char *title, bool *in_network, struct node **node, char *message) {
  *in_network = strcmp(title, "network") == 0;
  *node = 0;
  if (*in_network) return true;
  bool is_target = strncmp(title, "target ", 7) == 0;
  if (!is_target && strncmp(title, "hop ", 4) != 0)
    return complain(message, "a section is [network], [hop ADDRESS] or [target ADDRESS]");
  *node = make_node(is_target, trim(title + (is_target ? 7 : 4)), message);
  return *node != 0;
}

static bool read_line(char *line, bool *in_network, struct node **node, char *message) {
  line[strcspn(line, "#;\n")] = 0;
  line = trim(line);
  if (!*line) return true;
  size_t length = strlen(line);
  if (line[0] == '[') {
    if (line[length - 1] != ']') return complain(message, "a section ends with ]");
    line[length - 1] = 0;
    return open_section(trim(line + 1), in_network, node, message);
  }
  char *equals = strchr(line, '=');
  if (!equals) return complain(message, "neither [section] nor key = value");
  *equals = 0;
  const char *key = trim(line), *value = trim(equals + 1);
  if (*in_network) return set_network(key, value, message);
  if (*node) return set_node(*node, key, value, message);
  return complain(message, "%s is in no section", key);
}

void read_scenario(const char *file) {
  FILE *stream = fopen(file, "re");
  if (!stream) fail("%s: %s", file, strerror(errno));
  char line[LINE_SIZE], message[MESSAGE_SIZE];
  bool in_network = false;
  struct node *node = 0;
  for (int number = 1; fgets(line, sizeof line, stream); number++) {
    if (strlen(line) == sizeof line - 1) fail("%s:%d: longer than %zu bytes", file, number, sizeof line - 2);
    if (!read_line(line, &in_network, &node, message)) fail("%s:%d: %s", file, number, message);
  }
  fclose(stream);
  // The seed may stand after them.
  for (size_t i = 0; i < network.node_count; i++) seed_node(&network.nodes[i]);
}

#include "fakenet.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void write_line(const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t written = write(STDOUT_FILENO, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) exit(74);
    bytes += written;
    length -= (size_t)written;
  }
}

void say(const char *format, ...) {
  char line[MESSAGE_SIZE * 2];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  write_line(line, (size_t)length);
}

void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fprintf(stderr, "fakenet: ");
  vfprintf(stderr, format, arguments);
  fprintf(stderr, "\n");
  va_end(arguments);
  exit(1);
}

static void print_nodes(FILE *stream, bool is_target) {
  const char *comma = "";
  for (size_t i = 0; i < network.node_count; i++) {
    const struct node *node = &network.nodes[i];
    if (node->is_target != is_target) continue;
    const struct counters *c = &node->counters;
    const struct { const char *name; uint64_t value; } numbers[] = {
        {"received", c->received},     {"answered", c->answered},   {"lost", c->lost},
        {"ignored", c->ignored},       {"limited", c->limited},     {"garbage", c->garbage},
        {"malformed", c->malformed},   {"overflow", c->overflow},   {"duplicated", c->duplicated},
        {"reordered", c->reordered},   {"late", c->late},           {"noise", c->noise},
        {"forwarded", c->forwarded},   {"dropped", c->dropped},
    };
    fprintf(stream, "%s\"%s\":{", comma, node->name);
    for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++)
      fprintf(stream, "%s\"%s\":%llu", j ? "," : "", numbers[j].name, (unsigned long long)numbers[j].value);
    fprintf(stream, "}");
    comma = ",";
  }
}

// With the command's number before it, if it has one.
void say_counters(unsigned long number) {
  char *text = 0;
  size_t length = 0;
  FILE *stream = open_memstream(&text, &length);
  if (!stream) fail("no memory");
  if (number) fprintf(stream, "%lu ", number);
  fprintf(stream, "{\"targets\":{");
  print_nodes(stream, true);
  fprintf(stream, "},\"hops\":{");
  print_nodes(stream, false);
  fprintf(stream, "},\"unknown\":%llu,\"waiting\":%zu}\n", (unsigned long long)network.unknown, waiting());
  if (fclose(stream) != 0) fail("no memory");
  write_line(text, length);
  free(text);
}

static void reset(void) {
  network.unknown = 0;
  for (size_t i = 0; i < network.node_count; i++) network.nodes[i].counters = (struct counters){0};
}

// set hop|target NAME KEY VALUE
static bool set(char *line, char *message) {
  char *rest;
  strtok_r(line, " \t", &rest);
  const char *kind = strtok_r(0, " \t", &rest), *name = strtok_r(0, " \t", &rest), *key = strtok_r(0, " \t", &rest);
  if (!key || (strcmp(kind, "hop") != 0 && strcmp(kind, "target") != 0))
    return complain(message, "set hop|target NAME KEY VALUE");
  struct node *node = find_node(strcmp(kind, "target") == 0, name);
  if (!node) return complain(message, "there is no %s %s", kind, name);
  return set_node(node, key, trim(rest), message);
}

static void run_command(char *line) {
  static unsigned long number;
  char message[MESSAGE_SIZE] = "a command is set, counters or reset";
  number++;
  line = trim(line);
  if (strcmp(line, "counters") == 0) return say_counters(number);
  bool good = strcmp(line, "reset") == 0 || (strncmp(line, "set ", 4) == 0 && set(line, message));
  if (strcmp(line, "reset") == 0) reset();
  if (good) say("%lu ok", number);
  else say("%lu error %s", number, message);
}

bool read_commands(void) {
  static char buffer[LINE_SIZE];
  static size_t used;
  ssize_t got = read(STDIN_FILENO, buffer + used, sizeof buffer - used - 1);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  used += (size_t)got;
  buffer[used] = 0;
  char *start = buffer;
  for (char *end; (end = strchr(start, '\n')); start = end + 1) {
    *end = 0;
    run_command(start);
  }
  used -= (size_t)(start - buffer);
  memmove(buffer, start, used);
  if (used == sizeof buffer - 1) fail("a command of more than %zu bytes", used);
  return true;
}

#include "fakenet.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool parse_address(const char *text, struct address *address) {
  *address = (struct address){.v6 = strchr(text, ':') != 0};
  return inet_pton(address->v6 ? AF_INET6 : AF_INET, text, address->bytes) == 1;
}

bool parse_prefix(const char *text, struct address *address, int *length) {
  char host[NAME_SIZE];
  if ((size_t)snprintf(host, sizeof host, "%s", text) >= sizeof host) return false;
  char *slash = strchr(host, '/');
  if (slash) *slash = 0;
  if (!parse_address(host, address)) return false;
  int most = address->v6 ? 128 : 32;
  *length = most;
  if (!slash) return true;
  char *end;
  long number = strtol(slash + 1, &end, 10);
  if (end == slash + 1 || *end || number < 0 || number > most) return false;
  *length = (int)number;
  return true;
}

bool is_within(const struct address *address, const struct address *net, int length) {
  if (address->v6 != net->v6) return false;
  size_t whole = (size_t)length / 8;
  if (memcmp(address->bytes, net->bytes, whole) != 0) return false;
  if (length % 8 == 0) return true;
  return (address->bytes[whole] ^ net->bytes[whole]) >> (8 - length % 8) == 0;
}

bool is_equal(const struct address *left, const struct address *right) {
  return left->v6 == right->v6 && memcmp(left->bytes, right->bytes, left->v6 ? 16 : 4) == 0;
}

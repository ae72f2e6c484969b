#include "fakenet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Runs ip(8) with the words of a line.
static void ip(const char *line) {
  char copy[MESSAGE_SIZE * 2];
  char *words[32] = {"ip"}, *rest;
  snprintf(copy, sizeof copy, "%s", line);
  size_t count = 1;
  for (char *word = strtok_r(copy, " ", &rest); word && count < 31; word = strtok_r(0, " ", &rest)) words[count++] = word;
  pid_t child = fork();
  if (child < 0) fail("fork: %s", strerror(errno));
  if (child == 0) {
    execvp("ip", words);
    _exit(127);
  }
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) fail("waitpid: %s", strerror(errno));
  if (status != 0) fail("ip %s ended with status %d", line, WEXITSTATUS(status));
}

// Whether the kernel takes packets to that address of this host: it makes the local route in a work queue, some time
// after the address is there. /proc/net/ipv6_route has it by its 32 digits, prefix length and flags (RTF_LOCAL).
static bool is_local(const struct address *address) {
  char digits[33], line[MESSAGE_SIZE], destination[33], flags[9];
  unsigned prefix;
  for (int i = 0; i < 16; i++) snprintf(digits + 2 * i, 3, "%02x", address->bytes[i]);
  FILE *stream = fopen("/proc/net/ipv6_route", "re");
  if (!stream) fail("/proc/net/ipv6_route: %s", strerror(errno));
  bool found = false;
  while (!found && fgets(line, sizeof line, stream))
    found = sscanf(line, "%32s %x %*s %*s %*s %*s %*s %*s %8s", destination, &prefix, flags) == 3 && prefix == 128
            && strcmp(destination, digits) == 0 && flags[0] == '8';
  fclose(stream);
  return found;
}

static void wait_until_local(const char *text) {
  struct address address;
  int prefix;
  if (!parse_prefix(text, &address, &prefix) || !address.v6) return;
  for (int attempt = 0; !is_local(&address); attempt++) {
    if (attempt == 60000) fail("the kernel does not take %s for its own", text);
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, 0);
  }
}

static void add_address(const char *text) {
  struct address address;
  int prefix;
  char line[MESSAGE_SIZE];
  if (!parse_prefix(text, &address, &prefix)) fail("not an address: %s", text);
  snprintf(line, sizeof line, "address add %s dev %s%s", text, network.name, address.v6 ? " nodad" : "");
  ip(line);
}

static void add_route(const char *text) {
  struct address address;
  int prefix;
  char line[MESSAGE_SIZE];
  if (!parse_prefix(text, &address, &prefix)) fail("not a network: %s", text);
  snprintf(line, sizeof line, "%s route add %s dev %s", address.v6 ? "-6" : "-4", text, network.name);
  ip(line);
}

static void for_each_word(const char *text, void (*body)(const char *)) {
  char copy[MESSAGE_SIZE], *rest;
  snprintf(copy, sizeof copy, "%s", text);
  for (char *word = strtok_r(copy, " ,\t", &rest); word; word = strtok_r(0, " ,\t", &rest)) body(word);
}

int open_device(void) {
  int device = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (device < 0) fail("/dev/net/tun: %s", strerror(errno));
  struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", network.name);
  if (ioctl(device, TUNSETIFF, &request) < 0) fail("%s: %s", network.name, strerror(errno));
  char line[MESSAGE_SIZE];
  // A queue that holds a burst of probes: what the kernel lost there, nobody here would count.
  snprintf(line, sizeof line, "link set %s mtu %u txqueuelen 20000 up", network.name, network.mtu);
  ip(line);
  for_each_word(network.addresses, add_address);
  for_each_word(network.addresses, wait_until_local);
  if (*network.routes) {
    for_each_word(network.routes, add_route);
    return device;
  }
  if (strchr(network.addresses, '.')) add_route("0.0.0.0/0");
  if (strchr(network.addresses, ':')) add_route("::/0");
  return device;
}

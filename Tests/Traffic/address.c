#include "traffic.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

struct address resolve(const char *host, const char *port) {
  errno = 0;
  if (!host) fail("an address is missing");
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
  struct addrinfo *found;
  int error = getaddrinfo(host, port ? port : "0", &hints, &found);
  if (error) fail("%s %s: %s", host, port, gai_strerror(error));
  struct address address = {.length = found->ai_addrlen};
  memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  freeaddrinfo(found);
  return address;
}

// The port stands at the same place in both families.
int local_port(int fd) {
  struct sockaddr_in6 address = {0};
  socklen_t length = sizeof address;
  if (getsockname(fd, (struct sockaddr *)&address, &length)) fail("getsockname");
  return ntohs(address.sin6_port);
}

void set_port(struct address *address, int port) {
  ((struct sockaddr_in6 *)&address->storage)->sin6_port = htons((uint16_t)port);
}

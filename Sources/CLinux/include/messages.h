// recvmmsg(2), which the C library hides from Swift.
#pragma once
#include <stddef.h>
#include <sys/types.h>

/// The most datagrams that are taken at once.
#define CLINUX_DATAGRAMS 16

/// Waits for a datagram and takes up to CLINUX_DATAGRAMS that have come, each to its own `size` bytes of `buffer`. Returns how
/// many and writes their lengths to `lengths`; one that was longer than `size` has a length above it. -1 with errno.
int clinux_receive_many(int socket, void *buffer, size_t size, ssize_t lengths[CLINUX_DATAGRAMS]);

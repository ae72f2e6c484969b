// Stream sockets, accept4(2), splice(2) and fcntl(2)'s pipe sizes, whose prototypes the C library hides from Swift.
#pragma once
#include <stddef.h>
#include <sys/types.h>

/// A TCP socket of the address family that does not block and is closed on exec; -1 with errno.
int clinux_stream_socket(int family);

/// Takes a connection that waits at `listener`, as a socket that does not block and is closed on exec, and writes
/// its peer to `address`, a struct sockaddr_storage; -1 with errno.
int clinux_accept(int listener, void *address);

/// Moves at most `length` bytes between a pipe and a socket without waiting for either; returns how many, 0 at the
/// end, -1 with errno.
ssize_t clinux_splice(int from, int to, size_t length);

/// Makes a pipe hold `bytes`; returns its new size, -1 with errno.
int clinux_resize_pipe(int pipe, int bytes);

/// Returns how many bytes a pipe holds, -1 with errno.
int clinux_pipe_size(int pipe);

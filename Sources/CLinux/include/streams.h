// Stream sockets, accept4(2), splice(2), pwritev2(2) and pipe sizes of fcntl(2), whose prototypes the C library hides from
// Swift.
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

/// Writes what `file` takes without waiting; returns how many bytes. -1 with errno: EAGAIN when it takes none now,
/// EOPNOTSUPP where the kernel cannot say (terminals, some file systems, pipes before Linux 6.5).
ssize_t clinux_write_now(int file, const void *bytes, size_t length);

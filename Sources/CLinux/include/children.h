// Children of this process, and descriptors that are handed to them: what the C library hides from Swift.
#pragma once
#include <sys/types.h>

/// Runs the program at `path` as a child of its own process group, with `input` as its standard input and /dev/null as
/// its standard output; standard error is shared, signals are as by default. Returns its pid, -1 with errno.
pid_t clinux_run_child(const char *path, char *const arguments[], int input);

/// fork(2) on a new thread, the only one of the child, where it runs `body`, which must end the process. Only for a process
/// of one thread. Returns the child's pid, -1 with errno.
///
/// Swift's locks hold their owner by the number of its thread, which each thread asks for once. A thread that has asked
/// before it forks would lock in the child with its number of before, and the kernel lets nobody unlock that for another.
pid_t clinux_fork(void (*body)(void *argument), void *argument);

/// Waits until the child has ended, but not longer than `milliseconds`, nor than 5 where the kernel has no pidfd_open(2)
/// (before Linux 5.3). It is still to be waited for by waitpid(2).
void clinux_await_end(pid_t child, int milliseconds);

/// Makes SIGINT, SIGTERM, SIGHUP and SIGPIPE do nothing to this process.
int clinux_ignore_ends(void);

/// Makes two connected stream sockets that are closed on exec; -1 with errno.
int clinux_socket_pair(int ends[2]);

/// 1 if the descriptor is a stream socket between processes of one host (unix(7)).
int clinux_is_local_stream(int descriptor);

/// Sends one byte and, unless it is -1, a descriptor (SCM_RIGHTS); -1 with errno.
int clinux_send_descriptor(int socket, unsigned char byte, int descriptor);

/// Waits for one byte and the descriptor that may come with it, which is closed on exec; `descriptor` is -1 without one.
/// Returns 1, 0 at the end, -1 with errno.
int clinux_receive_descriptor(int socket, unsigned char *byte, int *descriptor);

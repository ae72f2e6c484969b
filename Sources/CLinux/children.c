#define _GNU_SOURCE
#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

extern char **environ;

pid_t clinux_run_child(const char *path, char *const arguments[], int input) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  int error = posix_spawn_file_actions_init(&files);
  if (error != 0) return errno = error, -1;
  error = posix_spawnattr_init(&attributes);
  if (error != 0) {
    posix_spawn_file_actions_destroy(&files);
    return errno = error, -1;
  }
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  // A signal from the keyboard is for the program that started it.
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  error = posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
  if (error == 0) error = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  if (error == 0) error = posix_spawn(&pid, path, &files, &attributes, arguments, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error == 0 ? pid : (errno = error, -1);
}

struct division {
  void (*body)(void *);
  void *argument;
  pid_t pid;
  int error;
};

static void *divide(void *argument) {
  struct division *division = argument;
  division->pid = fork();
  if (division->pid == 0) {
    division->body(division->argument);
    _exit(EXIT_FAILURE);
  }
  division->error = errno;
  return NULL;
}

pid_t clinux_fork(void (*body)(void *argument), void *argument) {
  struct division division = {.body = body, .argument = argument, .pid = -1};
  pthread_t thread;
  int error = pthread_create(&thread, NULL, divide, &division);
  if (error != 0) return errno = error, -1;
  pthread_join(thread, NULL);
  errno = division.error;
  return division.pid;
}

void clinux_await_end(pid_t child, int milliseconds) {
  enum { without_descriptor = 5 };
  int descriptor = (int)syscall(434 /* pidfd_open */, child, 0);
  struct pollfd event = {.fd = descriptor, .events = POLLIN};
  // poll(2) leaves a negative descriptor out, and sleeps.
  poll(&event, 1, descriptor >= 0 || milliseconds < without_descriptor ? milliseconds : without_descriptor);
  if (descriptor >= 0) close(descriptor);
}

int clinux_ignore_ends(void) {
  static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  for (size_t index = 0; index < sizeof ignored / sizeof *ignored; index++) {
    if (sigaction(ignored[index], &ignore, NULL) != 0) return -1;
  }
  return 0;
}

int clinux_socket_pair(int ends[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends); }

int clinux_is_local_stream(int descriptor) {
  int domain = 0, type = 0;
  socklen_t size = sizeof domain;
  if (getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return 0;
  size = sizeof type;
  if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return 0;
  return domain == AF_UNIX && type == SOCK_STREAM;
}

int clinux_send_descriptor(int socket, unsigned char byte, int descriptor) {
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (descriptor >= 0) {
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  ssize_t sent;
  do sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return sent == 1 ? 0 : -1;
}

int clinux_receive_descriptor(int socket, unsigned char *byte, int *descriptor) {
  struct iovec part = {.iov_base = byte, .iov_len = 1};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  *descriptor = -1;
  ssize_t received;
  do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (received < 0 && errno == EINTR);
  if (received <= 0) return (int)received;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    if (header->cmsg_len == CMSG_LEN(sizeof(int))) memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
  }
  return 1;
}

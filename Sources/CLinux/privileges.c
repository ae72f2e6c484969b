#define _GNU_SOURCE
#include "privileges.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clinux_get_capabilities(struct clinux_capabilities *capabilities) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  if (syscall(SYS_capget, &header, data) != 0) return -1;
  capabilities->effective = data[0].effective | (unsigned long long)data[1].effective << 32;
  capabilities->permitted = data[0].permitted | (unsigned long long)data[1].permitted << 32;
  capabilities->inheritable = data[0].inheritable | (unsigned long long)data[1].inheritable << 32;
  return 0;
}

// Whether this thread keeps CAP_SYS_NICE.
static _Thread_local int keeps_priority;

void clinux_keep_priority(void) { keeps_priority = 1; }

int clinux_has_priority(void) {
  struct clinux_capabilities held;
  return clinux_get_capabilities(&held) == 0 && (held.effective >> CAP_SYS_NICE & 1);
}

/// Only system calls: a signal may have interrupted anything.
static int confine_thread(struct clinux_capabilities capabilities, int for_good) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  struct clinux_capabilities held;
  if (keeps_priority && clinux_get_capabilities(&held) == 0) {
    capabilities.effective |= held.effective & 1ULL << CAP_SYS_NICE;
    capabilities.permitted |= held.permitted & 1ULL << CAP_SYS_NICE;
  }
  for (int half = 0; half < 2; half++) {
    data[half].effective = (__u32)(capabilities.effective >> 32 * half);
    data[half].permitted = (__u32)(capabilities.permitted >> 32 * half);
    data[half].inheritable = (__u32)(capabilities.inheritable >> 32 * half);
  }
  if (for_good) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0) return -1;
    // Ends at the first number that the kernel does not know, or at once where it is not allowed. What is kept for a
    // thread alone is never a program's.
    unsigned long long kept = capabilities.permitted & ~(1ULL << CAP_SYS_NICE);
    for (long number = 0, result = 0; number < 64 && result == 0; number++) {
      if (!(kept >> number & 1)) result = prctl(PR_CAPBSET_DROP, number, 0L, 0L, 0L);
    }
  }
  return (int)syscall(SYS_capset, &header, data);
}

// What the signalled threads are to do, and how they answer.
static struct clinux_capabilities wanted;
static int wanted_for_good;
static atomic_int failure;
static sem_t answers;

static void obey(int signal) {
  (void)signal;
  int saved = errno;
  if (confine_thread(wanted, wanted_for_good) != 0) atomic_store(&failure, errno);
  sem_post(&answers);
  errno = saved;
}

/// Waits until a thread has obeyed, or ended; -1 with errno.
static int wait_for(pid_t thread) {
  for (int step = 0; step < 50; step++) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += 100000000;
    if (end.tv_nsec >= 1000000000) end.tv_sec++, end.tv_nsec -= 1000000000;
    int result;
    do result = sem_clockwait(&answers, CLOCK_MONOTONIC, &end);
    while (result != 0 && errno == EINTR);
    if (result == 0) return 0;
    if (errno != ETIMEDOUT) return -1;
    if (syscall(SYS_tgkill, getpid(), thread, 0) != 0) return 0;
  }
  return -1;
}

enum { most_threads = 256 };

struct threads {
  pid_t known[most_threads];
  int count;
};

/// Signals the threads that are not `known` yet, one after the other; returns how many there were, -1 with errno.
static int signal_new_threads(struct threads *threads) {
  DIR *folder = opendir("/proc/self/task");
  if (folder == NULL) return -1;
  int before = threads->count, error = 0;
  for (struct dirent *entry; error == 0 && (entry = readdir(folder)) != NULL;) {
    pid_t thread = (pid_t)atoi(entry->d_name);
    int is_known = thread <= 0;
    for (int index = 0; index < threads->count; index++) is_known |= threads->known[index] == thread;
    if (is_known) continue;
    if (threads->count == most_threads) {
      error = EOVERFLOW;
    } else {
      threads->known[threads->count++] = thread;
      // One that has ended meanwhile needs nothing.
      if (syscall(SYS_tgkill, getpid(), thread, SIGSYS) == 0 && wait_for(thread) != 0) error = errno;
    }
  }
  closedir(folder);
  if (error == 0) return threads->count - before;
  errno = error;
  return -1;
}

int clinux_confine(struct clinux_capabilities capabilities, int for_good, int all_threads) {
  if (confine_thread(capabilities, for_good) != 0) return -1;
  if (!all_threads) return 0;
  wanted = capabilities;
  wanted_for_good = for_good;
  if (sem_init(&answers, 0, 0) != 0) return -1;
  // A signal that libdispatch leaves open on its threads, as it does few.
  struct sigaction action = {.sa_handler = obey, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  struct sigaction former;
  if (sigaction(SIGSYS, &action, &former) != 0) return -1;
  struct threads threads = {.known = {(pid_t)syscall(SYS_gettid)}, .count = 1};
  // A thread that another started before that one was asked is asked in the next round.
  int found;
  do found = signal_new_threads(&threads);
  while (found > 0);
  // One that did not answer in time may do so later.
  if (found < 0) return -1;
  sigaction(SIGSYS, &former, NULL);
  if ((errno = atomic_load(&failure)) != 0) return -1;
  return 0;
}

#define _GNU_SOURCE
#include "scheduling.h"

#include <linux/types.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// struct sched_attr of linux/sched/types.h, which clashes with the C library's headers; its first version.
struct attributes {
  __u32 size;
  __u32 policy;
  __u64 flags;
  __s32 nice;
  __u32 priority;
  __u64 runtime;
  __u64 deadline;
  __u64 period;
};

// SCHED_FLAG_RESET_ON_FORK of linux/sched.h: only the privileged may take it back.
static const __u64 reset_on_fork = 1;

int clinux_short_slices(unsigned long long nanoseconds) {
  // SCHED_OTHER is 0; its niceness stays as it is.
  struct attributes attributes = {
      .size = sizeof attributes, .flags = reset_on_fork, .nice = getpriority(PRIO_PROCESS, 0), .runtime = nanoseconds};
  return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

int clinux_come_first(void) {
  // SCHED_FIFO is 1; the lowest of its priorities.
  struct attributes attributes = {.size = sizeof attributes, .policy = 1, .flags = reset_on_fork, .priority = 1};
  return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

int clinux_may_come_first(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_RTPRIO, &limit) != 0) return -1;
  if (limit.rlim_max < 1) limit.rlim_max = 1;
  if (limit.rlim_cur < 1) limit.rlim_cur = 1;
  return setrlimit(RLIMIT_RTPRIO, &limit);
}

int clinux_allowed_processors(void) {
  cpu_set_t allowed;
  return sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : -1;
}

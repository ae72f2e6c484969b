#define _GNU_SOURCE
#include "scheduling.h"

#include <linux/types.h>
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

int clinux_short_slices(unsigned long long nanoseconds) {
  // SCHED_OTHER is 0. Only its own niceness may stay as it is without a privilege.
  struct attributes attributes = {.size = sizeof attributes, .nice = getpriority(PRIO_PROCESS, 0), .runtime = nanoseconds};
  return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

int clinux_come_first(void) {
  // SCHED_FIFO, SCHED_FLAG_RESET_ON_FORK and the lowest real-time priority, of linux/sched.h.
  struct attributes attributes = {.size = sizeof attributes, .policy = 1, .flags = 1, .priority = 1};
  return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

#pragma once

/// Asks the scheduler for short time slices for the calling thread, so that it runs soon after it wakes (Linux 6.12
/// and later, sched_setattr(2)); its share of the processor stays the same. It is a thread of the usual kind from then
/// on. Returns 0, or -1 with errno.
int clinux_short_slices(unsigned long long nanoseconds);

/// Lets the calling thread run before all threads of the usual kind whenever it has something to do (SCHED_FIFO,
/// sched(7)); what it starts does not inherit that. Needs CAP_SYS_NICE, or clinux_may_come_first. Returns 0, or -1 with
/// errno.
int clinux_come_first(void);

/// Allows this process the lowest real-time priority (RLIMIT_RTPRIO of setrlimit(2)) once it has no capability for it.
/// Needs CAP_SYS_RESOURCE where the limit is lower. Returns 0, or -1 with errno.
int clinux_may_come_first(void);

/// How many processors the calling thread may run on (sched_getaffinity(2)), or -1 with errno.
int clinux_allowed_processors(void);

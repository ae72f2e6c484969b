#pragma once

/// Asks the scheduler for short time slices for the calling thread, so that it runs soon after it wakes (Linux 6.12
/// and later, sched_setattr(2)); its share of the processor stays the same. Returns 0, or -1 with errno.
int clinux_short_slices(unsigned long long nanoseconds);

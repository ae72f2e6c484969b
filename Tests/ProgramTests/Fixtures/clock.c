// Clocks that a test moves, for LD_PRELOAD. The file CLOCK_STEPS holds two numbers of nanoseconds, mapped so that a change is
// seen at once: what is added to the wall clock, and to the clock that goes on during suspend. The timers of the kernel, and
// the clock that stands still during suspend, are as they are.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t billion = 1000000000;
static const volatile int64_t *steps;

// Before main: later a fence may refuse it.
__attribute__((constructor)) static void map_steps(void) {
  const char *path = getenv("CLOCK_STEPS");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *page = file < 0 ? MAP_FAILED : mmap(NULL, 2 * sizeof *steps, PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) abort();
  steps = page;
  close(file);
}

static int64_t step_of(clockid_t clock) {
  // Other libraries' constructors may ask before ours.
  if (!steps) return 0;
  switch (clock) {
  case CLOCK_REALTIME:
  case CLOCK_REALTIME_COARSE: return steps[0];
  case CLOCK_BOOTTIME: return steps[1];
  default: return 0;
  }
}

// The system call, since the vDSO's function has no name to call it by.
int clock_gettime(clockid_t clock, struct timespec *now) {
  if (syscall(SYS_clock_gettime, clock, now) != 0) return -1;
  int64_t nanoseconds = now->tv_sec * billion + now->tv_nsec + step_of(clock);
  now->tv_sec = nanoseconds / billion;
  now->tv_nsec = nanoseconds % billion;
  return 0;
}

int gettimeofday(struct timeval *now, void *zone) {
  (void)zone;
  struct timespec exact;
  if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
  *now = (struct timeval){.tv_sec = exact.tv_sec, .tv_usec = exact.tv_nsec / 1000};
  return 0;
}

time_t time(time_t *seconds) {
  struct timespec exact;
  if (clock_gettime(CLOCK_REALTIME, &exact) != 0) return -1;
  if (seconds) *seconds = exact.tv_sec;
  return exact.tv_sec;
}

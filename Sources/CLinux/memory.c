#define _GNU_SOURCE
#include "memory.h"

#include <malloc.h>

void clinux_return_free_memory(void) { malloc_trim(0); }

int clinux_return_memory_early(void) {
  enum { threshold = 128 << 10 };
  return mallopt(M_MMAP_THRESHOLD, threshold) && mallopt(M_TRIM_THRESHOLD, threshold) && mallopt(M_ARENA_MAX, 1) ? 0 : -1;
}

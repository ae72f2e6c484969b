#define _GNU_SOURCE
#include "memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void clinux_return_free_memory(void) { malloc_trim(0); }

int clinux_return_memory_early(void) {
  enum { threshold = 128 << 10 };
  return mallopt(M_MMAP_THRESHOLD, threshold) && mallopt(M_TRIM_THRESHOLD, threshold) && mallopt(M_ARENA_MAX, 1) ? 0 : -1;
}

// Takes the pages of an object's segments that cannot be written from this process's page tables.
static int unmap_text(struct dl_phdr_info *object, size_t size, void *unused) {
  const uintptr_t page = sysconf(_SC_PAGESIZE);
  (void)size, (void)unused;
  for (int index = 0; index < object->dlpi_phnum; index++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
    if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
    const uintptr_t start = (object->dlpi_addr + segment->p_vaddr) & -page;
    const uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_memsz + page - 1) & -page;
    madvise((void *)start, end - start, MADV_DONTNEED);
  }
  return 0;
}

void clinux_unmap_text(void) { dl_iterate_phdr(unmap_text, NULL); }

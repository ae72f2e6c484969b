#pragma once

/// Has malloc(3) give large pieces back to the system when they are freed, and all threads share one arena: what a
/// report needs for a moment is not held until the next, nor scattered. Returns 0, or -1 if that is not possible.
/// Call it before threads are made (mallopt(3)).
int clinux_return_memory_early(void);

/// Gives whole pages back that lie free between others that are in use (malloc_trim(3)). Takes some 0.1 ms for each MB.
void clinux_return_free_memory(void);

/// Takes the text and constants of this program and its libraries from its page tables (madvise(2), MADV_DONTNEED). They stay
/// in the page cache, and what is used next is mapped again by a page fault. Not for a process that is traced: the breakpoints
/// of a debugger would go, too. Those of uprobes(7) that were set before go as well: set them after the second report.
void clinux_unmap_text(void);

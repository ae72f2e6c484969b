#pragma once

/// Has malloc(3) give large pieces back to the system when they are freed, and all threads share one arena: what a
/// report needs for a moment is not held until the next, nor scattered. Returns 0, or -1 if that is not possible.
/// Call it before threads are made (mallopt(3)).
int clinux_return_memory_early(void);

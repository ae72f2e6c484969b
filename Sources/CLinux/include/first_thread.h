// Threads, one of which keeps CAP_SYS_NICE when others give it up: a new thread has it only from one that has it.
#pragma once

/// Runs `body` with `argument` on a new thread, which is detached. With `comes_first` it is the thread that keeps
/// CAP_SYS_NICE (clinux_keep_priority), which is made at the first such call and then used again; while it runs something
/// else, a new one. Returns 0, or an error number.
int clinux_start_thread(void *(*body)(void *), void *argument, int comes_first);

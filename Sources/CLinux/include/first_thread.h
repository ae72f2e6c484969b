// Threads, and the one that may come first: what it has for that a new thread could only have from one that has it too.
#pragma once

/// Makes the thread that keeps CAP_SYS_NICE when others give it up (clinux_keep_priority), if there is none. It waits for
/// what it is to run, and never ends. Returns 0, or an error number.
int clinux_reserve_first_thread(void);

/// Runs `body` with `argument` on a new thread, which is detached. With `comes_first` it is the thread that keeps
/// CAP_SYS_NICE, made at the first call; while that runs something else, a new one. Returns 0, or an error number.
int clinux_start_thread(void *(*body)(void *), void *argument, int comes_first);

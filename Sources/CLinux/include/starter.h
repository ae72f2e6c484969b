// A thread that starts others, for what a new thread can only have from the one that starts it.
#pragma once

/// Starts the starter, if there is none. It does nothing but start threads, and keeps CAP_SYS_NICE when others give it up
/// (clinux_keep_priority); it never ends. Returns 0, or an error number.
int clinux_reserve_starter(void);

/// Runs `body` with `argument` on a new thread, which is detached, and which with `by_starter` the starter starts, where
/// there is one. Returns 0, or an error number.
int clinux_start_thread(void *(*body)(void *), void *argument, int by_starter);

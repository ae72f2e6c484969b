#pragma once

/// Makes each of SIGINT, SIGTERM, SIGHUP and SIGWINCH write its number as one byte to `descriptor`, whichever
/// thread it interrupts, and SIGPIPE do nothing. Returns 0, or -1 with errno set.
int clinux_catch_signals(int descriptor);

/// Makes a write to a pipe without a reader an error (EPIPE) instead of the end of the program. Returns 0, or -1 with
/// errno set.
int clinux_ignore_broken_pipes(void);

/// A pipe whose ends do not block and are closed on exec: `ends[0]` is read, `ends[1]` written.
int clinux_pipe(int ends[2]);

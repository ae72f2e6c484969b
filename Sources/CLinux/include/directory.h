// getdents64(2), whose prototype the C library hides from Swift.
#pragma once
#include <stddef.h>
#include <sys/types.h>

/// Reads entries (struct linux_dirent64) of an open folder; returns their bytes, 0 at the end, -1 with errno.
ssize_t clinux_getdents64(int descriptor, void *buffer, size_t count);

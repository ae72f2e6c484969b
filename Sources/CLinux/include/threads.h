// pthread_setname_np(3), whose prototype the C library hides from Swift.
#pragma once
#include <pthread.h>

/// Gives a thread a name of at most 15 bytes; returns 0 or an error number.
int clinux_name_thread(pthread_t thread, const char *name);

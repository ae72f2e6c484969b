#define _GNU_SOURCE
#include "directory.h"

#include <dirent.h>

ssize_t clinux_getdents64(int descriptor, void *buffer, size_t count) {
  return getdents64(descriptor, buffer, count);
}

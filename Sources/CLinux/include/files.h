// statx(2), which the C library hides from Swift.
#pragma once
#include <stdint.h>

/// What is known of a file. `has_birth` is 0 where the file system keeps no time of birth; `is_mount_root` is 1 for the top of
/// a mounted file system (Linux 5.8 and later tell).
struct clinux_file_facts {
  uint32_t mode;
  uint32_t links;
  uint64_t device;
  uint64_t inode;
  int64_t size;
  int64_t blocks;
  int64_t modified_seconds;
  int64_t born_seconds;
  uint32_t modified_nanoseconds;
  uint32_t born_nanoseconds;
  int has_birth;
  int is_mount_root;
};

/// Fills `facts` for the entry `name` of an open folder, of a link for itself; for the folder where the name is empty. Returns
/// 0, -1 with errno.
int clinux_read_file_facts(int folder, const char *name, struct clinux_file_facts *facts);

#define _GNU_SOURCE
#include "files.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif

int clinux_read_file_facts(int folder, const char *name, struct clinux_file_facts *facts) {
  struct statx status;
  memset(&status, 0, sizeof status);
  int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name[0] ? 0 : AT_EMPTY_PATH);
  if (statx(folder, name, flags, STATX_BASIC_STATS | STATX_BTIME, &status) != 0) return -1;
  facts->mode = status.stx_mode;
  facts->links = status.stx_nlink;
  facts->device = makedev(status.stx_dev_major, status.stx_dev_minor);
  facts->inode = status.stx_ino;
  facts->size = (int64_t)status.stx_size;
  facts->blocks = (int64_t)status.stx_blocks;
  facts->modified_seconds = status.stx_mtime.tv_sec;
  facts->modified_nanoseconds = status.stx_mtime.tv_nsec;
  facts->has_birth = (status.stx_mask & STATX_BTIME) != 0;
  facts->born_seconds = status.stx_btime.tv_sec;
  facts->born_nanoseconds = status.stx_btime.tv_nsec;
  facts->is_mount_root = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  return 0;
}

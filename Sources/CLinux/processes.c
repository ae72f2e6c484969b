#define _GNU_SOURCE
#include "processes.h"

#include <linux/kcmp.h>
#include <sys/syscall.h>
#include <unistd.h>

int clinux_share_descriptors(int one, int other) {
  return syscall(SYS_kcmp, one, other, KCMP_FILES, 0UL, 0UL) == 0;
}

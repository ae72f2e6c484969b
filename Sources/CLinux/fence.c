#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/fs.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "privileges.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "say what <linux/audit.h> calls this processor"
#endif

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define LOAD_CALL LOAD(offsetof(struct seccomp_data, nr))
// The low half of an argument, which holds all of an int (little-endian processors).
#define LOAD_ARGUMENT(index) LOAD(offsetof(struct seccomp_data, args) + 8 * (index))
// Each passes over `yes` or `no` steps.
#define EQUAL(value, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, yes, no)
#define ANY_BIT(bits, yes, no) BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, yes, no)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define DENY BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define REFUSE(call) EQUAL(call, 0, 1), DENY
// open(2) for reading only.
#define READING(call, flags) \
  EQUAL(call, 0, 4), LOAD_ARGUMENT(flags), ANY_BIT(O_ACCMODE | O_CREAT | O_TRUNC, 0, 1), DENY, ALLOW

// A call whose argument `index` must be one of two values.
#define ONLY(call, index, one, other) \
  EQUAL(call, 0, 5), LOAD_ARGUMENT(index), EQUAL(one, 1, 0), EQUAL(other, 0, 1), ALLOW, DENY

static int install(const struct sock_filter *filter, size_t length, unsigned flags) {
  struct sock_fprog program = {.len = (unsigned short)length, .filter = (struct sock_filter *)filter};
  long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  // Above zero: a thread that has a filter of its own, which ours cannot join.
  if (result > 0) errno = EBUSY;
  return result == 0 ? 0 : -1;
}

// Another instruction set has other numbers; x32 is one, marked by this bit.
#define OWN_CALLS \
  LOAD(offsetof(struct seccomp_data, arch)), EQUAL(ARCHITECTURE, 1, 0), DENY, LOAD_CALL, ANY_BIT(0x40000000, 0, 1), DENY

static const struct sock_filter files[] = {
    // Calls by number are newer than some kernels' headers, and the same on every processor.
    OWN_CALLS,
    // First what is called most.
    READING(SYS_openat, 2),
#ifdef SYS_open
    READING(SYS_open, 1), REFUSE(SYS_creat), REFUSE(SYS_link), REFUSE(SYS_symlink), REFUSE(SYS_unlink),
    REFUSE(SYS_rename), REFUSE(SYS_mkdir), REFUSE(SYS_rmdir), REFUSE(SYS_mknod), REFUSE(SYS_chmod),
    REFUSE(SYS_chown), REFUSE(SYS_lchown), REFUSE(SYS_utime), REFUSE(SYS_utimes), REFUSE(SYS_futimesat),
#endif
    REFUSE(SYS_truncate), REFUSE(SYS_linkat), REFUSE(SYS_symlinkat), REFUSE(SYS_unlinkat), REFUSE(SYS_renameat), REFUSE(SYS_renameat2), REFUSE(SYS_mkdirat),
    REFUSE(SYS_mknodat), REFUSE(SYS_fchmod), REFUSE(SYS_fchmodat), REFUSE(452 /* fchmodat2 */), REFUSE(SYS_fchown),
    REFUSE(SYS_fchownat), REFUSE(SYS_setxattr), REFUSE(SYS_lsetxattr), REFUSE(SYS_fsetxattr),
    REFUSE(463 /* setxattrat */), REFUSE(SYS_removexattr), REFUSE(SYS_lremovexattr), REFUSE(SYS_fremovexattr),
    REFUSE(466 /* removexattrat */), REFUSE(SYS_utimensat), REFUSE(469 /* file_setattr */),
    ALLOW,
};

static int refuse_calls(unsigned flags) {
  const unsigned own = (unsigned)getpid();
  // Calls by number are newer than some kernels' headers, and the same on every processor.
  const struct sock_filter calls[] = {
    OWN_CALLS,
    // What is called most; `files` has looked at it where that is wanted.
    EQUAL(SYS_openat, 0, 1), ALLOW, REFUSE(437 /* openat2 */), REFUSE(SYS_open_by_handle_at),
    // Its events are opened as it asks, to write as well.
    REFUSE(SYS_fanotify_init),
    // What is typed into a terminal (TIOCSTI, TIOCLINUX) is run by whose shell reads it; the others change files
    // that are open to read.
    EQUAL(SYS_ioctl, 0, 8), LOAD_ARGUMENT(1), EQUAL(TIOCSTI, 4, 0), EQUAL(TIOCLINUX, 3, 0),
    EQUAL(FS_IOC_SETFLAGS, 2, 0), EQUAL(FS_IOC_FSSETXATTR, 1, 0), EQUAL(FIFREEZE, 0, 1), DENY, ALLOW,
    // Programs, and other processes: with CAP_SYS_PTRACE each of these is as much as being root.
    REFUSE(SYS_execve), REFUSE(SYS_execveat), REFUSE(SYS_ptrace), REFUSE(SYS_process_vm_readv),
    REFUSE(SYS_process_vm_writev), REFUSE(438 /* pidfd_getfd */), REFUSE(440 /* process_madvise */),
    REFUSE(SYS_move_pages), REFUSE(SYS_migrate_pages),
    // Signals and limits are for this process alone.
    ONLY(SYS_kill, 0, own, own), ONLY(SYS_tgkill, 0, own, own), ONLY(SYS_prlimit64, 0, 0, own), REFUSE(SYS_tkill),
    // Priority and processors too: one of its threads may have CAP_SYS_NICE.
    ONLY(SYS_sched_setattr, 0, 0, 0), ONLY(SYS_sched_setaffinity, 0, 0, 0), ONLY(SYS_sched_setscheduler, 0, 0, 0),
    ONLY(SYS_sched_setparam, 0, 0, 0), REFUSE(SYS_setpriority), REFUSE(SYS_ioprio_set),
    REFUSE(SYS_rt_sigqueueinfo), REFUSE(SYS_rt_tgsigqueueinfo), REFUSE(424 /* pidfd_send_signal */),
    // The kernel, and mounts: CAP_SYS_ADMIN would allow them.
    REFUSE(SYS_bpf), REFUSE(SYS_perf_event_open), REFUSE(SYS_init_module), REFUSE(SYS_finit_module),
    REFUSE(SYS_delete_module), REFUSE(SYS_kexec_load), REFUSE(SYS_kexec_file_load),
    REFUSE(SYS_mount), REFUSE(SYS_umount2), REFUSE(SYS_pivot_root), REFUSE(SYS_chroot), REFUSE(428 /* open_tree */),
    REFUSE(429 /* move_mount */), REFUSE(430 /* fsopen */), REFUSE(432 /* fsmount */), REFUSE(433 /* fspick */),
    REFUSE(442 /* mount_setattr */), REFUSE(SYS_swapon), REFUSE(SYS_swapoff), REFUSE(SYS_quotactl),
    REFUSE(443 /* quotactl_fd */), REFUSE(SYS_sethostname), REFUSE(SYS_setdomainname), REFUSE(SYS_unshare),
    REFUSE(SYS_reboot),
    // It makes calls that no filter sees.
    REFUSE(425 /* io_uring_setup */),
    ALLOW,
  };
  return install(calls, sizeof calls / sizeof *calls, flags);
}

static const struct sock_filter sockets[] = {
    LOAD_CALL, EQUAL(SYS_socket, 0, 3), LOAD_ARGUMENT(0), EQUAL(AF_NETLINK, 1, 0), DENY, ALLOW,
};

int clinux_raise_fence(int any_socket, int writes_files, int all_threads) {
  // Filters guard against speculation at a price only if asked to (Linux 4.17 to 5.15); ours hold no secrets.
  unsigned flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW | (all_threads ? SECCOMP_FILTER_FLAG_TSYNC : 0);
  if (!any_socket && install(sockets, sizeof sockets / sizeof *sockets, flags) != 0) return -1;
  if (!writes_files && install(files, sizeof files / sizeof *files, flags) != 0) return -1;
  return refuse_calls(flags);
}

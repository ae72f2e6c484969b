// Capabilities (capabilities(7)) and what a process can never do again (prctl(2), seccomp(2)).
#pragma once

/// The sets of a thread; bit N stands for capability N.
struct clinux_capabilities {
  unsigned long long effective;
  unsigned long long permitted;
  unsigned long long inheritable;
};

/// Reads the sets of the calling thread; -1 with errno.
int clinux_get_capabilities(struct clinux_capabilities *capabilities);

/// Makes these the sets of the calling thread and of those that it starts, and with `all_threads` of all that there
/// are. With `for_good`, what they run can gain none but these: no_new_privileges, and the bounding set where
/// CAP_SETPCAP allows it. Returns 0, or -1 with errno, ETIMEDOUT for a thread that did not answer.
///
/// Linux keeps capabilities for each thread. Like glibc's setuid(2), this signals the others (SIGSYS).
int clinux_confine(struct clinux_capabilities capabilities, int for_good, int all_threads);

/// From now on clinux_confine leaves the calling thread CAP_SYS_NICE, where it has that.
void clinux_keep_priority(void);

/// Whether the calling thread may use CAP_SYS_NICE.
int clinux_has_priority(void);

/// Refuses from now on, with EPERM, the system calls that only an intruder would make: running programs, changing
/// files (unless `writes_files`), meddling with other processes, changing the kernel. Without `any_socket`, also sockets
/// other than netlink's.
/// For the calling thread, with `all_threads` for all. Needs no_new_privileges; -1 with errno.
int clinux_raise_fence(int any_socket, int writes_files, int all_threads);

// Sees, in the context of whoever sends or receives, which process moves how much through which socket.
//
// Loaded by ../witness.c. Two sets of programs: `sock_send_length` and `sock_recv_length` (Linux 6.3) count payload
// exactly; `net_dev_queue` and `tcp_rcv_space_adjust` are all that older kernels have.
// SPDX-License-Identifier: MIT OR GPL-2.0-only
#include "kernel.h"

#include "../include/witness_records.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

// Set before loading; the verifier sees their values and passes over code that they rule out.
const volatile struct witness_constants constants = {0};

struct witness_losses losses;

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1 << 16);
  __type(key, __u32);
  __type(value, struct witness_slot);
} slots SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 1 << 22);
} records SEC(".maps");

struct process_key {
  __u64 start;
  __u32 process;
  __u32 reserved;
};

// Processes of which the reader knows what they run.
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 1 << 14);
  __type(key, struct process_key);
  __type(value, __u8);
} described SEC(".maps");

// Payload that was taken from a TCP socket, that waits in it, and that it sent and not again.
struct tcp_counts {
  __u64 consumed;
  __u64 transmitted;
  __u32 waiting;
};

struct process_record {
  struct witness_process head;
  char arguments[WITNESS_ARGUMENTS];
};

struct user {
  __u64 socket;
  __u64 start;
  __u32 process;
};

// The current process and a socket of it. What is newer than Linux 5.11 loads fields without a call.
static __always_inline struct user user_of(__u64 socket) {
  struct user user = {.socket = socket, .process = bpf_get_current_pid_tgid() >> 32};
  if (constants.has_cookies)
    user.start = ((struct task_struct *)bpf_get_current_task_btf())->group_leader->start_boottime;
  else
    user.start = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), group_leader, start_boottime);
  return user;
}

// A looked-up slot. `is_new` if it was claimed by this look.
struct found {
  struct witness_slot *slot;
  __u32 index;
  bool is_new;
};

// Where a user's slot may be: a few of the first slots, then any. While few are in use all are among the first.
enum { FIRST_PROBES = 4, PROBES = 32 };

static __always_inline __u32 index_of(int probe, __u32 at) {
  return at & (probe < FIRST_PROBES ? constants.first_mask : constants.slot_mask);
}

// The users of a stream have their slots in one row, so that all are found when it ends.
// Mixed twice (MurmurHash3's finalizer, which is in the public domain): keys follow one another, and once is too regular.
static __always_inline __u64 hash_of(__u64 socket, __u32 process) {
  __u64 hash = (socket ^ ((__u64)process << 40)) * 0xff51afd7ed558ccdull;
  hash ^= hash >> 33;
  hash *= 0xc4ceb9fe1a85ec53ull;
  return hash ^ hash >> 33;
}

// Finds the slot of this user, or claims one. Stops at the first that is free: if the user has another behind it, the
// reader adds up both.
static __always_inline struct found find(const struct user *user, bool is_stream, bool claims) {
  struct found found = {0};
  __u64 hash = hash_of(user->socket, is_stream ? 0 : user->process);
  __u32 at = hash >> 32, step = (__u32)hash | 1;
  for (int i = 0; i < PROBES; i++, at += step) {
    __u32 index = index_of(i, at);
    struct witness_slot *slot = bpf_map_lookup_elem(&slots, &index);
    if (!slot) return found;
    if (slot->socket == user->socket && slot->start == user->start && slot->process == user->process) {
      found.slot = slot;
      found.index = index;
      return found;
    }
    if (slot->claims != 0) continue;
    if (!claims) return found;
    // Whoever reads 1 after adding 1 is alone. Instructions that compare and exchange are newer than Linux 5.8.
    __sync_fetch_and_add(&slot->claims, 1);
    if (*(volatile unsigned int *)&slot->claims != 1) continue;
    slot->start = user->start;
    slot->process = user->process;
    barrier();
    *(volatile unsigned long long *)&slot->socket = user->socket;
    found.slot = slot;
    found.index = index;
    found.is_new = true;
    return found;
  }
  return found;
}

// Wakes the reader only when there is much to read: it comes by itself now and then.
static __always_inline __u64 wakes(void) {
  return bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) >= constants.wake_at ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline void *reserve(__u64 size) {
  void *record = bpf_ringbuf_reserve(&records, size, 0);
  if (!record) __sync_fetch_and_add(&losses.ring_full, 1);
  return record;
}

static __always_inline __u64 inode_of(struct sock *sk) {
  struct socket *socket = BPF_CORE_READ(sk, sk_socket);
  if (!socket) return 0;
  return BPF_CORE_READ((struct socket_alloc *)socket, vfs_inode.i_ino);
}

// What TCP has carried. A socket that the verifier trusts is read without calls, from Linux 5.12 on.
static __always_inline struct tcp_counts counts_of(struct sock *sk, bool is_trusted) {
  struct tcp_counts counts = {0};
  unsigned long flags;
  if (constants.has_cookies && is_trusted) {
    struct tcp_sock *tcp = (struct tcp_sock *)bpf_skc_to_tcp_sock(sk);
    if (!tcp) return counts;
    counts.waiting = tcp->rcv_nxt - tcp->copied_seq;
    counts.consumed = tcp->bytes_received;
    counts.transmitted = tcp->bytes_sent - tcp->bytes_retrans;
    flags = sk->__sk_common.skc_flags;
  } else {
    struct tcp_sock *tcp = (struct tcp_sock *)sk;
    counts.waiting = BPF_CORE_READ(tcp, rcv_nxt) - BPF_CORE_READ(tcp, copied_seq);
    counts.consumed = BPF_CORE_READ(tcp, bytes_received);
    counts.transmitted = BPF_CORE_READ(tcp, bytes_sent) - BPF_CORE_READ(tcp, bytes_retrans);
    flags = BPF_CORE_READ(sk, __sk_common.skc_flags);
  }
  // The end of the stream has a number of its own, which is not payload.
  bool has_ended = flags >> SOCK_DONE & 1;
  counts.consumed -= has_ended && counts.waiting == 0 ? 1 : counts.waiting;
  return counts;
}

static __always_inline bool is_tcp(struct sock *sk) {
  return sk->sk_protocol == IPPROTO_TCP && sk->sk_type == SOCK_STREAM;
}

static __always_inline void map_v4(unsigned long long *address, __be32 bits) {
  address[0] = 0;
  address[1] = bpf_cpu_to_be64(0xffff00000000ull | bpf_ntohl(bits));
}

static __always_inline void describe_socket(struct sock *sk, __u64 key, struct witness_socket *to) {
  to->key = key;
  to->inode = inode_of(sk);
  to->network = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
  to->uid = BPF_CORE_READ(sk, sk_uid.val);
  to->family = BPF_CORE_READ(sk, __sk_common.skc_family);
  to->type = BPF_CORE_READ(sk, sk_type);
  to->protocol = BPF_CORE_READ(sk, sk_protocol);
  // A socket that closes has given its number back; raw sockets have their protocol there.
  to->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
  if (!to->local_port && (to->family == AF_INET || to->family == AF_INET6))
    to->local_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
  to->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
  to->state = BPF_CORE_READ(sk, __sk_common.skc_state);
  to->interface = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
  to->consumed = to->transmitted = 0;
  to->flags = BPF_CORE_READ_BITFIELD_PROBED(&sk->__sk_common, skc_ipv6only) ? WITNESS_V6ONLY : 0;
  if (to->state == STATE_CLOSE) to->flags |= WITNESS_CLOSED;
  bool is_subflow = false;
  if (to->protocol == IPPROTO_TCP && to->type == SOCK_STREAM) {
    struct tcp_counts counts = counts_of(sk, false);
    to->consumed = counts.consumed;
    to->transmitted = counts.transmitted;
    struct tcp_sock *tcp = (struct tcp_sock *)sk;
    if (bpf_core_field_exists(tcp->is_mptcp)) is_subflow = BPF_CORE_READ(tcp, is_mptcp);
  }
  if (is_subflow)
    to->flags |= WITNESS_SUBFLOW;
  else if (BPF_CORE_READ_BITFIELD_PROBED(sk, sk_kern_sock))
    to->flags |= WITNESS_KERNEL;
  if (to->family == AF_INET6) {
    bpf_probe_read_kernel(to->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
    bpf_probe_read_kernel(to->remote, 16, &sk->__sk_common.skc_v6_daddr);
  } else if (to->family == AF_INET) {
    map_v4(to->local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
    map_v4(to->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
  } else {
    __builtin_memset(to->local, 0, 16);
    __builtin_memset(to->remote, 0, 16);
  }
}

// Says what the current process runs. False if there was no room.
static __noinline int describe_process(struct task_struct *task, struct task_struct *leader, __u64 start) {
  struct process_record *whole = reserve(sizeof *whole);
  if (!whole) return 0;
  struct witness_process *record = &whole->head;
  record->kind = WITNESS_PROCESS;
  record->process = bpf_get_current_pid_tgid() >> 32;
  record->start = start;
  record->time = bpf_ktime_get_boot_ns();
  record->control_group = bpf_get_current_cgroup_id();
  struct task_struct *parent = BPF_CORE_READ(leader, real_parent, group_leader);
  record->parent = BPF_CORE_READ(parent, tgid);
  record->parent_start = BPF_CORE_READ(parent, start_boottime);
  record->uid = BPF_CORE_READ(task, cred, uid.val);
  record->network = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
  record->is_kernel = (BPF_CORE_READ(task, flags) & PF_KTHREAD) != 0;
  // The leader's: threads have names of their own.
  bpf_probe_read_kernel(&record->name, sizeof record->name, &leader->comm);
  record->arguments_length = record->arguments_read = 0;
  struct mm_struct *mm = BPF_CORE_READ(task, mm);
  if (mm && !record->is_kernel) {
    unsigned long from = BPF_CORE_READ(mm, arg_start);
    unsigned long length = BPF_CORE_READ(mm, arg_end) - from;
    if (length > 0xffffffff) length = 0;
    record->arguments_length = length;
    // A page that is not there is not waited for.
    if (length >= WITNESS_ARGUMENTS) {
      if (bpf_probe_read_user(whole->arguments, WITNESS_ARGUMENTS, (void *)from) == 0)
        record->arguments_read = WITNESS_ARGUMENTS;
    } else if (length > 0) {
      length &= WITNESS_ARGUMENTS - 1;
      if (bpf_probe_read_user(whole->arguments, length, (void *)from) == 0) record->arguments_read = length;
    }
  }
  bpf_ringbuf_submit(whole, wakes());
  return 1;
}

// Says what the current process runs, unless the reader knows it. False if there was no room. Verified by itself, as
// `report`.
__noinline int introduce(__u64 start) {
  struct process_key process = {.start = start, .process = bpf_get_current_pid_tgid() >> 32};
  if (bpf_map_lookup_elem(&described, &process)) return 1;
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  if (!describe_process(task, BPF_CORE_READ(task, group_leader), start)) return 0;
  __u8 one = 1;
  bpf_map_update_elem(&described, &process, &one, BPF_ANY);
  return 1;
}

// Reports a slot, and its process if that is the current one and the reader does not know it. A failure leaves the slot
// unreported: the next use tries again.
// It is a function for all to see that takes only numbers: so the verifier looks at it once, not in each state of each
// caller. All it reads it reads by calls: for each pointer that is loaded without one the verifier searches all types of
// the kernel. Both took a second of each start.
__noinline int report(__u64 socket, __u64 key, __u64 start, __u32 process, __u32 index) {
  if (process == bpf_get_current_pid_tgid() >> 32 && !introduce(start)) return 0;
  struct witness_first_use *record = reserve(sizeof *record);
  if (!record) return 0;
  record->kind = WITNESS_FIRST_USE;
  record->slot = index;
  record->time = bpf_ktime_get_boot_ns();
  record->start = start;
  record->process = process;
  record->reserved = 0;
  describe_socket((struct sock *)socket, key, &record->socket);
  bpf_ringbuf_submit(record, wakes());
  return 1;
}

static __always_inline void settle(struct witness_slot *slot, __u32 index, struct sock *sk, const struct user *user) {
  __u64 socket = 0;
  // Read, because a pointer of this kind is no number to the verifier.
  bpf_probe_read_kernel(&socket, sizeof socket, &sk);
  if (report(socket, user->socket, user->start, user->process, index))
    slot->reported = 1;
  else
    __sync_fetch_and_add(&losses.unreported, 1);
}

#include "calls.h"
#include "packets.h"
#include "lifetimes.h"

// Sockets that connect and close, and processes that become others and end.
// SPDX-License-Identifier: MIT OR GPL-2.0-only

// Marks the slots of a socket. What nobody has seen yet, as nothing was moved, is reported now. TCP's last counts go to
// who used it last.
static __always_inline void end(struct sock *sk, __u64 key) {
  __u64 hash = hash_of(key, 0), most = 0;
  __u32 at = hash >> 32, step = (__u32)hash | 1, last = 0;
  bool is_known = false;
  for (int i = 0; i < PROBES; i++, at += step) {
    __u32 index = index_of(i, at);
    struct witness_slot *slot = bpf_map_lookup_elem(&slots, &index);
    if (!slot || slot->claims == 0) break;
    if (slot->socket != key) continue;
    slot->ended = 1;
    if (!slot->reported) {
      struct user user = {.socket = key, .start = slot->start, .process = slot->process};
      settle(slot, index, sk, &user);
    }
    if (is_known && slot->consumed + slot->ends_or_transmitted < most) continue;
    most = slot->consumed + slot->ends_or_transmitted;
    last = index;
    is_known = true;
  }
  if (constants.counts_calls || !is_known) return;
  struct witness_slot *slot = bpf_map_lookup_elem(&slots, &last);
  if (!slot || slot->socket != key) return;
  struct tcp_counts counts = counts_of(sk, true);
  slot->consumed = counts.consumed;
  slot->ends_or_transmitted = counts.transmitted;
}

// Reports who uses a socket, as far as that was not reported yet.
static __always_inline void tell(struct sock *sk, __u64 key) {
  __u64 hash = hash_of(key, 0);
  __u32 at = hash >> 32, step = (__u32)hash | 1;
  for (int i = 0; i < PROBES; i++, at += step) {
    __u32 index = index_of(i, at);
    struct witness_slot *slot = bpf_map_lookup_elem(&slots, &index);
    if (!slot || slot->claims == 0) return;
    if (slot->socket != key || slot->reported) continue;
    struct user user = {.socket = key, .start = slot->start, .process = slot->process};
    settle(slot, index, sk, &user);
  }
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(changed, struct sock *sk, int was, int becomes) {
  if (!is_tcp(sk)) return 0;
  if (becomes == STATE_CLOSE && was != STATE_LISTEN) {
    __u64 key = key_of(sk, true);
    if (key) end(sk, key);
  } else if (becomes == STATE_SYN_SENT && sk->sk_lock.owned) {
    // connect(2), before it has chosen a port: the slot is reported once it is connected, or at its end. A socket may
    // connect more than once.
    struct user user = user_of(key_of(sk, true));
    if (!user.socket) return 0;
    struct found found = find(&user, true, true);
    // Its end may come when the process is gone.
    introduce(user.start);
    if (found.slot)
      found.slot->ended = found.slot->reported = 0;
    else
      __sync_fetch_and_add(&losses.unplaced, 1);
  } else if (becomes == STATE_ESTABLISHED) {
    // It has a cookie from here on, for `queued`, which can only read it.
    __u64 key = key_of(sk, true);
    // Packets are counted already; payload may come much later.
    if (key && was == STATE_SYN_SENT) tell(sk, key);
  }
  return 0;
}

// A process that the reader knows has become another program: its identity is the same, its name is not.
SEC("tp_btf/sched_process_exec")
int BPF_PROG(executed, struct task_struct *task) {
  struct task_struct *current = (struct task_struct *)bpf_get_current_task();
  struct task_struct *leader = BPF_CORE_READ(current, group_leader);
  __u64 start = BPF_CORE_READ(leader, start_boottime);
  struct process_key process = {.start = start, .process = bpf_get_current_pid_tgid() >> 32};
  if (!bpf_map_lookup_elem(&described, &process)) return 0;
  // Without room the next use says it.
  if (!describe_process(current, leader, start)) bpf_map_delete_elem(&described, &process);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(exited, struct task_struct *task) {
  __u64 both = bpf_get_current_pid_tgid();
  // The leader stands for the process. It may end before other threads: what they move is reported again.
  if ((__u32)both != both >> 32) return 0;
  struct task_struct *current = (struct task_struct *)bpf_get_current_task();
  struct process_key process = {.start = BPF_CORE_READ(current, start_boottime), .process = both >> 32};
  if (!bpf_map_lookup_elem(&described, &process)) return 0;
  // Without room it stays described, as the reader has it.
  struct witness_exit *record = reserve(sizeof *record);
  if (!record) return 0;
  bpf_map_delete_elem(&described, &process);
  record->kind = WITNESS_EXIT;
  record->process = process.process;
  record->start = process.start;
  record->time = bpf_ktime_get_boot_ns();
  bpf_ringbuf_submit(record, wakes());
  return 0;
}

// The second tier, and what the first lacks: a program where a process takes payload from TCP by any call, splice(2)
// among them, and one where it puts a packet on its way.
// SPDX-License-Identifier: MIT OR GPL-2.0-only

// Whether a softirq, an interrupt or an NMI runs on top of the current process. Where the count of linux/preempt.h lies
// with the task it says so; x86 has it where not every kernel lets programs read it, but runs these on other stacks.
static __always_inline bool interrupts(void *context) {
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  if (bpf_core_field_exists(task->thread_info.preempt.count))
    return BPF_CORE_READ(task, thread_info.preempt.count) & 0x00ff0100;
  // The context lies on the stack that is in use. Read, because no sums are made with pointers to it.
  unsigned long here = 0, stack = (unsigned long)BPF_CORE_READ(task, stack);
  bpf_probe_read_kernel(&here, sizeof here, &context);
  return here - stack >= X86_STACK;
}

// A socket's key where there may be no helper for it.
static __always_inline __u64 key_of(struct sock *sk, bool is_trusted) {
  __u64 cookie = 0;
  if (constants.has_cookies) cookie = is_trusted ? bpf_get_socket_cookie(sk) : sk->__sk_common.skc_cookie.counter;
  if (cookie) return cookie;
  __u64 inode = inode_of(sk);
  return inode ? inode | 1ull << 63 : 0;
}

static __always_inline int use(struct sock *sk, bool is_trusted, __u64 key, struct sk_buff *skb, bool has_route,
                               __u32 bytes) {
  if (!key) return 0;
  struct user user = user_of(key);
  struct found found = find(&user, is_tcp(sk), true);
  struct witness_slot *slot = found.slot;
  if (!slot) {
    __sync_fetch_and_add(&losses.unplaced, 1);
    return 0;
  }
  if (is_tcp(sk)) {
    struct tcp_counts counts = counts_of(sk, is_trusted);
    slot->consumed = counts.consumed;
    if (!constants.counts_calls) slot->ends_or_transmitted = counts.transmitted;
  } else {
    // Seen before, where it had its route.
    bool is_again = !has_route && slot->consumed == (__u64)skb;
    slot->consumed = has_route ? (__u64)skb : 0;
    if (!is_again) __sync_fetch_and_add(&slot->sent, bytes);
  }
  if (!slot->reported) settle(slot, found.index, sk, &user);
  return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(taken, struct sock *sk) {
  // In a softirq (kTLS, sockmaps) nobody owns the lock.
  if (!sk->sk_lock.owned) return 0;
  return use(sk, true, key_of(sk, true), NULL, false, 0);
}

// Payload of a packet without fragments' repeated headers; what cannot be known counts as nothing.
static __always_inline __u32 payload_of(struct sk_buff *skb, struct sock *sk, __u16 protocol, bool *is_own) {
  unsigned char *head = skb->head;
  __u32 network = skb->network_header, start = skb->data - head;
  __u32 length = skb->len - (network - start);
  unsigned char bytes[40];
  *is_own = false;
  if (bpf_probe_read_kernel(bytes, 20, head + network)) return 0;
  __u32 header = 40;
  bool is_later = false;
  __u8 carried;
  if (bytes[0] >> 4 == 4) {
    header = (bytes[0] & 15) * 4;
    is_later = (bytes[6] & 0x1f) | bytes[7];
    carried = bytes[9];
  } else {
    carried = bytes[6];
    // A fragment: the protocol stands in its header, which only the first one's sender needs to know.
    if (carried == 44) {
      __u16 offset = 0;
      bpf_probe_read_kernel(&carried, 1, head + network + 40);
      bpf_probe_read_kernel(&offset, 2, head + network + 42);
      is_later = bpf_ntohs(offset) & 0xfff8;
      header = 48;
    }
  }
  // A tunnel's outer packet still has the inner one's socket.
  if (carried != protocol && protocol != 255) return 0;
  if (!is_later && protocol == IPPROTO_UDP) {
    __be16 port = 0;
    bpf_probe_read_kernel(&port, 2, head + network + header);
    if (bpf_ntohs(port) != sk->__sk_common.skc_num) return 0;
    header += 8;
  }
  *is_own = true;
  return length > header ? length - header : 0;
}

// Whether a segment was sent before: TCP counts it as sent at once, and as repeated only once it is on its way.
static __always_inline bool is_repeated(struct sk_buff *skb, struct sock *sk) {
  __be32 number = 0;
  bpf_probe_read_kernel(&number, 4, skb->head + skb->transport_header + 4);
  return (__s32)(bpf_ntohl(number) - BPF_CORE_READ((struct tcp_sock *)sk, snd_nxt)) < 0;
}

SEC("tp_btf/net_dev_queue")
int BPF_PROG(queued, struct sk_buff *skb) {
  struct sock *sk = skb->sk;
  if (!sk) return 0;
  // Time-wait and request sockets are only the head of one.
  __u8 state = sk->__sk_common.skc_state;
  __u16 family = sk->__sk_common.skc_family;
  if (state == STATE_TIME_WAIT || state == STATE_NEW_SYN_RECV || (family != AF_INET && family != AF_INET6)) return 0;
  if (is_tcp(sk)) {
    // Who owns the lock sends; a softirq sends only where nobody owns it.
    if (!sk->sk_lock.owned) return 0;
    // It has a cookie once it is connected (`changed`): under another key it would be another socket.
    if (constants.has_cookies && !sk->__sk_common.skc_cookie.counter) return 0;
    if (is_repeated(skb, sk)) return 0;
    return use(sk, false, key_of(sk, false), NULL, false, 0);
  }
  if (interrupts(ctx)) return 0;
  // `interrupts` does not recognize ksoftirqd, which sends what had waited for a neighbour's address.
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  if (BPF_CORE_READ(task, flags) & PF_KTHREAD && !BPF_CORE_READ_BITFIELD(sk, sk_kern_sock)) return 0;
  // Most devices have dropped the route by now. Bridges and the like keep it, and pass the packet on to others.
  struct dst_entry *route = (struct dst_entry *)(skb->_skb_refdst & ~1ul);
  if (route && BPF_CORE_READ(route, dev) != skb->dev) return 0;
  bool is_own;
  __u32 bytes = payload_of(skb, sk, sk->sk_protocol, &is_own);
  return is_own ? use(sk, false, key_of(sk, false), skb, route != NULL, bytes) : 0;
}

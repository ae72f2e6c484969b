// The first tier: a program for each way that payload passes between a process and a socket.
// SPDX-License-Identifier: MIT OR GPL-2.0-only

// Datagram sockets change their ends: connected again, or bound by the first datagram.
static __always_inline __u64 ends_of(struct sock *sk) {
  __u64 ends = ((__u64)sk->__sk_common.skc_dport << 48 | (__u64)sk->__sk_common.skc_num << 32) + 1;
  if (sk->__sk_common.skc_family == AF_INET6)
    return ends ^ sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[3] ^
           (__u64)sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[2] << 16 ^
           (__u64)sk->__sk_common.skc_v6_daddr.in6_u.u6_addr32[1] << 8 ^
           sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr32[3];
  return ends ^ sk->__sk_common.skc_daddr ^ (__u64)sk->__sk_common.skc_rcv_saddr << 16;
}

static __always_inline int count(struct sock *sk, int bytes, bool is_sent) {
  __u16 family = sk->__sk_common.skc_family;
  if (family == AF_UNIX || family == AF_NETLINK || family == AF_ALG) return 0;
  // Frames are given whole: the interfaces' bytes are compared without the header of their link.
  if (family == AF_PACKET && sk->sk_type == SOCK_RAW) bytes = bytes > ETHERNET_HEADER ? bytes - ETHERNET_HEADER : 0;
  struct user user = user_of(bpf_get_socket_cookie(sk));
  bool is_stream = sk->sk_type == SOCK_STREAM;
  // The end of a stream says who holds the socket, unless that was reported closed already.
  bool claims = bytes > 0 || !(is_stream && sk->__sk_common.skc_state == STATE_CLOSE);
  struct found found = find(&user, is_stream, claims);
  struct witness_slot *slot = found.slot;
  if (!slot) {
    if (!claims) return 0;
    __sync_fetch_and_add(&losses.unplaced, 1);
    if (is_sent)
      __sync_fetch_and_add(&losses.unplaced_sent, bytes);
    else
      __sync_fetch_and_add(&losses.unplaced_received, bytes);
    return 0;
  }
  if (is_sent)
    __sync_fetch_and_add(&slot->sent, bytes);
  else
    __sync_fetch_and_add(&slot->received, bytes);
  if (is_stream) {
    if (!slot->reported) settle(slot, found.index, sk, &user);
    return 0;
  }
  __u64 ends = ends_of(sk);
  if (slot->reported && slot->ends_or_transmitted == ends) return 0;
  slot->ends_or_transmitted = ends;
  settle(slot, found.index, sk, &user);
  return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sent, struct sock *sk, int bytes, int flags) {
  return bytes < 0 ? 0 : count(sk, bytes, true);
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(received, struct sock *sk, int bytes, int flags) {
  // What is only looked at comes again; what the error queue holds was sent before.
  return bytes < 0 || flags & (MSG_PEEK | MSG_ERRQUEUE) ? 0 : count(sk, bytes, false);
}

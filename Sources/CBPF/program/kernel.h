// The parts of Linux's structures that the program reads. libbpf finds where they lie in the running kernel (CO-RE).
// SPDX-License-Identifier: MIT OR GPL-2.0-only
#pragma once
#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define NULL ((void *)0)
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define AF_NETLINK 16
#define AF_PACKET 17
#define AF_ALG 38
#define SOCK_STREAM 1
#define SOCK_RAW 3
#define ETHERNET_HEADER 14
#define IPPROTO_ICMP 1
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define SOCK_DONE 1
#define MSG_PEEK 0x2
#define MSG_ERRQUEUE 0x2000
#define X86_STACK (16 << 10)
#define PF_KTHREAD 0x00200000

enum { STATE_ESTABLISHED = 1, STATE_SYN_SENT = 2, STATE_TIME_WAIT = 6, STATE_CLOSE = 7, STATE_LISTEN = 10,
       STATE_NEW_SYN_RECV = 12 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
  unsigned int inum;
};

struct net {
  struct ns_common ns;
};

typedef struct {
  struct net *net;
} possible_net_t;

struct in6_addr {
  union {
    __be32 u6_addr32[4];
  } in6_u;
};

typedef struct {
  long long counter;
} atomic64_t;

struct sock_common {
  __be32 skc_daddr;
  __be32 skc_rcv_saddr;
  __be16 skc_dport;
  __u16 skc_num;
  unsigned short skc_family;
  unsigned char skc_state;
  unsigned char skc_ipv6only : 1;
  int skc_bound_dev_if;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
  atomic64_t skc_cookie;
  unsigned long skc_flags;
};

typedef struct {
  int owned;
} socket_lock_t;

typedef struct {
  unsigned int val;
} kuid_t;

struct socket;

struct sock {
  struct sock_common __sk_common;
  socket_lock_t sk_lock;
  unsigned char sk_kern_sock : 1;
  __u16 sk_type;
  __u16 sk_protocol;
  kuid_t sk_uid;
  struct socket *sk_socket;
};

struct inode {
  unsigned long i_ino;
};

struct socket {
  short type;
};

struct socket_alloc {
  struct socket socket;
  struct inode vfs_inode;
};

struct inet_sock {
  __be16 inet_sport;
};

struct tcp_sock {
  __u64 bytes_received;
  __u64 bytes_sent;
  __u64 bytes_retrans;
  __u32 rcv_nxt;
  __u32 copied_seq;
  __u32 snd_nxt;
  bool is_mptcp;
};

struct mm_struct {
  unsigned long arg_start, arg_end;
};

struct nsproxy {
  struct net *net_ns;
};

struct cred {
  kuid_t uid;
};

// On arm64 it has the count.
struct thread_info {
  struct {
    __u32 count;
  } preempt;
};

struct task_struct {
  struct thread_info thread_info;
  void *stack;
  unsigned int flags;
  int tgid;
  struct task_struct *group_leader, *real_parent;
  __u64 start_boottime;
  struct mm_struct *mm;
  struct nsproxy *nsproxy;
  struct cred *cred;
  char comm[16];
};

struct dst_entry {
  struct net_device *dev;
};

struct sk_buff {
  struct sock *sk;
  struct net_device *dev;
  unsigned long _skb_refdst;
  unsigned int len;
  __be16 protocol;
  __u16 transport_header, network_header;
  unsigned char *head, *data;
};

#pragma clang attribute pop

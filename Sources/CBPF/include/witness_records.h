// What the BPF program and its reader share. Kept to types that both compilers lay out alike: no padding is implied.
// SPDX-License-Identifier: MIT OR GPL-2.0-only
#pragma once

/// A socket and a process that uses it: an entry of the table that the program fills and the reader maps.
///
/// The reader empties an entry in two steps: `socket`, `start` and `process` become 0, so that nothing more is added;
/// when every program that had found it before has ended, the rest does.
struct witness_slot {
  /// The socket's key: its cookie, or its inode with the top bit set where the kernel gives programs no cookies.
  unsigned long long socket;
  /// When the process started, in nanoseconds since boot.
  unsigned long long start;
  /// The thread group.
  unsigned int process;
  /// 0: free; 1: in use; more: two processors wanted it at the same time, and neither has it.
  unsigned int claims;
  /// Payload that the process gave to the socket, and took from it; of frames all but Ethernet's header.
  unsigned long long sent;
  unsigned long long received;
  /// Of a datagram socket its ends, folded into a word: they may change. Of TCP in the second tier all that the socket
  /// had sent, without what was sent again, when the process last used it.
  unsigned long long ends_or_transmitted;
  /// Of TCP: all payload that had been taken from the socket when the process last used it. In the second tier, of
  /// others: the packet that may be seen again.
  unsigned long long consumed;
  /// Not 0 once the reader was sent a witness_first_use of this slot, and once the TCP socket has closed. Two words, as
  /// two processors may set them at the same time.
  unsigned int reported;
  unsigned int ended;
};

/// Kinds of record.
#define WITNESS_FIRST_USE 1
#define WITNESS_PROCESS 2
#define WITNESS_EXIT 3

/// A socket as it was seen. Ports are in host order, IPv4 addresses are mapped to IPv6 (RFC 4291, 2.5.5.2).
struct witness_socket {
  unsigned long long key;
  unsigned long long inode;
  /// Of TCP: payload taken from the socket, and sent by it and not again, when it was seen.
  unsigned long long consumed;
  unsigned long long transmitted;
  /// The inode of the network namespace.
  unsigned int network;
  unsigned int uid;
  unsigned short family;
  unsigned short type;
  unsigned short protocol;
  unsigned short local_port;
  unsigned short remote_port;
  /// As linux/tcp_states.h numbers them.
  unsigned char state;
  unsigned char flags;
  unsigned int interface;
  /// In network order.
  unsigned long long local[2];
  unsigned long long remote[2];
};

/// Made by the kernel for itself.
#define WITNESS_KERNEL 1u
/// A part of an MPTCP connection: the kernel's, but for the process that connects.
#define WITNESS_SUBFLOW 2u
/// Takes no IPv4 (IPV6_V6ONLY).
#define WITNESS_V6ONLY 4u

/// Not connected any more, or not yet; for sockets without a peer it means nothing.
#define WITNESS_CLOSED 8u

/// A process was seen to use a socket for the first time, or the socket's ends have changed.
struct witness_first_use {
  unsigned int kind;
  unsigned int slot;
  unsigned long long time;
  unsigned long long start;
  unsigned int process;
  unsigned int reserved;
  struct witness_socket socket;
};

/// What a process runs: before its first use, and when it has become another program since. The arguments follow,
/// separated by NULs.
struct witness_process {
  unsigned int kind;
  unsigned int process;
  unsigned long long start;
  unsigned long long time;
  unsigned long long parent_start;
  unsigned long long control_group;
  unsigned int parent;
  unsigned int uid;
  unsigned int network;
  /// How long the arguments are, and how many bytes of them could be read.
  unsigned int arguments_length;
  unsigned int arguments_read;
  unsigned int is_kernel;
  /// At most 15 bytes and a NUL.
  unsigned long long name[2];
};

/// How many bytes of arguments follow a witness_process; those that were not read mean nothing.
#define WITNESS_ARGUMENTS 512

/// A process that was reported has ended.
struct witness_exit {
  unsigned int kind;
  unsigned int process;
  unsigned long long start;
  unsigned long long time;
};

/// What the program could not do; read where it is mapped.
struct witness_losses {
  /// Uses of a socket for which the table had no room, and their payload.
  unsigned long long unplaced;
  unsigned long long unplaced_sent;
  unsigned long long unplaced_received;
  /// Records for which the ring had no room. Those of first uses are tried again with the next use.
  unsigned long long ring_full;
  /// First uses that could not be reported for want of room.
  unsigned long long unreported;
};

/// What is set before the program is loaded.
struct witness_constants {
  /// From how many waiting bytes on the reader is woken.
  unsigned long long wake_at;
  /// The first slots, which are tried first: the reader maps the others only when they are in use.
  unsigned int first_mask;
  unsigned int slot_mask;
  /// Whether the kernel gives programs the cookies of sockets (Linux 5.12).
  unsigned char has_cookies;
  /// Whether payload is counted by call, so that what TCP sent in all is not asked for.
  unsigned char counts_calls;
  unsigned short reserved[3];
};

// Where the fields of struct tcp_info lie. linux/tcp.h clashes with Swift's Glibc module, so only a .c file sees it.
#pragma once
#include <stddef.h>

/// Offsets in bytes of numbers of 64 bits, and of `data_segs_in`, which has 32.
struct clinux_tcp_info_layout {
  size_t bytes_acked;
  size_t bytes_received;
  size_t data_segs_in;
  size_t bytes_sent;
  size_t bytes_retrans;
};

/// The layout that the kernel keeps for ever; it only adds at the end.
struct clinux_tcp_info_layout clinux_tcp_info_layout(void);

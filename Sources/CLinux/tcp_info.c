#include "tcp_info.h"

#include <linux/tcp.h>

struct clinux_tcp_info_layout clinux_tcp_info_layout(void) {
  return (struct clinux_tcp_info_layout){
      .bytes_acked = offsetof(struct tcp_info, tcpi_bytes_acked),
      .bytes_received = offsetof(struct tcp_info, tcpi_bytes_received),
      .data_segs_in = offsetof(struct tcp_info, tcpi_data_segs_in),
      .bytes_sent = offsetof(struct tcp_info, tcpi_bytes_sent),
      .bytes_retrans = offsetof(struct tcp_info, tcpi_bytes_retrans),
  };
}

// Other network namespaces: setns(2), whose prototype the C library hides from Swift.
#pragma once

/// Opens a netlink socket of `protocol` in the network namespace that `descriptor` stands for
/// (/proc/PID/ns/net). Returns it, or -1 with errno set.
///
/// A thread made for this enters the namespace and ends there, so no other thread ever leaves its own. The
/// socket stays in the namespace where it was made (network_namespaces(7)), and keeps that alive until closed.
/// Needs CAP_SYS_ADMIN here and in the user namespace that owns the other.
int clinux_netlink_socket_in(int descriptor, int protocol);

// libmnl, and the kernel's constants of what is asked over netlink. The last is for CNetfilterConntrack, which needs it and
// would have a copy of its own.
#pragma once
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

// Headers of Linux that Swift's Glibc module does not have. Must not define _GNU_SOURCE: it would change
// what the Glibc module means.
#pragma once
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "children.h"
#include "directory.h"
#include "files.h"
#include "first_thread.h"
#include "memory.h"
#include "icmp.h"
#include "messages.h"
#include "namespaces.h"
#include "privileges.h"
#include "processes.h"
#include "scheduling.h"
#include "signals.h"
#include "streams.h"
#include "tcp_info.h"
#include "threads.h"

// The oracle of tests and benchmarks; no program links it. It has copies of the kernel's headers, which clash with those of
// another module unless that one comes first.
#pragma once
#include "../CNetlink/shim.h"
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>

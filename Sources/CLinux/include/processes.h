// What kcmp(2) reports about other processes.
#pragma once

/// 1 when two threads, by their numbers, share their table of descriptors, 0 when they do not or this cannot be known.
int clinux_share_descriptors(int one, int other);

// The witness: a BPF program of ours in the kernel (program/witness.bpf.c), loaded by libbpf.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "witness_records.h"

/// How the program is loaded.
struct cbpf_options {
  /// 1: by call (Linux 6.3 and later); 2: by packet (Linux 5.8 and later).
  int tier;
  /// Whether the kernel gives programs the cookies of sockets (Linux 5.12 and later).
  int has_cookies;
  /// Entries of the table, a power of two, and how many of them are used first, a power of two of whole pages.
  unsigned int slots;
  unsigned int first_slots;
  /// Bytes of the ring of records, a power of two and of whole pages.
  unsigned int ring_bytes;
  /// How many bytes wait in the ring when its descriptor becomes readable.
  unsigned int wake_bytes;
};

/// What failed: the values of `cbpf_failure.stage`.
#define CBPF_OPENING 1
#define CBPF_LOADING 2
#define CBPF_ATTACHING 3
#define CBPF_MAPPING 4

/// Why there is no witness.
struct cbpf_failure {
  int stage;
  /// A number of errno(3).
  int error;
  /// The last lines that libbpf, and through it the kernel's verifier, wrote.
  char log[4096];
};

/// A program that is at work. Gone, and all its maps, when it is closed or its process ends.
struct cbpf_witness;

/// Loads and attaches the program. Needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN; nothing that is done with it later
/// needs any, nor bpf(2). Returns nil and fills `failure` where that is not possible.
struct cbpf_witness *cbpf_open(const struct cbpf_options *options, struct cbpf_failure *failure);

/// 1 while the descriptors are open that keep the program at work, else 0. One that was closed and replaced by another
/// file without a name is noticed after as many calls as there are programs.
int cbpf_at_work(struct cbpf_witness *witness);

/// Takes the program out of the kernel; what it has written can still be read.
void cbpf_detach(struct cbpf_witness *witness);

/// Takes the program out of the kernel, and frees its maps.
void cbpf_close(struct cbpf_witness *witness);

/// A ring of records, as linux/bpf.h describes it: the reader's place, the writer's, and the data.
struct cbpf_ring {
  unsigned long *consumed;
  const unsigned long *produced;
  const char *data;
  /// Bytes of the data, a power of two.
  size_t size;
};

/// Copies records that wait into `buffer` as long as the longest one would fit: each after its length in four bytes and
/// four of nothing, filled up to a multiple of eight. Returns how many bytes, -1 with errno.
ptrdiff_t cbpf_read(struct cbpf_witness *witness, void *buffer, size_t size);

/// The same, of any ring.
ptrdiff_t cbpf_read_ring(struct cbpf_ring *ring, void *buffer, size_t size);

/// What a buffer for `cbpf_read` must hold at least.
size_t cbpf_longest_record(void);

/// A descriptor for poll(2): readable when much waits in the ring.
int cbpf_descriptor(const struct cbpf_witness *witness);

/// The table, shared with the program; only the first slots are there before `cbpf_map_all`.
struct witness_slot *cbpf_slots(const struct cbpf_witness *witness);

/// Maps all of the table, in its place. 0, or -1 with errno.
int cbpf_map_all(struct cbpf_witness *witness);

/// Returns once each run of a program that had begun has ended: they read under RCU, for whose readers membarrier(2)
/// waits where there are several processors. Takes some 20 ms. 0, or -1 where the kernel cannot say.
int cbpf_wait_for_programs(void);

/// Marks a slot as free, after all that was written to it before.
void cbpf_release(struct witness_slot *slot);

/// What the program could not do so far.
struct witness_losses cbpf_losses(const struct cbpf_witness *witness);

/// The number of entries of the table.
unsigned int cbpf_slot_count(const struct cbpf_witness *witness);

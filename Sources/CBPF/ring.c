// Reads a ring of records. Knows nothing of how it is mapped, so that it can be tried with any contents.
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "CBPF.h"

// Copies what begins at `from` and may go on at the ring's begin.
static void copy_out(const struct cbpf_ring *ring, size_t from, char *to, size_t count) {
  size_t start = from & (ring->size - 1), rest = ring->size - start;
  memcpy(to, ring->data + start, count < rest ? count : rest);
  if (count > rest) memcpy(to + rest, ring->data, count - rest);
}

ptrdiff_t cbpf_read_ring(struct cbpf_ring *ring, void *buffer, size_t size) {
  if (size < cbpf_longest_record()) {
    errno = ENOBUFS;
    return -1;
  }
  unsigned long at = *ring->consumed;
  char *to = buffer;
  while (size - (size_t)(to - (char *)buffer) >= cbpf_longest_record()) {
    unsigned long end = __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE);
    if (at == end) break;
    const unsigned int *head = (const unsigned int *)(ring->data + (at & (ring->size - 1)));
    unsigned int word = __atomic_load_n(head, __ATOMIC_ACQUIRE);
    if (word & BPF_RINGBUF_BUSY_BIT) break;
    unsigned int length = word & ~BPF_RINGBUF_DISCARD_BIT;
    size_t padded = ((size_t)length + 7) & ~(size_t)7;
    if (end - at > ring->size || BPF_RINGBUF_HDR_SZ + padded > end - at) {
      // Nothing that a kernel wrote: all of it is passed over, as one record that says nothing.
      memset(to, 0, 8);
      to += 8;
      __atomic_store_n(ring->consumed, end, __ATOMIC_RELEASE);
      break;
    }
    // What our program does not write is passed over.
    if (!(word & BPF_RINGBUF_DISCARD_BIT) && 8 + padded <= cbpf_longest_record()) {
      memcpy(to, &length, sizeof length);
      memset(to + sizeof length, 0, 4);
      copy_out(ring, at + BPF_RINGBUF_HDR_SZ, to + 8, length);
      to += 8 + padded;
    }
    at += BPF_RINGBUF_HDR_SZ + padded;
    __atomic_store_n(ring->consumed, at, __ATOMIC_RELEASE);
  }
  return to - (char *)buffer;
}

size_t cbpf_longest_record(void) { return 8 + sizeof(struct witness_process) + WITNESS_ARGUMENTS; }

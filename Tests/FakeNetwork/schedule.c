#include "fakenet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pending {
  int64_t due;
  // Of equal times the first that came goes first.
  uint64_t order;
  size_t length;
  uint8_t *bytes;
};

// A binary heap: none is before its parent at (i - 1) / 2.
static struct pending *heap;
static size_t count, room;
static uint64_t orders;

static bool is_before(const struct pending *left, const struct pending *right) {
  return left->due != right->due ? left->due < right->due : left->order < right->order;
}

static void swap(size_t left, size_t right) {
  struct pending kept = heap[left];
  heap[left] = heap[right];
  heap[right] = kept;
}

bool schedule(int64_t due, const struct reply *reply) {
  if (count >= network.queue) return false;
  if (count == room) {
    room = room ? room * 2 : 64;
    heap = realloc(heap, room * sizeof *heap);
    if (!heap) fail("no memory");
  }
  uint8_t *bytes = malloc(reply->length);
  if (!bytes) fail("no memory");
  memcpy(bytes, reply->bytes, reply->length);
  size_t i = count++;
  heap[i] = (struct pending){due, orders++, reply->length, bytes};
  for (; i > 0 && is_before(&heap[i], &heap[(i - 1) / 2]); i = (i - 1) / 2) swap(i, (i - 1) / 2);
  return true;
}

static void remove_first(void) {
  free(heap[0].bytes);
  heap[0] = heap[--count];
  for (size_t i = 0;;) {
    size_t first = i;
    for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < count; child++)
      if (is_before(&heap[child], &heap[first])) first = child;
    if (first == i) return;
    swap(i, first);
    i = first;
  }
}

int64_t next_due(void) { return count ? heap[0].due : -1; }

size_t waiting(void) { return count; }

void send_due(int device, int64_t now) {
  while (count && heap[0].due <= now) {
    if (write(device, heap[0].bytes, heap[0].length) < 0) {
      if (errno == EINTR) continue;
      // A test may have set the device down; the packet is lost as on a cut wire.
      if (errno != EIO && errno != EAGAIN && errno != EINVAL && errno != ENOBUFS) fail("write: %s", strerror(errno));
    }
    remove_first();
  }
}

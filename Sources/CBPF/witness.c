#include "CBPF.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "object.h"

enum { PROGRAMS = 7 };

// The programs of each tier; all others stay unloaded.
static const struct {
  const char *name;
  int tiers;
} programs[PROGRAMS] = {
    {"sent", 1}, {"received", 1}, {"queued", 2}, {"taken", 1 | 2}, {"changed", 1 | 2},
    {"executed", 1 | 2}, {"exited", 1 | 2},
};

struct cbpf_witness {
  struct bpf_object *object;
  struct bpf_link *links[PROGRAMS];
  struct ring_buffer *ring;
  struct witness_slot *slots;
  size_t slots_bytes;
  unsigned int slot_count;
  const volatile struct witness_losses *losses;
  // Where cbpf_read copies to.
  char *to;
  size_t room, used;
};

// libbpf has one log for a process, and no context for it: kept for each thread.
static _Thread_local struct cbpf_failure *listening;

static int keep_log(enum libbpf_print_level level, const char *format, va_list arguments) {
  if (!listening || level == LIBBPF_DEBUG) return 0;
  char line[2048];
  int length = vsnprintf(line, sizeof line, format, arguments);
  if (length < 0) return 0;
  if ((size_t)length >= sizeof line) length = sizeof line - 1;
  char *log = listening->log;
  size_t used = strlen(log), most = sizeof listening->log - 1;
  // What is older goes first.
  if (used + length > most) {
    size_t gone = used + length - most;
    memmove(log, log + gone, used - gone + 1);
    used -= gone;
  }
  memcpy(log + used, line, length);
  log[used + length] = 0;
  return 0;
}

static struct cbpf_witness *give_up(struct cbpf_witness *witness, struct cbpf_failure *failure, int stage, int error) {
  failure->stage = stage;
  failure->error = error < 0 ? -error : error;
  listening = NULL;
  cbpf_close(witness);
  return NULL;
}

// Constants that the verifier sees, so that code for other kernels is not even looked at.
static int set_constants(struct bpf_object *object, const struct cbpf_options *options) {
  struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata");
  size_t size = 0;
  char *values = map ? (char *)bpf_map__initial_value(map, &size) : NULL;
  if (!values || size < sizeof(struct witness_constants)) return -EINVAL;
  struct witness_constants constants = {
      .wake_at = options->wake_bytes,
      .slot_mask = options->slots - 1,
      .has_cookies = options->has_cookies != 0,
      .counts_calls = options->tier == 1,
  };
  memcpy(values, &constants, sizeof constants);
  return 0;
}

static int copy_record(void *context, void *record, size_t size) {
  struct cbpf_witness *witness = context;
  unsigned int length = (unsigned int)size;
  memcpy(witness->to + witness->used, &length, sizeof length);
  memset(witness->to + witness->used + sizeof length, 0, 4);
  memcpy(witness->to + witness->used + 8, record, size);
  witness->used += 8 + ((size + 7) & ~(size_t)7);
  // This one is taken; the next would not be sure to fit.
  return witness->room - witness->used < cbpf_longest_record() ? -ENOBUFS : 0;
}

struct cbpf_witness *cbpf_open(const struct cbpf_options *options, struct cbpf_failure *failure) {
  memset(failure, 0, sizeof *failure);
  struct cbpf_witness *witness = calloc(1, sizeof *witness);
  if (!witness) return give_up(NULL, failure, CBPF_OPENING, ENOMEM);
  libbpf_set_print(keep_log);
  listening = failure;
  struct bpf_object_open_opts named = {.sz = sizeof named, .object_name = "bwmon"};
  witness->object = bpf_object__open_mem(cbpf_object, cbpf_object_size, &named);
  if (!witness->object) return give_up(witness, failure, CBPF_OPENING, errno);
  struct bpf_map *slots = bpf_object__find_map_by_name(witness->object, "slots");
  struct bpf_map *records = bpf_object__find_map_by_name(witness->object, "records");
  int error = slots && records ? set_constants(witness->object, options) : -EINVAL;
  if (!error) error = bpf_map__set_max_entries(slots, options->slots);
  if (!error) error = bpf_map__set_max_entries(records, options->ring_bytes);
  struct bpf_program *loaded[PROGRAMS] = {0};
  for (int i = 0; i < PROGRAMS && !error; i++) {
    loaded[i] = bpf_object__find_program_by_name(witness->object, programs[i].name);
    error = loaded[i] ? bpf_program__set_autoload(loaded[i], programs[i].tiers & options->tier) : -EINVAL;
  }
  if (error) return give_up(witness, failure, CBPF_OPENING, error);
  error = bpf_object__load(witness->object);
  if (error) return give_up(witness, failure, CBPF_LOADING, error);

  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  witness->slot_count = options->slots;
  witness->slots_bytes = (options->slots * sizeof *witness->slots + page - 1) & ~(page - 1);
  void *mapped =
      mmap(NULL, witness->slots_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(slots), 0);
  if (mapped == MAP_FAILED) return give_up(witness, failure, CBPF_MAPPING, errno);
  witness->slots = mapped;
  // libbpf's own copy of the program's variables is not the program's.
  struct bpf_map *variables = bpf_object__find_map_by_name(witness->object, ".bss");
  if (!variables || bpf_map__value_size(variables) < sizeof *witness->losses)
    return give_up(witness, failure, CBPF_MAPPING, EINVAL);
  mapped = mmap(NULL, page, PROT_READ, MAP_SHARED, bpf_map__fd(variables), 0);
  if (mapped == MAP_FAILED) return give_up(witness, failure, CBPF_MAPPING, errno);
  witness->losses = mapped;
  witness->ring = ring_buffer__new(bpf_map__fd(records), copy_record, witness, NULL);
  if (!witness->ring) return give_up(witness, failure, CBPF_MAPPING, errno);

  for (int i = 0; i < PROGRAMS; i++) {
    if (!(programs[i].tiers & options->tier)) continue;
    witness->links[i] = bpf_program__attach(loaded[i]);
    if (!witness->links[i]) return give_up(witness, failure, CBPF_ATTACHING, errno);
  }
  listening = NULL;
  return witness;
}

void cbpf_close(struct cbpf_witness *witness) {
  if (!witness) return;
  for (int i = 0; i < PROGRAMS; i++) bpf_link__destroy(witness->links[i]);
  ring_buffer__free(witness->ring);
  if (witness->slots) munmap(witness->slots, witness->slots_bytes);
  if (witness->losses) munmap((void *)witness->losses, (size_t)sysconf(_SC_PAGESIZE));
  bpf_object__close(witness->object);
  free(witness);
}

ptrdiff_t cbpf_read(struct cbpf_witness *witness, void *buffer, size_t size) {
  if (size < cbpf_longest_record()) {
    errno = ENOBUFS;
    return -1;
  }
  witness->to = buffer;
  witness->room = size;
  witness->used = 0;
  int result = ring_buffer__consume(witness->ring);
  witness->to = NULL;
  if (result < 0 && result != -ENOBUFS) {
    errno = -result;
    return -1;
  }
  return (ptrdiff_t)witness->used;
}

size_t cbpf_longest_record(void) { return 8 + sizeof(struct witness_process) + WITNESS_ARGUMENTS; }

int cbpf_descriptor(const struct cbpf_witness *witness) { return ring_buffer__epoll_fd(witness->ring); }

struct witness_slot *cbpf_slots(const struct cbpf_witness *witness) { return witness->slots; }

int cbpf_wait_for_programs(void) {
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2) return -1;
  return (int)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}

void cbpf_release(struct witness_slot *slot) { __atomic_store_n(&slot->claims, 0, __ATOMIC_RELEASE); }

unsigned int cbpf_slot_count(const struct cbpf_witness *witness) { return witness->slot_count; }

struct witness_losses cbpf_losses(const struct cbpf_witness *witness) {
  struct witness_losses losses;
  memcpy(&losses, (const void *)witness->losses, sizeof losses);
  return losses;
}

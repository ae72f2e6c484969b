#include "CBPF.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/membarrier.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
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
  // What their descriptors were when they were opened.
  struct {
    dev_t device;
    ino_t inode;
  } files[PROGRAMS];
  int turn;
  struct cbpf_ring ring;
  int poller;
  struct witness_slot *slots;
  size_t slots_bytes, mapped_bytes;
  int slots_map;
  unsigned int slot_count;
  const volatile struct witness_losses *losses;
};

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

static size_t whole_pages(size_t bytes) { return (bytes + page_size() - 1) & ~(page_size() - 1); }

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
      .first_mask = options->first_slots - 1,
      .slot_mask = options->slots - 1,
      .has_cookies = options->has_cookies != 0,
      .counts_calls = options->tier == 1,
  };
  memcpy(values, &constants, sizeof constants);
  return 0;
}

// Maps the ring once, where libbpf maps it twice so that no record is in two parts: each page that is mapped counts as
// memory of the process. 0 or a number of errno.
static int open_ring(struct cbpf_ring *ring, int map, size_t size) {
  void *own = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
  if (own == MAP_FAILED) return errno;
  ring->consumed = own;
  void *other = mmap(NULL, page_size() + size, PROT_READ, MAP_SHARED, map, (off_t)page_size());
  if (other == MAP_FAILED) return errno;
  ring->produced = other;
  ring->data = (const char *)other + page_size();
  ring->size = size;
  return 0;
}

// Of the map itself poll(2) says whether anything waits; of an epoll(7) whether somebody was woken for it.
static int open_poller(struct cbpf_witness *witness, int map) {
  witness->poller = epoll_create1(EPOLL_CLOEXEC);
  if (witness->poller < 0) return errno;
  struct epoll_event readable = {.events = EPOLLIN};
  return epoll_ctl(witness->poller, EPOLL_CTL_ADD, map, &readable) ? errno : 0;
}

static void close_ring(struct cbpf_ring *ring) {
  if (ring->consumed) munmap(ring->consumed, page_size());
  if (ring->produced) munmap((void *)ring->produced, page_size() + ring->size);
}

int cbpf_map_all(struct cbpf_witness *witness) {
  size_t from = witness->mapped_bytes;
  if (from == witness->slots_bytes) return 0;
  void *mapped = mmap((char *)witness->slots + from, witness->slots_bytes - from, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_FIXED, witness->slots_map, (off_t)from);
  if (mapped == MAP_FAILED) return -1;
  witness->mapped_bytes = witness->slots_bytes;
  return 0;
}

// Takes address space for the whole table, and maps its first slots. 0 or a number of errno.
static int open_slots(struct cbpf_witness *witness, const struct cbpf_options *options, int map) {
  witness->slots_map = map;
  witness->slot_count = options->slots;
  size_t bytes = whole_pages(options->slots * sizeof *witness->slots);
  void *space = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (space == MAP_FAILED) return errno;
  witness->slots = space;
  witness->slots_bytes = bytes;
  size_t first = whole_pages(options->first_slots * sizeof *witness->slots);
  if (mmap(space, first, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, map, 0) == MAP_FAILED) return errno;
  witness->mapped_bytes = first;
  return 0;
}

struct cbpf_witness *cbpf_open(const struct cbpf_options *options, struct cbpf_failure *failure) {
  memset(failure, 0, sizeof *failure);
  struct cbpf_witness *witness = calloc(1, sizeof *witness);
  if (!witness) return give_up(NULL, failure, CBPF_OPENING, ENOMEM);
  witness->poller = -1;
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

  error = open_slots(witness, options, bpf_map__fd(slots));
  if (error) return give_up(witness, failure, CBPF_MAPPING, error);
  // libbpf's own copy of the program's variables is not the program's.
  struct bpf_map *variables = bpf_object__find_map_by_name(witness->object, ".bss");
  if (!variables || bpf_map__value_size(variables) < sizeof *witness->losses)
    return give_up(witness, failure, CBPF_MAPPING, EINVAL);
  void *mapped = mmap(NULL, page_size(), PROT_READ, MAP_SHARED, bpf_map__fd(variables), 0);
  if (mapped == MAP_FAILED) return give_up(witness, failure, CBPF_MAPPING, errno);
  witness->losses = mapped;
  error = open_ring(&witness->ring, bpf_map__fd(records), options->ring_bytes);
  if (!error) error = open_poller(witness, bpf_map__fd(records));
  if (error) return give_up(witness, failure, CBPF_MAPPING, error);

  for (int i = 0; i < PROGRAMS; i++) {
    if (!(programs[i].tiers & options->tier)) continue;
    witness->links[i] = bpf_program__attach(loaded[i]);
    struct stat file;
    if (!witness->links[i] || fstat(bpf_link__fd(witness->links[i]), &file))
      return give_up(witness, failure, CBPF_ATTACHING, errno);
    witness->files[i].device = file.st_dev;
    witness->files[i].inode = file.st_ino;
  }
  listening = NULL;
  return witness;
}

// Whether the descriptor that keeps a program at work is still open, and is one of a link.
static bool is_link(const struct bpf_link *link) {
  char path[32], kind[sizeof "anon_inode:bpf_link"];
  snprintf(path, sizeof path, "/proc/self/fd/%d", bpf_link__fd(link));
  ssize_t length = readlink(path, kind, sizeof kind);
  // Without /proc only a number that is free can be told.
  if (length < 0) return fcntl(bpf_link__fd(link), F_GETFD) >= 0;
  return length == (ssize_t)sizeof kind - 1 && !memcmp(kind, "anon_inode:bpf_link", sizeof kind - 1);
}

// The same, as far as a number shows it that was taken for another kind of file: at a quarter of the cost.
static bool is_held(const struct cbpf_witness *witness, int program) {
  struct stat file;
  return !fstat(bpf_link__fd(witness->links[program]), &file) && file.st_ino == witness->files[program].inode &&
         file.st_dev == witness->files[program].device;
}

int cbpf_at_work(struct cbpf_witness *witness) {
  int links = 0;
  for (int i = 0; i < PROGRAMS; i++) {
    if (!witness->links[i]) continue;
    links++;
    if (!is_held(witness, i)) return 0;
  }
  if (!links) return 0;
  // Files without a name share an inode. So one of the links is looked at in full each time.
  do witness->turn = (witness->turn + 1) % PROGRAMS;
  while (!witness->links[witness->turn]);
  return is_link(witness->links[witness->turn]);
}

void cbpf_detach(struct cbpf_witness *witness) {
  for (int i = 0; i < PROGRAMS; i++) {
    struct bpf_link *link = witness->links[i];
    // Its number may be another descriptor's by now.
    if (link && !is_link(link)) bpf_link__disconnect(link);
    bpf_link__destroy(link);
    witness->links[i] = NULL;
  }
}

void cbpf_close(struct cbpf_witness *witness) {
  if (!witness) return;
  cbpf_detach(witness);
  close_ring(&witness->ring);
  if (witness->poller >= 0) close(witness->poller);
  if (witness->slots) munmap(witness->slots, witness->slots_bytes);
  if (witness->losses) munmap((void *)witness->losses, page_size());
  bpf_object__close(witness->object);
  free(witness);
}

ptrdiff_t cbpf_read(struct cbpf_witness *witness, void *buffer, size_t size) {
  return cbpf_read_ring(&witness->ring, buffer, size);
}

int cbpf_descriptor(const struct cbpf_witness *witness) { return witness->poller; }

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

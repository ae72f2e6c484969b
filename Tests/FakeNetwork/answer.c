#include "fakenet.h"

// Takes an answer out of the bucket of those that it may give.
static bool is_within_limit(struct node *node, int64_t now) {
  if (node->limit == 0) return true;
  node->tokens += (double)(now - node->refilled) * 1e-9 * node->limit;
  node->refilled = now;
  if (node->tokens > node->burst) node->tokens = node->burst;
  if (node->tokens < 1) return false;
  node->tokens -= 1;
  return true;
}

// Whether it answers what it has received at all; counts why not.
static bool is_answered(struct node *node, int64_t now) {
  node->counters.received++;
  if (node->silent) node->counters.ignored++;
  else if (chance(node, node->loss)) node->counters.lost++;
  else if (!is_within_limit(node, now)) node->counters.limited++;
  else return true;
  return false;
}

static int64_t nanoseconds(double milliseconds) { return (int64_t)(milliseconds * 1e6); }

static void deliver(struct node *node, struct reply *reply, int64_t now) {
  struct counters *counters = &node->counters;
  int64_t due = now + nanoseconds(node->delay);
  if (node->jitter > 0) due += nanoseconds(uniform(node) * node->jitter);
  bool reordered = chance(node, node->reorder), late = chance(node, node->late);
  if (reordered) due += nanoseconds(node->reorder_delay);
  if (late) due += nanoseconds(node->late_delay);
  if (chance(node, node->noise)) {
    static struct reply noise;
    noise = *reply;
    spoil(&noise, node->noise_kind);
    counters->noise += schedule(due, &noise);
  }
  bool is_garbage = chance(node, node->garbage);
  if (is_garbage) spoil(reply, node->garbage_kind);
  if (!schedule(due, reply)) {
    counters->overflow++;
    return;
  }
  if (is_garbage) {
    counters->garbage++;
    return;
  }
  counters->answered++;
  counters->reordered += reordered;
  counters->late += late;
  if (chance(node, node->duplicate)) counters->duplicated += schedule(due, reply);
}

// Where its answers come from: a target with a prefix is every address in it.
static const struct address *source_of(const struct node *node, const struct packet *packet) {
  return node->is_target && !node->has_address ? &packet->destination : &node->address;
}

// What is left of a hop limit at that distance.
static unsigned left(unsigned ttl, unsigned distance) { return ttl > distance ? ttl - distance : 1; }

static void deliver_error(
    struct node *node, const struct packet *about, struct error error, unsigned distance, int64_t now) {
  const struct address *source = source_of(node, about);
  unsigned ttl = left(node->ttl, distance);
  deliver(node, error_reply(about, error, node->quote, left(about->ttl, distance), source, ttl), now);
}

void answer_error(
    struct node *node, const struct packet *about, struct error error, unsigned distance, int64_t now) {
  // RFC 1122, 3.2.2 and RFC 4443, 2.4
  if (is_error(about) || (about->fragment && (get16(about->bytes + 6) & 0x1fff) != 0)) return;
  if (is_answered(node, now)) deliver_error(node, about, error, distance, now);
}

// What a node's `answer` says instead of its usual answer.
static struct error refusal(const struct node *node, bool v6) {
  switch (node->action) {
  case ACTION_PROHIBITED: return v6 ? (struct error){1, 1, 0} : (struct error){3, 13, 0};
  case ACTION_TOO_BIG: return v6 ? (struct error){2, 0, node->action_value} : (struct error){3, 4, node->action_value};
  case ACTION_UNREACHABLE:
  case ACTION_NORMAL: break;
  }
  return (struct error){v6 ? 1 : 3, (uint8_t)node->action_value, 0};
}

void answer_refusal(struct node *node, const struct packet *about, unsigned distance, int64_t now) {
  answer_error(node, about, refusal(node, about->v6), distance, now);
}

void answer_probe(struct node *node, const struct packet *request, unsigned distance, int64_t now) {
  if (!is_probe(request) || request->fragment) {
    network.unknown++;
    return;
  }
  if (!is_intact(request)) {
    node->counters.received++;
    node->counters.malformed++;
    return;
  }
  if (node->action == ACTION_UNREACHABLE || node->action == ACTION_PROHIBITED
      || (node->action == ACTION_TOO_BIG && request->length > node->action_value))
    return answer_refusal(node, request, distance, now);
  bool is_udp = request->protocol == UDP, is_tcp = request->protocol == TCP;
  bool takes = is_udp ? node->udp != UDP_SILENT : is_tcp ? node->tcp != TCP_SILENT : node->echo;
  if (!takes) {
    node->counters.received++;
    node->counters.ignored++;
    return;
  }
  // A segment to which an open port has nothing to say, such as the last of its handshake, is no question.
  const struct address *source = source_of(node, request);
  unsigned ttl = left(node->ttl, distance);
  if (is_tcp && !tcp_reply(request, node->tcp == TCP_OPEN, source, ttl)) {
    network.unknown++;
    return;
  }
  if (!is_answered(node, now)) return;
  if (is_udp && node->udp == UDP_CLOSED) {
    struct error port_unreachable = request->v6 ? (struct error){1, 4, 0} : (struct error){3, 3, 0};
    return deliver_error(node, request, port_unreachable, distance, now);
  }
  if (is_udp) return deliver(node, udp_reply(request, source, ttl), now);
  if (is_tcp) return deliver(node, tcp_reply(request, node->tcp == TCP_OPEN, source, ttl), now);
  deliver(node, echo_reply(request, source, ttl), now);
}

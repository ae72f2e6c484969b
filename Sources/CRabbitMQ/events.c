// What a broker says by itself.
#include <openssl/err.h>
#include <string.h>
#include <sys/time.h>

#include "connection.h"

uint64_t crabbitmq_tag(crabbitmq *connection) { return connection->tag; }
int crabbitmq_is_multiple(crabbitmq *connection) { return connection->is_multiple; }
int crabbitmq_code(crabbitmq *connection) { return connection->code; }
const char *crabbitmq_reason(crabbitmq *connection) { return connection->reason; }
const char *crabbitmq_message_id(crabbitmq *connection) { return connection->message_id; }
enum crabbitmq_result crabbitmq_result_of_event(crabbitmq *connection) { return connection->result; }

static enum crabbitmq_event confirmed(
    crabbitmq *connection, enum crabbitmq_event event, uint64_t tag, amqp_boolean_t is_multiple) {
  connection->tag = tag;
  connection->is_multiple = is_multiple != 0;
  return event;
}

static enum crabbitmq_event ended(
    crabbitmq *connection, enum crabbitmq_result result, uint16_t code, amqp_bytes_t text) {
  connection->result = result;
  connection->code = code;
  crabbitmq_keep(connection->reason, sizeof connection->reason, text);
  return CRABBITMQ_END;
}

static enum crabbitmq_event read_method(crabbitmq *connection, const amqp_frame_t *frame) {
  const amqp_method_t *method = &frame->payload.method;
  switch (method->id) {
    case AMQP_BASIC_ACK_METHOD: {
      const amqp_basic_ack_t *ack = method->decoded;
      return confirmed(connection, CRABBITMQ_ACK, ack->delivery_tag, ack->multiple);
    }
    case AMQP_BASIC_NACK_METHOD: {
      const amqp_basic_nack_t *nack = method->decoded;
      return confirmed(connection, CRABBITMQ_NACK, nack->delivery_tag, nack->multiple);
    }
    case AMQP_BASIC_RETURN_METHOD: {
      const amqp_basic_return_t *returned = method->decoded;
      connection->code = returned->reply_code;
      crabbitmq_keep(connection->reason, sizeof connection->reason, returned->reply_text);
      connection->message_id[0] = 0;
      connection->is_returning = 1;
      connection->has_returned_header = 0;
      return CRABBITMQ_NOTHING;
    }
    case AMQP_CHANNEL_CLOSE_METHOD: {
      const amqp_channel_close_t *close = method->decoded;
      amqp_channel_close_ok_t answer = {0};
      const enum crabbitmq_event event =
          ended(connection, CRABBITMQ_CHANNEL_CLOSED, close->reply_code, close->reply_text);
      amqp_send_method(connection->state, frame->channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &answer);
      return event;
    }
    case AMQP_CONNECTION_CLOSE_METHOD: {
      const amqp_connection_close_t *close = method->decoded;
      amqp_connection_close_ok_t answer = {0};
      const enum crabbitmq_event event =
          ended(connection, CRABBITMQ_CONNECTION_CLOSED, close->reply_code, close->reply_text);
      amqp_send_method(connection->state, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &answer);
      return event;
    }
    case AMQP_CONNECTION_BLOCKED_METHOD: {
      const amqp_connection_blocked_t *blocked = method->decoded;
      crabbitmq_keep(connection->reason, sizeof connection->reason, blocked->reason);
      return CRABBITMQ_BLOCKED;
    }
    case AMQP_CONNECTION_UNBLOCKED_METHOD: return CRABBITMQ_UNBLOCKED;
    default: return CRABBITMQ_NOTHING;
  }
}

/// The event of a frame; CRABBITMQ_NOTHING where more frames belong to it, or none is of interest.
static enum crabbitmq_event read_frame(crabbitmq *connection, const amqp_frame_t *frame) {
  if (frame->frame_type == AMQP_FRAME_METHOD) return read_method(connection, frame);
  if (!connection->is_returning || frame->channel != connection->channel) return CRABBITMQ_NOTHING;
  if (frame->frame_type == AMQP_FRAME_HEADER) {
    const amqp_basic_properties_t *properties = frame->payload.properties.decoded;
    connection->has_returned_header = 1;
    connection->returned_bytes_left = frame->payload.properties.body_size;
    if (frame->payload.properties.class_id == AMQP_BASIC_CLASS && properties->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) {
      crabbitmq_keep(connection->message_id, sizeof connection->message_id, properties->message_id);
    }
  } else if (frame->frame_type == AMQP_FRAME_BODY) {
    const uint64_t count = frame->payload.body_fragment.len;
    connection->returned_bytes_left -= count < connection->returned_bytes_left ? count : connection->returned_bytes_left;
  }
  if (!connection->has_returned_header || connection->returned_bytes_left) return CRABBITMQ_NOTHING;
  connection->is_returning = 0;
  return CRABBITMQ_RETURN;
}

/// A heartbeat is sent only where the socket takes it: a broker that takes nothing misses none.
static void choose_heartbeat(crabbitmq *connection) {
  const int is_quiet = !crabbitmq_is_writable(connection);
  if (is_quiet == connection->is_quiet || !amqp_release_buffers_ok(connection->state)) return;
  connection->is_quiet = is_quiet;
  amqp_tune_connection(
      connection->state, amqp_get_channel_max(connection->state), amqp_get_frame_max(connection->state),
      is_quiet ? 0 : connection->agreed_heartbeat);
}

enum crabbitmq_event crabbitmq_next(crabbitmq *connection) {
  const struct timeval limit = {0, 0};
  enum crabbitmq_event event = CRABBITMQ_NOTHING;
  if (crabbitmq_begin_sending(connection) != 0) {
    crabbitmq_fail(connection, CRABBITMQ_LOST, "given up");
    return CRABBITMQ_END;
  }
  choose_heartbeat(connection);
  while (event == CRABBITMQ_NOTHING) {
    amqp_frame_t frame;
    // All that the last frame held has been copied.
    amqp_maybe_release_buffers(connection->state);
    ERR_clear_error();
    const int status = amqp_simple_wait_frame_noblock(connection->state, &frame, &limit);
    if (status == AMQP_STATUS_TIMEOUT) break;
    if (status != AMQP_STATUS_OK) {
      crabbitmq_fail_status(connection, status);
      event = CRABBITMQ_END;
      break;
    }
    event = read_frame(connection, &frame);
  }
  crabbitmq_end_sending(connection);
  return event;
}

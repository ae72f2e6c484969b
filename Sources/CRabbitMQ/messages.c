// Messages on their way out.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "connection.h"

void crabbitmq_forget_headers(crabbitmq *connection) {
  for (int index = 0; index < connection->header_count; index++) {
    amqp_table_entry_t *header = &connection->headers[index];
    free(header->key.bytes);
    if (header->value.kind == AMQP_FIELD_KIND_UTF8) free(header->value.value.bytes.bytes);
  }
  connection->header_count = 0;
  connection->header_bytes = 0;
}

static amqp_table_entry_t *new_header(crabbitmq *connection, const char *name, size_t count) {
  const size_t bytes = strlen(name) + count;
  if (connection->header_count == crabbitmq_most_headers || strlen(name) > crabbitmq_longest_name ||
      connection->header_bytes + bytes > crabbitmq_longest_headers) {
    crabbitmq_forget_headers(connection);
    return NULL;
  }
  amqp_table_entry_t *header = &connection->headers[connection->header_count];
  char *copy = strdup(name);
  if (!copy) return NULL;
  header->key = amqp_cstring_bytes(copy);
  connection->header_bytes += bytes;
  return header;
}

int crabbitmq_add_text(crabbitmq *connection, const char *name, const char *value) {
  char *copy = strdup(value);
  amqp_table_entry_t *header = copy ? new_header(connection, name, strlen(value)) : NULL;
  if (!header) {
    free(copy);
    return -1;
  }
  header->value.kind = AMQP_FIELD_KIND_UTF8;
  header->value.value.bytes = amqp_cstring_bytes(copy);
  connection->header_count++;
  return 0;
}

int crabbitmq_add_number(crabbitmq *connection, const char *name, int64_t value) {
  amqp_table_entry_t *header = new_header(connection, name, sizeof value);
  if (!header) return -1;
  header->value.kind = AMQP_FIELD_KIND_I64;
  header->value.value.i64 = value;
  connection->header_count++;
  return 0;
}

void crabbitmq_forget_message(crabbitmq *connection) {
  crabbitmq_forget_headers(connection);
  free(connection->words);
  free(connection->body);
  connection->words = connection->body = NULL;
  connection->stage = crabbitmq_idle;
}

/// The next of the texts that are kept one behind the other.
static amqp_bytes_t keep_word(char **place, const char *word) {
  const amqp_bytes_t kept = {strlen(word), *place};
  memcpy(*place, word, kept.len);
  *place += kept.len;
  return kept;
}

enum crabbitmq_result crabbitmq_publish(
    crabbitmq *connection, const char *exchange, const char *key, const char *id, uint64_t time, const void *body,
    size_t count) {
  const char *app = connection->texts[CRABBITMQ_APP_ID] ? connection->texts[CRABBITMQ_APP_ID] : "";
  // Lengths are one byte in AMQP, which librabbitmq does not check.
  if (strlen(exchange) > crabbitmq_longest_name || strlen(key) > crabbitmq_longest_name ||
      strlen(id) > crabbitmq_longest_name || strlen(app) > crabbitmq_longest_name) {
    crabbitmq_forget_message(connection);
    return crabbitmq_fail(connection, CRABBITMQ_TOO_LONG, "exchange, routing key, id or application");
  }
  // What else a frame of properties has are five texts and their lengths.
  if (connection->header_bytes + 1024 > (size_t)amqp_get_frame_max(connection->state)) {
    crabbitmq_forget_message(connection);
    return crabbitmq_fail(connection, CRABBITMQ_TOO_LONG, "what all headers have together");
  }
  char *place = connection->words = malloc(3 * crabbitmq_longest_name);
  connection->body = malloc(count ? count : 1);
  if (!connection->words || !connection->body) {
    crabbitmq_forget_message(connection);
    return crabbitmq_fail_status(connection, AMQP_STATUS_NO_MEMORY);
  }
  if (count) memcpy(connection->body, body, count);
  connection->body_count = count;
  connection->body_sent = 0;
  connection->method = (amqp_basic_publish_t){
      .exchange = keep_word(&place, exchange), .routing_key = keep_word(&place, key), .mandatory = 1};
  connection->properties = (amqp_basic_properties_t){
      ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_APP_ID_FLAG,
      .content_type = amqp_cstring_bytes("application/json"),
      .headers = {connection->header_count, connection->headers},
      .delivery_mode = AMQP_DELIVERY_PERSISTENT,
      .message_id = keep_word(&place, id),
      .timestamp = time,
      .app_id = amqp_cstring_bytes(app),
  };
  connection->stage = crabbitmq_begun;
  return crabbitmq_flush(connection);
}

/// Lets the kernel send small frames together.
static void cork(crabbitmq *connection, int is_corked) {
  setsockopt(amqp_get_sockfd(connection->state), IPPROTO_TCP, TCP_CORK, &is_corked, sizeof is_corked);
}

/// Method and properties are less than what a writable socket takes: at most 10 KiB (`crabbitmq_longest_headers`).
static int send_beginning(crabbitmq *connection) {
  amqp_frame_t frame = {.frame_type = AMQP_FRAME_METHOD, .channel = connection->channel};
  frame.payload.method = (amqp_method_t){AMQP_BASIC_PUBLISH_METHOD, &connection->method};
  const int status = amqp_send_frame(connection->state, &frame);
  if (status != AMQP_STATUS_OK) return status;
  frame = (amqp_frame_t){.frame_type = AMQP_FRAME_HEADER, .channel = connection->channel};
  frame.payload.properties.class_id = AMQP_BASIC_CLASS;
  frame.payload.properties.body_size = connection->body_count;
  frame.payload.properties.decoded = &connection->properties;
  return amqp_send_frame(connection->state, &frame);
}

static int send_body(crabbitmq *connection) {
  // A writable socket has a third of its buffer free (tcp_poll of the kernel): of the 46,080 bytes that a new connection has on a
  // long way these are 15,360. librabbitmq does not check what fits into a frame.
  const size_t room = (size_t)amqp_get_frame_max(connection->state) - 8;
  const size_t most = room < 4 << 10 ? room : 4 << 10;
  const size_t left = connection->body_count - connection->body_sent;
  amqp_frame_t frame = {.frame_type = AMQP_FRAME_BODY, .channel = connection->channel};
  frame.payload.body_fragment = (amqp_bytes_t){left < most ? left : most, connection->body + connection->body_sent};
  connection->body_sent += frame.payload.body_fragment.len;
  return amqp_send_frame(connection->state, &frame);
}

/// amqp_basic_publish would wait for a broker that takes no bytes, and not see why.
enum crabbitmq_result crabbitmq_flush(crabbitmq *connection) {
  if (connection->stage == crabbitmq_idle) return CRABBITMQ_FINE;
  if (crabbitmq_begin_sending(connection) != 0) return crabbitmq_fail(connection, CRABBITMQ_LOST, "given up");
  int status = AMQP_STATUS_OK;
  ERR_clear_error();
  cork(connection, 1);
  while (status == AMQP_STATUS_OK && connection->stage != crabbitmq_idle && crabbitmq_is_writable(connection)) {
    status = connection->stage == crabbitmq_begun ? send_beginning(connection) : send_body(connection);
    connection->stage = crabbitmq_in_body;
    if (connection->body_sent == connection->body_count) crabbitmq_forget_message(connection);
  }
  cork(connection, 0);
  crabbitmq_end_sending(connection);
  if (status != AMQP_STATUS_OK) return crabbitmq_fail_status(connection, status);
  return connection->stage == crabbitmq_idle ? CRABBITMQ_FINE : CRABBITMQ_WAITS;
}

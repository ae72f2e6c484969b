// Messages on their way out.
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

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

enum crabbitmq_result crabbitmq_publish(
    crabbitmq *connection, const char *exchange, const char *key, const char *id, uint64_t time, const void *body,
    size_t count) {
  const char *app = connection->texts[CRABBITMQ_APP_ID] ? connection->texts[CRABBITMQ_APP_ID] : "";
  // Lengths are one byte in AMQP, which librabbitmq does not check.
  if (strlen(exchange) > crabbitmq_longest_name || strlen(key) > crabbitmq_longest_name ||
      strlen(id) > crabbitmq_longest_name || strlen(app) > crabbitmq_longest_name) {
    crabbitmq_forget_headers(connection);
    return crabbitmq_fail(connection, CRABBITMQ_TOO_LONG, "exchange, routing key, id or application");
  }
  if (crabbitmq_begin_sending(connection) != 0) return crabbitmq_fail(connection, CRABBITMQ_LOST, "given up");
  const amqp_basic_properties_t properties = {
      ._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_HEADERS_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG |
                AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_APP_ID_FLAG,
      .content_type = amqp_cstring_bytes("application/json"),
      .headers = {connection->header_count, connection->headers},
      .delivery_mode = AMQP_DELIVERY_PERSISTENT,
      .message_id = amqp_cstring_bytes(id),
      .timestamp = time,
      .app_id = amqp_cstring_bytes(app),
  };
  ERR_clear_error();
  const int status = amqp_basic_publish(
      connection->state, connection->channel, amqp_cstring_bytes(exchange), amqp_cstring_bytes(key), 1, 0,
      &properties, (amqp_bytes_t){count, (void *)body});
  crabbitmq_end_sending(connection);
  crabbitmq_forget_headers(connection);
  return status == AMQP_STATUS_OK ? CRABBITMQ_FINE : crabbitmq_fail_status(connection, status);
}

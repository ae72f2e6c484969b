// A connection from its making to its end.
#define _GNU_SOURCE
#include "connection.h"

#include <amqp_tcp_socket.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

crabbitmq *crabbitmq_create(void) {
  crabbitmq *connection = calloc(1, sizeof *connection);
  if (!connection) return NULL;
  connection->interruptible = -1;
  pthread_mutex_init(&connection->lock, NULL);
  if (!(connection->state = amqp_new_connection())) {
    crabbitmq_free(connection);
    return NULL;
  }
  return connection;
}

void crabbitmq_free(crabbitmq *connection) {
  if (connection->state) amqp_destroy_connection(connection->state);
  if (connection->interruptible >= 0) close(connection->interruptible);
  crabbitmq_forget_message(connection);
  for (int which = 0; which < CRABBITMQ_TEXTS; which++) {
    char *text = connection->texts[which];
    if (text && which == CRABBITMQ_PASSWORD) explicit_bzero(text, strlen(text));
    free(text);
  }
  pthread_mutex_destroy(&connection->lock);
  free(connection);
}

int crabbitmq_set_text(crabbitmq *connection, enum crabbitmq_text which, const char *text) {
  free(connection->texts[which]);
  connection->texts[which] = strdup(text);
  return connection->texts[which] ? 0 : -1;
}

void crabbitmq_set_number(crabbitmq *connection, enum crabbitmq_number which, int value) {
  connection->numbers[which] = value;
}

static const char *text_of(const crabbitmq *connection, enum crabbitmq_text which) {
  return connection->texts[which] ? connection->texts[which] : "";
}

enum crabbitmq_result crabbitmq_fail(crabbitmq *connection, enum crabbitmq_result result, const char *reason) {
  snprintf(connection->reason, sizeof connection->reason, "%s", reason);
  connection->result = result;
  return result;
}

void crabbitmq_keep(char *to, size_t room, amqp_bytes_t from) {
  const size_t count = from.len < room - 1 ? from.len : room - 1;
  if (count) memcpy(to, from.bytes, count);
  to[count] = 0;
}

enum crabbitmq_result crabbitmq_fail_status(crabbitmq *connection, int status) {
  switch (status) {
    case AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED:
      return crabbitmq_fail(connection, CRABBITMQ_UNRESOLVED, amqp_error_string2(status));
    case AMQP_STATUS_TIMEOUT: return crabbitmq_fail(connection, CRABBITMQ_SILENT, "there was no answer in time");
    case AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION:
    case AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD:
    case AMQP_STATUS_BAD_AMQP_DATA:
      return crabbitmq_fail(connection, CRABBITMQ_NO_AMQP, amqp_error_string2(status));
    case AMQP_STATUS_SSL_ERROR:
    case AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED:
    case AMQP_STATUS_SSL_PEER_VERIFY_FAILED:
    case AMQP_STATUS_SSL_CONNECTION_FAILED: return crabbitmq_fail_tls(connection, status);
    default: return crabbitmq_fail(connection, CRABBITMQ_LOST, amqp_error_string2(status));
  }
}

/// What a request was answered with. A channel that was closed is replaced by a new one.
static enum crabbitmq_result result_of(crabbitmq *connection, amqp_rpc_reply_t reply) {
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return CRABBITMQ_FINE;
  if (reply.reply_type != AMQP_RESPONSE_SERVER_EXCEPTION) {
    return crabbitmq_fail_status(connection, reply.library_error);
  }
  connection->result = CRABBITMQ_NO_AMQP;
  if (reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
    const amqp_channel_close_t *close = reply.reply.decoded;
    connection->result = CRABBITMQ_CHANNEL_CLOSED;
    connection->code = close->reply_code;
    crabbitmq_keep(connection->reason, sizeof connection->reason, close->reply_text);
    amqp_channel_close_ok_t answer = {0};
    amqp_send_method(connection->state, connection->channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &answer);
  } else if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
    const amqp_connection_close_t *close = reply.reply.decoded;
    connection->result = CRABBITMQ_CONNECTION_CLOSED;
    connection->code = close->reply_code;
    crabbitmq_keep(connection->reason, sizeof connection->reason, close->reply_text);
    amqp_connection_close_ok_t answer = {0};
    amqp_send_method(connection->state, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &answer);
  }
  return connection->result;
}

static struct timeval time_of(int milliseconds) {
  return (struct timeval){milliseconds / 1000, milliseconds % 1000 * 1000};
}

/// Connects, with TLS where it is wanted, and lets `crabbitmq_interrupt` reach the socket.
static enum crabbitmq_result open_socket(crabbitmq *connection) {
  const int is_tls = connection->numbers[CRABBITMQ_IS_TLS];
  amqp_socket_t *socket = NULL;
  if (is_tls) {
    const enum crabbitmq_result result = crabbitmq_prepare_tls(connection, &socket);
    if (result != CRABBITMQ_FINE) return result;
  } else if (!(socket = amqp_tcp_socket_new(connection->state))) {
    return crabbitmq_fail_status(connection, AMQP_STATUS_NO_MEMORY);
  }
  const struct timeval limit = time_of(connection->numbers[CRABBITMQ_CONNECT_MILLISECONDS]);
  ERR_clear_error();
  const int status = amqp_socket_open_noblock(
      socket, text_of(connection, CRABBITMQ_HOST), connection->numbers[CRABBITMQ_PORT], &limit);
  if (status == AMQP_STATUS_SOCKET_ERROR) {
    return crabbitmq_fail(connection, CRABBITMQ_UNREACHABLE, "no connection can be made");
  }
  if (status != AMQP_STATUS_OK) return crabbitmq_fail_status(connection, status);
  const int descriptor = amqp_get_sockfd(connection->state);
  connection->interruptible = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  return CRABBITMQ_FINE;
}

static amqp_table_entry_t text_property(const char *name, const char *value) {
  return (amqp_table_entry_t){
      amqp_cstring_bytes(name), {AMQP_FIELD_KIND_UTF8, {.bytes = amqp_cstring_bytes(value)}}};
}

static amqp_rpc_reply_t log_in(crabbitmq *connection) {
  // The broker tells of a block only whom it knows to understand that.
  amqp_table_entry_t capabilities[] = {
      {amqp_cstring_bytes("connection.blocked"), {AMQP_FIELD_KIND_BOOLEAN, {.boolean = 1}}},
      {amqp_cstring_bytes("publisher_confirms"), {AMQP_FIELD_KIND_BOOLEAN, {.boolean = 1}}},
  };
  const amqp_table_t table = {2, capabilities};
  amqp_table_entry_t entries[] = {
      text_property("product", text_of(connection, CRABBITMQ_PRODUCT)),
      text_property("version", text_of(connection, CRABBITMQ_VERSION)),
      {amqp_cstring_bytes("capabilities"), {AMQP_FIELD_KIND_TABLE, {.table = table}}},
  };
  const amqp_table_t properties = {3, entries};
  const int frame = 131072;
  return amqp_login_with_properties(
      connection->state, text_of(connection, CRABBITMQ_VHOST), 0, frame, connection->numbers[CRABBITMQ_HEARTBEAT],
      &properties, AMQP_SASL_METHOD_PLAIN, text_of(connection, CRABBITMQ_USER),
      text_of(connection, CRABBITMQ_PASSWORD));
}

static enum crabbitmq_result open_channel(crabbitmq *connection) {
  connection->channel++;
  amqp_channel_open(connection->state, connection->channel);
  const enum crabbitmq_result result = result_of(connection, amqp_get_rpc_reply(connection->state));
  if (result != CRABBITMQ_FINE) return result;
  amqp_confirm_select(connection->state, connection->channel);
  return result_of(connection, amqp_get_rpc_reply(connection->state));
}

enum crabbitmq_result crabbitmq_connect(crabbitmq *connection) {
  const struct timeval limit = time_of(connection->numbers[CRABBITMQ_CONNECT_MILLISECONDS]);
  amqp_set_handshake_timeout(connection->state, &limit);
  amqp_set_rpc_timeout(connection->state, &limit);
  enum crabbitmq_result result = open_socket(connection);
  if (result != CRABBITMQ_FINE) return result;
  if (crabbitmq_begin_sending(connection) != 0) return crabbitmq_fail(connection, CRABBITMQ_LOST, "given up");
  ERR_clear_error();
  result = result_of(connection, log_in(connection));
  connection->agreed_heartbeat = amqp_get_heartbeat(connection->state);
  if (result == CRABBITMQ_FINE) result = open_channel(connection);
  crabbitmq_end_sending(connection);
  return result;
}

enum crabbitmq_result crabbitmq_declare(
    crabbitmq *connection, const char *queue, int is_passive, int is_durable, int is_auto_delete) {
  if (strlen(queue) > crabbitmq_longest_name) return crabbitmq_fail(connection, CRABBITMQ_TOO_LONG, "the queue's name");
  if (crabbitmq_begin_sending(connection) != 0) return crabbitmq_fail(connection, CRABBITMQ_LOST, "given up");
  amqp_queue_declare(
      connection->state, connection->channel, amqp_cstring_bytes(queue), is_passive, is_durable, 0,
      is_auto_delete, amqp_empty_table);
  enum crabbitmq_result result = result_of(connection, amqp_get_rpc_reply(connection->state));
  if (result == CRABBITMQ_CHANNEL_CLOSED) {
    const int code = connection->code;
    char reason[sizeof connection->reason];
    memcpy(reason, connection->reason, sizeof reason);
    const enum crabbitmq_result opened = open_channel(connection);
    if (opened != CRABBITMQ_FINE) {
      result = opened;
    } else {
      connection->code = code;
      memcpy(connection->reason, reason, sizeof reason);
      connection->result = CRABBITMQ_CHANNEL_CLOSED;
    }
  }
  crabbitmq_end_sending(connection);
  return result;
}

int crabbitmq_heartbeat(crabbitmq *connection) { return connection->agreed_heartbeat; }

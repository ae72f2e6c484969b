// What the files of this target know of a connection.
#pragma once
#include <amqp.h>
#include <amqp_framing.h>
#include <pthread.h>

#include "include/CRabbitMQ.h"

enum { crabbitmq_most_headers = 16, crabbitmq_longest_name = 255, crabbitmq_longest_headers = 8192 };

struct crabbitmq {
  amqp_connection_state_t state;
  amqp_channel_t channel;
  char *texts[CRABBITMQ_TEXTS];
  int numbers[CRABBITMQ_NUMBERS];

  // Of the next message.
  amqp_table_entry_t headers[crabbitmq_most_headers];
  int header_count;
  size_t header_bytes;

  // What is left of a message: its properties, or a part of its body.
  amqp_basic_publish_t method;
  amqp_basic_properties_t properties;
  char *words, *body;
  size_t body_count, body_sent;
  enum { crabbitmq_idle, crabbitmq_begun, crabbitmq_in_body } stage;
  // No heartbeat is sent while the socket is full: librabbitmq would wait.
  int is_quiet, agreed_heartbeat;

  // A message that comes back: its frames follow each other, others may come between.
  int is_returning, has_returned_header;
  uint64_t returned_bytes_left;

  // Of the last call.
  uint64_t tag;
  int is_multiple, code;
  enum crabbitmq_result result;
  char reason[512], message_id[256];

  // What OpenSSL said of the other side's certificate (X509_V_OK is nothing).
  long verification;

  // Between this connection's thread and `crabbitmq_interrupt`.
  pthread_mutex_t lock;
  // A second descriptor of the socket, which nobody else closes; -1 while there is none.
  int interruptible;
  int is_sending, is_interrupted;
};

/// Keeps a reason, cut to its room.
enum crabbitmq_result crabbitmq_fail(struct crabbitmq *connection, enum crabbitmq_result result, const char *reason);
/// The same for an error of librabbitmq.
enum crabbitmq_result crabbitmq_fail_status(struct crabbitmq *connection, int status);
/// Keeps what a text of the broker says.
void crabbitmq_keep(char *to, size_t room, amqp_bytes_t from);

/// Whether the socket takes at least a small frame.
int crabbitmq_is_writable(struct crabbitmq *connection);
/// Frees what is left of a message.
void crabbitmq_forget_message(struct crabbitmq *connection);
/// Frees the headers of a message.
void crabbitmq_forget_headers(struct crabbitmq *connection);

/// Makes a TLS socket as the connection wants it.
enum crabbitmq_result crabbitmq_prepare_tls(struct crabbitmq *connection, amqp_socket_t **socket);
/// Why TLS failed after this status of librabbitmq.
enum crabbitmq_result crabbitmq_fail_tls(struct crabbitmq *connection, int status);

/// Begins and ends what may wait for the broker to take bytes; the first is -1 after `crabbitmq_interrupt`.
int crabbitmq_begin_sending(struct crabbitmq *connection);
void crabbitmq_end_sending(struct crabbitmq *connection);

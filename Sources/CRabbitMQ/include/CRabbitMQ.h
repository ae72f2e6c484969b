// librabbitmq for Swift: its login takes variable arguments, which Swift cannot call, and its frames are unions. What
// comes is copied into the connection, to be read until the next call.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// One connection with one channel, in confirm mode. One thread uses it; only `crabbitmq_interrupt` is for others.
typedef struct crabbitmq crabbitmq;

/// What `crabbitmq_set_text` sets.
enum crabbitmq_text {
  CRABBITMQ_HOST,
  CRABBITMQ_VHOST,
  CRABBITMQ_USER,
  CRABBITMQ_PASSWORD,
  /// What the broker shows of this client: its name and version.
  CRABBITMQ_PRODUCT,
  CRABBITMQ_VERSION,
  /// The property app_id of each message.
  CRABBITMQ_APP_ID,
  /// A file of certificates to trust in place of the system's.
  CRABBITMQ_AUTHORITIES,
  /// Files with this side's certificate and its key.
  CRABBITMQ_CERTIFICATE,
  CRABBITMQ_KEY,
  /// In OpenSSL's notation, for TLS 1.2.
  CRABBITMQ_CIPHERS,
  /// The name that the certificate must have, and that is asked for, in place of the host's.
  CRABBITMQ_SERVER_NAME,
  CRABBITMQ_TEXTS,
};

/// What `crabbitmq_set_number` sets.
enum crabbitmq_number {
  CRABBITMQ_PORT,
  /// 1: TLS from the first byte.
  CRABBITMQ_IS_TLS,
  /// 1: the certificate must be valid and for this host; 0: none is looked at.
  CRABBITMQ_VERIFY,
  /// 1: TLS 1.2 alone; 0: that and later.
  CRABBITMQ_ONLY_TLS_1_2,
  /// Seconds; 0 is none.
  CRABBITMQ_HEARTBEAT,
  /// For each of: the connection with TLS, the login, a request.
  CRABBITMQ_CONNECT_MILLISECONDS,
  CRABBITMQ_NUMBERS,
};

/// What became of a call. `crabbitmq_reason` says more of all but the first.
enum crabbitmq_result {
  CRABBITMQ_FINE,
  /// The connection is no more, or never was.
  CRABBITMQ_LOST,
  /// No address is known for the host.
  CRABBITMQ_UNRESOLVED,
  /// No address of the host takes a connection.
  CRABBITMQ_UNREACHABLE,
  /// There was no answer in time.
  CRABBITMQ_SILENT,
  /// The other side's certificate is not valid, or not for this host.
  CRABBITMQ_BAD_CERTIFICATE,
  /// There is no agreement on TLS.
  CRABBITMQ_NO_TLS,
  /// A file, or the ciphers, cannot be used: `crabbitmq_code` is an `enum crabbitmq_text`.
  CRABBITMQ_UNUSABLE_SETTING,
  /// The other side does not speak as we do.
  CRABBITMQ_NO_AMQP,
  /// The broker has closed the channel: `crabbitmq_code` is AMQP's.
  CRABBITMQ_CHANNEL_CLOSED,
  /// The broker has closed the connection, or refused the login: `crabbitmq_code` is AMQP's.
  CRABBITMQ_CONNECTION_CLOSED,
  /// A name or header of the message is too long. Nothing was sent.
  CRABBITMQ_TOO_LONG,
  /// The broker takes no more bytes for now. No reason is said.
  CRABBITMQ_WAITS,
};

/// What `crabbitmq_next` returns.
enum crabbitmq_event {
  CRABBITMQ_NOTHING,
  /// The broker has this message, and with `crabbitmq_is_multiple` all before it: `crabbitmq_tag`.
  CRABBITMQ_ACK,
  /// The broker has not taken it.
  CRABBITMQ_NACK,
  /// No queue wants a message, whose acknowledgement comes after this: `crabbitmq_code`, `crabbitmq_reason`,
  /// `crabbitmq_message_id`.
  CRABBITMQ_RETURN,
  /// The broker takes no messages for a while: `crabbitmq_reason`.
  CRABBITMQ_BLOCKED,
  CRABBITMQ_UNBLOCKED,
  /// The connection is over: `crabbitmq_result_of_event`.
  CRABBITMQ_END,
};

/// Makes a connection that is not open yet; NULL without memory.
crabbitmq *crabbitmq_create(void);
/// Frees it, and closes it without a word where it is open.
void crabbitmq_free(crabbitmq *connection);
/// Copies a text; 0, or -1 without memory.
int crabbitmq_set_text(crabbitmq *connection, enum crabbitmq_text which, const char *text);
void crabbitmq_set_number(crabbitmq *connection, enum crabbitmq_number which, int value);

/// Connects, logs in, opens a channel in confirm mode; once for each connection.
enum crabbitmq_result crabbitmq_connect(crabbitmq *connection);
/// Asks for a queue, or with `is_passive` whether it is there. After CRABBITMQ_CHANNEL_CLOSED the connection has a new
/// channel.
enum crabbitmq_result crabbitmq_declare(
    crabbitmq *connection, const char *queue, int is_passive, int is_durable, int is_auto_delete);

/// Adds a header to the next message; 0, or -1 where there is no room.
int crabbitmq_add_text(crabbitmq *connection, const char *name, const char *value);
int crabbitmq_add_number(crabbitmq *connection, const char *name, int64_t value);
/// Sends a message, persistent, mandatory, as JSON, with the headers that were added. All of it is copied, and what the
/// broker does not take at once is left to `crabbitmq_flush`, before which no other message may follow.
enum crabbitmq_result crabbitmq_publish(
    crabbitmq *connection, const char *exchange, const char *key, const char *id, uint64_t time, const void *body,
    size_t count);
/// Sends what is left of a message: CRABBITMQ_WAITS where some of it still is.
enum crabbitmq_result crabbitmq_flush(crabbitmq *connection);

/// Takes what has come, and sends a heartbeat where one is due; does not wait.
enum crabbitmq_event crabbitmq_next(crabbitmq *connection);
/// Waits until something has come, or more of a message can be sent, or `waker` is readable, or for so long (-1: for ever).
void crabbitmq_wait(crabbitmq *connection, int waker, int milliseconds);
/// How many seconds may pass between heartbeats, as agreed with the broker; 0 for none.
int crabbitmq_heartbeat(crabbitmq *connection);
/// Says farewell to the broker, where it takes that at once, and waits a second for its answer.
void crabbitmq_close(crabbitmq *connection);
/// Ends an exchange with the broker that is under way, and lets none but the farewell begin: for any thread while the connection is
/// there.
void crabbitmq_interrupt(crabbitmq *connection);

/// Of the last call that had one.
uint64_t crabbitmq_tag(crabbitmq *connection);
int crabbitmq_is_multiple(crabbitmq *connection);
int crabbitmq_code(crabbitmq *connection);
/// Texts live until the next call.
const char *crabbitmq_reason(crabbitmq *connection);
const char *crabbitmq_message_id(crabbitmq *connection);
enum crabbitmq_result crabbitmq_result_of_event(crabbitmq *connection);

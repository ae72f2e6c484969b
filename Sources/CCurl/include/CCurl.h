// libcurl for Swift: its own functions take variable arguments, which Swift cannot call. No callback leaves this
// target: what arrives is kept in buffers with a bound, to be copied when the transfer is over.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Many transfers on one thread (libcurl-multi(3)).
typedef struct ccurl_loop ccurl_loop;
/// One transfer, before, while and after it runs.
typedef struct ccurl_transfer ccurl_transfer;

/// What `ccurl_set_text` sets.
enum ccurl_text {
  CCURL_URL,
  /// The schemes that are allowed, separated by commas.
  CCURL_PROTOCOLS,
  /// The method of an HTTP request with a body or of another name than GET and HEAD.
  CCURL_METHOD,
  /// An empty text is: no proxy, whatever the environment says.
  CCURL_PROXY,
  CCURL_USER,
  CCURL_PASSWORD,
  /// The mechanisms of authentication that are allowed (CURLOPT_LOGIN_OPTIONS).
  CCURL_LOGIN_OPTIONS,
  CCURL_MAIL_FROM,
  /// A file of certificates to trust in place of the system's.
  CCURL_AUTHORITIES,
};

/// What `ccurl_add_text` adds to.
enum ccurl_list { CCURL_HEADERS, CCURL_RECIPIENTS, CCURL_CONNECT_TO };

/// What `ccurl_set_number` sets.
enum ccurl_number {
  /// HTTP: ask for the head alone.
  CCURL_HEAD_ONLY,
  /// Any version of TLS that the library has, also those that nobody should use.
  CCURL_ANY_TLS,
  /// 1: the certificate must be valid and for this host; 0: none is looked at.
  CCURL_VERIFY,
  /// 1: no word of authentication or mail before TLS (CURLUSESSL_ALL).
  CCURL_NEEDS_TLS,
  CCURL_CONNECT_MILLISECONDS,
  CCURL_TOTAL_MILLISECONDS,
  /// The longest silence of a server that should answer a command, in seconds.
  CCURL_ANSWER_SECONDS,
  /// The transfer fails when less than a byte a second moved for so many seconds.
  CCURL_LOW_SPEED_SECONDS,
  /// 1: the mail goes to those recipients that the server takes.
  CCURL_SOME_RECIPIENTS,
  /// 1: the connection may be one of an earlier transfer of this loop, and is kept for later ones.
  CCURL_KEEPS_CONNECTION,
};

/// What `ccurl_number_of` returns.
enum ccurl_result {
  CCURL_STATUS,
  /// Microseconds from the start.
  CCURL_LOOKED_UP_AFTER,
  CCURL_CONNECTED_AFTER,
  CCURL_TLS_AFTER,
  CCURL_ENDED_AFTER,
  /// 1: more of the body came than was wanted.
  CCURL_IS_BODY_CUT,
  /// 1: more of the head came than was allowed, and the transfer ended for that.
  CCURL_IS_HEAD_TOO_LONG,
  /// 1: the server was reached, now or by an earlier transfer whose connection this one has taken.
  CCURL_WAS_CONNECTED,
  /// Why a connection failed: a number of errno.h, 0 where none is known.
  CCURL_OS_ERROR,
};

/// What `ccurl_bytes_of` returns.
enum ccurl_bytes {
  CCURL_HEAD,
  CCURL_BODY,
  /// What an SMTP server was asked and answered: for each command a line `> VERB`, without its words, and for each line
  /// of an answer `< TEXT`.
  CCURL_TRANSCRIPT,
  /// Why the transfer failed, in libcurl's words.
  CCURL_REASON,
};

/// Makes a loop; NULL without memory.
ccurl_loop *ccurl_loop_create(void);
/// Frees it; its transfers must have been removed.
void ccurl_loop_free(ccurl_loop *loop);
/// Begins a transfer; 0, or an error of libcurl.
int ccurl_loop_add(ccurl_loop *loop, ccurl_transfer *transfer);
/// Takes out a request of HTTP, in whatever state it is.
void ccurl_loop_remove(ccurl_loop *loop, ccurl_transfer *transfer);
/// Moves what can be moved without waiting.
void ccurl_loop_perform(ccurl_loop *loop);
/// Returns the number of a transfer that has ended, and why (CURLcode, 0 is success); 0 when there is none.
uint64_t ccurl_loop_next(ccurl_loop *loop, int *code);
/// Waits until something can be moved, or for `ccurl_loop_wake`, or so long.
void ccurl_loop_wait(ccurl_loop *loop, int milliseconds);
/// Ends the wait of another thread; safe at any time while the loop is there.
void ccurl_loop_wake(ccurl_loop *loop);

/// Makes a transfer of this number, which keeps at most so much of what comes; NULL without memory.
ccurl_transfer *ccurl_create(uint64_t number, size_t most_head, size_t most_body);
/// Frees it; it must be in no loop.
void ccurl_free(ccurl_transfer *transfer);
/// Each returns 0, or an error of libcurl. The text is copied.
int ccurl_set_text(ccurl_transfer *transfer, enum ccurl_text which, const char *text);
int ccurl_set_number(ccurl_transfer *transfer, enum ccurl_number which, long value);
int ccurl_add_text(ccurl_transfer *transfer, enum ccurl_list which, const char *text);
/// What is sent: with `is_mail` as a mail, else as the body of a POST. It is copied.
int ccurl_set_body(ccurl_transfer *transfer, const void *bytes, size_t count, int is_mail);
/// Runs a transfer that is in no loop, and waits for its end; returns libcurl's code.
///
/// For mails: libcurl waits for the answer to a whole mail, and to QUIT, wherever it is called, which would stop all others of a
/// loop.
int ccurl_run(ccurl_transfer *transfer);
/// Has a transfer that runs end within a second, as one that was aborted; safe on any thread while the transfer is there.
void ccurl_give_up(ccurl_transfer *transfer);
/// A number of a transfer that has ended; -1 where it is not known.
int64_t ccurl_number_of(ccurl_transfer *transfer, enum ccurl_result which);
/// Bytes of a transfer that has ended; they live as long as it does.
const void *ccurl_bytes_of(ccurl_transfer *transfer, enum ccurl_bytes which, size_t *count);
/// What an error of libcurl is called.
const char *ccurl_error_text(int code);

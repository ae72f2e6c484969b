// What libcurl calls while a transfer runs.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transfer.h"

/// The most of an SMTP line that is kept.
enum { most_line = 512 };

size_t ccurl_append(struct ccurl_buffer *buffer, const char *bytes, size_t count) {
  size_t room = buffer->most - buffer->count;
  if (count > room) count = room;
  if (buffer->count + count > buffer->capacity) {
    size_t capacity = buffer->capacity * 2;
    if (capacity < 1024) capacity = 1024;
    if (capacity < buffer->count + count) capacity = buffer->count + count;
    char *grown = realloc(buffer->bytes, capacity);
    if (!grown) return 0;
    buffer->bytes = grown;
    buffer->capacity = capacity;
  }
  if (count) memcpy(buffer->bytes + buffer->count, bytes, count);
  buffer->count += count;
  return count;
}

static size_t take_head(char *bytes, size_t size, size_t count, void *argument) {
  ccurl_transfer *transfer = argument;
  if (ccurl_append(&transfer->head, bytes, size * count) < size * count) {
    transfer->is_head_too_long = 1;
    return CURL_WRITEFUNC_ERROR;
  }
  return size * count;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *argument) {
  ccurl_transfer *transfer = argument;
  if (ccurl_append(&transfer->answer, bytes, size * count) < size * count) {
    transfer->is_body_cut = 1;
    return CURL_WRITEFUNC_ERROR;
  }
  return size * count;
}

static size_t give_body(char *bytes, size_t size, size_t count, void *argument) {
  ccurl_transfer *transfer = argument;
  size_t rest = transfer->body_count - transfer->body_sent, room = size * count;
  if (rest > room) rest = room;
  if (rest) memcpy(bytes, transfer->body + transfer->body_sent, rest);
  transfer->body_sent += rest;
  return rest;
}

/// A body that libcurl has to send again, on another connection.
static int seek_body(void *argument, curl_off_t offset, int origin) {
  ccurl_transfer *transfer = argument;
  if (origin != SEEK_SET || offset < 0 || (size_t)offset > transfer->body_count) return CURL_SEEKFUNC_FAIL;
  transfer->body_sent = (size_t)offset;
  return CURL_SEEKFUNC_OK;
}

static curl_socket_t open_socket(void *argument, curlsocktype purpose, struct curl_sockaddr *address) {
  ccurl_transfer *transfer = argument;
  (void)purpose;
  int socket_number = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (socket_number < 0) {
    transfer->socket_error = errno;
    return CURL_SOCKET_BAD;
  }
  for (int index = 0; index < ccurl_most_sockets; index++)
    if (transfer->sockets[index] == CURL_SOCKET_BAD) {
      transfer->sockets[index] = socket_number;
      break;
    }
  return socket_number;
}

static int close_socket(void *argument, curl_socket_t socket_number) {
  ccurl_transfer *transfer = argument;
  for (int index = 0; index < ccurl_most_sockets; index++)
    if (transfer->sockets[index] == socket_number) transfer->sockets[index] = CURL_SOCKET_BAD;
  return close(socket_number);
}

/// The words of a command may hold a password, or a line of it alone: what is not one of these is not named.
static const char *verb_of(const char *bytes, size_t count) {
  static const char *const verbs[] = {"EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"};
  for (size_t index = 0; index < sizeof verbs / sizeof *verbs; index++) {
    size_t length = strlen(verbs[index]);
    if (count > length && !strncmp(bytes, verbs[index], length) && strchr(" \r\n", bytes[length]))
      return verbs[index];
  }
  return "*";
}

static void note(ccurl_transfer *transfer, const char *mark, const char *text, size_t count) {
  while (count && (text[count - 1] == '\n' || text[count - 1] == '\r')) count--;
  if (count > most_line) count = most_line;
  // A line is kept whole or not at all.
  if (transfer->transcript.most - transfer->transcript.count < count + 3) return;
  ccurl_append(&transfer->transcript, mark, 2);
  ccurl_append(&transfer->transcript, text, count);
  ccurl_append(&transfer->transcript, "\n", 1);
}

/// A server that does not answer QUIT would make libcurl, which waits for that answer, stop all transfers of its thread.
/// The command has been sent when this is called; its answer is of no use to anybody.
static void end_without_answer(ccurl_transfer *transfer) {
  for (int index = 0; index < ccurl_most_sockets; index++)
    if (transfer->sockets[index] != CURL_SOCKET_BAD) shutdown(transfer->sockets[index], SHUT_RD);
}

static int follow(CURL *easy, curl_infotype type, char *bytes, size_t count, void *argument) {
  ccurl_transfer *transfer = argument;
  (void)easy;
  if (type == CURLINFO_HEADER_OUT) {
    const char *verb = verb_of(bytes, count);
    note(transfer, "> ", verb, strlen(verb));
    if (!strcmp(verb, "QUIT")) end_without_answer(transfer);
  } else if (type == CURLINFO_HEADER_IN) {
    note(transfer, "< ", bytes, count);
  }
  return 0;
}

static int go_on(void *argument, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
  ccurl_transfer *transfer = argument;
  (void)a, (void)b, (void)c, (void)d;
  return atomic_load(&transfer->is_given_up);
}

int ccurl_set_callbacks(ccurl_transfer *transfer) {
  CURL *easy = transfer->easy;
  int code = 0;
  if (!code) code = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_head);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, close_socket);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transfer);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, go_on);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, follow);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_DEBUGDATA, transfer);
  return code;
}

// A transfer's settings and results.
#include "transfer.h"

#include <stdlib.h>
#include <string.h>

enum { most_transcript = 256 << 10 };

/// What holds for every transfer, whoever it is for.
static int set_all(ccurl_transfer *transfer) {
  CURL *easy = transfer->easy;
  int code = ccurl_set_callbacks(transfer);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->reason);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  // Each transfer is one connection unless CCURL_KEEPS_CONNECTION says otherwise: what it measures is the server.
  if (!code) code = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  if (!code) code = curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
  // The end of a transfer does not wait for a name that is still looked up; that thread ends by itself.
  if (!code) code = curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
  return code;
}

ccurl_transfer *ccurl_create(uint64_t number, size_t most_head, size_t most_body) {
  ccurl_transfer *transfer = calloc(1, sizeof *transfer);
  if (!transfer) return NULL;
  transfer->number = number;
  transfer->head.most = most_head;
  transfer->answer.most = most_body;
  transfer->transcript.most = most_transcript;
  for (int index = 0; index < ccurl_most_sockets; index++) transfer->sockets[index] = CURL_SOCKET_BAD;
  transfer->easy = curl_easy_init();
  if (!transfer->easy || set_all(transfer)) {
    ccurl_free(transfer);
    return NULL;
  }
  return transfer;
}

void ccurl_free(ccurl_transfer *transfer) {
  if (transfer->easy) curl_easy_cleanup(transfer->easy);
  curl_slist_free_all(transfer->headers);
  curl_slist_free_all(transfer->recipients);
  curl_slist_free_all(transfer->connect_to);
  free(transfer->body);
  free(transfer->head.bytes);
  free(transfer->answer.bytes);
  free(transfer->transcript.bytes);
  free(transfer);
}

int ccurl_set_text(ccurl_transfer *transfer, enum ccurl_text which, const char *text) {
  CURL *easy = transfer->easy;
  switch (which) {
    case CCURL_URL: return curl_easy_setopt(easy, CURLOPT_URL, text);
    case CCURL_PROTOCOLS: return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, text);
    case CCURL_METHOD: return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, text);
    case CCURL_PROXY: return curl_easy_setopt(easy, CURLOPT_PROXY, text);
    case CCURL_USER: return curl_easy_setopt(easy, CURLOPT_USERNAME, text);
    case CCURL_PASSWORD: return curl_easy_setopt(easy, CURLOPT_PASSWORD, text);
    case CCURL_LOGIN_OPTIONS: return curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, text);
    case CCURL_MAIL_FROM: return curl_easy_setopt(easy, CURLOPT_MAIL_FROM, text);
    case CCURL_AUTHORITIES: return curl_easy_setopt(easy, CURLOPT_CAINFO, text);
  }
  return CURLE_BAD_FUNCTION_ARGUMENT;
}

int ccurl_set_number(ccurl_transfer *transfer, enum ccurl_number which, long value) {
  CURL *easy = transfer->easy;
  int code = 0;
  switch (which) {
    case CCURL_HEAD_ONLY: return curl_easy_setopt(easy, CURLOPT_NOBODY, value);
    case CCURL_ANY_TLS:
      // OpenSSL has these versions at its lowest level alone.
      code = curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_0);
      return code ? code : (int)curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, "DEFAULT:@SECLEVEL=0");
    case CCURL_VERIFY:
      code = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, value);
      return code ? code : (int)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, value ? 2L : 0L);
    case CCURL_NEEDS_TLS:
      return curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(value ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    case CCURL_CONNECT_MILLISECONDS: return curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, value);
    case CCURL_TOTAL_MILLISECONDS: return curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, value);
    case CCURL_ANSWER_SECONDS: return curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, value);
    case CCURL_LOW_SPEED_SECONDS:
      code = curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
      return code ? code : (int)curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, value);
    case CCURL_SOME_RECIPIENTS:
      // CURLOPT_MAIL_RCPT_ALLOWFAILS, whose name lost a letter with curl 8.2; the number is the same.
      return curl_easy_setopt(easy, (CURLoption)(CURLOPTTYPE_LONG + 290), value);
    case CCURL_KEEPS_CONNECTION:
      code = curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, value ? 0L : 1L);
      return code ? code : (int)curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, value ? 0L : 1L);
  }
  return CURLE_BAD_FUNCTION_ARGUMENT;
}

int ccurl_add_text(ccurl_transfer *transfer, enum ccurl_list which, const char *text) {
  struct curl_slist **list;
  CURLoption option;
  switch (which) {
    case CCURL_HEADERS: list = &transfer->headers; option = CURLOPT_HTTPHEADER; break;
    case CCURL_RECIPIENTS: list = &transfer->recipients; option = CURLOPT_MAIL_RCPT; break;
    case CCURL_CONNECT_TO: list = &transfer->connect_to; option = CURLOPT_CONNECT_TO; break;
    default: return CURLE_BAD_FUNCTION_ARGUMENT;
  }
  struct curl_slist *longer = curl_slist_append(*list, text);
  if (!longer) return CURLE_OUT_OF_MEMORY;
  *list = longer;
  return curl_easy_setopt(transfer->easy, option, longer);
}

int ccurl_set_body(ccurl_transfer *transfer, const void *bytes, size_t count, int is_mail) {
  char *copy = malloc(count ? count : 1);
  if (!copy) return CURLE_OUT_OF_MEMORY;
  if (count) memcpy(copy, bytes, count);
  free(transfer->body);
  transfer->body = copy;
  transfer->body_count = count;
  CURL *easy = transfer->easy;
  int code;
  if (is_mail) {
    code = curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)count);
    // The conversation is known by the debug function, which libcurl calls only in this mode.
    if (!code) code = curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
  } else {
    code = curl_easy_setopt(easy, CURLOPT_POST, 1L);
    if (!code) code = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)count);
  }
  return code;
}

void ccurl_give_up(ccurl_transfer *transfer) { atomic_store(&transfer->is_given_up, 1); }

int ccurl_run(ccurl_transfer *transfer) { return curl_easy_perform(transfer->easy); }

static int64_t time_of(CURL *easy, CURLINFO which) {
  curl_off_t time = 0;
  return curl_easy_getinfo(easy, which, &time) ? -1 : time;
}

int64_t ccurl_number_of(ccurl_transfer *transfer, enum ccurl_result which) {
  long status = 0;
  char *address = NULL;
  switch (which) {
    case CCURL_STATUS:
      return curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status) ? -1 : status;
    case CCURL_LOOKED_UP_AFTER: return time_of(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T);
    case CCURL_CONNECTED_AFTER: return time_of(transfer->easy, CURLINFO_CONNECT_TIME_T);
    case CCURL_TLS_AFTER: return time_of(transfer->easy, CURLINFO_APPCONNECT_TIME_T);
    case CCURL_ENDED_AFTER: return time_of(transfer->easy, CURLINFO_TOTAL_TIME_T);
    case CCURL_IS_BODY_CUT: return transfer->is_body_cut;
    case CCURL_IS_HEAD_TOO_LONG: return transfer->is_head_too_long;
    case CCURL_WAS_CONNECTED:
      // The time of connecting is 0 until TLS is there, and of a connection that was there before.
      return !curl_easy_getinfo(transfer->easy, CURLINFO_PRIMARY_IP, &address) && address && *address;
    case CCURL_OS_ERROR:
      if (transfer->socket_error) return transfer->socket_error;
      return curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &status) ? 0 : status;
  }
  return -1;
}

const void *ccurl_bytes_of(ccurl_transfer *transfer, enum ccurl_bytes which, size_t *count) {
  struct ccurl_buffer *buffer = NULL;
  switch (which) {
    case CCURL_HEAD: buffer = &transfer->head; break;
    case CCURL_BODY: buffer = &transfer->answer; break;
    case CCURL_TRANSCRIPT: buffer = &transfer->transcript; break;
    case CCURL_REASON:
      *count = strnlen(transfer->reason, sizeof transfer->reason);
      return transfer->reason;
  }
  *count = buffer ? buffer->count : 0;
  return buffer ? buffer->bytes : NULL;
}

const char *ccurl_error_text(int code) { return curl_easy_strerror((CURLcode)code); }

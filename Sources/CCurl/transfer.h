// What both halves of this target know of a transfer.
#pragma once
#include <curl/curl.h>
#include <stdatomic.h>

#include "include/CCurl.h"

/// Bytes that came, up to a bound.
struct ccurl_buffer {
  char *bytes;
  size_t count, capacity, most;
};

/// Adds what fits; returns how much that was.
size_t ccurl_append(struct ccurl_buffer *buffer, const char *bytes, size_t count);

enum { ccurl_most_sockets = 8 };

struct ccurl_transfer {
  CURL *easy;
  uint64_t number;
  struct curl_slist *headers, *recipients, *connect_to;
  char *body;
  size_t body_count, body_sent;
  struct ccurl_buffer head, answer, transcript;
  int is_body_cut, is_head_too_long;
  /// Why there was no socket (socket(2)); 0 where there was.
  int socket_error;
  /// Set by any thread.
  atomic_int is_given_up;
  /// The sockets that are open: several while addresses are tried side by side.
  curl_socket_t sockets[ccurl_most_sockets];
  char reason[CURL_ERROR_SIZE];
};

/// Has the easy handle call the functions below with `transfer`.
int ccurl_set_callbacks(ccurl_transfer *transfer);

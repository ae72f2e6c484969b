// Many transfers on one thread.
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "transfer.h"

struct ccurl_loop {
  CURLM *multi;
};

static pthread_once_t is_ready = PTHREAD_ONCE_INIT;
// At the end of the process a thread may still be in a transfer: OpenSSL must not free under it what it uses.
static void prepare(void) {
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

ccurl_loop *ccurl_loop_create(void) {
  // Older versions of libcurl must not be prepared by two threads at once.
  pthread_once(&is_ready, prepare);
  ccurl_loop *loop = calloc(1, sizeof *loop);
  if (loop && !(loop->multi = curl_multi_init())) {
    free(loop);
    return NULL;
  }
  return loop;
}

void ccurl_loop_free(ccurl_loop *loop) {
  curl_multi_cleanup(loop->multi);
  free(loop);
}

int ccurl_loop_add(ccurl_loop *loop, ccurl_transfer *transfer) {
  return curl_multi_add_handle(loop->multi, transfer->easy);
}

void ccurl_loop_remove(ccurl_loop *loop, ccurl_transfer *transfer) {
  curl_multi_remove_handle(loop->multi, transfer->easy);
}

/// An error of the loop itself, such as no memory, must not make its thread run round and round.
static void pause_after(CURLMcode code) {
  const struct timespec pause = {0, 100000000};
  if (code != CURLM_OK) nanosleep(&pause, NULL);
}

void ccurl_loop_perform(ccurl_loop *loop) {
  int running = 0;
  pause_after(curl_multi_perform(loop->multi, &running));
}

uint64_t ccurl_loop_next(ccurl_loop *loop, int *code) {
  int left = 0;
  const CURLMsg *message;
  while ((message = curl_multi_info_read(loop->multi, &left))) {
    ccurl_transfer *transfer = NULL;
    if (message->msg != CURLMSG_DONE) continue;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
    if (!transfer) continue;
    *code = message->data.result;
    return transfer->number;
  }
  return 0;
}

void ccurl_loop_wait(ccurl_loop *loop, int milliseconds) {
  pause_after(curl_multi_poll(loop->multi, NULL, 0, milliseconds, NULL));
}

void ccurl_loop_wake(ccurl_loop *loop) { curl_multi_wakeup(loop->multi); }

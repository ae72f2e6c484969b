#include "traffic.h"

#include <stdlib.h>
#include <unistd.h>

static struct stream start(const struct options *options) {
  return (struct stream){.fd = connect_tcp(options), .to_send = options->send, .to_receive = options->receive};
}

static void finish(const struct stream *stream, const struct options *options) {
  if (!options->sctp) {
    wait_until_acknowledged(stream->fd);
    count_disorder(stream->fd);
  }
  if (options->linger) pause_until(now() + options->linger / 1000.0);
}

static void one_after_another(const struct options *options) {
  for (uint64_t i = 0; i < options->connections; i++) {
    struct stream stream = start(options);
    if (i == 0) {
      say("{\"connected\":%d,\"pid\":%d}", local_port(stream.fd), getpid());
      gate(options);
    }
    run_streams(&stream, 1, options);
    finish(&stream, options);
    if (i + 1 == options->connections) {
      report();
      hold(options);
    } else if (options->step) {
      wait_for_byte();
    }
    close(stream.fd);
    if (options->work) pause_until(now() + options->work / 1000.0);
  }
}

static void side_by_side(const struct options *options) {
  struct stream *streams = calloc(options->connections, sizeof *streams);
  for (uint64_t i = 0; i < options->connections; i++) streams[i] = start(options);
  say("{\"connected\":%d}", local_port(streams[0].fd));
  gate(options);
  run_streams(streams, options->connections, options);
  for (uint64_t i = 0; i < options->connections; i++) finish(&streams[i], options);
  report();
  hold(options);
  free(streams);
}

int tcp_client(const struct options *options) {
  if (options->connections == 0) fail("--connections is at least 1");
  if (options->parallel) side_by_side(options);
  else one_after_another(options);
  return 0;
}

// A generator of network traffic of exactly known size, of every kind that the tests need.
//
// Each command writes JSON lines: {"ready":PORT} or {"connected":PORT} on the way, and one last line with what
// it moved: {"pid":..,"sent":..,"received":..,"datagrams":..,"connections":..,"retransmitted":..,"reordered":..,
// "seconds":..}. Bytes are payload; the seconds are those since the program began.
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

// How bytes are given to and taken from the kernel.
enum method { METHOD_PLAIN, METHOD_SENDFILE, METHOD_SPLICE, METHOD_MMSG, METHOD_URING };

// All that the command line can say; each command reads what concerns it.
struct options {
  const char *program, *command, *host, *port;
  const char *bind, *interface, *exec, *network;
  enum method method;
  uint64_t send, receive, after, count, size, rate, window, connections, workers;
  int source_port, protocol, fd, linger, work;
  bool connected, echo, parallel, gate, hold, raw, prefork, keep, step, sctp, mptcp;
};

// What was moved so far. One for the whole process.
struct totals {
  uint64_t sent, received, datagrams, connections, retransmitted, reordered;
};
extern struct totals totals;

// When the program began, on the clock of now().
extern double beginning;

extern const struct options defaults;
extern const char common[];
struct options parse_options(int argc, char **argv, const char *use);

// report.c: lines to stdout, each in one write; the end of the process.
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report(void);
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void wait_for_byte(void);
void gate(const struct options *options);
void hold(const struct options *options);
double now(void);
void pause_until(double when);

// address.c: numeric addresses only, so that nothing asks a name server.
struct address {
  struct sockaddr_storage storage;
  socklen_t length;
};
struct address resolve(const char *host, const char *port);
int local_port(int fd);
void set_port(struct address *address, int port);

// move.c: one step of moving payload, by the method wanted. Returns bytes, 0 at the end of the stream, -1 with
// errno; EAGAIN where the socket is not ready.
ssize_t push(int fd, size_t length, enum method method);
ssize_t pull(int fd, size_t length, enum method method);
extern unsigned char payload[1 << 16];

// uring.c: send(2) and recv(2) through io_uring by raw system calls.
ssize_t uring_send(int fd, const void *bytes, size_t length);
ssize_t uring_receive(int fd, void *bytes, size_t length);

// stream.c: TCP connections moved side by side.
struct stream {
  int fd;
  uint64_t to_send, to_receive, sent, received;
  bool ended;
};
bool stream_finished(const struct stream *stream);
void stream_step(struct stream *stream, short events, const struct options *options);
short stream_events(const struct stream *stream);
void run_streams(struct stream *streams, size_t count, const struct options *options);
void wait_until_acknowledged(int fd);
void count_disorder(int fd);
int stream_protocol(const struct options *options);
int connect_tcp(const struct options *options);

// threads.c: takes the calling thread into the network namespace that is open, and closes it.
void enter(int network);

// The commands.
int tcp_client(const struct options *options);
int tcp_server(const struct options *options);
int tcp_resume(const struct options *options);
int tcp_fork(const struct options *options);
int tcp_exec(const struct options *options);
int tcp_pass(const struct options *options);
int tcp_thread(const struct options *options);
int tcp_elsewhere(const struct options *options);
int udp_client(const struct options *options);
int udp_server(const struct options *options);
int udp_scatter(const struct options *options);
int ping(const struct options *options);
int raw_sender(const struct options *options);
int raw_receiver(const struct options *options);
int packet_sender(const struct options *options);
int guest(const struct options *options);

// workers.c: the same work in several processes; returns only in the workers.
void become_workers(const struct options *options);
// How long ago SIGTERM or SIGINT arrived, in seconds and one more; 0 before.
extern volatile sig_atomic_t stopped;
// What still comes after so long is not waited for.
enum { LAST_STOP = 60 };
void stop_on_signals(void);

#endif

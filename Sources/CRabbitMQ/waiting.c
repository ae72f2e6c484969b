// What may wait for a broker, and how that ends.
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "connection.h"

int crabbitmq_is_writable(crabbitmq *connection) {
  struct pollfd socket = {amqp_get_sockfd(connection->state), POLLOUT, 0};
  // An error shows when something is sent.
  return poll(&socket, 1, 0) != 0;
}

void crabbitmq_wait(crabbitmq *connection, int waker, int milliseconds) {
  const short wanted = connection->stage == crabbitmq_idle ? POLLIN : POLLIN | POLLOUT;
  struct pollfd sources[] = {{amqp_get_sockfd(connection->state), wanted, 0}, {waker, POLLIN, 0}};
  poll(sources, 2, milliseconds);
}

void crabbitmq_close(crabbitmq *connection) {
  // librabbitmq sends without a limit: a broker that takes nothing hears nothing, nor does one that waits for half a message.
  if (connection->stage != crabbitmq_idle || !crabbitmq_is_writable(connection)) return;
  const struct timeval limit = {1, 0};
  amqp_set_rpc_timeout(connection->state, &limit);
  // Also after an interrupt, which has ended all else; the next one ends this.
  pthread_mutex_lock(&connection->lock);
  connection->is_sending = 1;
  pthread_mutex_unlock(&connection->lock);
  amqp_connection_close(connection->state, AMQP_REPLY_SUCCESS);
  crabbitmq_end_sending(connection);
}

int crabbitmq_begin_sending(crabbitmq *connection) {
  pthread_mutex_lock(&connection->lock);
  connection->is_sending = !connection->is_interrupted;
  const int result = connection->is_sending ? 0 : -1;
  pthread_mutex_unlock(&connection->lock);
  return result;
}

void crabbitmq_end_sending(crabbitmq *connection) {
  pthread_mutex_lock(&connection->lock);
  connection->is_sending = 0;
  pthread_mutex_unlock(&connection->lock);
}

void crabbitmq_interrupt(crabbitmq *connection) {
  pthread_mutex_lock(&connection->lock);
  connection->is_interrupted = 1;
  if (connection->is_sending && connection->interruptible >= 0) shutdown(connection->interruptible, SHUT_RDWR);
  pthread_mutex_unlock(&connection->lock);
}

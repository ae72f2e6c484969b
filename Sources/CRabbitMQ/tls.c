// TLS: the certificate is verified by OpenSSL in the handshake, not by librabbitmq after it. OpenSSL knows names of
// addresses too, and why a certificate is refused.
#include <amqp_ssl_socket.h>
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "connection.h"

static int is_address(const char *name) {
  unsigned char room[16];
  return inet_pton(AF_INET, name, room) == 1 || inet_pton(AF_INET6, name, room) == 1;
}

static const char *server_name(const struct crabbitmq *connection) {
  const char *name = connection->texts[CRABBITMQ_SERVER_NAME];
  return name ? name : connection->texts[CRABBITMQ_HOST];
}

/// Keeps why a certificate is refused; the SSL object is gone when librabbitmq returns.
static int verified(int is_fine, X509_STORE_CTX *store) {
  SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  struct crabbitmq *connection = ssl ? SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0) : NULL;
  if (!is_fine && connection) connection->verification = X509_STORE_CTX_get_error(store);
  return is_fine;
}

/// librabbitmq asks for the host that it connects to: another name is set when the handshake begins.
static void at_start(const SSL *ssl, int where, int value) {
  (void)value;
  if (!(where & SSL_CB_HANDSHAKE_START)) return;
  const struct crabbitmq *connection = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0);
  if (!connection) return;
  const char *name = server_name(connection);
  // An address is no name to ask for (RFC 6066, 3).
  char *asked = is_address(name) ? NULL : (char *)name;
  SSL_set_tlsext_host_name((SSL *)ssl, asked);
}

/// A key with a password cannot be used; OpenSSL would ask for the password on the terminal.
static int no_password(char *buffer, int size, int is_writing, void *data) {
  (void)buffer, (void)size, (void)is_writing, (void)data;
  return -1;
}

static enum crabbitmq_result unusable(struct crabbitmq *connection, enum crabbitmq_text which) {
  const unsigned long error = ERR_peek_error();
  const char *reason = ERR_reason_error_string(error);
  // `system lib`: the reason is a number of errno.h.
  if (ERR_SYSTEM_ERROR(error)) reason = strerror(ERR_GET_REASON(error));
  // `unsupported`, of whatever is no PEM.
  if (ERR_GET_LIB(error) == ERR_LIB_OSSL_DECODER) reason = "nothing of that kind is in it";
  connection->code = which;
  return crabbitmq_fail(connection, CRABBITMQ_UNUSABLE_SETTING, reason ? reason : "it cannot be used");
}

static enum crabbitmq_result set_verification(struct crabbitmq *connection, SSL_CTX *context) {
  X509_VERIFY_PARAM *rules = SSL_CTX_get0_param(context);
  const char *name = server_name(connection);
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  const int is_set = is_address(name) ? X509_VERIFY_PARAM_set1_ip_asc(rules, name)
                                      : X509_VERIFY_PARAM_set1_host(rules, name, 0);
  const char *file = connection->texts[CRABBITMQ_AUTHORITIES];
  ERR_clear_error();
  const int is_loaded =
      file ? SSL_CTX_load_verify_locations(context, file, NULL) : SSL_CTX_set_default_verify_paths(context);
  if (!is_set) return unusable(connection, CRABBITMQ_SERVER_NAME);
  if (!is_loaded) return unusable(connection, CRABBITMQ_AUTHORITIES);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, verified);
  return CRABBITMQ_FINE;
}

static enum crabbitmq_result set_own_certificate(struct crabbitmq *connection, SSL_CTX *context) {
  const char *certificate = connection->texts[CRABBITMQ_CERTIFICATE];
  const char *key = connection->texts[CRABBITMQ_KEY];
  if (!certificate) return CRABBITMQ_FINE;
  // A certificate's file may hold the key as well.
  if (!key) key = certificate;
  SSL_CTX_set_default_passwd_cb(context, no_password);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
    return unusable(connection, CRABBITMQ_CERTIFICATE);
  }
  ERR_clear_error();
  if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) return unusable(connection, CRABBITMQ_KEY);
  return CRABBITMQ_FINE;
}

enum crabbitmq_result crabbitmq_prepare_tls(struct crabbitmq *connection, amqp_socket_t **socket) {
  *socket = amqp_ssl_socket_new(connection->state);
  if (!*socket) return crabbitmq_fail_status(connection, AMQP_STATUS_NO_MEMORY);
  SSL_CTX *context = amqp_ssl_socket_get_context(*socket);
  connection->verification = X509_V_OK;
  SSL_CTX_set_ex_data(context, 0, connection);
  SSL_CTX_set_info_callback(context, at_start);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  if (connection->numbers[CRABBITMQ_ONLY_TLS_1_2]) SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  // The name is OpenSSL's to verify.
  amqp_ssl_socket_set_verify_hostname(*socket, 0);
  amqp_ssl_socket_set_verify_peer(*socket, connection->numbers[CRABBITMQ_VERIFY]);
  const char *ciphers = connection->texts[CRABBITMQ_CIPHERS];
  ERR_clear_error();
  if (ciphers && SSL_CTX_set_cipher_list(context, ciphers) != 1) return unusable(connection, CRABBITMQ_CIPHERS);
  if (connection->numbers[CRABBITMQ_VERIFY]) {
    const enum crabbitmq_result result = set_verification(connection, context);
    if (result != CRABBITMQ_FINE) return result;
  }
  return set_own_certificate(connection, context);
}

enum crabbitmq_result crabbitmq_fail_tls(struct crabbitmq *connection, int status) {
  if (connection->verification != X509_V_OK) {
    return crabbitmq_fail(
        connection, CRABBITMQ_BAD_CERTIFICATE, X509_verify_cert_error_string(connection->verification));
  }
  const unsigned long error = ERR_peek_last_error();
  const char *reason = ERR_reason_error_string(error);
  // A broker that ends in the middle of a handshake has not disagreed.
  if (!reason || ERR_SYSTEM_ERROR(error) || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    return crabbitmq_fail(connection, CRABBITMQ_LOST, amqp_error_string2(status));
  }
  return crabbitmq_fail(connection, CRABBITMQ_NO_TLS, reason);
}

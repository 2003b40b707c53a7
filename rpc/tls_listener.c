// SPDX-License-Identifier: Apache-2.0
#include "rpc/tls_listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#define LOG_PER_SECOND 10
#define PEER_SIZE (NI_MAXHOST + NI_MAXSERV + 4)

// A connection that is not a client yet.
struct handshake {
	TAILQ_ENTRY(handshake) list;
	struct tls_transport *transport;
	struct bufferevent *socket;
	struct event *timeout;
	rpc_listener_connected *connected;
	void *connected_context;
	char peer[PEER_SIZE];
	char name[128]; // of the certificate, as far as it is known
};

struct tls_transport {
	SSL_CTX *context;
	char **names;
	size_t name_count;
	void (*log)(const char *text);
	time_t log_second;
	unsigned log_count;
	TAILQ_HEAD(, handshake) handshakes; // the oldest first
	size_t handshake_count;
};

// --- The end of connections ---

static void wire_flush(struct bufferevent *socket)
{
	struct evbuffer *output = bufferevent_get_output(socket);
	SSL *ssl = bufferevent_openssl_get_ssl(socket);
	struct evbuffer_iovec piece;

	evbuffer_unfreeze(output, 1);
	while (evbuffer_peek(output, -1, NULL, &piece, 1) > 0 && piece.iov_len > 0) {
		size_t written;

		if (SSL_write_ex(ssl, piece.iov_base, piece.iov_len, &written) != 1)
			break;
		evbuffer_drain(output, written);
	}
	if (evbuffer_get_length(output) == 0)
		(void)SSL_shutdown(ssl);
	ERR_clear_error();
}

static void wire_finish(struct bufferevent *socket)
{
	(void)SSL_shutdown(bufferevent_openssl_get_ssl(socket));
	ERR_clear_error();
	(void)shutdown(bufferevent_getfd(socket), SHUT_WR);
}

static const struct rpc_wire wire = {wire_flush, wire_finish};

// --- Handshakes ---

static void transport_log(
	struct tls_transport *transport, const struct handshake *handshake, const char *reason)
{
	struct timespec now;
	char text[PEER_SIZE + 512];

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec != transport->log_second) {
		transport->log_second = now.tv_sec;
		transport->log_count = 0;
	}
	if (++transport->log_count > LOG_PER_SECOND)
		return;
	snprintf(text, sizeof(text), "TLS client %s%s%s%s refused: %s%s", handshake->peer,
		handshake->name[0] != '\0' ? " (" : "", handshake->name,
		handshake->name[0] != '\0' ? ")" : "", reason,
		transport->log_count == LOG_PER_SECOND ? "; no more of this in this second" : "");
	transport->log(text);
}

static void handshake_free(struct handshake *handshake)
{
	TAILQ_REMOVE(&handshake->transport->handshakes, handshake, list);
	handshake->transport->handshake_count--;
	if (handshake->socket != NULL)
		bufferevent_free(handshake->socket);
	if (handshake->timeout != NULL)
		event_free(handshake->timeout);
	free(handshake);
}

static void on_timeout(evutil_socket_t fd, short what, void *context)
{
	struct handshake *handshake = context;

	transport_log(handshake->transport, handshake, "it did not finish its handshake in time");
	handshake_free(handshake);
}

static bool name_allowed(const struct tls_transport *transport, X509 *certificate)
{
	unsigned flags = X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS;

	for (size_t i = 0; i < transport->name_count; i++)
		if (X509_check_host(certificate, transport->names[i], 0, flags, NULL) == 1)
			return true;
	return transport->name_count == 0;
}

// Called by OpenSSL for each certificate of the chain with its own verdict; refusing here makes it
// send an alert instead of going on.
static int on_verify(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct handshake *handshake = SSL_get_app_data(ssl);
	X509 *certificate = X509_STORE_CTX_get_current_cert(store);

	if (handshake == NULL || certificate == NULL)
		return good;
	if (X509_STORE_CTX_get_error_depth(store) != 0)
		return good;
	X509_NAME_oneline(
		X509_get_subject_name(certificate), handshake->name, sizeof(handshake->name));
	if (!good || name_allowed(handshake->transport, certificate))
		return good;
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

// Take what has come besides: TCP answers bytes that nobody took with a reset, which may overtake
// the alert.
static void input_discard(int fd)
{
	char bytes[4096];

	(void)shutdown(fd, SHUT_WR);
	for (int i = 0; i < 16 && recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0; i++)
		;
}

static void handshake_failed(struct handshake *handshake)
{
	SSL *ssl = bufferevent_openssl_get_ssl(handshake->socket);
	unsigned long code = bufferevent_get_openssl_error(handshake->socket);
	long verdict = SSL_get_verify_result(ssl);
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (verdict == X509_V_ERR_APPLICATION_VERIFICATION)
		reason = "its certificate has none of the names in rpc.tls_allowed_names";
	else if (verdict != X509_V_OK)
		reason = X509_verify_cert_error_string(verdict);
	else if (reason == NULL)
		reason = "it closed the connection before it had proven who it is";
	transport_log(handshake->transport, handshake, reason);
	ERR_clear_error();
	input_discard(bufferevent_getfd(handshake->socket));
	handshake_free(handshake);
}

static void on_event(struct bufferevent *socket, short what, void *context)
{
	struct handshake *handshake = context;

	if ((what & BEV_EVENT_CONNECTED) == 0) {
		handshake_failed(handshake);
		return;
	}
	SSL_set_app_data(bufferevent_openssl_get_ssl(socket), NULL);
	handshake->socket = NULL;
	handshake->connected(handshake->connected_context, socket, &wire);
	handshake_free(handshake);
}

// A client that goes away without a word, by a power cut, is noticed in a few minutes.
static void socket_prepare(int fd)
{
	int on = 1;
	int idle = 60;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

// Steals fd.
static struct bufferevent *socket_create(
	const struct tls_transport *transport, struct event_base *base, int fd)
{
	SSL *ssl = SSL_new(transport->context);
	struct bufferevent *socket = NULL;

	if (ssl != NULL)
		socket = bufferevent_openssl_socket_new(
			base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (socket == NULL) {
		SSL_free(ssl);
		close(fd);
	}
	return socket;
}

static socklen_t address_size(const struct sockaddr *address)
{
	return address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					      : sizeof(struct sockaddr_in);
}

static void address_write(const struct sockaddr *address, char *text, size_t size)
{
	char host[NI_MAXHOST] = "?";
	char port[NI_MAXSERV] = "?";
	bool brackets = address->sa_family == AF_INET6;

	(void)getnameinfo(address, address_size(address), host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(text, size, "%s%s%s:%s", brackets ? "[" : "", host, brackets ? "]" : "", port);
}

static void transport_accept(void *context, struct event_base *base, int fd,
	const struct sockaddr *peer, rpc_listener_connected *connected, void *connected_context)
{
	struct tls_transport *transport = context;
	struct timeval limit = {TLS_HANDSHAKE_MS / 1000, TLS_HANDSHAKE_MS % 1000 * 1000};
	struct handshake *handshake = calloc(1, sizeof(*handshake));

	if (handshake == NULL) {
		close(fd);
		return;
	}
	if (transport->handshake_count == TLS_HANDSHAKES_MAX) {
		struct handshake *oldest = TAILQ_FIRST(&transport->handshakes);

		transport_log(transport, oldest, "too many others are trying");
		handshake_free(oldest);
	}
	handshake->transport = transport;
	handshake->connected = connected;
	handshake->connected_context = connected_context;
	TAILQ_INSERT_TAIL(&transport->handshakes, handshake, list);
	transport->handshake_count++;
	address_write(peer, handshake->peer, sizeof(handshake->peer));
	socket_prepare(fd);
	handshake->socket = socket_create(transport, base, fd);
	handshake->timeout = event_new(base, -1, 0, on_timeout, handshake);
	if (handshake->socket == NULL || handshake->timeout == NULL ||
		event_add(handshake->timeout, &limit) < 0) {
		handshake_free(handshake);
		return;
	}
	SSL_set_app_data(bufferevent_openssl_get_ssl(handshake->socket), handshake);
	bufferevent_setcb(handshake->socket, NULL, NULL, on_event, handshake);
	bufferevent_enable(handshake->socket, EV_READ | EV_WRITE);
}

static void transport_destroy(void *context)
{
	struct tls_transport *transport = context;

	while (!TAILQ_EMPTY(&transport->handshakes))
		handshake_free(TAILQ_FIRST(&transport->handshakes));
	for (size_t i = 0; i < transport->name_count; i++)
		free(transport->names[i]);
	free(transport->names);
	SSL_CTX_free(transport->context);
	free(transport);
}

bool tls_transport_create(struct rpc_transport *result, const struct tls_listener_config *config)
{
	struct tls_transport *transport = calloc(1, sizeof(*transport));

	if (transport == NULL) {
		SSL_CTX_free(config->context);
		return false;
	}
	TAILQ_INIT(&transport->handshakes);
	transport->context = config->context;
	transport->log = config->log;
	SSL_CTX_set_verify(
		config->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, on_verify);
	transport->names = calloc(config->name_count + 1, sizeof(*transport->names));
	for (size_t i = 0; transport->names != NULL && i < config->name_count; i++) {
		char *name = strdup(config->names[i]);

		if (name == NULL)
			break;
		transport->names[transport->name_count++] = name;
	}
	// With a name less, nobody too many would be let in, but with none, everybody would.
	if (transport->names == NULL || transport->name_count != config->name_count) {
		transport_destroy(transport);
		return false;
	}
	*result = (struct rpc_transport){transport, transport_accept, transport_destroy};
	return true;
}

// --- The socket ---

static int socket_open(const struct addrinfo *address)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;
	int code;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
		return fd;
	code = -errno;
	close(fd);
	return code;
}

int tls_socket_listen(const char *address, char *name, size_t size, struct rpc_error *error)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	struct sockaddr_storage bound;
	socklen_t length = sizeof(bound);
	char host[256];
	char port[8];
	int fd;

	if (!tls_address_split(address, host, sizeof(host), port, sizeof(port)) ||
		strtol(port, NULL, 10) > 65535 || getaddrinfo(host, port, &hints, &found) != 0) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"\"%.300s\" is no address to listen on: write it as 192.0.2.1:6653, or as "
			"[2001:db8::1]:6653, with 0.0.0.0 or [::] for all of this machine",
			address);
		return -EINVAL;
	}
	fd = socket_open(found);
	freeaddrinfo(found);
	if (fd < 0) {
		rpc_error_set(error, RPC_REFUSED,
			"cannot listen on %s: %s; give an address of this machine (ip address) and "
			"a port that nobody uses (ss -tlnp)",
			address, strerror(-fd));
		return fd;
	}
	if (getsockname(fd, (struct sockaddr *)&bound, &length) == 0)
		address_write((struct sockaddr *)&bound, name, size);
	return fd;
}

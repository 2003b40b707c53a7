// SPDX-License-Identifier: Apache-2.0
#include "rpc/tls_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/steady_clock.h"

#define SCHEME "tls:"
#define RECORD_MAX 16384u
#define CONNECT_INTERVAL_MS 100

struct tls_pipe {
	SSL *ssl;
	int fd;
	char reason[256];
};

// Until the descriptor is ready. False: the time is over.
static bool wait_ready(int fd, short events, int64_t deadline)
{
	for (;;) {
		struct pollfd wait = {.fd = fd, .events = events};
		int64_t left = deadline - steady_ms();
		int ready = poll(&wait, 1, left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left);

		if (ready > 0)
			return true;
		if (ready == 0 || errno != EINTR)
			return false;
	}
}

// --- The pipe ---

static void reason_set(struct tls_pipe *pipe)
{
	// What the other side sends as an alert behind the handshake is its verdict on us.
	bool alert = ERR_GET_REASON(ERR_peek_last_error()) > SSL_AD_REASON_OFFSET;
	char reason[128];

	tls_reason(pipe->ssl, reason, sizeof(reason));
	snprintf(pipe->reason, sizeof(pipe->reason), "%s%s",
		alert ? "it does not accept our certificate, which has to be signed by its CA "
			"(rpc.tls_ca), valid now and allowed there: "
		      : "",
		reason);
}

// -EAGAIN: wait; 0: the end; otherwise -errno, with the reason in words. `code` is what OpenSSL
// returned.
static ssize_t pipe_failed(struct tls_pipe *pipe, int code)
{
	int saved = errno;

	switch (SSL_get_error(pipe->ssl, code)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		if (ERR_peek_error() == 0)
			return saved != 0 ? -saved : -ECONNRESET;
		break;
	}
	if (pipe->reason[0] == '\0')
		reason_set(pipe);
	return -EPROTO;
}

static ssize_t pipe_read(void *context, char *bytes, size_t size)
{
	struct tls_pipe *pipe = context;
	ssize_t count = 0;

	// Whole records only, or the rest of one would stay inside where poll() does not see it.
	while (size - count >= RECORD_MAX) {
		int code;

		ERR_clear_error();
		code = SSL_read(pipe->ssl, bytes + count, (int)(size - count));
		if (code <= 0) {
			ssize_t failure = pipe_failed(pipe, code);

			// What was read first; the failure will be there the next time.
			return count > 0 ? count : failure == -EPROTO ? -ECONNABORTED : failure;
		}
		count += code;
	}
	return count;
}

static ssize_t pipe_write(void *context, const char *bytes, size_t count)
{
	struct tls_pipe *pipe = context;
	ssize_t failure;
	size_t sent = 0;
	int code = 1;

	// By records.
	while (sent < count && code > 0) {
		ERR_clear_error();
		code = SSL_write(pipe->ssl, bytes + sent,
			count - sent > INT_MAX ? INT_MAX : (int)(count - sent));
		if (code > 0)
			sent += code;
	}
	if (sent > 0)
		return (ssize_t)sent;
	failure = pipe_failed(pipe, code);
	// The server may have said why before it closed: reading finds out.
	return failure == 0 || failure == -EPROTO ? -EPIPE : failure;
}

static const char *pipe_reason(void *context)
{
	const struct tls_pipe *pipe = context;

	return pipe->reason[0] != '\0' ? pipe->reason : NULL;
}

static void pipe_close(void *context)
{
	struct tls_pipe *pipe = context;

	if (SSL_is_init_finished(pipe->ssl))
		(void)SSL_shutdown(pipe->ssl);
	ERR_clear_error();
	SSL_free(pipe->ssl);
	close(pipe->fd);
	free(pipe);
}

// --- Connecting ---

// A connected socket, or -errno.
static int connect_one(const struct addrinfo *address, int64_t deadline)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t size = sizeof(int);
	int code = 0;
	int on = 1;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
		code = errno;
	if (code == EINPROGRESS) {
		code = ETIMEDOUT;
		if (wait_ready(fd, POLLOUT, deadline))
			(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size);
	}
	if (code == 0)
		return fd;
	close(fd);
	return -code;
}

// The first of a name's addresses that can be reached, tried again until `until`.
static int connect_any(const char *host, const char *port, int64_t until, int64_t deadline,
	const char *place, struct rpc_error *error)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found;
	int code = getaddrinfo(host, port, &hints, &found);
	int fd = -ENOENT;

	if (code != 0) {
		rpc_error_set(error, RPC_DISCONNECTED, "cannot reach %s: %s; is \"%s\" right?",
			place, gai_strerror(code), host);
		return -ENOENT;
	}
	for (;;) {
		struct timespec pause = {.tv_nsec = CONNECT_INTERVAL_MS * 1000000};

		for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
			fd = connect_one(at, deadline);
		if (fd >= 0 || steady_ms() >= until)
			break;
		nanosleep(&pause, NULL);
	}
	freeaddrinfo(found);
	if (fd < 0)
		rpc_error_set(error, RPC_DISCONNECTED,
			"cannot reach %s: %s; does vswitchd run there with rpc.tls_listen, and do "
			"firewalls let this through?",
			place, strerror(-fd));
	return fd;
}

// Have OpenSSL check that the certificate is for this host.
static bool expect_host(SSL *ssl, const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];
	bool numeric =
		inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

	if (numeric)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static bool handshake(
	struct tls_pipe *pipe, int64_t deadline, const char *place, struct rpc_error *error)
{
	for (;;) {
		int code;
		int what;

		ERR_clear_error();
		code = SSL_connect(pipe->ssl);
		if (code == 1)
			return true;
		what = SSL_get_error(pipe->ssl, code);
		if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE) {
			if (wait_ready(pipe->fd, what == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT,
				    deadline))
				continue;
			rpc_error_set(error, RPC_DISCONNECTED,
				"%s does not answer in TLS; is it vswitchd that listens there?",
				place);
			return false;
		}
		if (SSL_get_verify_result(pipe->ssl) != X509_V_OK) {
			tls_reason(pipe->ssl, pipe->reason, sizeof(pipe->reason));
			rpc_error_set(error, RPC_DISCONNECTED,
				"the certificate that %s shows is not accepted: %s; it has to be "
				"signed by the given CA and made for this name or address",
				place, pipe->reason);
			return false;
		}
		tls_reason(pipe->ssl, pipe->reason, sizeof(pipe->reason));
		rpc_error_set(error, RPC_DISCONNECTED,
			"%s refuses to talk TLS: %s; the certificate to show has to be signed by "
			"its CA (rpc.tls_ca), be valid now and be allowed there",
			place, pipe->reason);
		return false;
	}
}

// A pipe without its handshake; steals fd.
static struct tls_pipe *pipe_create(SSL_CTX *context, int fd, const char *host)
{
	struct tls_pipe *pipe = calloc(1, sizeof(*pipe));
	SSL *ssl = SSL_new(context);

	if (pipe != NULL && ssl != NULL && SSL_set_fd(ssl, fd) == 1 && expect_host(ssl, host)) {
		pipe->ssl = ssl;
		pipe->fd = fd;
		return pipe;
	}
	SSL_free(ssl);
	free(pipe);
	close(fd);
	return NULL;
}

struct rpc_client *tls_client_connect(const char *address, const char *peer,
	const struct tls_files *files, const struct tls_labels *labels, int timeout_ms,
	struct rpc_error *error)
{
	int64_t until = timeout_ms < 0 ? INT64_MAX : steady_ms() + timeout_ms;
	int64_t attempt = steady_ms() + TLS_CONNECT_MS;
	int64_t deadline = until > attempt ? until : attempt;
	struct tls_pipe *made;
	SSL_CTX *context;
	char host[256];
	char port[8];
	int fd;

	if (strncmp(address, SCHEME, strlen(SCHEME)) != 0 ||
		!tls_address_split(
			address + strlen(SCHEME), host, sizeof(host), port, sizeof(port))) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"\"%.300s\" is no address of a switch: write it as tls:HOST:PORT, for "
			"example tls:192.0.2.1:6653 or tls:[2001:db8::1]:6653",
			address);
		return NULL;
	}
	context = tls_context_create(false, files, labels, error);
	if (context == NULL)
		return NULL;
	signal(SIGPIPE, SIG_IGN);
	fd = connect_any(host, port, until, deadline, address, error);
	made = fd >= 0 ? pipe_create(context, fd, host) : NULL;
	SSL_CTX_free(context);
	if (fd >= 0 && made == NULL)
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
	if (made == NULL)
		return NULL;
	if (!handshake(made, deadline, address, error)) {
		pipe_close(made);
		return NULL;
	}
	return rpc_client_create(
		&(struct rpc_pipe){made, pipe_read, pipe_write, pipe_reason, pipe_close, made->fd},
		peer, address, error);
}

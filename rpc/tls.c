// SPDX-License-Identifier: Apache-2.0
#include "rpc/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>

static int no_passphrase(char *buffer, int size, int writing, void *context)
{
	return -1;
}

// Can the file be read? The reasons of OpenSSL do not say.
static bool file_check(const char *path, const char *label, struct rpc_error *error)
{
	int fd;

	if (path == NULL || *path == '\0') {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"%s is missing: TLS needs a certificate, its private key and the CA that "
			"signs those of the other side, as PEM files",
			label);
		return false;
	}
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		rpc_error_set(error, RPC_INVALID_PARAMS,
			"%s: cannot read %s: %s; give the path of a PEM file that this user may "
			"read",
			label, path, strerror(errno));
		return false;
	}
	close(fd);
	return true;
}

static bool wrong(struct rpc_error *error, const char *label, const char *path, const char *what)
{
	char reason[256];

	tls_reason(NULL, reason, sizeof(reason));
	rpc_error_set(error, RPC_INVALID_PARAMS, "%s: %s %s (%s)", label, path, what, reason);
	return false;
}

static bool files_load(SSL_CTX *context, const struct tls_files *files,
	const struct tls_labels *labels, struct rpc_error *error)
{
	if (!file_check(files->certificate, labels->certificate, error) ||
		!file_check(files->private_key, labels->private_key, error) ||
		!file_check(files->ca, labels->ca, error))
		return false;
	if (SSL_CTX_use_certificate_chain_file(context, files->certificate) != 1)
		return wrong(error, labels->certificate, files->certificate,
			"holds no certificate that can be used: give one in PEM format");
	// The certificate is there already, so that a key of another one is refused here.
	if (SSL_CTX_use_PrivateKey_file(context, files->private_key, SSL_FILETYPE_PEM) != 1) {
		bool mismatch =
			ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
			ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH;

		return wrong(error, labels->private_key, files->private_key,
			mismatch ? "does not belong to the certificate: give the key that the "
				   "certificate was made with"
				 : "holds no private key that can be used: give one in PEM format "
				   "without a passphrase");
	}
	if (SSL_CTX_load_verify_file(context, files->ca) != 1)
		return wrong(error, labels->ca, files->ca,
			"holds no certificate of a CA: give one in PEM format");
	return true;
}

SSL_CTX *tls_context_create(bool server, const struct tls_files *files,
	const struct tls_labels *labels, struct rpc_error *error)
{
	SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	if (context == NULL) {
		rpc_error_set(error, RPC_INTERNAL_ERROR, "out of memory");
		return NULL;
	}
	ERR_clear_error();
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					     SSL_OP_NO_COMPRESSION |
					     SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (files_load(context, files, labels, error))
		return context;
	SSL_CTX_free(context);
	return NULL;
}

bool tls_address_split(const char *text, char *host, size_t host_size, char *port, size_t port_size)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon != NULL ? (size_t)(colon - text) : 0;
	bool brackets = length > 2 && text[0] == '[' && text[length - 1] == ']';

	if (length == 0 || colon[1] == '\0' || strlen(colon + 1) > 5 ||
		colon[1 + strspn(colon + 1, "0123456789")] != '\0')
		return false;
	if (brackets) {
		text++;
		length -= 2;
	} else if (strcspn(text, ":[]") < length) {
		return false; // IPv6 without brackets, or half of them
	}
	if (length >= host_size || strlen(colon + 1) >= port_size)
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	strcpy(port, colon + 1);
	return true;
}

void tls_reason(const SSL *ssl, char *text, size_t size)
{
	long verdict = ssl != NULL ? SSL_get_verify_result(ssl) : X509_V_OK;
	unsigned long code = ERR_peek_last_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	if (verdict != X509_V_OK)
		snprintf(text, size, "%s", X509_verify_cert_error_string(verdict));
	else if (code != 0 && ERR_SYSTEM_ERROR(code))
		snprintf(text, size, "%s", strerror(ERR_GET_REASON(code)));
	else
		snprintf(text, size, "%s", reason != NULL ? reason : "the connection was closed");
	ERR_clear_error();
}

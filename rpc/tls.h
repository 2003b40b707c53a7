// SPDX-License-Identifier: Apache-2.0
#pragma once

// What both sides of a TLS connection need: a context of OpenSSL made of files, addresses, and the
// reasons of failures in words.
//
// Both sides show a certificate that the configured CA signed, and check the other's; there is no
// TLS here without that. TLS 1.3, at least 1.2; sessions are not resumed, so that each connection
// is checked in full. Private keys with a passphrase are refused, since nobody is there to type it.
//
// One thread.

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include "rpc/rpc_error.h"

struct tls_files {
	const char *certificate; // PEM; those that lead to the CA may follow it
	const char *private_key; // PEM
	const char *ca;          // PEM, one or more
};

// How messages call the three ("rpc.tls_certificate", "--certificate").
struct tls_labels {
	const char *certificate;
	const char *private_key;
	const char *ca;
};

// NULL with *error (RPC_INVALID_PARAMS), which names label, file and remedy.
SSL_CTX *tls_context_create(bool server, const struct tls_files *files,
	const struct tls_labels *labels, struct rpc_error *error);

// Split "HOST:PORT" or "[HOST]:PORT". False: it is not written like this.
bool tls_address_split(
	const char *text, char *host, size_t host_size, char *port, size_t port_size);

// Why the last call of OpenSSL failed, or what the certificate of the other side lacks.
void tls_reason(const SSL *ssl, char *text, size_t size);

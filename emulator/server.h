/*
 * HTTP on a loopback address: receives requests, lets faults have their way,
 * answers. One thread a connection, so that a slow request holds up no other.
 *
 * Lifecycle: server_create, server_destroy (which ends all connections).
 */
#ifndef EMULATOR_SERVER_H
#define EMULATOR_SERVER_H

#include <stdint.h>

#include "emulator/emulator.h"

struct server;

struct server_options {
	const char *listen;   /* ADDRESS:PORT, loopback only */
	const char *tls_cert; /* PEM text; NULL for plain HTTP */
	const char *tls_key;
	bool is_storage; /* the origin of presigned URLs, not the API */
};

/* -EINVAL for an address that is none, -EPERM for one beyond the loopback,
 * -EADDRINUSE and the like from the system, -EPROTO if the HTTP library will
 * not start (with TLS: the certificate or its key is no good). The emulator and
 * the options' texts are borrowed until server_destroy. */
int server_create(struct emulator *emulator, const struct server_options *options,
	struct server **ret_server);
void server_destroy(struct server *server);
uint16_t server_port(const struct server *server);
/* Where it listens, as a URL. Borrowed. */
const char *server_url(const struct server *server);

#endif

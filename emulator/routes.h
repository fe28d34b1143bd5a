/*
 * The table of operations, and how a request finds its own.
 *
 * Handlers run under emulator.lock and never wait. They fill the reply; its
 * status is 200 unless they say otherwise.
 */
#ifndef EMULATOR_ROUTES_H
#define EMULATOR_ROUTES_H

#include "emulator/emulator.h"

struct route {
	const char *method;
	const char *pattern; /* "/a/{id}/b" */
	const char *operation;
	void (*handle)(
		struct emulator *emulator, const struct request *request, struct reply *reply);
};

/* Both end with an element whose method is NULL. The second are those of the other origin, where
 * presigned URLs lead. */
extern const struct route routes[];
extern const struct route storage_routes[];

/* Credentials, permissions, then the handler. */
void routes_handle(struct emulator *emulator, struct request *request, struct reply *reply);

#endif

/* What reading and writing of connect/v1 share. Under emulator.lock. */
#ifndef EMULATOR_CONNECT_H
#define EMULATOR_CONNECT_H

#include "emulator/emulator.h"

/* The cluster the path names; NULL: the reply says no already. */
struct cluster *connect_cluster(
	struct emulator *emulator, const struct request *request, struct reply *reply);
/* The connector the path names, as it really is; NULL: the reply says no
 * already. */
struct connector *connect_live(
	struct emulator *emulator, const struct request *request, struct reply *reply);
void connect_unknown(const struct request *request, const char *name, struct reply *reply);
/* The body as JSON, numbers digit by digit, for the caller to free; NULL: the reply says no
 * already. */
cJSON *connect_body(const struct request *request, struct reply *reply);
/* The config of a JSON object; NULL: the reply says no already. */
struct config *connect_config(
	const cJSON *object, const struct request *request, struct reply *reply);

#endif

/* What the control API and the server share. Under emulator.lock. */
#ifndef EMULATOR_CONTROL_H
#define EMULATOR_CONTROL_H

#include "emulator/emulator.h"

/* Another client's change: to a connector, or to a plugin if it names one. */
int control_apply(struct emulator *emulator, const cJSON *change, struct strbuf *why);
/* To a custom plugin or a version of one. */
int control_change_plugin(
	struct emulator *emulator, const char *id, const cJSON *change, struct strbuf *why);
/* Another client's change to a connector, as PATCH takes it. -EINVAL or -ENOENT
 * with the reason in `why`. */
int control_change(struct emulator *emulator, const char *cluster_id, const char *name,
	const cJSON *change, struct strbuf *why);

/* The body as a JSON object, for the caller to free; NULL: the reply says no. */
cJSON *control_body(const struct request *request, struct reply *reply);

#endif

/* What the handlers of custom plugins share. Under emulator.lock. */
#ifndef EMULATOR_ARTIFACTS_API_H
#define EMULATOR_ARTIFACTS_API_H

#include "emulator/artifacts.h"
#include "emulator/emulator.h"

/* The body as a JSON object, for the caller to free; NULL: the reply says no already. */
cJSON *artifact_body(const struct request *request, struct reply *reply);
/* The id of the environment that the object refers to; NULL: the reply says no already. `pointer`
 * is where the object is in the body. Borrowed. */
const char *artifact_environment(struct emulator *emulator, const cJSON *object,
	const char *pointer, const struct request *request, struct reply *reply);
/* The upload that the object's upload_source names, for an artifact of that cloud and
 * environment; NULL: the reply says no already. */
struct upload *artifact_upload(struct emulator *emulator, const cJSON *object, const char *pointer,
	const char *cloud, const char *environment, const struct request *request,
	struct reply *reply);

void artifact_write(
	const struct artifact *artifact, const struct request *request, struct strbuf *out);
/* A new one's answer: with its URL. */
void artifact_write_new(const struct artifact *artifact, const struct request *request,
	unsigned status, struct reply *reply);
void artifact_write_missing(const struct request *request, const char *id, struct reply *reply);
/* A page of those of a kind: of an environment, of a parent, in a cloud (each may be NULL). Counts
 * as a read of what is shown. */
void artifact_write_list(struct emulator *emulator, const struct request *request,
	enum artifact_kind kind, const char *environment, const struct artifact *parent,
	struct reply *reply);
/* Takes the members of `given` and answers with the whole. */
void artifact_answer_update(struct emulator *emulator, struct artifact *artifact,
	const cJSON *given, const char *pointer, const struct request *request,
	struct reply *reply);
/* Deletes it, unless somebody uses it. */
void artifact_answer_delete(struct emulator *emulator, struct artifact *artifact,
	const struct request *request, struct reply *reply);

#endif

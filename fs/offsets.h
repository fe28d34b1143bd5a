/*
 * A connector's offsets: offsets.json, whose saves become requests to alter them, and
 * offsets-request.json, the last such request.
 *
 * The API carries a request out after it has taken it. Until then the mount shows what was asked
 * for, and asks for the request's phase when somebody looks. Protected by the lock of struct fs.
 */
#ifndef FS_OFFSETS_H
#define FS_OFFSETS_H

#include <sys/types.h>

#include "fs/slot.h"

struct altering;
struct document_kind;
struct op;
struct strbuf;

extern const struct document_kind document_offsets;
extern const struct document_kind document_offsets_request;

/* What the files show (route.h). */
int offsets_compose(struct op *op, const struct node *dir, struct strbuf *out);
int offsets_request_compose(struct op *op, const struct node *dir, struct strbuf *out);

/* Commit local files (route.h). */
int offsets_save(
	struct op *op, struct slot *slot, struct node *draft, pid_t pid, enum save_how how);
int offsets_request_save(
	struct op *op, struct slot *slot, struct node *draft, pid_t pid, enum save_how how);

/* Accepts NULL. */
void altering_destroy(struct altering *altering);

#endif

/*
 * The connectors of a cluster: the document that nearly everything is a view of.
 *
 * Protected by the lock of struct fs.
 */
#ifndef FS_CONNECTORS_H
#define FS_CONNECTORS_H

#include "fs/document.h"

struct folder_kind;

extern const struct document_kind document_connectors;
/* The tasks of one connector. */
extern const struct document_kind document_tasks;
extern const struct folder_kind connector_folder;

/* Whether two parts say the same: bytes, or equal settings whatever the order and the masks. */
bool item_same_part(enum part_kind kind, const struct part *a, const struct part *b);
/* Brings the answer for one part of a connector in. 0 or -errno. */
int item_take_answer(
	struct item *item, enum part_kind kind, const char *body, size_t len, int64_t started);
/* The API says that there is no such connector (or status): what to make of it. 0: it is kept for
 * what this mount knows, -ENOENT: it is gone. */
int item_not_found(struct item *item, enum part_kind kind, int64_t started);

/* This mount has created a connector; its answer is the body. NULL: no memory. */
struct item *connector_created(
	struct document *document, const char *name, struct json_slice answer);
/* This mount has paused or resumed one: it is shown in this state until the API says so. */
void connector_state_changed(struct item *item, const char *state);

/* Appends the state's word: RUNNING, PAUSED…, UNKNOWN where there is no status. */
void connector_state(const struct item *item, struct strbuf *out);
/* Appends the id (lcc-…), nothing where it is not known. */
void connector_id(const struct item *item, struct strbuf *out);

#endif

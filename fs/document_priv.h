/* Shared by the files that fetch documents. */
#ifndef FS_DOCUMENT_PRIV_H
#define FS_DOCUMENT_PRIV_H

#include "fs/document.h"

#define RETRY_STALE_MS   5000 /* between two attempts while a stale answer serves */
#define REFRESH_STALE_MS 3000 /* how long a reader waits where a stale answer could serve */

/* Failures that say nothing about the resource itself. */
bool document_is_passing(int err);
/* Somebody waits for what is under way. */
void document_urge(struct document *document);
/* What a failed fetch means for an op that waited for it. */
int document_verdict(struct op *op, struct document *document, int64_t now);

#endif

/* Absence is confirmed before it is believed. */
#ifndef FS_CONFIRM_H
#define FS_CONFIRM_H

#include "fs/document.h"

/*
 * The bulk answer lacks connectors that the last one had (they are not `seen`). Asks the plain
 * list; those that stand there stay as they are. Of the others the first is asked for by itself,
 * and if the API says in its own words that it is gone, so are they. Ends the document's fetch
 * (document_fetched) when all is settled. Called under the lock; goes on without it.
 */
void confirm_absence(struct document *document, int64_t started);

#endif

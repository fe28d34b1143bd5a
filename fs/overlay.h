/*
 * Overlays: what this mount itself did to an item, and the API's answers, which lag its writes, do
 * not show yet. It is shown over them until one agrees, for no longer than the settle time.
 *
 * Protected by the lock of struct fs.
 */
#ifndef FS_OVERLAY_H
#define FS_OVERLAY_H

#include "fs/document.h"

/* Accepts NULL. */
void overlay_destroy(struct overlay *overlay);
/* What was removed from a document, and is not shown again. */
void removed_destroy(struct document *document);

/* This mount has saved a part (taken over). */
void overlay_saved(struct item *item, enum part_kind kind, struct part *part);
/* This mount has created it: it is there although no answer knows it yet. -ENOMEM. */
int overlay_created(struct item *item);
bool overlay_is_created(const struct item *item, int64_t now);
/* An answer knows it. */
void overlay_is_known(struct item *item);
/* This mount has changed the state that the status tells. */
void overlay_state(struct item *item, const char *before, const char *after);
/* This mount has removed it: the name is not shown again but with another id ("": not known, or the
 * name is the id). The item is gone. */
void overlay_removed(struct item *item, const char *id);
/* Whether what an answer shows under a name is what was removed, by the id that it may have. */
bool overlay_is_removed(
	struct document *document, const char *name, const struct part *shown, int64_t now);

/* Takes a part of an answer in (taken over) unless this mount knows better. */
void overlay_take(struct item *item, enum part_kind kind, struct part *part, int64_t at);

#endif

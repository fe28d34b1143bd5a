#include "fs/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/url.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/connectors.h"
#include "fs/fs.h"
#include "fs/hash.h"
#include "fs/tree.h"

static void item_destroy(struct item *item)
{
	for (unsigned i = 0; i < PARTS; i++) {
		part_unref(item->parts[i]);
	}
	overlay_destroy(item->overlay);
	free(item->name);
	free(item);
}

static struct item *item_create(struct document *document, const char *name)
{
	struct item *item = calloc(1, sizeof(*item));
	if (!item) {
		return NULL;
	}
	item->document = document;
	item->name = strdup(name);
	if (!item->name) {
		free(item);
		return NULL;
	}
	return item;
}

/* Adds to a table; NULL (and the item is gone) when there is no memory. */
static struct item *insert(struct item **table, struct item *item)
{
	if (!item) {
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, *table, item->name, strlen(item->name), item);
	if (!item->hh.tbl) {
		item_destroy(item);
		return NULL;
	}
	return item;
}

static struct item *find(struct item *table, const char *name)
{
	struct item *item;
	HASH_FIND(hh, table, name, strlen(name), item);
	return item;
}

struct item *document_find(struct document *document, const char *name)
{
	return find(document->items, name);
}

static uint64_t name_hash(const char *name)
{
	return hash_mix(hash_bytes(HASH_START, name, strlen(name)));
}

struct item *document_add(struct document *document, const char *name)
{
	struct item *item = find(document->items, name);
	if (!item) {
		item = insert(&document->items, item_create(document, name));
		if (item) {
			item->seen = true;
			document->listing ^= name_hash(name);
		}
	}
	return item;
}

void document_remove(struct item *item)
{
	item->document->listing ^= name_hash(item->name);
	HASH_DEL(item->document->items, item);
	item_destroy(item);
}

struct document *document_get(struct fs *fs, const struct document_kind *kind,
	const char *environment, const char *cluster)
{
	char *target = kind->variables == 0   ? strdup(kind->target)
		       : kind->variables == 1 ? url_target(kind->target, environment)
					      : url_target(kind->target, environment, cluster);
	struct document *document = NULL;
	if (!target) {
		return NULL;
	}
	HASH_FIND(hh, fs->documents, target, strlen(target), document);
	if (document) {
		free(target);
		return document;
	}
	document = calloc(1, sizeof(*document));
	if (!document) {
		free(target);
		return NULL;
	}
	*document = (struct document){ .fs = fs, .kind = kind, .target = target };
	document->environment = kind->variables > 0 ? strdup(environment) : NULL;
	document->cluster = kind->variables > 1 ? strdup(cluster) : NULL;
	HASH_ADD_KEYPTR(hh, fs->documents, target, strlen(target), document);
	return document;
}

static void document_destroy(struct document *document)
{
	struct item *item, *next;
	HASH_ITER (hh, document->items, item, next) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL moves the head on */
		HASH_DEL(document->items, item);
		item_destroy(item);
	}
	removed_destroy(document);
	free(document->target);
	free(document->environment);
	free(document->cluster);
	free(document);
}

void documents_destroy(struct fs *fs)
{
	struct document *document, *next;
	HASH_ITER (hh, fs->documents, document, next) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL moves the head on */
		HASH_DEL(fs->documents, document);
		document_destroy(document);
	}
}

int64_t ttl_of_part(const struct document *document, enum part_kind kind)
{
	enum ttl_class class = kind == PART_STATUS ? TTL_STATUS : document->kind->ttl;
	return document->fs->options->ttl[class];
}

int64_t document_ttl_left(const struct document *document, int64_t now)
{
	return document->fetched_at && document->expires_at > now ? document->expires_at - now : 0;
}

int64_t item_ttl_left(const struct item *item, enum part_kind kind, int64_t now)
{
	int64_t until = MOMENT_MS(item->part_at[kind]) + ttl_of_part(item->document, kind);
	return item->part_at[kind] && until > now ? until - now : 0;
}

/* Expired from now on: what is stale may still serve where the API fails. */
static void expire(struct document *document, int64_t now)
{
	struct item *item, *next;
	document->retry_at = 0;
	if (document->expires_at > now) {
		document->expires_at = now;
	}
	HASH_ITER (hh, document->items, item, next) {
		for (unsigned kind = 0; kind < PARTS; kind++) {
			if (item_ttl_left(item, kind, now) > 0) {
				item->part_at[kind] = (now - ttl_of_part(document, kind)) * 1000;
			}
		}
	}
}

void document_expire(struct document *document)
{
	expire(document, clock_now_ms());
}

void documents_expire(struct fs *fs)
{
	struct document *document, *next;
	HASH_ITER (hh, fs->documents, document, next) {
		document_expire(document);
	}
}

bool item_set_part(struct item *item, enum part_kind kind, struct part *part, int64_t at)
{
	struct part *old = item->parts[kind];
	item->part_at[kind] = at;
	item->failure[kind] = 0;
	if (!part || part == old) {
		return false;
	}
	if (old && item_same_part(kind, old, part)) {
		part_unref(part);
		return false;
	}
	item->parts[kind] = part;
	part_unref(old);
	return true;
}

struct item *stage_add(struct stage *stage, const char *name)
{
	struct item *item = find(stage->items, name);
	return item ? item : insert(&stage->items, item_create(stage->document, name));
}

void stage_destroy(struct stage *stage)
{
	struct item *item, *next;
	if (!stage) {
		return;
	}
	HASH_ITER (hh, stage->items, item, next) {
		HASH_DEL(stage->items, item);
		item_destroy(item);
	}
	free(stage);
}

static void bring_in(struct document *document, struct item *staged, int64_t at)
{
	struct item *item = document_add(document, staged->name);
	if (!item) {
		return;
	}
	for (unsigned i = 0; i < PARTS; i++) {
		if (staged->parts[i] && at >= item->part_at[i]) {
			item_set_part(item, i, steal(staged->parts[i]), at);
		}
	}
	item->seen = true;
}

unsigned document_count_unseen(struct document *document)
{
	unsigned count = 0;
	struct item *item, *next;
	HASH_ITER (hh, document->items, item, next) {
		count += !item->seen;
	}
	return count;
}

/* An answer that lacks everything or most of what the last one had is believed only when another,
 * SUSPECT_MS later, agrees. */
bool document_suspects(struct document *document, unsigned gone, int64_t now)
{
	unsigned had = HASH_COUNT(document->items);
	if (gone == 0 || gone * 2 <= had) {
		document->suspect_at = 0;
		return false;
	}
	if (document->suspect_at == 0) {
		document->suspect_at = now;
		log_warn("%s: %u of %u are gone at once: asking again before believing it",
			document->target, gone, had);
	}
	return now - document->suspect_at < SUSPECT_MS;
}

void document_drop_unseen(struct document *document)
{
	struct item *item, *next;
	HASH_ITER (hh, document->items, item, next) {
		if (!item->seen) {
			tree_forget_item(document->fs, item);
			document_remove(item);
		}
	}
	document->suspect_at = 0;
}

void document_begin_merge(struct document *document, struct stage *stage)
{
	struct item *item, *next;
	HASH_ITER (hh, document->items, item, next) {
		item->seen = false;
	}
	HASH_ITER (hh, stage->items, item, next) {
		bring_in(document, item, stage->started);
	}
}

void document_merge(struct document *document, struct stage *stage)
{
	document_begin_merge(document, stage);
	bool complete =
		!document_suspects(document, document_count_unseen(document), clock_now_ms());
	if (complete) {
		document_drop_unseen(document);
	}
	document_fetched(document, stage->started, complete);
	stage_destroy(stage);
}

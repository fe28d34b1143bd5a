#include "fs/document.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "api/url.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/connectors.h"
#include "fs/fs.h"
#include "fs/hash.h"
#include "fs/overlay.h"
#include "fs/texts.h"
#include "fs/tree.h"

#define MANY 1000

static void parts_unref(struct part **parts)
{
	for (unsigned i = 0; i < PARTS; i++) {
		part_unref(parts[i]);
	}
}

static void item_destroy(struct item *item)
{
	parts_unref(item->parts);
	overlay_destroy(item->overlay);
	free(item->trouble);
	free(item);
}

static uint64_t name_hash(const char *name)
{
	return hash_mix(hash_bytes(HASH_START, name, strlen(name)));
}

struct item *document_find(struct document *document, const char *name)
{
	struct table_link *link = table_find(&document->names, name_hash(name));
	for (; link; link = table_find_next(link)) {
		struct item *item = table_entry(link, struct item, link);
		if (strcmp(item->name, name) == 0) {
			return item;
		}
	}
	return NULL;
}

size_t document_index(const struct document *document, uint64_t place)
{
	size_t low = 0, high = document->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (document->items[middle]->place < place) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

void document_tell(struct document *document)
{
	if (document->told != document->listing) {
		document->told = document->listing;
		tree_forget_listing(document);
	}
}

struct item *document_from(const struct document *document, uint64_t place)
{
	size_t index = document_index(document, place);
	return index < document->count ? document->items[index] : NULL;
}

static int make_room(struct document *document)
{
	if (document->count < document->room) {
		return 0;
	}
	size_t room = document->room ? 2 * document->room : 16;
	struct item **items = reallocarray(document->items, room, sizeof(struct item *));
	if (!items) {
		return -ENOMEM;
	}
	document->items = items;
	document->room = room;
	return 0;
}

struct item *document_add(struct document *document, const char *name)
{
	struct item *item = document_find(document, name);
	if (item) {
		return item;
	}
	size_t len = strlen(name);
	item = calloc(1, offsetof(struct item, name) + len + 1);
	if (!item || make_room(document) < 0 ||
		table_add(&document->names, &item->link, name_hash(name)) < 0) {
		free(item);
		return NULL;
	}
	memcpy(item->name, name, len + 1);
	item->document = document;
	item->place = document->next_place++;
	item->seen = true;
	document->items[document->count++] = item;
	document->listing ^= item->link.hash;
	return item;
}

/* Takes it out of everything but the list of items. */
static void drop(struct item *item)
{
	item->document->listing ^= item->link.hash;
	table_remove(&item->document->names, &item->link);
	item_destroy(item);
}

void document_remove(struct item *item)
{
	struct document *document = item->document;
	size_t index = document_index(document, item->place);
	document->count--;
	memmove(document->items + index, document->items + index + 1,
		(document->count - index) * sizeof(struct item *));
	texts_forget(document->fs->texts);
	drop(item);
}

static bool is_of(const struct document *document, const struct document_kind *kind,
	const char *environment, const char *inner, const char *name)
{
	const char *its_inner = kind->of_plugin ? document->plugin : document->cluster;
	return document->kind == kind &&
	       (kind->variables < 1 || strcmp(document->environment, environment) == 0) &&
	       (kind->variables < 2 || strcmp(its_inner, inner) == 0) &&
	       (kind->variables < 3 || (name && strcmp(document->name, name) == 0));
}

struct document *document_get_named(struct fs *fs, const struct document_kind *kind,
	const char *environment, const char *inner, const char *name)
{
	if (fs->recent && is_of(fs->recent, kind, environment, inner, name)) {
		return fs->recent;
	}
	char *target = kind->variables == 0   ? strdup(kind->target)
		       : kind->variables == 1 ? url_target(kind->target, environment)
		       : kind->of_plugin      ? url_target(kind->target, inner, environment)
		       : kind->variables == 2 ? url_target(kind->target, environment, inner)
					      : url_target(kind->target, environment, inner, name);
	struct document *document = NULL;
	if (!target) {
		return NULL;
	}
	HASH_FIND(hh, fs->documents, target, strlen(target), document);
	if (document) {
		free(target);
		return fs->recent = document;
	}
	document = calloc(1, sizeof(*document));
	if (!document) {
		free(target);
		return NULL;
	}
	*document = (struct document){ .fs = fs, .kind = kind, .target = target };
	document->environment = kind->variables > 0 ? strdup(environment) : NULL;
	document->cluster = kind->variables > 1 && !kind->of_plugin ? strdup(inner) : NULL;
	document->plugin = kind->of_plugin ? strdup(inner) : NULL;
	document->name = kind->variables > 2 ? strdup(name) : NULL;
	HASH_ADD_KEYPTR(hh, fs->documents, target, strlen(target), document);
	return document;
}

struct document *document_get(
	struct fs *fs, const struct document_kind *kind, const char *environment, const char *inner)
{
	return document_get_named(fs, kind, environment, inner, NULL);
}

static void document_destroy(struct document *document)
{
	for (size_t i = 0; i < document->count; i++) {
		item_destroy(document->items[i]);
	}
	free(document->items);
	table_finish(&document->names);
	removed_destroy(document);
	document_drop_refusal(document);
	free(document->target);
	free(document->environment);
	free(document->cluster);
	free(document->name);
	free(document->plugin);
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
	if (!item->document->kind->cut) {
		return document_ttl_left(item->document, now);
	}
	int64_t until = MOMENT_MS(item->part_at[kind]) + ttl_of_part(item->document, kind);
	return item->part_at[kind] && until > now ? until - now : 0;
}

/* Expired from now on: what is stale may still serve where the API fails. */
static void expire(struct document *document, int64_t now)
{
	document->retry_at = 0;
	document->failure = 0;
	document_drop_refusal(document);
	if (document->expires_at > now) {
		document->expires_at = now;
	}
	for (size_t i = 0; i < document->count; i++) {
		struct item *item = document->items[i];
		free(steal(item->trouble));
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
	looks_drop(fs);
}

/* Whether a view shows a part. */
static bool shows(const struct document *document, enum face_kind face, enum part_kind kind)
{
	static const enum part_kind shown[FACES] = { [FACE_CONFIG] = PART_CONFIG,
		[FACE_CONNECTOR] = PART_INFO,
		[FACE_STATUS] = PART_STATUS,
		[FACE_STATE] = PART_STATUS };
	return !document->kind->cut || shown[face] == kind;
}

bool item_set_part(struct item *item, enum part_kind kind, struct part *part, int64_t at)
{
	struct part *old = item->parts[kind];
	item->part_at[kind] = at;
	if (item->trouble) {
		item->trouble->failure[kind] = 0;
	}
	if (!part) {
		return false;
	}
	const struct document_kind *document_kind = item->document->kind;
	bool same = old && (part == old || item_same_part(kind, old, part) ||
				   (document_kind->same && document_kind->same(old, part)));
	if (same) {
		part_unref(part);
		return false;
	}
	item->parts[kind] = part;
	if (old) {
		texts_forget(item->document->fs->texts);
	}
	part_unref(old);
	for (unsigned face = 0; face < FACES; face++) {
		if (shows(item->document, face, kind)) {
			item->faces[face].size = 0;
		}
	}
	return true;
}

static struct staged *staged_of(struct table_link *link)
{
	return link ? table_entry(link, struct staged, link) : NULL;
}

struct staged *stage_add(struct stage *stage, const char *name)
{
	uint64_t hash = name_hash(name);
	struct staged *staged = staged_of(table_find(&stage->names, hash));
	while (staged && strcmp(staged->name, name) != 0) {
		staged = staged_of(table_find_next(&staged->link));
	}
	if (staged) {
		return staged;
	}
	size_t len = strlen(name);
	staged = calloc(1, offsetof(struct staged, name) + len + 1);
	if (!staged || table_add(&stage->names, &staged->link, hash) < 0) {
		free(staged);
		return NULL;
	}
	memcpy(staged->name, name, len + 1);
	*stage->last = staged;
	stage->last = &staged->next;
	return staged;
}

bool stage_part(
	struct stage *stage, struct staged *staged, enum part_kind kind, struct json_slice value)
{
	struct document *document = stage->document;
	fs_lock(document->fs);
	struct item *item = document_find(document, staged->name);
	bool same = item && part_is(item->parts[kind], value.text, value.len);
	struct part *part = same ? part_ref(item->parts[kind]) : part_create(value.text, value.len);
	if (part && !same) {
		part->bulk = true;
		part->first = !document->fetched_at;
	}
	part_unref(staged->parts[kind]);
	staged->parts[kind] = part;
	fs_unlock(document->fs);
	return part;
}

struct stage *stage_create(struct document *document)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	if (stage) {
		*stage = (struct stage){ .document = document,
			.last = &stage->items,
			.started = fs_moment(document->fs) };
	}
	return stage;
}

void stage_destroy(struct stage *stage)
{
	if (!stage) {
		return;
	}
	size_t count = stage->names.count;
	for (struct staged *staged = stage->items, *next; staged; staged = next) {
		next = staged->next;
		parts_unref(staged->parts);
		free(staged);
	}
	table_finish(&stage->names);
	free(stage);
	if (count > MANY) {
		/* Their memory would stay with this process until the next refresh. */
		malloc_trim(0);
	}
}

static void bring_in(struct document *document, struct staged *staged, int64_t at)
{
	struct item *item = document_add(document, staged->name);
	if (!item) {
		return;
	}
	overlay_is_known(item);
	for (unsigned i = 0; i < PARTS; i++) {
		/* A part that was asked for later is newer than this answer. */
		if (staged->parts[i] && at >= item->part_at[i]) {
			overlay_take(item, i, steal(staged->parts[i]), at);
		}
	}
	item->seen = true;
}

unsigned document_count_unseen(struct document *document)
{
	unsigned count = 0;
	for (size_t i = 0; i < document->count; i++) {
		count += !document->items[i]->seen;
	}
	return count;
}

/* An answer that lacks everything or most of what the last one had is believed only when another,
 * SUSPECT_MS later, agrees. */
bool document_suspects(struct document *document, unsigned gone, int64_t now)
{
	size_t had = document->count;
	if (gone == 0 || (size_t)gone * 2 <= had) {
		document->suspect_at = 0;
		return false;
	}
	if (document->suspect_at == 0) {
		document->suspect_at = now;
		log_warn("%s: %u of %zu are gone at once: asking again before believing it",
			document->target, gone, had);
	}
	return now - document->suspect_at < SUSPECT_MS;
}

void document_drop_unseen(struct document *document)
{
	size_t kept = 0;
	for (size_t i = 0; i < document->count; i++) {
		struct item *item = document->items[i];
		if (item->seen) {
			document->items[kept++] = item;
		} else {
			tree_forget_item(document->fs, item);
			drop(item);
		}
	}
	document->count = kept;
	document->suspect_at = 0;
}

void document_begin_merge(struct document *document, struct stage *stage)
{
	int64_t now = clock_now_ms();
	for (size_t i = 0; i < document->count; i++) {
		/* What was created here is there although no answer knows it yet. */
		document->items[i]->seen = overlay_is_created(document->items[i], now);
	}
	for (struct staged *staged = stage->items; staged; staged = staged->next) {
		if (!overlay_is_removed(document, staged->name, staged->parts[PART_WHOLE], now)) {
			bring_in(document, staged, stage->started);
		}
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

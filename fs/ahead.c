#include "fs/ahead.h"

#include <string.h>

#include "base/clock.h"
#include "fs/custom.h"
#include "fs/document.h"
#include "fs/fs.h"
#include "fs/op.h"
#include "fs/process.h"
#include "fs/topology.h"

/* A program goes on from one directory to the next in less, a person needs more. */
#define STEP_MS 1000
/* From one document to the next one of its kind, where a walk has not shown where it began. */
#define ROW_MS 5000
/* So many before it make a walk. */
#define ROW 2
/* What is not believed for so long is old before anybody comes to it. */
#define LIFE_MIN_MS 1000
/* No more is fetched ahead while so many connectors are still to be looked at. */
#define CONNECTORS_AHEAD 500

/* How long all that is in an answer is believed. */
static int64_t life_of(const struct document *document)
{
	int64_t life = ttl_of_part(document, PART_WHOLE);
	int64_t status = ttl_of_part(document, PART_STATUS);
	return document->kind->cut && status > 0 && status < life ? status : life;
}

/* The document that lists the place of one; NULL: there are no others of its kind. */
static struct document *list_of(const struct document *document)
{
	struct fs *fs = document->fs;
	if (document->kind->single || document->kind->telemetry || document->name) {
		return NULL;
	}
	return document->plugin ? document_get(fs, &document_environment_plugins,
					  document->environment, NULL)
	       : document->cluster
		       ? document_get(fs, &document_clusters, document->environment, NULL)
	       : document->environment ? document_get(fs, &document_environments, NULL, NULL)
				       : NULL;
}

/* The name of its place in that list. */
static const char *place_of(const struct document *document)
{
	return document->plugin    ? document->plugin
	       : document->cluster ? document->cluster
				   : document->environment;
}

/* The item that comes after the one of a name, or the first of all if that is ""; NULL: none. */
static const struct item *next_of(struct document *list, const char *name, enum order order)
{
	const struct item *next = NULL;
	if (order != ORDER_NAMES) {
		const struct item *item = document_find(list, name);
		size_t first = order == ORDER_LISTED ? 0 : list->count - 1;
		size_t step = order == ORDER_LISTED ? 1 : SIZE_MAX;
		size_t index = item ? document_index(list, item->place) + step : first;
		bool some = (item || !*name) && index < list->count;
		return some ? list->items[index] : NULL;
	}
	for (size_t i = 0; i < list->count; i++) {
		const char *other = list->items[i]->name;
		if (strcmp(other, name) > 0 && (!next || strcmp(other, next->name) < 0)) {
			next = list->items[i];
		}
	}
	return next;
}

static bool is_next(struct document *list, const char *from, const char *name, enum order order)
{
	const struct item *next = next_of(list, from, order);
	return next && strcmp(next->name, name) == 0;
}

/* In which order a walk goes that comes to an item from another ("": it is its first) and went in
 * that of `last`. It may have passed some that the kernel knew. */
static enum order order_of(
	struct document *list, const char *from, const char *name, enum order last)
{
	for (enum order order = last; order < last + ORDERS; order++) {
		if (is_next(list, from, name, order % ORDERS)) {
			return order % ORDERS;
		}
	}
	const struct item *a = document_find(list, from), *b = document_find(list, name);
	bool down = a && b && b->place > a->place;
	bool ascending = strcmp(from, name) < 0;
	bool fits = last == ORDER_NAMES ? ascending : down == (last == ORDER_LISTED);
	return a && fits ? last : down ? ORDER_LISTED : ascending ? ORDER_NAMES : ORDER_BACKWARDS;
}

/* What is left to fetch for a trail. */
struct room {
	unsigned documents;
	size_t connectors;
};

static void take(struct room *room, const struct document *document)
{
	size_t connectors = document->kind->cut ? document->count : 0;
	room->documents -= room->documents > 0;
	room->connectors -= connectors < room->connectors ? connectors : room->connectors;
	if (room->connectors == 0) {
		room->documents = 0;
	}
}

static void fetch(const struct trail *trail, struct document *document)
{
	int64_t now = clock_now_ms();
	bool tried = document->ahead_at && document->ahead_at >= trail->began;
	if (!document->fetching && !tried && !document->failure &&
		document_ttl_left(document, now) == 0) {
		document->ahead_at = now;
		document_refresh(document, true);
	}
}

/* Those behind a name in one list. */
static void follow_list(
	const struct trail *trail, struct document *list, const char *name, struct room *room)
{
	const struct document *last = trail->last;
	const struct item *item = next_of(list, name, trail->order);
	for (; item && room->documents > 0; item = next_of(list, item->name, trail->order)) {
		bool inner = last->kind->variables > 1;
		struct document *next = document_get(list->fs, last->kind,
			inner ? list->environment : item->name, inner ? item->name : NULL);
		if (!next) {
			return;
		}
		fetch(trail, next);
		take(room, next);
	}
}

/* Whether a walk goes on to the next ones of a trail. */
static bool goes_on(const struct walk *walk, const struct trail *trail)
{
	const struct document *list = list_of(trail->last);
	bool below = walk->all || list == walk->clusters || list == walk->plugins;
	return (below || trail->others >= ROW) && !trail->slow &&
	       life_of(trail->last) >= LIFE_MIN_MS;
}

/* Those in the environments behind the trail's, as far as their lists are known. */
static void follow_environments(
	const struct trail *trail, const struct document_kind *lists, struct room *room)
{
	struct fs *fs = trail->last->fs;
	struct document *all = document_get(fs, &document_environments, NULL, NULL);
	const char *name = trail->last->environment;
	const struct item *item = all ? next_of(all, name, trail->outer) : NULL;
	for (; item && room->documents > 0; item = next_of(all, item->name, trail->outer)) {
		struct document *list = document_get(fs, lists, item->name, NULL);
		if (list) {
			follow_list(trail, list, "", room);
		}
	}
}

/* Has the next ones of a trail fetched. */
static void follow(const struct walk *walk, const struct trail *trail)
{
	struct document *last = trail->last;
	struct document *list = list_of(last);
	struct room room = { last->fs->options->max_connections, CONNECTORS_AHEAD };
	if (!list || !goes_on(walk, trail)) {
		return;
	}
	take(&room, last);
	follow_list(trail, list, place_of(last), &room);
	if ((walk->all || trail->wide) && list->environment) {
		follow_environments(trail, list->kind, &room);
	}
}

static struct walk *walk_of(struct fs *fs, pid_t process)
{
	struct walk *oldest = &fs->walks[0];
	for (size_t i = 0; i < WALKS; i++) {
		struct walk *walk = &fs->walks[i];
		if (walk->process == process) {
			return walk;
		}
		oldest = walk->seen_at < oldest->seen_at ? walk : oldest;
	}
	*oldest = (struct walk){ .process = process };
	return oldest;
}

/* The walk of an op; it begins anew after a pause. */
static struct walk *walk_on(struct op *op)
{
	struct walk *walk = walk_of(op->fs, process_of(op->fs, op->pid));
	int64_t now = clock_now_ms();
	if (MOMENT_MS(op->began) - walk->seen_at > STEP_MS) {
		walk->began = MOMENT_MS(op->began);
		walk->all = false;
		walk->clusters = walk->plugins = NULL;
	}
	walk->seen_at = now;
	return walk;
}

void ahead_reads(struct op *op, struct document *listing)
{
	struct walk *walk = walk_on(op);
	const struct document_kind *kind = listing ? listing->kind : NULL;
	walk->all |= kind == &document_environments;
	walk->clusters = kind == &document_clusters ? listing : walk->clusters;
	walk->plugins = kind == &document_environment_plugins ? listing : walk->plugins;
}

/* The trail of a kind; NULL: there is no room for it. */
static struct trail *trail_of(struct walk *walk, const struct document_kind *kind)
{
	for (size_t i = 0; i < TRAILS; i++) {
		struct trail *trail = &walk->trails[i];
		if (!trail->last || trail->last->kind == kind) {
			return trail;
		}
	}
	return NULL;
}

/* A walk comes to a document. */
static void note(const struct walk *walk, struct trail *trail, struct document *list,
	struct document *document, int64_t began)
{
	struct document *all = document_get(document->fs, &document_environments, NULL, NULL);
	struct document *last = trail->last;
	if (!last || (walk->began > trail->at && began - trail->at >= ROW_MS)) {
		*trail = (struct trail){ .began = began };
		last = NULL;
	}
	if (last == document) {
		return;
	}
	if (!last || list_of(last) == list) {
		const char *from = last ? place_of(last) : "";
		trail->order = order_of(list, from, place_of(document), trail->order);
	}
	if (all && (!last || strcmp(last->environment, document->environment) != 0)) {
		const char *from = last ? last->environment : "";
		trail->outer = order_of(all, from, document->environment, trail->outer);
		trail->wide |= last != NULL;
	}
	trail->others += last != NULL;
	trail->last = document;
}

void ahead_needs(struct op *op, struct document *document)
{
	int64_t ahead_at = document->ahead_at;
	struct walk *walk = walk_on(op);
	struct document *list = list_of(document);
	struct trail *trail = list ? trail_of(walk, document->kind) : NULL;
	bool entered = walk->entered == document;
	walk->entered = entered ? NULL : walk->entered;
	document->ahead_at = 0;
	if (!trail) {
		return;
	}
	note(walk, trail, list, document, MOMENT_MS(op->began));
	trail->at = clock_now_ms();
	if (ahead_at && (entered || (ahead_at >= trail->began && goes_on(walk, trail)))) {
		int64_t age = trail->at - ahead_at;
		if (age < op->fs->options->ttl[TTL_NEGATIVE]) {
			document_adopt_refusal(document);
		}
		trail->slow = !document->fetching && age > life_of(document) / 2;
	}
	follow(walk, trail);
}

void ahead_enters(struct op *op, struct document *document)
{
	const struct trail none = { .began = MOMENT_MS(op->began) };
	if (document) {
		walk_on(op)->entered = document;
		fetch(&none, document);
	}
}

void ahead_fetched(struct document *document)
{
	struct fs *fs = document->fs;
	for (size_t i = 0; document->ahead_at && i < WALKS * TRAILS; i++) {
		const struct walk *walk = &fs->walks[i / TRAILS];
		const struct trail *trail = &walk->trails[i % TRAILS];
		const struct document *list = trail->last ? list_of(trail->last) : NULL;
		if (list && list->kind == document->kind) {
			follow(walk, trail);
		}
	}
}

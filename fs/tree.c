#include "fs/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/hash.h"
#include "fs/local.h"
#include "fs/name.h"
#include "fs/node.h"
#include "fs/op.h"
#include "fs/question.h"
#include "fs/route.h"
#include "fs/texts.h"
#include "fs/times.h"
#include "fs/topology.h"

#define VIEW_BYTES ((size_t)256 << 20)

bool tree_is_local_dir(const struct node *dir)
{
	return dir->local ? S_ISDIR(dir->local->mode) : route_has_folder(dir->route);
}

struct document *tree_document(
	struct fs *fs, const struct document_kind *kind, const struct node *dir)
{
	return document_get_named(fs, kind, node_variable(dir, VAR_ENVIRONMENT),
		node_variable(dir, kind->of_plugin ? VAR_CUSTOM_PLUGIN : VAR_CLUSTER), dir->key);
}

struct item *tree_item(struct fs *fs, struct node *dir)
{
	struct document *document = tree_document(fs, dir->route->document, dir);
	return document ? document_find(document, dir->key) : NULL;
}

/* Room for most that is made of a part, so that the text need not move while it grows. */
static void reserve(struct strbuf *out, const struct part *part)
{
	if (part) {
		strbuf_reserve(out, part->len + part->len / 2);
	}
}

int tree_render(const struct node *node, struct strbuf *out)
{
	reserve(out, node->part);
	if (node->route->render) {
		return node->route->render(node->part, out);
	}
	if (node->part) {
		strbuf_add(out, node->part->text, node->part->len);
	}
	return out->err;
}

/* The item that a file shows: the only one; its directory's; or the first of those that have no
 * directory. */
static struct item *item_of(struct document *document, const struct node *dir)
{
	return document->kind->single ? document_find(document, "")
	       : dir->key             ? document_find(document, dir->key)
				      : document_from(document, 0);
}

/* The same, with the part that the file shows fresh. */
static int view_item(
	struct op *op, const struct route *route, struct node *dir, struct item **ret_item)
{
	const char *environment = node_variable(dir, VAR_ENVIRONMENT);
	const char *cluster = node_variable(dir, VAR_CLUSTER);
	if (route->document == &document_environments) {
		return topology_find(op, environment, NULL, ret_item);
	}
	if (route->document == &document_clusters) {
		return topology_find(op, environment, cluster, ret_item);
	}
	struct document *document = tree_document(op->fs, route->document, dir);
	struct item *item = document ? item_of(document, dir) : NULL;
	int result = !document ? -ENOMEM
		     : !item   ? document_need(op, document)
			       : document_need_part(op, item, route->part);
	if (result == 0) {
		*ret_item = item_of(document, dir);
		result = *ret_item ? 0 : -ENOENT;
	}
	return result;
}

/* When a content was last changed: the API's word, else when it was first seen. */
static struct timespec content_time(
	struct fs *fs, struct json_slice value, uint64_t ino, uint64_t hash, bool old)
{
	struct timespec time;
	if (json_time(json_get(value, "metadata/updated_at"), &time)) {
		return times_of_stated(fs->times, ino, hash, time);
	}
	return old ? times_of_old(fs->times, ino, hash) : times_of(fs->times, ino, hash);
}

/* Renders a part, if that was not done yet, to know what is shown of it. */
static int face_of(struct fs *fs, const struct route *route, struct part *part, struct face *face)
{
	if (face->size > 0) {
		return 0;
	}
	struct strbuf text = STRBUF_INIT(VIEW_BYTES);
	reserve(&text, part);
	int err = route->render(part, &text);
	if (err == 0) {
		face->size = text.len;
		face->hash = hash_mix(hash_bytes(HASH_START, strbuf_str(&text), text.len));
		texts_keep(fs->texts, part, face->hash, &text);
	}
	strbuf_wipe(&text);
	return err;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Whether a node may be found by one more: each writer has one of its own. */
static bool is_for_others(const struct node *node, bool fresh)
{
	return !node->retired && node->writers == 0 && !(fresh && (node->cached || node->opened));
}

/* The node of a view of this content: the current one if it shows just that, else a new one. */
static struct node *view_node(struct node *dir, const char *name, const struct route *route,
	struct part *part, const struct face *face, struct timespec mtime, bool fresh)
{
	struct node *node = node_find(dir, name);
	if (node && node->route == route && !node->local && node->hash == face->hash &&
		same_time(node_mtime(node), mtime) && is_for_others(node, fresh)) {
		return node_ref(node);
	}
	node = node_create_route(dir, name, route, NULL);
	if (node) {
		node->part = part_ref(part);
		node->hash = face->hash;
		node->size = (uint32_t)face->size;
		node_set_mtime(node, mtime);
		node_bind(node);
	}
	return node;
}

static int found_view(struct found *found, struct node *node, int64_t ms)
{
	if (!node) {
		return -ENOMEM;
	}
	*found = (struct found){ node, ms, ms };
	node->cached |= ms > 0;
	return 0;
}

static int lookup_document_file(struct op *op, struct node *dir, const char *name,
	const struct route *route, struct found *found)
{
	struct item *item;
	int result = view_item(op, route, dir, &item);
	if (result != 0) {
		return result;
	}
	if (!item) {
		return -EACCES;
	}
	struct part *part = item->parts[route->part];
	bool is_cut = item->document->kind->cut != NULL;
	struct face *face = &item->faces[is_cut ? route->face : FACE_FIRST];
	int err = face_of(op->fs, route, part, face);
	if (err < 0) {
		return err;
	}
	int64_t now = clock_now_ms();
	int64_t ms = is_cut ? item_ttl_left(item, route->part, now)
			    : document_ttl_left(item->document, now);
	/* What is said of a connector bears no time. */
	struct json_slice timed = part_json(is_cut ? NULL : part);
	struct timespec mtime =
		content_time(op->fs, timed, node_ino(dir, name), face->hash, part && part->first);
	struct folder *folder = route_has_folder(dir->route) ? folder_find(op->fs, dir) : NULL;
	/* As of the beginning: the answer that it waited for may have taken longer than that. */
	bool fresh = folder && op->began / 1000 < folder->uncached_until;
	struct node *node = view_node(dir, name, route, part, face, mtime, fresh);
	return found_view(found, node, fresh ? 0 : ms);
}

/* A file whose text is made for each who looks; `key`: of one that its directory computes. */
static int lookup_composed(struct op *op, struct node *dir, const char *name,
	const struct route *route, const char *key, struct found *found)
{
	struct strbuf text = STRBUF_INIT(VIEW_BYTES);
	struct face face = { 0 };
	int result = route->compose ? route->compose(op, dir, &text)
				    : route->compose_child(op, dir, key, &text);
	struct part *part = result == 0 ? part_take(&text) : NULL;
	if (part) {
		face.size = part->len;
		face.hash = hash_mix(hash_bytes(HASH_START, part->text, part->len));
		struct json_slice value = { part->text,
			part->len && part->text[0] == '{' ? part->len - 1 : 0 };
		struct timespec mtime =
			content_time(op->fs, value, node_ino(dir, name), face.hash, false);
		/* Each writer gets a node of its own. */
		bool fresh = route->mode & 0222;
		result = found_view(
			found, view_node(dir, name, route, part, &face, mtime, fresh), 0);
		part_unref(part);
	} else if (result == 0) {
		result = -ENOMEM;
	}
	strbuf_wipe(&text);
	return result;
}

static int lookup_file(struct op *op, struct node *dir, const char *name, const struct route *route,
	struct found *found)
{
	return route->ask       ? question_lookup(op, dir, name, route, found)
	       : route->compose ? lookup_composed(op, dir, name, route, NULL, found)
				: lookup_document_file(op, dir, name, route, found);
}

static int lookup_directory(struct node *dir, const char *name, const struct route *route,
	const char *key, int64_t ms, int64_t attr_ms, struct found *found)
{
	struct node *node = node_find(dir, name);
	if (!node || node->route != route) {
		node = node_create_route(dir, name, route, key);
		if (!node) {
			return -ENOMEM;
		}
		node_bind(node);
	} else {
		node_ref(node);
	}
	*found = (struct found){ node, ms, attr_ms };
	return 0;
}

static int found_local(struct found *found, struct node *node)
{
	*found = (struct found){ node_ref(node), 0, 0 };
	return 0;
}

/* A directory that has a folder. */
static int lookup_folder(struct op *op, struct node *dir, const char *name, const char *key,
	const struct route *route, struct found *found)
{
	struct document *document = tree_document(op->fs, route->document, dir);
	if (!document) {
		return -ENOMEM;
	}
	struct folder *folder;
	struct node *alias = folder_alias(op->fs, dir, name, &folder);
	if (alias) {
		return found_local(found, alias);
	}
	struct node *node = node_find(dir, name);
	folder = node ? folder_find(op->fs, node) : NULL;
	if (folder && folder->made) {
		return lookup_directory(dir, name, route, key, 0, 0, found);
	}
	int64_t now = clock_now_ms();
	struct item *item = document_find(document, key);
	if (item && document_ttl_left(document, now) == 0) {
		/* What is in it will ask for itself; who wants its attributes asks then. */
		int64_t ms = item_ttl_left(item, routes[route->folder->main].part, now);
		return lookup_directory(dir, name, route, key, ms, ms, found);
	}
	int result = document_need(op, document);
	if (result != 0) {
		return result;
	}
	int64_t ms = document_ttl_left(document, now);
	if (!document_find(document, key) && folder_keeps(folder)) {
		return lookup_directory(dir, name, route, key, 0, 0, found);
	}
	if (!document_find(document, key)) {
		found->valid_ms = ms < op->fs->options->ttl[TTL_NEGATIVE]
					  ? ms
					  : op->fs->options->ttl[TTL_NEGATIVE];
		return -ENOENT;
	}
	return lookup_directory(dir, name, route, key, ms, ms, found);
}

/* A name that stands for an environment, cluster, connector or plugin. */
static int lookup_item(struct op *op, struct node *dir, const char *name, const struct route *route,
	struct found *found)
{
	cleanup(free) char *key = name_decode(name);
	struct item *item;
	if (!key) {
		return -errno;
	}
	if (route_has_folder(route)) {
		return lookup_folder(op, dir, name, key, route, found);
	}
	int result;
	struct document *document = tree_document(op->fs, route->document, dir);
	if (!document) {
		return -ENOMEM;
	}
	if (route->variable == VAR_ENVIRONMENT) {
		result = topology_find(op, key, NULL, &item);
	} else if (route->variable == VAR_CLUSTER) {
		result = topology_enter(op, node_variable(dir, VAR_ENVIRONMENT), key, &item);
	} else {
		result = document_need(op, document);
		if (result == 0 && !document_find(document, key)) {
			result = -ENOENT;
		}
	}
	int64_t ms = document_ttl_left(document, clock_now_ms());
	if (result == -ENOENT) {
		found->valid_ms = ms < op->fs->options->ttl[TTL_NEGATIVE]
					  ? ms
					  : op->fs->options->ttl[TTL_NEGATIVE];
	}
	return result != 0 ? result : lookup_directory(dir, name, route, key, ms, ms, found);
}

/* A name that its directory computes. */
struct search {
	const char *name;
	char *key;
	struct part *part;
	bool found;
};

static int search_visit(void *arg, const struct child *child)
{
	struct search *search = arg;
	if (strcmp(child->name, search->name) != 0) {
		return 0;
	}
	search->found = true;
	search->key = child->key ? strdup(child->key) : NULL;
	search->part = child->text ? part_create(child->text, child->len) : NULL;
	return 1;
}

static int lookup_computed(struct op *op, struct node *dir, const char *name,
	const struct route *route, struct found *found)
{
	struct search search = { .name = name };
	int result = dir->route->children(op, dir, name, search_visit, &search);
	if (result == OP_WAIT && !search.found) {
		return OP_WAIT;
	}
	int err = result < 0 ? result : search.found ? 0 : -ENOENT;
	if (err == 0 && S_ISDIR(route->mode)) {
		err = lookup_directory(dir, name, route, search.key, 0, 0, found);
	} else if (err == 0 && route->compose_child) {
		err = lookup_composed(op, dir, name, route, search.key, found);
	} else if (err == 0) {
		struct face face = { 0 };
		face.size = search.part ? search.part->len : 0;
		face.hash = search.part
				    ? hash_bytes(HASH_START, search.part->text, search.part->len)
				    : 0;
		struct timespec mtime = times_of_old(op->fs->times, node_ino(dir, name), face.hash);
		err = found_view(
			found, view_node(dir, name, route, search.part, &face, mtime, false), 0);
	}
	free(search.key);
	part_unref(search.part);
	return err;
}

/* A name that is always there. */
static int lookup_literal(struct op *op, struct node *dir, const char *name,
	const struct route *route, struct found *found)
{
	if (!S_ISDIR(route->mode)) {
		return lookup_file(op, dir, name, route, found);
	}
	int64_t ms = op->fs->options->ttl[TTL_TOPOLOGY];
	int result = lookup_directory(dir, name, route, NULL, ms, ms, found);
	struct document *listing = result == 0 ? tree_listing(op->fs, found->node) : NULL;
	if (listing) {
		/* Who wants its time and links asks, and waits for its listing. */
		found->attr_ms = document_ttl_left(listing, clock_now_ms());
		if (found->attr_ms > 0 && listing->ahead_at && !op->peek) {
			ahead_needs(op, listing);
		}
	}
	return result;
}

static int lookup_in_folder(struct op *op, struct node *dir, const char *name,
	const struct route *route, struct found *found)
{
	struct folder *folder = folder_find(op->fs, dir);
	int64_t now = clock_now_ms();
	struct slot *slot = folder ? folder_writes(folder, route, op->pid, now) : NULL;
	if (folder) {
		folder_settle_undecided(folder);
	}
	if (slot && slot->draft) {
		return found_local(found, slot->draft);
	}
	if (slot && (slot->away != AWAY_NOT || folder->made)) {
		return -ENOENT;
	}
	struct entry *entry = folder ? entry_find(folder->entries, name) : NULL;
	bool beside = folder && route && folder_takes_files(folder, op->pid, now);
	if (entry && route && !beside && now >= folder->created_at + RESTORED_MS) {
		entry_remove(&folder->entries, entry);
		entry = NULL;
	}
	if (entry) {
		return found_local(found, entry->node);
	}
	bool hidden = folder && route && !slot && folder_hides(folder, route, op->pid, now);
	if (!route || hidden) {
		return -ENOENT;
	}
	return lookup_literal(op, dir, name, route, found);
}

int tree_lookup(struct op *op, struct node *dir, const char *name, struct found *ret_found)
{
	*ret_found = (struct found){ 0 };
	if (strlen(name) > FILE_NAME_BYTES) {
		return -ENAMETOOLONG;
	}
	if (dir->local) {
		struct entry *entry = entry_find(dir->local->entries, name);
		return entry ? found_local(ret_found, entry->node) : -ENOENT;
	}
	const struct route *route = dir->route ? route_child(dir->route, name) : NULL;
	if (route_has_folder(dir->route)) {
		return lookup_in_folder(op, dir, name, route, ret_found);
	}
	if (!route) {
		struct node *note;
		bool is_note = question_note(op->fs, dir, name, op->uid, &note);
		ret_found->valid_ms = is_note ? 0 : op->fs->options->ttl[TTL_NEGATIVE];
		return is_note && note ? found_local(ret_found, note) : -ENOENT;
	}
	if (dir->route->children) {
		return lookup_computed(op, dir, name, route, ret_found);
	}
	return route->name ? lookup_literal(op, dir, name, route, ret_found)
			   : lookup_item(op, dir, name, route, ret_found);
}

int tree_peek(const struct op *op, struct node *dir, const char *name, struct found *ret_found)
{
	struct op peek = {
		.fs = op->fs, .began = op->began, .pid = op->pid, .uid = op->uid, .peek = true
	};
	return tree_lookup(&peek, dir, name, ret_found);
}

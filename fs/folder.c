#include "fs/folder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/config.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/bases.h"
#include "fs/custom.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/name.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/offsets.h"
#include "fs/process.h"
#include "fs/removal.h"
#include "fs/route.h"
#include "fs/times.h"

#define BRAKE_MS     60000
#define HIDDEN_BYTES 65536
#define WHY_BYTES    1024

/* The main file is the directory's own. */
static const enum route_id slot_routes[SLOTS] = { [SLOT_MAIN] = ROUTE_ROOT,
	[SLOT_OFFSETS] = ROUTE_OFFSETS,
	[SLOT_OFFSETS_REQUEST] = ROUTE_OFFSETS_REQUEST };

static char *variable_of(const struct node *dir, enum variable variable)
{
	const char *value = node_variable(dir, variable);
	return value ? strdup(value) : NULL;
}

/* Appends what no two directories share. */
static void add_key(const struct node *dir, struct strbuf *out)
{
	static const enum variable variables[] = { VAR_ENVIRONMENT, VAR_CLUSTER,
		VAR_CUSTOM_PLUGIN };
	strbuf_adds(out, routes[dir->route->folder->main].name);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *value = node_variable(dir, variables[i]);
		if (value && value != dir->key) {
			strbuf_addf(out, "\n%s", value);
		}
	}
	strbuf_addf(out, "\n%s", dir->key);
}

static void set_slots(struct folder *folder, const struct node *dir)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		struct slot *slot = &folder->slots[i];
		const struct route *route =
			&routes[i == SLOT_MAIN ? dir->route->folder->main : slot_routes[i]];
		slot->folder = folder;
		if (routes + route->parent == dir->route) {
			slot->route = route;
			slot->ino = node_ino(dir, route->name);
		}
	}
}

static struct folder *folder_get(struct fs *fs, const struct node *dir)
{
	struct strbuf key = STRBUF_INIT(4096);
	struct folder *folder = NULL;
	add_key(dir, &key);
	if (!key.err) {
		HASH_FIND(hh, fs->folders, key.buf, key.len, folder);
	}
	if (!folder && !key.err) {
		folder = calloc(1, sizeof(*folder));
	}
	if (folder && !folder->key) {
		folder->fs = fs;
		folder->place = fs->next_place++;
		folder->key = strbuf_detach(&key, NULL);
		folder->route = dir->route;
		folder->environment = variable_of(dir, VAR_ENVIRONMENT);
		folder->cluster = variable_of(dir, VAR_CLUSTER);
		folder->plugin = dir->route->document->of_plugin
					 ? variable_of(dir, VAR_CUSTOM_PLUGIN)
					 : NULL;
		folder->name = strdup(dir->key);
		set_slots(folder, dir);
		HASH_ADD_KEYPTR(hh, fs->folders, folder->key, strlen(folder->key), folder);
		/* From now on its names change in ways that the kernel does not see. */
		notify_listing(fs, dir);
	}
	strbuf_finish(&key);
	return folder;
}

struct folder *folder_of(struct fs *fs, struct node *dir)
{
	if (!dir->folder) {
		dir->folder = folder_get(fs, dir);
	}
	struct folder *folder = dir->folder;
	if (folder && folder->dir != dir && dir->current) {
		/* A directory that was removed and made again has a new node. */
		node_unref(folder->dir);
		folder->dir = node_ref(dir);
	}
	return folder;
}

struct folder *folder_find(struct fs *fs, struct node *dir)
{
	if (!dir->folder && fs->folders) {
		struct folder *folder = NULL;
		struct strbuf key = STRBUF_INIT(4096);
		add_key(dir, &key);
		if (!key.err) {
			HASH_FIND(hh, fs->folders, key.buf, key.len, folder);
		}
		strbuf_finish(&key);
		dir->folder = folder;
	}
	return dir->folder;
}

struct slot *folder_slot(struct folder *folder, const struct route *route)
{
	for (unsigned i = 0; route && i < SLOTS; i++) {
		if (folder->slots[i].route == route) {
			return &folder->slots[i];
		}
	}
	return NULL;
}

void folders_destroy(struct fs *fs)
{
	struct folder *folder, *next;
	HASH_ITER (hh, fs->folders, folder, next) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL moves the head on */
		HASH_DEL(fs->folders, folder);
		for (unsigned i = 0; i < SLOTS; i++) {
			slot_finish(&folder->slots[i]);
		}
		altering_destroy(folder->altering);
		unanswered_destroy(folder->unanswered);
		strbuf_finish(&folder->hidden_below);
		entries_clear(&folder->entries);
		node_unref(folder->dir);
		node_unref(folder->alias);
		free(folder->key);
		free(folder->environment);
		free(folder->cluster);
		free(folder->plugin);
		free(folder->name);
		free(folder);
	}
}

struct document *folder_document(const struct folder *folder)
{
	const struct document_kind *kind = folder->route->document;
	return document_get(folder->fs, kind, folder->environment,
		kind->of_plugin ? folder->plugin : folder->cluster);
}

struct item *folder_item(const struct folder *folder)
{
	struct document *document = folder_document(folder);
	return document ? document_find(document, folder->name) : NULL;
}

void folder_add_place(const struct folder *folder, struct strbuf *out)
{
	const char *const names[] = { folder->environment, folder->cluster, folder->plugin };
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i]) {
			strbuf_addf(out, "%s/", names[i]);
		}
	}
	strbuf_adds(out, folder->name);
}

struct slot *folder_writes(
	struct folder *folder, const struct route *route, pid_t thread, int64_t now)
{
	struct slot *slot = folder_slot(folder, route);
	bool scratch =
		slot && slot != folder_main(folder) && folder_takes_files(folder, thread, now);
	return scratch ? NULL : slot;
}

bool folder_takes_files(const struct folder *folder, pid_t thread, int64_t now)
{
	return folder->made || (folder->created_at && now < folder->created_at + RESTORED_MS &&
				       process_has(folder->creator, thread));
}

void folder_hide_below(struct folder *folder, const struct route *dir, const char *name)
{
	int64_t now = clock_now_ms();
	if (now >= folder->hidden_until[dir->face]) {
		strbuf_finish(&folder->hidden_below);
		strbuf_init(&folder->hidden_below, HIDDEN_BYTES);
	}
	strbuf_addf(&folder->hidden_below, "/%s/", name);
	folder->hidden_until[dir->face] = now + folder->fs->options->delete_delay;
}

bool folder_hides_below(const struct folder *folder, const struct route *dir, const char *name)
{
	cleanup(strbuf) struct strbuf marked = STRBUF_INIT(HIDDEN_BYTES);
	strbuf_addf(&marked, "/%s/", name);
	return clock_now_ms() < folder->hidden_until[dir->face] &&
	       strstr(strbuf_str(&folder->hidden_below), strbuf_str(&marked));
}

bool folder_hides(const struct folder *folder, const struct route *route, pid_t thread, int64_t now)
{
	/* Directories of items are no files that a copy of this one could bring along. */
	bool items = S_ISDIR(route->mode) && !route->children;
	return now < folder->hidden_until[route->face] ||
	       (items ? folder->made : folder_takes_files(folder, thread, now));
}

/* A link to another name in its directory. */
static struct node *make_alias(const struct node *dir, const char *target)
{
	struct node *node = node_create(node_fs(dir), dir->parent, dir->name);
	if (!node) {
		return NULL;
	}
	node->ino = node_new_ino(node_fs(dir));
	node->local = local_create(node_fs(dir), NULL, LOCAL_SCRATCH, S_IFLNK | 0777);
	if (!node->local || local_fill(node->local, target, strlen(target)) < 0) {
		node_unref(node);
		return NULL;
	}
	/* It is linked to here. */
	node->local->links = 1;
	return node;
}

/* Under another key in fs->folders. */
static int move_folder(struct folder *folder, const char *name, const struct node *dir)
{
	struct strbuf key = STRBUF_INIT(4096);
	char *copy = strdup(name);
	add_key(dir, &key);
	char *new_key = strbuf_detach(&key, NULL);
	if (!copy || !new_key) {
		free(copy);
		free(new_key);
		return -ENOMEM;
	}
	HASH_DEL(folder->fs->folders, folder);
	free(folder->key);
	free(folder->name);
	folder->key = new_key;
	folder->name = copy;
	HASH_ADD_KEYPTR(hh, folder->fs->folders, folder->key, strlen(folder->key), folder);
	set_slots(folder, dir);
	return 0;
}

int folder_becomes(struct folder *folder, const char *name)
{
	struct node *old = folder->dir;
	cleanup(free) char *encoded = name_encode(name);
	struct node *dir =
		encoded ? node_create_route(old->parent, encoded, folder->route, name) : NULL;
	struct node *alias = encoded ? make_alias(old, encoded) : NULL;
	struct folder *other = dir ? folder_find(folder->fs, dir) : NULL;
	if (other && alias) {
		/* Somebody has been in there already: what is here is of no more use. */
		node_unref(dir);
		node_unbind(old);
		entries_clear(&folder->entries);
		folder_drop_alias(other);
		other->alias = alias;
		return 0;
	}
	int err = dir && alias ? node_set_key(old, name) : -ENOMEM;
	if (err == 0) {
		err = move_folder(folder, name, dir);
	}
	if (err < 0) {
		node_unref(dir);
		node_unref(alias);
		return err;
	}
	node_unbind(old);
	node_bind(dir);
	dir->folder = folder;
	folder->dir = dir;
	folder->alias = alias;
	notify_entry(folder->fs, old->parent, old->name);
	node_unref(old);
	return 0;
}

struct node *folder_dir_now(struct node *dir)
{
	const struct folder *folder = node_is_dir(dir) ? dir->folder : NULL;
	bool moved =
		folder && folder->dir && !dir->current && strcmp(dir->name, folder->dir->name) != 0;
	return moved ? folder->dir : dir;
}

struct node *folder_alias(
	struct fs *fs, const struct node *dir, const char *name, struct folder **ret_folder)
{
	struct folder *folder, *next;
	HASH_ITER (hh, fs->folders, folder, next) {
		const struct node *alias = folder->alias;
		if (alias && alias->parent == dir && strcmp(alias->name, name) == 0) {
			*ret_folder = folder;
			return folder->alias;
		}
	}
	return NULL;
}

void folder_drop_alias(struct folder *folder)
{
	struct node *alias = steal(folder->alias);
	if (alias) {
		alias->local->links = 0;
		notify_entry(folder->fs, alias->parent, alias->name);
		node_unref(alias);
	}
}

int folder_refuse(struct folder *folder, const char *name, const char *what, int err)
{
	struct strbuf why = STRBUF_INIT(WHY_BYTES);
	strbuf_addf(&why, "%s: %s\n", name, what);
	journal_error(folder->fs->journal, "%s: %s", folder->name, strbuf_str(&why));
	slot_refuse(folder_main(folder), NULL, 0, strbuf_str(&why));
	strbuf_finish(&why);
	return err;
}

void folder_touch(struct folder *folder)
{
	folder->mtime = times_now(folder->fs->times);
}

int folder_put(struct folder *folder, struct node *dir, const char *name, enum local_role role,
	const char *text, size_t len)
{
	struct node *node = node_create(node_fs(dir), dir, name);
	mode_t mode = S_IFREG | (role == LOCAL_NOTE ? 0444 : 0666);
	if (!node) {
		return -ENOMEM;
	}
	node->local = local_create(folder->fs, folder, role, mode & ~folder->fs->options->umask);
	int err = node->local ? local_keep(node->local, text, len) : -ENOMEM;
	if (err == 0) {
		node->ino = node_new_ino(folder->fs);
		folder_drop(folder, name);
		err = entry_add(&folder->entries, name, node);
		folder_touch(folder);
	}
	node_unref(node);
	return err;
}

void folder_drop(struct folder *folder, const char *name)
{
	struct entry *entry = entry_find(folder->entries, name);
	if (entry) {
		/* The name may be the entry's own. */
		if (folder->dir) {
			notify_entry(folder->fs, folder->dir, name);
		}
		entry_remove(&folder->entries, entry);
		folder_touch(folder);
	}
}

void folder_settle_undecided(struct folder *folder)
{
	struct slot *slot = folder_main(folder);
	const struct local *local = slot->undecided ? slot_rejected(slot) : NULL;
	const struct item *item = folder_item(folder);
	const struct part *shown = item ? item->parts[slot->route->part] : NULL;
	if (local && shown &&
		folder->route->folder->says(
			part_json(shown), local->data ? local->data : "", local->size)) {
		slot->undecided = false;
		folder->made = false;
		slot_clear_refusal(slot);
	}
}

void folder_forget(struct folder *folder)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		struct slot *slot = &folder->slots[i];
		if (slot->route) {
			slot_clear_refusal(slot);
			slot->away = AWAY_NOT;
			bases_forget(folder->fs, slot->ino);
		}
	}
	altering_destroy(steal(folder->altering));
	unanswered_destroy(steal(folder->unanswered));
	folder_drop_alias(folder);
	folder->created_at = 0;
	folder->made = folder->entries || folder_main(folder)->draft;
	memset(folder->hidden_until, 0, sizeof(folder->hidden_until));
	if (folder->dir) {
		notify_entry(folder->fs, folder->dir->parent, folder->dir->name);
	}
}

bool folder_keeps(struct folder *folder)
{
	if (!folder || folder->made || folder_item(folder)) {
		if (folder) {
			folder->kept = false;
		}
		return false;
	}
	folder->kept = folder->kept || folder->entries || folder_main(folder)->draft;
	return folder->kept;
}

bool removal_is_braked(const struct folder *folder, int64_t now)
{
	const struct fs *fs = folder->fs;
	unsigned recent = fs->removals_pending;
	unsigned max = fs->options->max_delete;
	for (unsigned i = 0; i < sizeof(fs->removals) / sizeof(fs->removals[0]); i++) {
		recent += fs->removals[i] && now - fs->removals[i] < BRAKE_MS;
	}
	if (recent >= max) {
		journal_error(fs->journal,
			"%s: not removed: more than %u removals within a minute (-o max_delete=)",
			folder->name, max);
	}
	return recent >= max;
}

void removals_note(struct fs *fs, int64_t now)
{
	fs->removals[fs->removals_next] = now;
	fs->removals_next =
		(fs->removals_next + 1) % (sizeof(fs->removals) / sizeof(fs->removals[0]));
}

int folder_unlink_main(struct folder *folder, int64_t now)
{
	struct fs *fs = folder->fs;
	struct slot *slot = folder_main(folder);
	if (folder->made || slot_was_refused(slot, now)) {
		/* A new one that was never sent, or an editor that takes a refused one back. */
		slot_goes_away(slot, now);
		return 0;
	}
	if (fs->options->no_delete) {
		return -EPERM;
	}
	if (removal_is_braked(folder, now)) {
		return -EPERM;
	}
	slot_drop_draft(slot);
	if (slot->away == AWAY_NOT) {
		fs->removals_pending++;
	}
	slot->away = AWAY_UNLINKED;
	slot->away_due = now + fs->options->delete_delay;
	fs_wake(fs);
	return 0;
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

bool folder_is_awaited(const struct folder *folder)
{
	const struct folder *other, *next;
	HASH_ITER (hh, folder->fs->folders, other, next) {
		bool below = other->plugin && strcmp(other->plugin, folder->name) == 0 &&
			     &routes[routes[other->route->parent].parent] == folder->route;
		if (below &&
			(folder_is_busy(other) || other->slots[SLOT_MAIN].away == AWAY_UNLINKED)) {
			return true;
		}
	}
	return false;
}

static int64_t folder_tick(struct folder *folder, int64_t now)
{
	const struct slot *config = folder_main(folder);
	int64_t wait = -1;
	for (unsigned i = 0; i < SLOTS && !folder_is_busy(folder); i++) {
		wait = sooner(wait, slot_tick(&folder->slots[i], now));
	}
	bool due =
		!folder_is_busy(folder) && config->away == AWAY_UNLINKED && now >= config->away_due;
	if (due && folder_is_awaited(folder)) {
		/* The end of what it waits for wakes whoever ticks. */
		return -1;
	}
	if (due) {
		removal_start(NULL, folder);
	}
	return folder_is_busy(folder) ? -1 : wait;
}

int64_t folders_tick(struct fs *fs, int64_t now)
{
	int64_t wait = -1;
	struct folder *folder, *next;
	HASH_ITER (hh, fs->folders, folder, next) {
		wait = sooner(wait, folder_tick(folder, now));
	}
	return wait;
}

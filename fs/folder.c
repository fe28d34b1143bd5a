#include "fs/folder.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/config.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/connectors.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/removal.h"
#include "fs/route.h"
#include "fs/times.h"
#include "fs/view.h"

#define BRAKE_MS 60000

static struct folder *folder_get(
	struct fs *fs, const char *environment, const char *cluster, const char *name)
{
	struct strbuf key = STRBUF_INIT(4096);
	struct folder *folder = NULL;
	strbuf_addf(&key, "%s\n%s\n%s", environment, cluster, name);
	if (!key.err) {
		HASH_FIND(hh, fs->folders, key.buf, key.len, folder);
	}
	if (!folder && !key.err) {
		folder = calloc(1, sizeof(*folder));
	}
	if (folder && !folder->key) {
		folder->fs = fs;
		folder->key = strbuf_detach(&key, NULL);
		folder->environment = strdup(environment);
		folder->cluster = strdup(cluster);
		folder->name = strdup(name);
		HASH_ADD_KEYPTR(hh, fs->folders, folder->key, strlen(folder->key), folder);
	}
	strbuf_finish(&key);
	return folder;
}

struct folder *folder_of(struct fs *fs, struct node *dir)
{
	if (!dir->folder) {
		dir->folder = folder_get(fs, node_variable(dir, VAR_ENVIRONMENT),
			node_variable(dir, VAR_CLUSTER), dir->key);
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
		strbuf_addf(&key, "%s\n%s\n%s", node_variable(dir, VAR_ENVIRONMENT),
			node_variable(dir, VAR_CLUSTER), dir->key);
		if (!key.err) {
			HASH_FIND(hh, fs->folders, key.buf, key.len, folder);
		}
		strbuf_finish(&key);
		dir->folder = folder;
	}
	return dir->folder;
}

void folders_destroy(struct fs *fs)
{
	struct folder *folder, *next;
	HASH_ITER (hh, fs->folders, folder, next) {
		HASH_DEL(fs->folders, folder);
		folder_set_draft(folder, NULL);
		entries_clear(&folder->entries);
		node_unref(folder->dir);
		part_unref(folder->refused_shown);
		for (unsigned i = 0; i < BASES; i++) {
			part_unref(folder->bases[i].config);
		}
		free(folder->key);
		free(folder->environment);
		free(folder->cluster);
		free(folder->name);
		free(folder);
	}
}

struct document *folder_document(const struct folder *folder)
{
	return document_get(folder->fs, &document_connectors, folder->environment, folder->cluster);
}

struct item *folder_item(const struct folder *folder)
{
	struct document *document = folder_document(folder);
	return document ? document_find(document, folder->name) : NULL;
}

void folder_note_base(struct folder *folder, pid_t pid, struct part *config)
{
	unsigned at = 0;
	while (at < BASES - 1 && folder->bases[at].pid != pid && folder->bases[at].config) {
		at++;
	}
	if (folder->bases[at].config && folder->bases[at].pid != pid) {
		/* Full: those that have ended need theirs no more. */
		for (unsigned i = BASES; i-- > 0;) {
			if (kill(folder->bases[i].pid, 0) < 0 && errno == ESRCH) {
				at = i;
				break;
			}
		}
	}
	struct base base = { pid, part_ref(config) };
	part_unref(folder->bases[at].config);
	memmove(folder->bases + 1, folder->bases, at * sizeof(folder->bases[0]));
	folder->bases[0] = base;
}

/* Whether two thread ids are of one process. */
static bool same_process(pid_t a, pid_t b)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)a, (int)b);
	return a == b || access(path, F_OK) == 0;
}

bool folder_takes_files(const struct folder *folder, pid_t pid, int64_t now)
{
	return folder->made || (folder->created_at && now < folder->created_at + RESTORED_MS &&
				       same_process(pid, folder->creator));
}

struct part *folder_base(const struct folder *folder, pid_t pid)
{
	for (unsigned i = 0; i < BASES && folder->bases[i].config; i++) {
		if (same_process(pid, folder->bases[i].pid)) {
			return folder->bases[i].config;
		}
	}
	if (folder->bases[0].config) {
		return folder->bases[0].config;
	}
	struct item *item = folder_item(folder);
	return item ? item->parts[PART_CONFIG] : NULL;
}

void folder_set_draft(struct folder *folder, struct node *node)
{
	struct node *old = folder->draft;
	if (old == node) {
		return;
	}
	folder->draft = node_ref(node);
	folder->draft_due = 0;
	if (node) {
		folder->away = AWAY_NOT;
		node->local->role = LOCAL_DRAFT;
		node->ino = node_ino(node->parent, routes[ROUTE_CONFIG].name);
	}
	node_unref(old);
}

void folder_touch(struct folder *folder)
{
	folder->mtime = times_now(folder->fs->times);
}

int folder_put(struct folder *folder, struct node *dir, const char *name, enum local_role role,
	const char *text, size_t len)
{
	struct node *node = node_create(dir->fs, dir, name);
	mode_t mode = S_IFREG | (role == LOCAL_NOTE ? 0444 : 0666);
	if (!node) {
		return -ENOMEM;
	}
	node->local = local_create(folder->fs, folder, role, mode & ~folder->fs->options->umask);
	int err = node->local ? local_fill(node->local, text, len) : -ENOMEM;
	if (err == 0) {
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
		entry_remove(&folder->entries, entry);
		folder_touch(folder);
		if (folder->dir) {
			notify_entry(folder->fs, folder->dir, name);
		}
	}
}

void folder_refuse(struct folder *folder, const char *text, size_t len, const char *why)
{
	struct node *dir = folder->dir;
	struct item *item = folder_item(folder);
	folder->refused_at = clock_now_ms();
	part_unref(folder->refused_shown);
	folder->refused_shown = part_ref(item ? item->parts[PART_CONFIG] : NULL);
	if (dir) {
		if (text) {
			folder_put(folder, dir, "config.json.rejected", LOCAL_SCRATCH, text, len);
		}
		folder_put(folder, dir, "config.json.error", LOCAL_NOTE, why, strlen(why));
	}
}

void folder_settle_undecided(struct folder *folder)
{
	cleanup(config) struct config wanted = { 0 };
	cleanup(config) struct config live = { 0 };
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
	struct entry *entry = entry_find(folder->entries, "config.json.rejected");
	struct item *item = folder_item(folder);
	if (!folder->undecided || !entry || !item || !item->parts[PART_CONFIG]) {
		return;
	}
	const struct local *local = entry->node->local;
	if (config_parse(local->data ? local->data : "", local->size, &wanted, NULL, &why) == 0 &&
		config_of_answer(part_json(item->parts[PART_CONFIG]), &live) == 0 &&
		config_covers(&live, &wanted)) {
		folder->undecided = false;
		folder_clear_refusal(folder);
	}
}

void folder_clear_refusal(struct folder *folder)
{
	folder->refused_at = 0;
	folder_drop(folder, "config.json.rejected");
	folder_drop(folder, "config.json.error");
}

bool folder_was_refused(const struct folder *folder, int64_t now)
{
	return folder->refused_at && now - folder->refused_at < ROLLBACK_MS;
}

void folder_forget(struct folder *folder)
{
	folder_clear_refusal(folder);
	folder->away = AWAY_NOT;
	folder->created_at = 0;
	folder->made = folder->entries || folder->draft;
	memset(folder->hidden_until, 0, sizeof(folder->hidden_until));
	for (unsigned i = 0; i < BASES; i++) {
		part_unref(folder->bases[i].config);
		folder->bases[i] = (struct base){ 0 };
	}
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
	folder->kept = folder->kept || folder->entries || folder->draft;
	return folder->kept;
}

bool removals_are_braked(struct fs *fs, int64_t now)
{
	unsigned recent = fs->removals_pending;
	unsigned max = fs->options->max_delete;
	for (unsigned i = 0; i < sizeof(fs->removals) / sizeof(fs->removals[0]); i++) {
		recent += fs->removals[i] && now - fs->removals[i] < BRAKE_MS;
	}
	return recent >= max;
}

void removals_note(struct fs *fs, int64_t now)
{
	fs->removals[fs->removals_next] = now;
	fs->removals_next =
		(fs->removals_next + 1) % (sizeof(fs->removals) / sizeof(fs->removals[0]));
}

/* Its file lives on for those who have it open, and is not sent. */
static void drop_draft(struct folder *folder)
{
	if (folder->draft) {
		folder->draft->local->role = LOCAL_SCRATCH;
		folder_set_draft(folder, NULL);
	}
}

int folder_unlink_config(struct folder *folder, int64_t now)
{
	struct fs *fs = folder->fs;
	if (folder->made || folder_was_refused(folder, now)) {
		/* A new one that was never sent, or an editor that takes a refused one back. */
		drop_draft(folder);
		if (!folder->made) {
			folder->away = AWAY_RENAMED;
			folder->away_due = now + fs->options->delete_delay;
			fs_wake(fs);
		}
		return 0;
	}
	if (fs->options->no_delete) {
		return -EPERM;
	}
	if (removals_are_braked(fs, now)) {
		journal_error(fs->journal,
			"%s: not removed: more than %u connectors within a minute (-o max_delete=)",
			folder->name, fs->options->max_delete);
		return -EPERM;
	}
	drop_draft(folder);
	if (folder->away == AWAY_NOT) {
		fs->removals_pending++;
	}
	folder->away = AWAY_UNLINKED;
	folder->away_due = now + fs->options->delete_delay;
	fs_wake(fs);
	return 0;
}

void folder_config_is_back(struct folder *folder)
{
	if (folder->away == AWAY_UNLINKED) {
		folder->fs->removals_pending--;
	}
	folder->away = AWAY_NOT;
}

static void draft_expires(struct folder *folder)
{
	struct local *local = folder->draft->local;
	if (local->held && local->held == local->changes) {
		folder->draft_due = 0;
		return;
	}
	if (local->changes != 0 && local->tried == local->changes) {
		/* Its close has failed already, and said why. */
		folder_set_draft(folder, NULL);
		return;
	}
	struct strbuf why = STRBUF_INIT(512);
	strbuf_addf(&why, "%s was not sent: %s.\nconfig.json shows the server's content again.\n",
		folder->name,
		local->size == 0 ? "it was left empty" : "it was not complete, valid JSON");
	journal_error(
		folder->fs->journal, "%s: an unfinished configuration was not sent", folder->name);
	folder_refuse(folder, local->data ? local->data : "", local->size, strbuf_str(&why));
	strbuf_finish(&why);
	local->tried = local->changes;
	folder_set_draft(folder, NULL);
}

static void folder_tick(struct folder *folder, int64_t now)
{
	if (folder->busy) {
		return;
	}
	if (folder->draft && folder->draft_due && now >= folder->draft_due) {
		draft_expires(folder);
	}
	if (folder->away == AWAY_RENAMED && now >= folder->away_due) {
		folder->away = AWAY_NOT;
	}
	if (folder->away == AWAY_UNLINKED && now >= folder->away_due) {
		removal_start(NULL, folder);
	}
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

int64_t folders_tick(struct fs *fs, int64_t now)
{
	int64_t wait = -1;
	struct folder *folder, *next;
	HASH_ITER (hh, fs->folders, folder, next) {
		folder_tick(folder, now);
		if (folder->busy) {
			continue;
		}
		if (folder->draft && folder->draft_due) {
			wait = sooner(wait, folder->draft_due - now);
		}
		if (folder->away != AWAY_NOT) {
			wait = sooner(wait, folder->away_due > now ? folder->away_due - now : 0);
		}
	}
	return wait;
}

#include "fs/slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fs/bases.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/local.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/route.h"

#define NAME_BYTES  64
#define ROLLBACK_MS 30000

void slot_finish(struct slot *slot)
{
	slot_set_draft(slot, NULL);
	part_unref(slot->refused_shown);
}

struct part *slot_shown(const struct slot *slot)
{
	const struct item *item = folder_item(slot->folder);
	return item ? item->parts[slot->route->part] : NULL;
}

struct part *slot_base(const struct slot *slot, pid_t pid)
{
	struct part *base = bases_find(slot->folder->fs, slot->ino, pid);
	return base ? base : slot_shown(slot);
}

/* Somebody may have looked at the name since the writer opened it. */
static void forget_name(const struct slot *slot)
{
	struct node *dir = slot->folder->dir;
	const struct node *shown = dir ? node_find(dir, slot->route->name) : NULL;
	if (shown && shown->cached) {
		notify_entry(slot->folder->fs, dir, slot->route->name);
	}
}

void slot_set_draft(struct slot *slot, struct node *node)
{
	struct node *old = slot->draft;
	if (old == node) {
		return;
	}
	slot->draft = node_ref(node);
	slot->draft_due = 0;
	if (node) {
		slot->away = AWAY_NOT;
		node->local->role = LOCAL_DRAFT;
		node->local->stands = true;
		node->route = slot->route;
		node->ino = slot->ino;
		forget_name(slot);
	}
	if (old) {
		old->local->stands = false;
		local_wipe_unreachable(old);
	}
	node_unref(old);
}

void slot_drop_draft(struct slot *slot)
{
	if (slot->draft) {
		slot->draft->local->role = LOCAL_SCRATCH;
		slot->draft->ino = node_new_ino(slot->folder->fs);
		slot_set_draft(slot, NULL);
	}
}

void slot_goes_away(struct slot *slot, int64_t now)
{
	slot_drop_draft(slot);
	if (!slot->folder->made) {
		slot->away = AWAY_RENAMED;
		slot->away_due = now + slot->folder->fs->options->delete_delay;
		fs_wake(slot->folder->fs);
	}
}

void slot_is_back(struct slot *slot)
{
	struct fs *fs = slot->folder->fs;
	if (slot->away == AWAY_UNLINKED) {
		fs->removals_pending--;
		/* Another removal may wait for this one. */
		fs_wake(fs);
	}
	slot->away = AWAY_NOT;
}

/* What stands beside the file after a refusal: its name with an ending. */
static const char *beside(const struct slot *slot, const char *ending, char name[NAME_BYTES])
{
	snprintf(name, NAME_BYTES, "%s.%s", slot->route->name, ending);
	return name;
}

void slot_refuse(struct slot *slot, const char *text, size_t len, const char *why)
{
	char name[NAME_BYTES];
	struct folder *folder = slot->folder;
	const struct item *item = folder_item(folder);
	slot->refused_at = clock_now_ms();
	part_unref(slot->refused_shown);
	slot->refused_shown = part_ref(item ? item->parts[slot->route->part] : NULL);
	if (!folder->dir) {
		return;
	}
	if (text) {
		folder_put(folder, folder->dir, beside(slot, "rejected", name), LOCAL_SCRATCH, text,
			len);
	}
	folder_put(folder, folder->dir, beside(slot, "error", name), LOCAL_NOTE, why, strlen(why));
}

const struct local *slot_rejected(const struct slot *slot)
{
	char name[NAME_BYTES];
	const struct entry *entry =
		entry_find(slot->folder->entries, beside(slot, "rejected", name));
	return entry ? entry->node->local : NULL;
}

void slot_clear_refusal(struct slot *slot)
{
	char name[NAME_BYTES];
	slot->refused_at = 0;
	folder_drop(slot->folder, beside(slot, "rejected", name));
	folder_drop(slot->folder, beside(slot, "error", name));
}

bool slot_was_refused(const struct slot *slot, int64_t now)
{
	return slot->refused_at && now - slot->refused_at < ROLLBACK_MS;
}

static void draft_expires(struct slot *slot)
{
	const struct folder *folder = slot->folder;
	struct local *local = slot->draft->local;
	bool patient = folder->made && folder->route->folder->patient;
	if (patient || (local->held && local->held == local->changes)) {
		slot->draft_due = 0;
		return;
	}
	if (local->changes != 0 && local->tried == local->changes) {
		/* Its close has failed already, and said why. */
		slot_set_draft(slot, NULL);
		return;
	}
	const struct local *rejected = slot_rejected(slot);
	if (local->size == 0 && rejected && rejected->size > 0) {
		/* It says nothing, and what was refused before says something. */
		slot_set_draft(slot, NULL);
		return;
	}
	struct strbuf why = STRBUF_INIT(512);
	strbuf_addf(&why, "%s was not sent: %s.\n%s shows the server's content again.\n",
		folder->name,
		local->size == 0 ? "it was left empty" : "it was not complete, valid JSON",
		slot->route->name);
	journal_error(folder->fs->journal, "%s: an unfinished %s was not sent", folder->name,
		slot->route->name);
	slot_refuse(slot, local->data ? local->data : "", local->size, strbuf_str(&why));
	strbuf_finish(&why);
	local->tried = local->changes;
	slot_set_draft(slot, NULL);
}

int64_t slot_tick(struct slot *slot, int64_t now)
{
	int64_t wait = -1;
	if (slot->draft && slot->draft_due && now >= slot->draft_due) {
		draft_expires(slot);
	}
	if (slot->away == AWAY_RENAMED && now >= slot->away_due) {
		slot->away = AWAY_NOT;
	}
	if (slot->draft && slot->draft_due) {
		wait = slot->draft_due - now;
	}
	if (slot->away != AWAY_NOT && (wait < 0 || slot->away_due - now < wait)) {
		wait = slot->away_due > now ? slot->away_due - now : 0;
	}
	return wait;
}

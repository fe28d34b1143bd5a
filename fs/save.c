#include "fs/save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/bases.h"
#include "fs/draft.h"
#include "fs/fs.h"
#include "fs/hash.h"
#include "fs/journal.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/op.h"
#include "fs/ops.h"
#include "fs/overlay.h"
#include "fs/route.h"
#include "fs/save_run.h"
#include "fs/tree.h"

#define WHY_BYTES  65536
#define TEXT_BYTES ((size_t)4 << 20)

static void save_free(struct job *job)
{
	struct save *save = (struct save *)job;
	free(save->offsets);
	config_finish(&save->wanted);
	config_finish(&save->hidden);
	config_finish(&save->base);
	strbuf_wipe(&save->shown);
	strbuf_wipe(&save->why);
	commit_finish(&save->commit);
	part_unref(save->base_part);
	free(save);
}

/* What is shown now looks as its writer left the draft, and the draft looks like it. */
static void show_saved(const struct save *save, bool keeps_time)
{
	const struct commit *commit = &save->commit;
	const struct slot *slot = commit->slot;
	struct item *item = folder_item(slot->folder);
	struct strbuf text = STRBUF_INIT(TEXT_BYTES);
	if (item && slot_shown(slot) && commit->node->local->changes == commit->change &&
		slot->route->render(slot_shown(slot), &text) == 0) {
		struct face *face = &item->faces[slot->route->face];
		face->size = text.len;
		face->hash = hash_mix(hash_bytes(HASH_START, strbuf_str(&text), text.len));
		tree_show_saved(save->job.fs, commit->node, slot->ino, face, keeps_time);
	}
	strbuf_wipe(&text);
}

static void take_created(struct save *save)
{
	struct folder *folder = save->job.folder;
	struct json_slice answer;
	if (json_check(strbuf_str(&save->shown), save->shown.len, &answer, NULL) < 0) {
		return;
	}
	save->kind->take_created(save, answer);
	folder->made = false;
	folder->created_at = clock_now_ms();
	folder->creator = save->commit.pid;
	notify_entry(folder->fs, folder->dir->parent, folder->dir->name);
}

static void take_updated(struct save *save)
{
	struct document *document = folder_document(save->job.folder);
	struct item *item = document ? document_add(document, save->job.folder->name) : NULL;
	struct part *part = item ? part_create(strbuf_str(&save->shown), save->shown.len) : NULL;
	if (part) {
		overlay_saved(item, save->commit.slot->route->part, part);
	}
}

/* What the look before a refused save has brought is the newest there is. */
static void show_live(struct save *save)
{
	struct item *item = folder_item(save->job.folder);
	struct part *part = item && save->shown.len > 0
				    ? part_create(strbuf_str(&save->shown), save->shown.len)
				    : NULL;
	if (part) {
		overlay_take(item, save->commit.slot->route->part, part, fs_moment(save->job.fs));
	}
}

/* What would have been created, or cannot be created yet, stays a draft. */
static int stay_draft(struct save *save, struct op *op)
{
	struct node *draft = save->commit.node;
	/* Before it loses its other name. */
	draft->local->held = save->commit.change;
	slot_set_draft(save->commit.slot, draft);
	int err = commit_names(&save->commit, op);
	draft->local->mirrors = false;
	return err;
}

/* A dry run: the server's content stays. */
static int held_done(struct save *save)
{
	if (save->create) {
		return stay_draft(save, save->job.op);
	}
	show_live(save);
	show_saved(save, false);
	commit_settle(&save->commit);
	return commit_names(&save->commit, save->job.op);
}

static int save_done(struct job *job, int err)
{
	struct save *save = (struct save *)job;
	struct folder *folder = job->folder;
	struct fs *fs = job->fs;
	commit_ended(&save->commit, err);
	if (err < 0) {
		if (!save->told) {
			journal_error(fs->journal, "%s: not saved: %s", folder->name,
				strbuf_str(&save->why));
		}
		commit_refuse(&save->commit, &save->why, err);
		folder_main(folder)->undecided = save->undecided;
		if (err == -ESTALE && save->base_part) {
			/* The kernel repeats a rename that ends so. */
			bases_keep(fs, save->commit.slot->ino, save->commit.pid, save->base_part);
		}
		if (!save->create) {
			/* After refuse: a roll-back brings what was shown before. */
			show_live(save);
		}
		if (save->create && err == -EEXIST && !folder->route->folder->patient) {
			/* Somebody else's connector is here, and is shown. */
			struct document *document = folder_document(folder);
			folder->made = false;
			if (document) {
				document_expire(document);
			}
		}
		if (!commit_stays(&save->commit)) {
			/* It is kept beside it; the server's content is shown again. */
			commit_settle(&save->commit);
		}
		return err;
	}
	if (job->change.held) {
		return held_done(save);
	}
	if (save->create) {
		take_created(save);
	} else {
		take_updated(save);
	}
	struct part *shown = slot_shown(save->commit.slot);
	if (shown) {
		bases_note(fs, save->commit.slot->ino, save->commit.pid, shown);
	}
	show_saved(save, true);
	if (save->sent) {
		slot_clear_refusal(folder_main(folder));
	}
	commit_settle(&save->commit);
	return commit_names(&save->commit, job->op);
}

/* Whether what is wanted is what a part says; NULL says nothing. */
static bool is_wanted(const struct save *save, const struct part *part)
{
	cleanup(config) struct config config = { 0 };
	return part && save->kind->read(save, part_json(part), &config) == 0 &&
	       save->kind->is(&save->wanted, &config);
}

/* The very text that was refused. The kernel repeats a rename that ends with ESTALE. */
static bool is_refused_text(const struct commit *commit)
{
	const struct local *rejected = slot_rejected(commit->slot);
	return rejected && rejected->size == commit->len &&
	       memcmp(rejected->data ? rejected->data : "", commit->text, commit->len) == 0;
}

/* Within half a minute of a refused save, what was shown before it: somebody rolls back. */
static bool is_rollback(const struct save *save)
{
	const struct slot *slot = save->commit.slot;
	return slot_was_refused(slot, clock_now_ms()) && !is_refused_text(&save->commit) &&
	       (is_wanted(save, save->base_part) || is_wanted(save, slot->refused_shown));
}

/* Whether a save would change nothing, as far as what its writer knew and what is shown say. */
static bool changes_nothing(const struct save *save)
{
	return is_wanted(save, slot_shown(save->commit.slot)) && is_wanted(save, save->base_part);
}

static struct save *save_create(struct slot *slot, struct node *draft, pid_t pid, enum save_how how)
{
	struct folder *folder = slot->folder;
	struct save *save = calloc(1, sizeof(*save));
	if (!save || commit_init(&save->commit, slot, draft, pid, how) < 0) {
		free(save);
		return NULL;
	}
	save->job = (struct job){ .fs = folder->fs,
		.folder = folder,
		.run = save_run,
		.done = save_done,
		.free = save_free };
	save->create = folder->made;
	strbuf_init(&save->shown, TEXT_BYTES);
	strbuf_init(&save->why, WHY_BYTES);
	return save;
}

void save_take_base(struct save *save)
{
	config_finish(&save->base);
	part_unref(steal(save->base_part));
	save->base_is_bulk = false;
	struct part *base = slot_base(save->commit.slot, save->commit.pid);
	if (base && save->kind->read(save, part_json(base), &save->base) == 0) {
		save->base_part = part_ref(base);
		save->base_is_bulk = base->bulk;
	}
}

int save_begin(const struct save_kind *kind, struct op *op, struct slot *slot, struct node *draft,
	pid_t pid, enum save_how how)
{
	struct folder *folder = slot->folder;
	struct save *save = save_create(slot, draft, pid, how);
	if (!save) {
		return -ENOMEM;
	}
	save->kind = kind;
	int err = kind->parse(save);
	int ready = err == 0 && save->create && kind->is_ready ? kind->is_ready(save) : 1;
	err = ready < 0 ? ready : err;
	if (err < 0) {
		commit_reject(&save->commit, &save->why, err);
		save_free(&save->job);
		return err;
	}
	if (!ready) {
		err = stay_draft(save, op);
		save_free(&save->job);
		return err;
	}
	save_take_base(save);
	/* While another save is under way, what is shown is not what this one will meet. */
	bool nothing = !save->create && !folder_is_busy(folder) &&
		       (is_rollback(save) || changes_nothing(save));
	if (nothing) {
		show_saved(save, how == SAVE_IN_PLACE || draft->local->has_mtime);
		commit_settle(&save->commit);
		err = commit_names(&save->commit, op);
		save_free(&save->job);
		return err;
	}
	return commit_send(slot, draft, &save->job, op);
}

static void flush_draft(struct slot *slot, struct node *draft)
{
	struct local *local = draft->local;
	if (local->size > 0 && local->changes != local->tried) {
		slot->route->save(NULL, slot, draft, local->writer, SAVE_IN_PLACE);
	}
}

void saves_flush(struct fs *fs)
{
	struct folder *folder, *next;
	struct handle *handle;
	fs_lock(fs);
	/* A draft that is open need not stand under its name: another writer may have come. */
	DL_FOREACH (fs->handles, handle) {
		struct node *node = handle->node;
		struct slot *slot = node->local ? draft_slot(fs, node) : NULL;
		if (slot && node->local->role == LOCAL_DRAFT) {
			flush_draft(slot, node);
		}
	}
	HASH_ITER (hh, fs->folders, folder, next) {
		for (unsigned i = 0; i < SLOTS; i++) {
			struct slot *slot = &folder->slots[i];
			if (slot->draft) {
				flush_draft(slot, slot->draft);
			}
		}
	}
	while (fs->jobs > 0) {
		fs_wait(fs, -1);
	}
	fs_unlock(fs);
}

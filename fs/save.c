#include "fs/save.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/connectors.h"
#include "fs/fs.h"
#include "fs/hash.h"
#include "fs/journal.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/op.h"
#include "fs/ops.h"
#include "fs/route.h"
#include "fs/save_run.h"
#include "fs/save_text.h"
#include "fs/times.h"
#include "fs/view.h"

#define WHY_BYTES  65536
#define TEXT_BYTES ((size_t)4 << 20)

static void save_free(struct job *job)
{
	struct save *save = (struct save *)job;
	if (save->text) {
		explicit_bzero(save->text, save->len);
		free(save->text);
	}
	free(save->offsets);
	config_finish(&save->wanted);
	config_finish(&save->hidden);
	config_finish(&save->base);
	strbuf_wipe(&save->shown);
	strbuf_wipe(&save->why);
	fs_lock(job->fs);
	node_unref(save->node);
	part_unref(save->base_part);
	fs_unlock(job->fs);
	free(save);
}

/* The name that was renamed or linked onto config.json, carried out; in place, nothing. */
static int finish_names(struct op *op, enum save_how how, struct node *draft)
{
	struct found found = { .node = draft };
	draft->local->mirrors = how != SAVE_IN_PLACE;
	if (!op || how == SAVE_IN_PLACE) {
		return 0;
	}
	draft->local->role = LOCAL_DRAFT;
	draft->route = &routes[ROUTE_CONFIG];
	draft->ino = node_ino(op->to_node, routes[ROUTE_CONFIG].name);
	if (how == SAVE_BY_RENAME) {
		return ops_rename_local(op);
	}
	node_ref(draft);
	ops_entry(op, REPLY_ENTRY, &found);
	return 0;
}

/* Makes the time of what is shown that of the draft's last write. */
static void set_time(struct fs *fs, struct folder *folder, struct item *item, struct timespec mtime)
{
	struct strbuf text = STRBUF_INIT(TEXT_BYTES);
	uint64_t ino = node_ino(folder->dir, routes[ROUTE_CONFIG].name);
	if (view_json_sorted(item->parts[PART_CONFIG], &text) == 0) {
		struct face *face = &item->faces[FACE_CONFIG];
		face->size = text.len;
		face->hash = hash_mix(hash_bytes(HASH_START, strbuf_str(&text), text.len));
		times_set(fs->times, ino, face->hash, mtime);
	}
	strbuf_wipe(&text);
}

/* The draft is what the server has: the view stands under the name again. */
static void draft_is_saved(struct folder *folder, struct node *draft, uint64_t change)
{
	struct slot *slot = folder_config(folder);
	if (slot->draft == draft && draft->local->changes == change) {
		slot_set_draft(slot, NULL);
	}
	slot_is_back(folder_config(folder));
}

static void refuse(
	struct folder *folder, const char *text, size_t len, const struct strbuf *why, int err)
{
	char stamp[32];
	struct strbuf full = STRBUF_INIT(WHY_BYTES + 1024);
	time_t now = time(NULL);
	struct tm tm;
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S %Z", localtime_r(&now, &tm));
	strbuf_addf(&full, "%s: not saved, %s (%s)\n", folder->name, stamp, strerror(-err));
	strbuf_adds(&full, strbuf_str(why));
	if (full.len > 0 && full.buf[full.len - 1] != '\n') {
		strbuf_addc(&full, '\n');
	}
	strbuf_adds(&full, "What was refused is in config.json.rejected.\n");
	slot_refuse(folder_config(folder), text, len, strbuf_str(&full));
	strbuf_wipe(&full);
}

static struct item *take_created(struct save *save)
{
	struct folder *folder = save->job.folder;
	struct document *document = folder_document(folder);
	struct json_slice answer;
	if (!document || json_check(strbuf_str(&save->shown), save->shown.len, &answer, NULL) < 0) {
		return NULL;
	}
	struct item *item = connector_created(document, folder->name, answer);
	folder->made = false;
	folder->created_at = clock_now_ms();
	folder->creator = save->pid;
	notify_entry(folder->fs, folder->dir->parent, folder->dir->name);
	return item;
}

static struct item *take_updated(struct save *save)
{
	struct document *document = folder_document(save->job.folder);
	struct item *item = document ? document_add(document, save->job.folder->name) : NULL;
	struct part *part = item ? part_create(strbuf_str(&save->shown), save->shown.len) : NULL;
	if (part) {
		connector_saved(item, part);
	}
	return item;
}

/* What the look before a refused save has brought is the newest there is. */
static void show_live(struct save *save)
{
	struct item *item = folder_item(save->job.folder);
	if (item && save->shown.len > 0) {
		item_take_answer(item, PART_CONFIG, strbuf_str(&save->shown), save->shown.len,
			fs_moment(save->job.fs));
	}
}

/* A dry run: the server's content stays, and what would have been created stays a draft. */
static int held_done(struct save *save)
{
	struct folder *folder = save->job.folder;
	struct node *draft = save->node;
	if (!save->create) {
		show_live(save);
		draft_is_saved(folder, draft, save->change);
		return finish_names(save->job.op, save->how, draft);
	}
	int err = finish_names(save->job.op, save->how, draft);
	if (err == 0) {
		draft->local->mirrors = false;
		draft->local->held = save->change;
		slot_set_draft(folder_config(folder), draft);
	}
	return err;
}

static int save_done(struct job *job, int err)
{
	struct save *save = (struct save *)job;
	struct folder *folder = job->folder;
	struct fs *fs = job->fs;
	save->node->local->failure = err;
	if (err < 0) {
		if (!save->told) {
			journal_error(fs->journal, "%s: not saved: %s", folder->name,
				strbuf_str(&save->why));
		}
		refuse(folder, save->text, save->len, &save->why, err);
		folder_config(folder)->undecided = save->undecided;
		if (!save->create) {
			/* After refuse: a roll-back brings what was shown before. */
			show_live(save);
		}
		if (save->create && err == -EEXIST) {
			/* Somebody else's connector is here, and is shown. */
			struct document *document = folder_document(folder);
			folder->made = false;
			if (document) {
				document_expire(document);
			}
		}
		/* What was refused is kept beside it; the server's content is shown again. */
		draft_is_saved(folder, save->node, save->change);
		return err;
	}
	if (job->change.held) {
		return held_done(save);
	}
	struct item *item = save->create ? take_created(save) : take_updated(save);
	if (item && item->parts[PART_CONFIG]) {
		slot_note_base(folder_config(folder), save->pid, item->parts[PART_CONFIG]);
		set_time(fs, folder, item, save->node->local->mtime);
	}
	if (save->sent) {
		slot_clear_refusal(folder_config(folder));
	}
	draft_is_saved(folder, save->node, save->change);
	return finish_names(job->op, save->how, save->node);
}

/* Within half a minute of a refused save, what was shown before it: somebody rolls back. */
static bool is_rollback(
	const struct slot *slot, const struct config *wanted, const struct config *base)
{
	cleanup(config) struct config before = { 0 };
	if (!slot_was_refused(slot, clock_now_ms())) {
		return false;
	}
	if (base->count > 0 && config_equal(wanted, base)) {
		return true;
	}
	return slot->refused_shown &&
	       config_of_answer(part_json(slot->refused_shown), &before) == 0 &&
	       config_equal(wanted, &before);
}

/* Whether a save would change nothing, as far as what its writer knew and what is shown say. */
static bool changes_nothing(
	const struct folder *folder, const struct config *wanted, const struct config *base)
{
	cleanup(config) struct config shown = { 0 };
	struct item *item = folder_item(folder);
	return item && item->parts[PART_CONFIG] &&
	       config_of_answer(part_json(item->parts[PART_CONFIG]), &shown) == 0 &&
	       config_equal(wanted, &shown) && config_equal(wanted, base);
}

static struct save *save_create(
	struct folder *folder, struct node *draft, pid_t pid, enum save_how how)
{
	struct save *save = calloc(1, sizeof(*save));
	if (!save) {
		return NULL;
	}
	struct local *local = draft->local;
	*save = (struct save){ .node = node_ref(draft),
		.pid = pid,
		.how = how,
		.change = local->changes,
		.create = folder->made,
		.len = local->size };
	save->job = (struct job){
		.fs = folder->fs, .folder = folder, .done = save_done, .free = save_free
	};
	save->job.run = save_run;
	strbuf_init(&save->shown, TEXT_BYTES);
	strbuf_init(&save->why, WHY_BYTES);
	save->text = malloc(local->size + 1);
	if (save->text && local->size > 0) {
		memcpy(save->text, local->data, local->size);
	}
	return save;
}

/* Under the lock, unlike save_free. */
static void save_discard(struct save *save)
{
	struct fs *fs = save->job.fs;
	fs_unlock(fs);
	save_free(&save->job);
	fs_lock(fs);
}

/* Reads the text. 0 or -EINVAL with the reason in save->why. */
static int parse(struct save *save)
{
	struct json_slice offsets;
	const char *name = save->job.folder->name;
	int err = save->text
			  ? config_parse(save->text, save->len, &save->wanted, &offsets, &save->why)
			  : -ENOMEM;
	if (err == 0 && save->create) {
		err = save_fix_name(&save->wanted, name, NULL, &save->why);
		save_strip_added(&save->wanted);
		save->offsets = offsets.text ? strndup(offsets.text, offsets.len) : NULL;
	} else if (err == 0 && offsets.text) {
		strbuf_adds(
			&save->why, "\"offsets\" may be given only when a connector is created");
		err = -EINVAL;
	} else if (err == 0 && !config_get(&save->wanted, "name")) {
		err = config_set(&save->wanted, "name", name);
	}
	return err;
}

void save_take_base(struct save *save)
{
	config_finish(&save->base);
	part_unref(steal(save->base_part));
	save->base_is_bulk = false;
	const struct item *item = folder_item(save->job.folder);
	struct part *base = slot_base(folder_config(save->job.folder), save->pid);
	if (!base && item) {
		base = item->parts[PART_CONFIG];
	}
	if (base && config_of_answer(part_json(base), &save->base) == 0) {
		save->base_part = part_ref(base);
		save->base_is_bulk = base->bulk;
	}
}

int save_start(struct op *op, struct slot *slot, struct node *draft, pid_t pid, enum save_how how)
{
	struct folder *folder = slot->folder;
	struct save *save = save_create(folder, draft, pid, how);
	if (!save) {
		return -ENOMEM;
	}
	draft->local->tried = draft->local->changes;
	draft->local->failure = 0;
	/* Whatever comes of it, it has come back: no removal is due any more. */
	slot_is_back(folder_config(folder));
	int err = parse(save);
	if (err < 0) {
		draft->local->failure = err;
		journal_error(folder->fs->journal, "%s: not sent: %s", folder->name,
			strbuf_str(&save->why));
		refuse(folder, save->text ? save->text : "", save->len, &save->why, err);
		if (save->text && json_check(save->text, save->len, NULL, NULL) == 0) {
			/* Nobody will complete it. */
			draft_is_saved(folder, draft, save->change);
		}
		save_discard(save);
		return err;
	}
	save_take_base(save);
	bool nothing =
		!save->create && (is_rollback(slot, &save->wanted, &save->base) ||
					 changes_nothing(folder, &save->wanted, &save->base));
	if (nothing) {
		struct item *item = folder_item(folder);
		if (item && item->parts[PART_CONFIG] && how == SAVE_IN_PLACE) {
			set_time(folder->fs, folder, item, draft->local->mtime);
		}
		draft_is_saved(folder, draft, save->change);
		err = finish_names(op, how, draft);
		save_discard(save);
		return err;
	}
	int result = job_start(&save->job, op);
	if (result < 0) {
		struct strbuf why = STRBUF_INIT(256);
		draft->local->failure = result;
		strbuf_adds(&why, "There is no thread to send it with.\n");
		refuse(folder, draft->local->data ? draft->local->data : "", draft->local->size,
			&why, result);
		strbuf_finish(&why);
	}
	return result;
}

void saves_flush(struct fs *fs)
{
	struct folder *folder, *next;
	fs_lock(fs);
	HASH_ITER (hh, fs->folders, folder, next) {
		for (unsigned i = 0; i < SLOTS; i++) {
			struct slot *slot = &folder->slots[i];
			struct local *local = slot->draft ? slot->draft->local : NULL;
			if (local && local->size > 0 && local->changes != local->tried) {
				slot->route->save(
					NULL, slot, slot->draft, slot->writer_pid, SAVE_IN_PLACE);
			}
		}
	}
	while (fs->jobs > 0) {
		fs_wait(fs, -1);
	}
	fs_unlock(fs);
}

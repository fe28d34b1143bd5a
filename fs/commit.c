#include "fs/commit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/json.h"
#include "base/clock.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/job.h"
#include "fs/journal.h"
#include "fs/local.h"
#include "fs/node.h"
#include "fs/ops.h"
#include "fs/route.h"
#include "fs/tree.h"

#define WHY_BYTES 65536

int commit_init(
	struct commit *commit, struct slot *slot, struct node *draft, pid_t pid, enum save_how how)
{
	struct local *local = draft->local;
	char *text = malloc(local->size + 1);
	if (!text) {
		return -ENOMEM;
	}
	if (local->size > 0) {
		memcpy(text, local->data, local->size);
	}
	*commit = (struct commit){ .slot = slot,
		.node = node_ref(draft),
		.pid = pid,
		.how = how,
		.change = local->changes,
		.text = text,
		.len = local->size };
	local->tried = local->changes;
	local->failure = 0;
	local->saving = false;
	slot_is_back(slot);
	return 0;
}

void commit_finish(struct commit *commit)
{
	if (commit->text) {
		explicit_bzero(commit->text, commit->len);
		free(commit->text);
	}
	node_unref(commit->node);
}

void commit_ended(const struct commit *commit, int err)
{
	struct local *local = commit->node->local;
	if (local->tried == commit->change) {
		local->saving = false;
		local->failure = err;
	}
	ops_wake(&local->waiters);
}

void commit_settle(const struct commit *commit)
{
	struct slot *slot = commit->slot;
	if (slot->draft == commit->node && commit->node->local->changes == commit->change) {
		slot_set_draft(slot, NULL);
	}
}

/* What somebody was writing under the name is no longer it. Its writer's own is dropped, as
 * anywhere; another process hears of the conflict when it saves. */
static void replace_draft(const struct commit *commit)
{
	struct slot *slot = commit->slot;
	if (slot->draft && slot->draft->local->writer == commit->pid) {
		slot_drop_draft(slot);
	}
	slot_set_draft(slot, NULL);
}

int commit_names(const struct commit *commit, struct op *op)
{
	struct node *draft = commit->node;
	struct slot *slot = commit->slot;
	const struct route *route = slot->route;
	struct found found;
	if (commit->how == SAVE_IN_PLACE) {
		return 0;
	}
	if (slot->draft != draft) {
		replace_draft(commit);
	}
	if (!op) {
		return 0;
	}
	if (commit->how == SAVE_BY_LINK) {
		/* The other name is scratch as before, and the kernel gets what is shown. */
		if (tree_peek(op, op->to_node, route->name, &found) < 0) {
			found = (struct found){ .node = node_ref(draft) };
		}
		ops_entry(op, REPLY_ENTRY, &found);
		return 0;
	}
	int err = ops_rename_local(op);
	if (draft->local->links == 0) {
		draft->local->role = LOCAL_DRAFT;
		draft->route = route;
		draft->ino = slot->ino;
	}
	return err;
}

bool commit_stays(const struct commit *commit)
{
	const struct folder *folder = commit->slot->folder;
	return folder->made && folder->route->folder->patient;
}

/* What was renamed or linked onto the name in vain is a draft under it all the same. */
static void keep_draft(const struct commit *commit)
{
	struct slot *slot = commit->slot;
	struct folder *folder = slot->folder;
	if (slot->draft || !folder->dir) {
		return;
	}
	struct node *node = node_create(folder->fs, folder->dir, slot->route->name);
	if (node) {
		node->route = slot->route;
		node->local = local_create(folder->fs, folder, LOCAL_DRAFT,
			slot->route->mode & ~folder->fs->options->umask);
	}
	if (node && node->local && local_fill(node->local, commit->text, commit->len) == 0) {
		slot_set_draft(slot, node);
	}
	node_unref(node);
}

void commit_refuse(const struct commit *commit, const struct strbuf *why, int err)
{
	char stamp[32];
	struct slot *slot = commit->slot;
	struct strbuf full = STRBUF_INIT(WHY_BYTES + 1024);
	time_t now = time(NULL);
	struct tm tm;
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S %Z", localtime_r(&now, &tm));
	strbuf_addf(&full, "%s: not saved, %s (%s)\n", slot->folder->name, stamp, strerror(-err));
	strbuf_adds(&full, strbuf_str(why));
	if (full.len > 0 && full.buf[full.len - 1] != '\n') {
		strbuf_addc(&full, '\n');
	}
	if (commit_stays(commit)) {
		slot_refuse(slot, NULL, 0, strbuf_str(&full));
		keep_draft(commit);
	} else {
		strbuf_addf(&full, "What was refused is in %s.rejected.\n", slot->route->name);
		slot_refuse(slot, commit->text, commit->len, strbuf_str(&full));
	}
	strbuf_wipe(&full);
}

int commit_reject(const struct commit *commit, const struct strbuf *why, int err)
{
	const struct folder *folder = commit->slot->folder;
	commit->node->local->failure = err;
	journal_error(folder->fs->journal, "%s: not sent: %s", folder->name, strbuf_str(why));
	commit_refuse(commit, why, err);
	if (!commit_stays(commit) && json_check(commit->text, commit->len, NULL, NULL) == 0) {
		/* Nobody will complete it. */
		commit_settle(commit);
	}
	return err;
}

int commit_send(struct slot *slot, struct node *draft, struct job *job, struct op *op)
{
	struct local *local = draft->local;
	local->saving = true;
	int result = job_start(job, op);
	if (result < 0) {
		local->saving = false;
		const struct commit lost = {
			.slot = slot, .text = local->data, .len = local->size
		};
		struct strbuf why = STRBUF_INIT(256);
		local->failure = result;
		strbuf_adds(&why, "There is no thread to send it with.\n");
		commit_refuse(&lost, &why, result);
		strbuf_finish(&why);
	}
	return result;
}

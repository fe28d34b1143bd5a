#include "fs/draft.h"

#include <errno.h>
#include <utlist.h>

#include "base/clock.h"
#include "fs/bases.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/local.h"
#include "fs/node.h"
#include "fs/op.h"
#include "fs/ops.h"
#include "fs/question.h"
#include "fs/route.h"
#include "fs/times.h"
#include "fs/tree.h"

#define UNCACHED_MS 1000
#define VIEW_BYTES  ((size_t)256 << 20)

/* The folder of a file in a directory that has one; NULL. */
static struct folder *folder_of_file(struct fs *fs, struct node *node)
{
	if (node->local && node->local->folder) {
		return node->local->folder;
	}
	struct node *dir = node->parent;
	return dir && route_has_folder(dir->route) ? folder_of(fs, dir) : NULL;
}

struct slot *draft_slot(struct fs *fs, struct node *node)
{
	struct folder *folder = folder_of_file(fs, node);
	return folder ? folder_slot(folder, node->route) : NULL;
}

int draft_make_local(struct fs *fs, struct node *node, struct folder *folder, enum local_role role)
{
	struct strbuf text = STRBUF_INIT(VIEW_BYTES);
	struct stat attr;
	tree_attr(fs, node, &attr);
	int err = tree_render(node, &text);
	struct local *local = err == 0 ? local_create(fs, folder, role, attr.st_mode) : NULL;
	int filled = local ? local_fill(local, strbuf_str(&text), text.len) : -ENOMEM;
	strbuf_wipe(&text);
	if (!local || filled < 0) {
		local_destroy(local);
		return err < 0 ? err : filled;
	}
	local->mtime = attr.st_mtim;
	node_unbind(node);
	node->local = local;
	if (role == LOCAL_SCRATCH) {
		node->ino = node_new_ino(fs);
	}
	return 0;
}

/*
 * Before a view's file may be written to: the kernel must not have its name cached, for a draft is
 * a node of its own. -ESTALE sends the kernel to look again, and it gets a node that is not cached.
 */
static int check_uncached(struct fs *fs, struct node *node)
{
	if (node->local || node->retired || !(node->cached || node->opened)) {
		return 0;
	}
	struct folder *folder = folder_of_file(fs, node);
	node->retired = true;
	node_unbind(node);
	if (folder) {
		folder->uncached_until = clock_now_ms() + UNCACHED_MS;
	}
	return -ESTALE;
}

/* Somebody else writes a draft under this name: the next writer gets one of its own, so that two
 * texts never mix and the second save is checked against the first. */
static int part_from_other_writer(struct node *node, pid_t pid)
{
	struct slot *slot = node->local ? draft_slot(node_fs(node), node) : NULL;
	if (!slot || node->local->role != LOCAL_DRAFT || node->writers == 0 ||
		node->local->writer == pid) {
		return 0;
	}
	if (slot->draft == node) {
		slot_set_draft(slot, NULL);
	}
	slot->folder->uncached_until = clock_now_ms() + UNCACHED_MS;
	return -ESTALE;
}

int draft_check(struct fs *fs, struct node *node, pid_t pid)
{
	int err = check_uncached(fs, node);
	return err < 0 ? err : part_from_other_writer(node, pid);
}

int draft_begin(const struct op *op, struct node *node, pid_t pid)
{
	struct fs *fs = op->fs;
	if (question_is(node)) {
		return question_begin(op, node);
	}
	struct folder *folder = folder_of_file(fs, node);
	struct slot *slot = draft_slot(fs, node);
	if (!node->local) {
		int err = draft_make_local(fs, node, folder, slot ? LOCAL_DRAFT : LOCAL_WORD);
		if (err < 0) {
			return err;
		}
	}
	if (node->local->role == LOCAL_DRAFT && slot) {
		node->local->writer = pid;
		if (!slot->draft || slot->draft->writers == 0) {
			slot_is_back(slot);
			slot_set_draft(slot, node);
		}
		if (slot->draft == node) {
			slot->draft_due = 0;
		}
	}
	return 0;
}

int draft_truncate(const struct op *op, struct node *node, pid_t pid, size_t size)
{
	size_t old = node->local ? node->local->size : node->size;
	if (size == old && !question_is(node)) {
		if (node->local && node->local->role == LOCAL_SCRATCH) {
			node->local->mtime = times_now(op->fs->times);
		}
		return 0;
	}
	int err = draft_begin(op, node, pid);
	return err < 0 ? err : local_truncate(node->local, size);
}

int draft_store(struct op *op, struct node *node)
{
	struct local *local = node->local;
	local->tried = local->changes;
	return node->route->store(op, node->parent, local->data ? local->data : "", local->size);
}

void draft_opened(struct fs *fs, struct node *node, pid_t pid)
{
	if (!node->local) {
		return;
	}
	node->local->writer = pid;
	struct slot *slot = node->local->stands ? draft_slot(fs, node) : NULL;
	if (slot) {
		slot->draft_due = 0;
	}
}

static bool is_open_to_write(const struct fs *fs, const struct node *node)
{
	const struct handle *handle;
	DL_FOREACH (fs->handles, handle) {
		if (handle->node == node && handle->writes) {
			return true;
		}
	}
	return false;
}

void draft_schedule(struct fs *fs, struct node *node)
{
	struct slot *slot = node->local ? draft_slot(fs, node) : NULL;
	if (slot && slot->draft == node && !is_open_to_write(fs, node)) {
		slot->draft_due = clock_now_ms() + fs->options->delete_delay;
		if (slot->draft_due == 0) {
			slot->draft_due = 1;
		}
		fs_wake(fs);
	}
}

void draft_note_base(struct fs *fs, struct node *node, pid_t pid)
{
	const struct slot *slot = node->local ? draft_slot(fs, node) : NULL;
	struct part *part = node->local ? NULL : node->part;
	if (slot && node->local->role == LOCAL_DRAFT && node->local->writer != pid) {
		part = slot_base(slot, node->local->writer);
	}
	if (part) {
		bases_note(fs, node->ino, pid, part);
	}
}

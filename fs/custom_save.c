/* Saving plugin.json and version.json. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloud.h"
#include "api/plugin.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/archive.h"
#include "fs/custom.h"
#include "fs/fs.h"
#include "fs/overlay.h"
#include "fs/save_run.h"

#define BODY_BYTES ((size_t)4 << 20)

static const struct plugin_kind *kind_of(const struct save *save)
{
	return save->job.folder->route->folder->plugin;
}

static int parse(struct save *save)
{
	return plugin_parse(
		kind_of(save), save->commit.text, save->commit.len, &save->wanted, &save->why);
}

/* Where it has become another kind of save, the text means the same. But what was created meanwhile
 * is not made of an archive that is still here. */
static int turn(struct save *save)
{
	const struct folder *folder = save->job.folder;
	fs_lock(folder->fs);
	const char *left = save->create ? NULL : archive_left(folder);
	if (left) {
		strbuf_addf(&save->why, "%s: %s\n", left, ARCHIVE_TOO_LATE);
	}
	fs_unlock(folder->fs);
	return left ? -EPERM : 0;
}

static int read_answer(const struct save *save, struct json_slice answer, struct config *ret_config)
{
	return plugin_of_answer(kind_of(save), answer, ret_config);
}

/* Once what it is made of is there, too. */
static int is_ready(struct save *save)
{
	struct folder *folder = save->job.folder;
	cleanup(free) char *upload_id = plugin_upload_id(&save->wanted);
	struct archive archive;
	if (!folder->route->folder->archive || upload_id) {
		return 1;
	}
	int there = archive_take(folder, "", &archive, &save->why);
	if (there == 1) {
		archive_finish(&archive);
	}
	return there;
}

static char *live_target(const struct save *save)
{
	return save->job.folder->route->folder->target(save->job.folder);
}

static int check(struct save *save, const struct config *live)
{
	(void)save;
	(void)live;
	return 0;
}

static bool is_unchanged(struct save *save, const struct config *live)
{
	return plugin_same(&save->base, live);
}

static void add_difference(const struct save *save, const struct config *before,
	const struct config *after, struct strbuf *out)
{
	(void)save;
	plugin_add_difference(before, after, out);
}

/* For the audit trail: what the changes replace. */
static void note_changes(struct save *save, const struct config *live, const struct config *changes)
{
	cleanup(config) struct config before = { 0 };
	for (size_t i = 0; i < changes->count; i++) {
		const char *name = changes->settings[i].name;
		config_set(&before, name, config_get(live, name));
	}
	strbuf_reset(&save->job.change.settings);
	plugin_add_difference(&before, changes, &save->job.change.settings);
}

/* The URL of a PATCH names no environment. */
static char *patch_target(const struct folder *folder)
{
	return url_target(
		folder->environment ? CLOUD_ENVIRONMENT_PLUGIN : CLOUD_CUSTOM_PLUGIN, folder->name);
}

static int patch(struct save *save, const struct config *live, struct http_answer *ret_answer)
{
	if (kind_of(save) == &plugin_version) {
		strbuf_adds(&save->why, "A version cannot be changed; make another one.");
		return -EACCES;
	}
	const struct folder *folder = save->job.folder;
	cleanup(config) struct config changes = { 0 };
	cleanup(free) char *target = patch_target(folder);
	cleanup(strbuf) struct strbuf body = STRBUF_INIT(BODY_BYTES);
	int err = target ? plugin_changes(&save->wanted, &save->base, live, &changes, &save->why)
			 : -ENOMEM;
	if (err < 0) {
		return err;
	}
	plugin_encode(kind_of(save), &changes, folder->environment, &body);
	note_changes(save, live, &changes);
	if (body.err || !job_may_send(&save->job, HTTP_PATCH, target)) {
		return body.err;
	}
	job_request(&save->job, HTTP_PATCH, target, &body, ret_answer, NULL);
	return save_judge(save, ret_answer);
}

/* Under the lock. */
static struct item *take_created(struct save *save, struct json_slice answer)
{
	struct folder *folder = save->job.folder;
	struct document *document = folder_document(folder);
	cleanup(free) char *id = json_decode_cstr(json_get(answer, "id"));
	cleanup(free) char *given = plugin_upload_id(&save->wanted);
	struct item *item = document && id ? document_add(document, id) : NULL;
	struct part *part = item ? part_create(answer.text, answer.len) : NULL;
	if (!part || overlay_created(item) < 0 || folder_becomes(folder, id) < 0) {
		part_unref(part);
		return NULL;
	}
	item_set_part(item, PART_WHOLE, part, fs_moment(document->fs));
	if (document->kind->unsettled && document->kind->unsettled(item)) {
		document_unsettle(document);
	}
	archive_drop(folder, !given);
	return item;
}

static const struct save_kind plugin = {
	.noun = "plugin",
	.parse = parse,
	.turn = turn,
	.read = read_answer,
	.is = plugin_has,
	.looks = plugin_looks,
	.add_difference = add_difference,
	.is_ready = is_ready,
	.live_target = live_target,
	.check = check,
	.is_unchanged = is_unchanged,
	.send = patch,
	.create = custom_create,
	.take_created = take_created,
};

int custom_save(struct op *op, struct slot *slot, struct node *draft, pid_t pid, enum save_how how)
{
	return save_begin(&plugin, op, slot, draft, pid, how);
}

#include "fs/removal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloud.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/fs.h"
#include "fs/job.h"
#include "fs/journal.h"
#include "fs/op.h"
#include "fs/overlay.h"

#define WHY_BYTES  65536
#define VIEW_BYTES ((size_t)4 << 20)

struct removal {
	struct job job;
	char *id; /* what is removed, "" where it is not known */
	struct strbuf why;
};

static void removal_free(struct job *job)
{
	struct removal *removal = (struct removal *)job;
	free(removal->id);
	strbuf_finish(&removal->why);
	free(removal);
}

/* Whether it is still there. 1, 0, or -errno: it does not say. */
static int is_there(struct removal *removal, const char *target)
{
	cleanup(http_answer) struct http_answer answer = { 0 };
	int err = job_request(&removal->job, HTTP_GET, target, NULL, &answer, NULL);
	return err == -ENOENT ? 0 : err < 0 ? err : 1;
}

/* Whether the connector that bears the name is still the one that is to be removed. 1, 0 (it is
 * gone, or another), or -errno. */
static int is_same(struct removal *removal, const char *own)
{
	cleanup(http_answer) struct http_answer answer = { 0 };
	struct folder *folder = removal->job.folder;
	cleanup(free) char *target =
		url_target(CLOUD_CONNECTORS "?expand=id", folder->environment, folder->cluster);
	struct json_slice all, key, value;
	int err = target ? job_request(&removal->job, HTTP_GET, target, NULL, &answer, NULL)
			 : -ENOMEM;
	if (err < 0 || json_check(strbuf_str(&answer.body), answer.body.len, &all, NULL) < 0) {
		return err < 0 ? err : -EBADMSG;
	}
	if (json_type(all) != JSON_OBJECT) {
		return -EBADMSG;
	}
	struct json_iter iter = json_iter(all);
	while (json_next(&iter, &key, &value)) {
		if (json_is(key, folder->name)) {
			return !removal->id[0] || json_is(json_get(value, "id/id"), removal->id);
		}
	}
	/* A list may lack what is there: only its own 404 says that it is gone. */
	int there = is_there(removal, own);
	return there > 0 ? -EBUSY : there;
}

static int removal_run(struct job *job)
{
	struct removal *removal = (struct removal *)job;
	const struct folder *folder = job->folder;
	const struct folder_kind *kind = folder->route->folder;
	cleanup(free) char *target = kind->target(folder);
	if (!target) {
		return -ENOMEM;
	}
	for (unsigned tries = 1; job_may_send(job, HTTP_DELETE, target); tries++) {
		cleanup(http_answer) struct http_answer answer = { .retry_after = -1 };
		struct http_request request = {
			.method = HTTP_DELETE, .target = target, .deadline = job->deadline
		};
		int err = http_perform(job->fs->http, &request, &answer);
		if (err == 0 || err == -ENOENT) {
			return 0;
		}
		journal_answer(job->fs->journal, "DELETE", target, &answer, NULL);
		job->change.undecided |= answer.maybe_done;
		bool passing = http_answer_is_passing(&answer);
		int same = !passing || !job_pause(job, tries, &answer) ? -ECANCELED
			   : kind->id                                  ? is_same(removal, target)
								       : is_there(removal, target);
		if (same == 0) {
			return 0;
		}
		if (same < 0) {
			strbuf_addf(&removal->why, "%s: not removed (%s)\n", folder->name,
				strerror(-err));
			journal_message(job->fs->journal, &answer, NULL, &removal->why);
			strbuf_addc(&removal->why, '\n');
			return err;
		}
	}
	return 0;
}

/* Keeps what it last showed, and forgets it. */
static void forget(struct removal *removal)
{
	struct folder *folder = removal->job.folder;
	const struct route *route = folder_main(folder)->route;
	struct item *item = folder_item(folder);
	if (item) {
		struct strbuf text = STRBUF_INIT(VIEW_BYTES);
		if (item->parts[route->part] &&
			route->render(item->parts[route->part], &text) == 0) {
			journal_deleted(folder->fs->journal, folder->name,
				folder->cluster ? folder->cluster : "", strbuf_str(&text),
				text.len);
		}
		strbuf_wipe(&text);
		overlay_removed(item, removal->id);
	}
	folder_forget(folder);
}

static int removal_done(struct job *job, int err)
{
	struct removal *removal = (struct removal *)job;
	struct folder *folder = job->folder;
	struct slot *slot = folder_main(folder);
	struct fs *fs = job->fs;
	if (slot->away != AWAY_UNLINKED) {
		/* It came back while the request was under way: the request has decided. */
		fs->removals_pending++;
	}
	fs->removals_pending--;
	slot->away = AWAY_NOT;
	folder->removal = NULL;
	if (err < 0 || job->change.held) {
		/* It stays, with all that was taken away beside it. */
		memset(folder->hidden_until, 0, sizeof(folder->hidden_until));
	}
	if (err < 0) {
		slot_refuse(slot, NULL, 0, strbuf_str(&removal->why));
		slot->refused_at = 0;
		return err;
	}
	removals_note(fs, clock_now_ms());
	if (!job->change.held) {
		forget(removal);
	}
	return 0;
}

int removal_start(struct op *op, struct folder *folder)
{
	if (op && folder->removal && !folder->removal->op) {
		return op_wait_job(op, folder->removal);
	}
	struct removal *removal = calloc(1, sizeof(*removal));
	struct item *item = folder_item(folder);
	struct strbuf id = STRBUF_INIT(256);
	if (!removal) {
		return -ENOMEM;
	}
	if (item && folder->route->folder->id) {
		folder->route->folder->id(item, &id);
	}
	removal->job = (struct job){ .fs = folder->fs,
		.folder = folder,
		.change.action = "delete",
		.run = removal_run,
		.done = removal_done,
		.free = removal_free };
	strbuf_init(&removal->why, WHY_BYTES);
	removal->id = strdup(strbuf_str(&id));
	strbuf_finish(&id);
	if (!removal->id) {
		removal_free(&removal->job);
		return -ENOMEM;
	}
	/* Not again while this one is under way. */
	folder_main(folder)->away_due = INT64_MAX;
	folder->removal = &removal->job;
	int result = job_start(&removal->job, op);
	if (result < 0) {
		folder->removal = NULL;
		slot_is_back(folder_main(folder));
	}
	return result;
}

/* Those that need not wait for others; whether there were any. */
static bool start_removals(struct fs *fs)
{
	struct folder *folder, *next;
	bool started = false;
	HASH_ITER (hh, fs->folders, folder, next) {
		const struct slot *slot = folder_main(folder);
		if (slot->away == AWAY_UNLINKED && slot->away_due != INT64_MAX &&
			!folder_is_awaited(folder)) {
			started |= removal_start(NULL, folder) == OP_WAIT;
		}
	}
	return started;
}

void removals_flush(struct fs *fs)
{
	fs_lock(fs);
	do {
		while (fs->jobs > 0) {
			fs_wait(fs, -1);
		}
	} while (start_removals(fs));
	fs_unlock(fs);
}

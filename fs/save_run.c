#include "fs/save_run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/fs.h"
#include "fs/host_lock.h"
#include "fs/journal.h"
#include "fs/route.h"

#define WHAT_BYTES 128

void save_explain(struct save *save, const char *what, const struct http_answer *answer)
{
	/* What is no error by itself was not journaled when it came. */
	save->told |= answer->err < 0;
	journal_explain(save->job.fs->journal, answer, what, &save->hidden, &save->why);
}

static void explain_noun(
	struct save *save, const char *before, const char *after, const struct http_answer *answer)
{
	char what[WHAT_BYTES];
	snprintf(what, sizeof(what), "%s %s %s", before, save->kind->noun, after);
	save_explain(save, what, answer);
}

/* What is live. 0 or -errno; its text stays in save->shown. */
static int read_live(struct save *save, struct config *ret_live)
{
	cleanup(http_answer) struct http_answer answer = { 0 };
	cleanup(free) char *target = save->kind->live_target(save);
	struct json_slice value;
	if (!target) {
		return -ENOMEM;
	}
	int err = job_request(&save->job, HTTP_GET, target, NULL, &answer, &save->hidden);
	if (err == 0) {
		err = json_check(strbuf_str(&answer.body), answer.body.len, &value, NULL);
	}
	if (err == 0) {
		err = save->kind->read(save, value, ret_live);
	}
	if (err == 0) {
		strbuf_reset(&save->shown);
		strbuf_add(&save->shown, value.text, value.len);
	} else if (err == -ENOENT) {
		strbuf_addf(&save->why,
			"%s is gone: somebody has removed it since you opened it. "
			"It was not created anew.\n",
			save->job.folder->name);
	} else {
		explain_noun(save, "Before saving, the live", "was asked for", &answer);
	}
	return err;
}

static int explain_conflict(struct save *save, const struct config *live)
{
	strbuf_addf(&save->why,
		"%s was changed by somebody else since you opened it; nothing was overwritten. "
		"What changed (before -> now):\n",
		save->job.folder->name);
	save->kind->add_difference(save, &save->base, live, &save->why);
	strbuf_addf(&save->why, "Open it again, and bring your change in from %s.rejected.\n",
		save->commit.slot->route->name);
	journal_error(save->job.fs->journal, "%s: not saved: changed by somebody else",
		save->job.folder->name);
	save->told = true;
	return -ESTALE;
}

int save_judge(struct save *save, struct http_answer *answer)
{
	struct json_slice value = { NULL, 0 };
	if (answer->err == 0) {
		save->sent = true;
		if (answer->status == 201) {
			journal_error(save->job.fs->journal,
				"%s: had been removed meanwhile; this save has created it anew",
				save->job.folder->name);
		}
		const char *member = save->kind->answer_member;
		if (json_check(strbuf_str(&answer->body), answer->body.len, &value, NULL) == 0 &&
			member) {
			value = json_get(value, member);
		}
		if (json_type(value) != JSON_OBJECT) {
			save->undecided = true;
			return SAVE_AGAIN;
		}
		strbuf_reset(&save->shown);
		strbuf_add(&save->shown, value.text, value.len);
		return 0;
	}
	save->undecided |= answer->maybe_done;
	bool passing = (http_answer_is_passing(answer) && !http_answer_is_failure(answer)) ||
		       answer->status == 409;
	if (passing || answer->maybe_done) {
		return SAVE_AGAIN;
	}
	explain_noun(save, "The", "was refused", answer);
	return answer->err;
}

/* One look, and one request if it may be sent. 0, SAVE_AGAIN with the answer, or -errno. */
static int attempt(struct save *save, bool again, struct http_answer *ret_answer)
{
	const struct save_kind *kind = save->kind;
	cleanup(config) struct config live = { 0 };
	int err = read_live(save, &live);
	if (err == 0) {
		err = kind->check(save, &live);
	}
	if (err < 0) {
		return err;
	}
	bool sent_before = again && save->undecided && kind->looks(&save->wanted, &live) &&
			   !kind->looks(&save->wanted, &save->base);
	if (kind->is(&save->wanted, &live) || sent_before ||
		(save->sent && kind->looks(&save->wanted, &live))) {
		/* True where a request of this save's own was carried out, and its answer lost. */
		save->sent |= save->undecided;
		save->undecided = false;
		return 0;
	}
	if (!kind->is_unchanged(save, &live)) {
		return explain_conflict(save, &live);
	}
	return kind->send(save, &live, ret_answer);
}

static int update(struct save *save)
{
	struct job *job = &save->job;
	int err = save->kind->prepare ? save->kind->prepare(save) : 0;
	if (err < 0) {
		return err;
	}
	cleanup(fd) int lock = host_lock(job->fs, job->folder->key, job->deadline);
	if (lock == -EBUSY) {
		strbuf_adds(&save->why, "Another mount of this account on this host holds it.\n");
		return -EBUSY;
	}
	for (unsigned tries = 1;; tries++) {
		cleanup(http_answer) struct http_answer answer = { .retry_after = -1 };
		err = attempt(save, tries > 1, &answer);
		if (err != SAVE_AGAIN) {
			return err;
		}
		if (!job_pause(job, tries, &answer)) {
			explain_noun(save, "The", "was not taken in time", &answer);
			return answer.err ? answer.err : -EBADMSG;
		}
	}
}

int save_post(struct save *save, const char *target, const struct strbuf *body,
	int (*judge)(void *arg, struct http_answer *answer), void *arg)
{
	struct job *job = &save->job;
	for (unsigned tries = 1; job_may_send(job, HTTP_POST, target); tries++) {
		cleanup(http_answer) struct http_answer answer = { .retry_after = -1 };
		job_request(job, HTTP_POST, target, body, &answer, &save->hidden);
		int err = judge(arg, &answer);
		if (err == 0) {
			return 0;
		}
		if (err == SAVE_AGAIN && job_pause(job, tries, &answer)) {
			continue;
		}
		save_explain(save,
			save->undecided ? "Nobody knows whether it was created"
					: "It was not created",
			&answer);
		return err != SAVE_AGAIN ? err : answer.err ? answer.err : -EBADMSG;
	}
	return 0;
}

int save_run(struct job *job)
{
	struct save *save = (struct save *)job;
	fs_lock(job->fs);
	const struct folder *folder = job->folder;
	/* An update that waited for a removal's turn finds that there is nothing left to update. */
	bool creates = !save->create && folder->made;
	/* A create that waited for its writer's own finds that there is. */
	bool own = folder->created_at && folder->creator == save->commit.pid;
	/* Or that it was created of the same draft, which whoever came second has sent as well. */
	bool updates = save->create && !folder->made && (own || folder->route->folder->patient);
	save_take_base(save); /* an earlier save of the same writer may have ended meanwhile */
	fs_unlock(job->fs);
	save->create = (save->create && !updates) || creates;
	int err = creates || updates ? save->kind->turn(save) : 0;
	job->change.action = save->create ? "create" : "update";
	if (err == 0) {
		err = save->create ? save->kind->create(save) : update(save);
	}
	job->change.undecided = save->undecided;
	return err;
}

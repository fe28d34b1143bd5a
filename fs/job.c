#include "fs/job.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api/retry.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/op.h"

#define LINE_BYTES     4096
#define SETTINGS_BYTES 65536

/* Under the lock: waits for the folder's turn. */
static void take_turn(struct job *job)
{
	while (job->folder->jobs_ended != job->turn) {
		pthread_cond_wait(&job->fs->changed, &job->fs->lock);
	}
}

/* Brings what was sent, or would have been, into the audit trail. */
static void record(struct job *job, int err)
{
	struct change *change = &job->change;
	const struct folder *folder = job->folder;
	struct strbuf what = STRBUF_INIT(LINE_BYTES);
	if (change->sent || change->held) {
		strbuf_addf(&what, "%s ", change->action);
		folder_add_place(folder, &what);
		strbuf_adds(&what, ": ");
		if (change->held) {
			strbuf_adds(&what, err < 0 ? strerror(-err) : "not sent (dry run)");
		} else if (err == 0) {
			strbuf_adds(&what, "done");
		} else {
			strbuf_addf(&what, "%s (%s)", change->undecided ? "undecided" : "refused",
				strerror(-err));
		}
		journal_change(job->fs->journal, strbuf_str(&what), change->method, change->target,
			strbuf_str(&change->settings));
	}
	strbuf_finish(&what);
	strbuf_wipe(&change->settings);
	free(steal(change->target));
}

static void *job_thread(void *arg)
{
	struct job *job = arg;
	struct fs *fs = job->fs;
	fs_lock(fs);
	take_turn(job);
	fs_unlock(fs);
	int err = job->run(job);
	record(job, err);
	fs_lock(fs);
	err = job->done(job, err);
	job->folder->jobs_ended++;
	struct document *document = folder_document(job->folder);
	if (document) {
		document_tell(document);
	}
	if (job->op) {
		op_finish(job->op, err);
	}
	job->free(job);
	/* Last: whoever waits for this destroys the fs. */
	fs->jobs--;
	fs_wake(fs);
	fs_unlock(fs);
	return NULL;
}

int job_start(struct job *job, struct op *op)
{
	struct fs *fs = job->fs;
	pthread_t thread;
	pthread_attr_t attr;
	job->deadline = clock_now_ms() + fs->options->timeout_write;
	strbuf_init(&job->change.settings, SETTINGS_BYTES);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	fs->jobs++;
	job->turn = job->folder->jobs_started++;
	int err = pthread_create(&thread, &attr, job_thread, job);
	pthread_attr_destroy(&attr);
	if (err) {
		fs->jobs--;
		job->folder->jobs_started--;
		job->free(job);
		return -err;
	}
	/* The thread cannot end before the lock is released. */
	return op ? op_wait_job(op, job) : OP_WAIT;
}

bool job_may_send(struct job *job, enum http_method method, const char *target)
{
	struct change *change = &job->change;
	change->method = method;
	free(change->target);
	change->target = strdup(target);
	change->held = job->fs->options->dry_run;
	change->sent |= !change->held;
	return !change->held;
}

int job_request(struct job *job, enum http_method method, const char *target,
	const struct strbuf *body, struct http_answer *ret_answer, const struct config *secrets)
{
	struct http_request request = {
		.method = method,
		.target = target,
		.body = body ? strbuf_str(body) : NULL,
		.body_len = body ? body->len : 0,
		.secret = body && job->secret,
		.deadline = job->deadline,
	};
	int64_t read_deadline = clock_now_ms() + job->fs->options->timeout;
	if (method == HTTP_GET && read_deadline < request.deadline) {
		request.deadline = read_deadline;
	}
	int err = http_perform(job->fs->http, &request, ret_answer);
	if (err < 0 && err != -ECANCELED) {
		journal_answer(
			job->fs->journal, http_method_name(method), target, ret_answer, secrets);
	}
	return err;
}

static bool is_given_up(const struct job *job)
{
	return job->abandoned || job->fs->ending;
}

bool job_is_given_up(struct job *job)
{
	fs_lock(job->fs);
	bool given_up = is_given_up(job);
	fs_unlock(job->fs);
	return given_up;
}

void job_abandon(struct job *job)
{
	job->abandoned = true;
	fs_wake(job->fs);
}

/* An upload under way. */
struct sending {
	struct fs *fs;
	struct http_answer *answer; /* lock */
	bool ended;                 /* lock */
};

static void upload_done(struct http_answer *answer, void *arg)
{
	struct sending *sending = arg;
	fs_lock(sending->fs);
	*sending->answer = *answer;
	answer->body = (struct strbuf){ 0 };
	sending->ended = true;
	fs_wake(sending->fs);
	fs_unlock(sending->fs);
}

int job_upload(struct job *job, enum http_method method, const char *url,
	const struct http_upload *upload, int64_t deadline, struct http_answer *ret_answer)
{
	struct fs *fs = job->fs;
	struct sending sending = { .fs = fs, .answer = ret_answer };
	struct http_call *call = NULL;
	struct http_request request = { .method = method,
		.target = url,
		.upload = upload,
		.deadline = deadline,
		.done = upload_done,
		.arg = &sending };
	fs_lock(fs);
	int err = http_submit(fs->http, &request, &call);
	if (err < 0) {
		*ret_answer = (struct http_answer){ .err = err, .retry_after = -1 };
		sending.ended = true;
	}
	for (bool cancelled = false; !sending.ended; fs_wait(fs, -1)) {
		if (is_given_up(job) && !cancelled) {
			http_cancel(fs->http, call);
			cancelled = true;
		}
	}
	fs_unlock(fs);
	return ret_answer->err;
}

bool job_pause(struct job *job, unsigned attempt, const struct http_answer *answer)
{
	int64_t now = clock_now_ms();
	int64_t wait =
		retry_delay(attempt, answer->retry_after, now, job->deadline, (uint32_t)random());
	if (wait < 0) {
		return false;
	}
	int64_t until = now + wait;
	fs_lock(job->fs);
	while (!job->fs->stopping && now < until) {
		fs_wait(job->fs, until - now);
		now = clock_now_ms();
	}
	bool stopping = job->fs->stopping;
	fs_unlock(job->fs);
	return !stopping;
}

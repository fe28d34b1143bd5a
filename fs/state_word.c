#include "fs/state_word.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloud.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "fs/connectors.h"
#include "fs/fs.h"
#include "fs/job.h"
#include "fs/journal.h"
#include "fs/node.h"
#include "fs/op.h"
#include "fs/ops.h"

struct word_job {
	struct job job;
	bool pause;
};

static void word_free(struct job *job)
{
	free(job);
}

/* Repeats while the connector is still being provisioned, which the API refuses as a conflict. */
static int word_run(struct job *job)
{
	const struct word_job *word = (const struct word_job *)job;
	const struct folder *folder = job->folder;
	cleanup(free) char *target = url_target(word->pause ? CLOUD_PAUSE : CLOUD_RESUME,
		folder->environment, folder->cluster, folder->name);
	if (!target) {
		return -ENOMEM;
	}
	for (unsigned tries = 1; job_may_send(job, HTTP_PUT, target); tries++) {
		cleanup(http_answer) struct http_answer answer = { .retry_after = -1 };
		struct http_request request = {
			.method = HTTP_PUT, .target = target, .deadline = job->deadline
		};
		int err = http_perform(job->fs->http, &request, &answer);
		bool again = answer.status == 409 || http_answer_is_passing(&answer);
		if (err == 0) {
			return 0;
		}
		job->change.undecided |= answer.maybe_done;
		if (!again || !job_pause(job, tries, &answer)) {
			journal_answer(job->fs->journal, "PUT", target, &answer, NULL);
			return err;
		}
	}
	return 0;
}

static int word_done(struct job *job, int err)
{
	const struct word_job *word = (const struct word_job *)job;
	struct item *item = folder_item(job->folder);
	if (err == 0 && item && !job->change.held) {
		connector_state_changed(item, word->pause ? "PAUSED" : "RUNNING");
	}
	if (err == 0 && job->op && job->op->to_node) {
		err = ops_rename_local(job->op);
	}
	return err;
}

/* The text's only word in upper case. False: there is none, or more. */
static bool read_word(const char *text, size_t len, char *ret_word, size_t size)
{
	size_t start = 0, at = 0;
	while (start < len && isspace((unsigned char)text[start])) {
		start++;
	}
	while (len > start && isspace((unsigned char)text[len - 1])) {
		len--;
	}
	if (len == start || len - start >= size) {
		return false;
	}
	for (; start < len; start++) {
		unsigned char c = (unsigned char)text[start];
		if (!isalpha(c) && c != '_') {
			return false;
		}
		ret_word[at++] = (char)toupper(c);
	}
	ret_word[at] = '\0';
	return true;
}

static bool is_shown_word(const char *word)
{
	static const char *const words[] = { "RUNNING", "PAUSED", "FAILED", "PROVISIONING",
		"UNASSIGNED", "DEGRADED", "RESTARTING", "STOPPED", "DELETED", "NONE", "UNKNOWN" };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(word, words[i]) == 0) {
			return true;
		}
	}
	return false;
}

int state_word_store(struct op *op, struct node *dir, const char *text, size_t len)
{
	char word[32];
	if (len == 0) {
		return 0;
	}
	bool read = read_word(text, len, word, sizeof(word));
	if (read && is_shown_word(word)) {
		return 0;
	}
	bool pause = read && strcmp(word, "PAUSE") == 0;
	if (!pause && !(read && strcmp(word, "RESUME") == 0)) {
		journal_error(op->fs->journal, "%s: state takes pause or resume", dir->name);
		return -EINVAL;
	}
	struct word_job *job = calloc(1, sizeof(*job));
	if (!job) {
		return -ENOMEM;
	}
	job->job = (struct job){ .fs = op->fs,
		.folder = folder_of(op->fs, dir),
		.change.action = pause ? "pause" : "resume",
		.run = word_run,
		.done = word_done,
		.free = word_free };
	job->pause = pause;
	return job_start(&job->job, op);
}

#include "fs/offsets_run.h"

#include <errno.h>
#include <string.h>

#include "api/cloud.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/offsets_text.h"

#define CLOCKS_MS 5000 /* how far the API's clock may be behind */

static struct json_slice list_of(struct json_slice request)
{
	struct json_slice list = json_get(request, "offsets");
	return json_type(list) == JSON_ARRAY ? list : (struct json_slice){ "[]", 2 };
}

bool offsets_is_request(struct json_slice told, struct json_slice sent, int64_t wall)
{
	struct timespec time;
	bool earlier = json_time(json_get(told, "requested_at"), &time) &&
		       time.tv_sec * 1000 < wall - CLOCKS_MS;
	return !earlier && offsets_same_value(json_get(told, "type"), json_get(sent, "type")) &&
	       offsets_same_value(list_of(told), list_of(sent));
}

static char *target_of(const struct alter *alter, const char *pattern)
{
	const struct folder *folder = alter->job.folder;
	return url_target(pattern, folder->environment, folder->cluster, folder->name);
}

/* After an attempt that nobody has answered: was it taken? 1, 0, or -errno. */
static int look(struct alter *alter)
{
	cleanup(http_answer) struct http_answer answer = { 0 };
	cleanup(free) char *target = target_of(alter, CLOUD_OFFSETS_STATUS);
	struct json_slice value = { NULL, 0 };
	struct json_slice sent = { strbuf_str(&alter->request), alter->request.len };
	struct http_request request = {
		.method = HTTP_GET, .target = target, .deadline = alter->job.deadline
	};
	int err = target ? http_perform(alter->job.fs->http, &request, &answer) : -ENOMEM;
	if (err == 0) {
		err = json_check(strbuf_str(&answer.body), answer.body.len, &value, NULL);
	}
	if (err < 0) {
		return err == -ENOENT ? 0 : err;
	}
	return offsets_is_request(json_get(value, "request"), sent, alter->wall);
}

/* Another request is under way, the API is busy, or nobody has answered. */
static bool is_passing(const struct http_answer *answer)
{
	return (http_answer_is_passing(answer) && !http_answer_is_failure(answer)) ||
	       answer->status == 409;
}

/* One attempt. Whether it may have been taken without an answer that says so goes to
 * change.undecided. */
static int send_request(struct alter *alter, const char *target, struct http_answer *ret_answer)
{
	struct http_request request = { .method = HTTP_POST,
		.target = target,
		.body = strbuf_str(&alter->request),
		.body_len = alter->request.len,
		.deadline = alter->job.deadline };
	struct json_slice value;
	int err = http_perform(alter->job.fs->http, &request, ret_answer);
	bool good = err == 0 && json_check(strbuf_str(&ret_answer->body), ret_answer->body.len,
					&value, NULL) == 0;
	bool gateway = ret_answer->status >= 500 && is_passing(ret_answer);
	alter->job.change.undecided = !good && (err == 0 || ret_answer->maybe_done || gateway);
	return err == 0 && !good ? -EBADMSG : err;
}

int alter_run(struct job *job)
{
	struct alter *alter = (struct alter *)job;
	struct change *change = &job->change;
	cleanup(free) char *target = target_of(alter, CLOUD_OFFSETS_REQUEST);
	if (!target) {
		return -ENOMEM;
	}
	strbuf_add(&change->settings, alter->lines.buf, alter->lines.len);
	alter->wall = clock_wall_ms();
	for (unsigned tries = 1;; tries++) {
		cleanup(http_answer) struct http_answer answer = { .retry_after = -1 };
		int taken = change->undecided ? look(alter) : 0;
		if (taken == 1) {
			change->undecided = false;
			return 0;
		}
		if (taken == 0 && !job_may_send(job, HTTP_POST, target)) {
			return 0;
		}
		int err = taken == 0 ? send_request(alter, target, &answer) : taken;
		if (err == 0) {
			return 0;
		}
		if (taken < 0) {
			answer.err = taken;
		}
		bool again = change->undecided || is_passing(&answer);
		if (!again || !job_pause(job, tries, &answer)) {
			journal_answer(job->fs->journal, "POST", target, &answer, NULL);
			journal_explain(job->fs->journal, &answer, "The offsets were not altered",
				NULL, &alter->why);
			return err;
		}
	}
}

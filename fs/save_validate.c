#include <errno.h>
#include <string.h>

#include "api/cloud.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/save_run.h"

#define BODY_BYTES    ((size_t)4 << 20)
#define LINE_BYTES    8192
#define CUSTOM        "CUSTOM"
#define CHOICES_SHOWN 20

/* Appends the strings of an array, at most `max` of them; returns how many it has. */
static unsigned add_strings(
	struct json_slice array, const char *separator, unsigned max, struct strbuf *out)
{
	unsigned count = 0;
	struct json_slice key, value;
	struct json_iter iter = json_iter(array);
	while (json_type(array) == JSON_ARRAY && json_next(&iter, &key, &value)) {
		if (json_type(value) == JSON_STRING && count++ < max) {
			strbuf_adds(out, count > 1 ? separator : "");
			json_decode(value, out);
		}
	}
	strbuf_adds(out, count > max ? ", ..." : "");
	return count;
}

/* One setting's verdict: nothing, or a line with its errors and the values that are recommended. */
static void add_verdict(struct save *save, struct json_slice verdict)
{
	cleanup(strbuf) struct strbuf line = STRBUF_INIT(LINE_BYTES);
	cleanup(strbuf) struct strbuf choices = STRBUF_INIT(LINE_BYTES);
	struct json_slice name = json_get(verdict, "name");
	strbuf_adds(&line, "  ");
	if (json_type(name) == JSON_STRING) {
		json_decode(name, &line);
	}
	strbuf_adds(&line, ": ");
	if (add_strings(json_get(verdict, "errors"), "; ", CHOICES_SHOWN, &line) == 0) {
		return;
	}
	if (add_strings(json_get(verdict, "recommended_values"), ", ", CHOICES_SHOWN, &choices)) {
		strbuf_addf(&line, " (recommended: %s)", strbuf_str(&choices));
	}
	journal_clean(
		save->job.fs->journal, strbuf_str(&line), line.len, &save->hidden, &save->why);
	strbuf_addc(&save->why, '\n');
}

static int judge(struct save *save, const struct http_answer *answer)
{
	struct json_slice verdict, key, value;
	const char *body = strbuf_str(&answer->body);
	if (json_check(body, answer->body.len, &verdict, NULL) < 0 ||
		json_type(json_get(verdict, "configs")) != JSON_ARRAY) {
		save_explain(save, "The plugin's verdict cannot be read", answer);
		return -EBADMSG;
	}
	size_t before = save->why.len;
	struct json_iter iter = json_iter(json_get(verdict, "configs"));
	strbuf_adds(&save->why, "The plugin calls it invalid; it was not sent.\n");
	size_t head = save->why.len;
	while (json_next(&iter, &key, &value)) {
		add_verdict(save, json_get(value, "value"));
	}
	struct json_slice count = json_get(verdict, "error_count");
	bool counted = json_type(count) == JSON_NUMBER && count.text[0] != '0';
	if (save->why.len > head || counted || save->why.err) {
		return -EINVAL;
	}
	save->why.len = before;
	save->why.buf[before] = '\0';
	return 0;
}

int save_validate(struct save *save, const struct config *settings)
{
	struct job *job = &save->job;
	const char *class = config_get(settings, "connector.class");
	const char *type = config_get(settings, "confluent.connector.type");
	if (!job->fs->options->validate || !class || (type && strcmp(type, CUSTOM) == 0)) {
		return 0;
	}
	cleanup(free) char *target =
		url_target(CLOUD_VALIDATE, job->folder->environment, job->folder->cluster, class);
	struct strbuf body = STRBUF_INIT(BODY_BYTES);
	config_encode(settings, &body);
	int err = target ? body.err : -ENOMEM;
	for (unsigned tries = 1; err == 0; tries++) {
		cleanup(http_answer) struct http_answer answer = { .retry_after = -1 };
		err = job_request(job, HTTP_PUT, target, &body, &answer, &save->hidden);
		if (err == 0) {
			err = judge(save, &answer);
			break;
		}
		bool passing = http_answer_is_passing(&answer);
		if (passing && job_pause(job, tries, &answer)) {
			err = 0;
		} else {
			save_explain(save, "The plugin was asked whether it is valid", &answer);
		}
	}
	strbuf_wipe(&body);
	return err;
}

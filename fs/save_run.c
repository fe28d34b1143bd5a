#include "fs/save_run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/cloud.h"
#include "api/error.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/fs.h"
#include "fs/host_lock.h"
#include "fs/journal.h"
#include "fs/save_text.h"

#define BODY_BYTES ((size_t)4 << 20)
#define WHY_BYTES  65536

static char *target_of(const struct save *save, const char *pattern)
{
	const struct folder *folder = save->job.folder;
	return url_target(pattern, folder->environment, folder->cluster, folder->name);
}

void save_explain(struct save *save, const char *what, const struct http_answer *answer)
{
	save->told = true;
	journal_explain(answer, what, &save->hidden, &save->why);
}

/* Notes which of the values to be sent must not be repeated: those that are masked live, or stand
 * behind a mask. */
static void hide_secrets(struct save *save, const struct config *sending, const struct config *live)
{
	for (size_t i = 0; i < sending->count; i++) {
		const struct setting *setting = &sending->settings[i];
		const char *written = config_get(&save->wanted, setting->name);
		const char *its = live ? config_get(live, setting->name) : NULL;
		if (config_names_secret(setting->name) || (written && config_is_mask(written)) ||
			(its && config_is_mask(its))) {
			config_set(&save->hidden, setting->name, setting->value);
		}
	}
}

/* For the audit trail: what the newest request changes. The server's answer, where there is one,
 * tells what is secret. */
static void note_settings(struct save *save, const struct config *before, struct json_slice answer)
{
	struct strbuf *out = &save->job.change.settings;
	cleanup(config) struct config hidden = { 0 };
	cleanup(config) struct config shown = { 0 };
	if (config_copy(&save->hidden, &hidden) < 0 ||
		(answer.text && config_of_answer(answer, &shown) < 0)) {
		return;
	}
	for (size_t i = 0; i < shown.count; i++) {
		if (config_is_mask(shown.settings[i].value)) {
			config_set(&hidden, shown.settings[i].name, "");
		}
	}
	strbuf_reset(out);
	save_add_difference(before, &save->wanted, &hidden, out);
}

/* The live configuration. 0 or -errno; its text stays in save->shown. */
static int read_live(struct save *save, struct config *ret_live)
{
	cleanup(http_answer) struct http_answer answer = { 0 };
	cleanup(free) char *target = target_of(save, CLOUD_CONFIG);
	struct json_slice value;
	if (!target) {
		return -ENOMEM;
	}
	int err = job_request(&save->job, HTTP_GET, target, NULL, &answer, &save->hidden);
	if (err == 0) {
		err = json_check(strbuf_str(&answer.body), answer.body.len, &value, NULL);
	}
	if (err == 0) {
		err = config_of_answer(value, ret_live);
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
		save_explain(save, "Before saving, the live configuration was asked for", &answer);
	}
	return err;
}

/* Whether the bulk answer, which the base came from, still says what it said then. */
static bool bulk_is_unchanged(struct save *save)
{
	cleanup(http_answer) struct http_answer answer = { 0 };
	cleanup(free) char *target = target_of(save, CLOUD_CONNECTORS_EXPANDED);
	cleanup(config) struct config now = { 0 };
	struct json_slice all, key, value;
	if (!save->base_is_bulk || !target ||
		job_request(&save->job, HTTP_GET, target, NULL, &answer, &save->hidden) < 0 ||
		json_check(strbuf_str(&answer.body), answer.body.len, &all, NULL) < 0) {
		return false;
	}
	struct json_iter iter = json_iter(all);
	while (json_next(&iter, &key, &value)) {
		if (json_is(key, save->job.folder->name)) {
			return config_of_answer(json_get(value, "info/config"), &now) == 0 &&
			       config_equal(&now, &save->base);
		}
	}
	return false;
}

static void note_hidden_difference(
	void *arg, const char *name, const char *before, const char *after)
{
	(void)name;
	*(bool *)arg |= !before || !after || !config_is_mask(after);
}

/* Whether the live one is what was sent, as far as masks let one see. */
static bool looks_sent(const struct config *wanted, const struct config *live)
{
	bool differs = false;
	config_diff(wanted, live, note_hidden_difference, &differs);
	return !differs;
}

static int explain_conflict(struct save *save, const struct config *live)
{
	strbuf_addf(&save->why,
		"%s was changed by somebody else since you opened it; nothing was overwritten. "
		"What changed (before -> now):\n",
		save->job.folder->name);
	save_add_difference(&save->base, live, &save->hidden, &save->why);
	strbuf_adds(
		&save->why, "Open it again, and bring your change in from config.json.rejected.\n");
	journal_error(save->job.fs->journal, "%s: not saved: changed by somebody else",
		save->job.folder->name);
	save->told = true;
	return -ESTALE;
}

/* What one attempt came to, beside 0 and -errno. */
#define AGAIN 1

/* Takes the answer of a PUT in. 0, AGAIN, or -errno. */
static int judge_put(struct save *save, struct http_answer *answer)
{
	struct json_slice value = { NULL, 0 };
	if (answer->err == 0) {
		save->sent = true;
		if (answer->status == 201) {
			journal_error(save->job.fs->journal,
				"%s: had been removed meanwhile; this save has created it anew",
				save->job.folder->name);
		}
		if (json_check(strbuf_str(&answer->body), answer->body.len, &value, NULL) < 0 ||
			json_type(json_get(value, "config")) != JSON_OBJECT) {
			save->undecided = true;
			return AGAIN;
		}
		value = json_get(value, "config");
		strbuf_reset(&save->shown);
		strbuf_add(&save->shown, value.text, value.len);
		return 0;
	}
	save->undecided |= answer->maybe_done;
	bool answered = answer->status == 500 &&
			error_is_from_api(strbuf_str(&answer->body), answer->body.len);
	bool passing =
		answer->status
			? (error_is_transient(answer->status) || answer->status == 409) && !answered
			: answer->err != -EPROTO && answer->err != -ECANCELED;
	return passing || answer->maybe_done ? AGAIN : answer->err;
}

/* Sends the settings, with what stands behind masks. 0, AGAIN, or -errno. */
static int put(struct save *save, const struct config *live, struct http_answer *ret_answer)
{
	cleanup(config) struct config sending = { 0 };
	cleanup(free) char *target = target_of(save, CLOUD_CONFIG);
	struct strbuf body = STRBUF_INIT(BODY_BYTES);
	int err = target ? config_copy(&save->wanted, &sending) : -ENOMEM;
	if (err == 0) {
		err = save_fill_masks(
			&sending, save->job.folder->name, live, save->job.fs->secrets, &save->why);
	}
	if (err == 0) {
		hide_secrets(save, &sending, live);
		config_encode(&sending, &body);
		err = body.err;
	}
	if (err == 0 && !job_may_send(&save->job, HTTP_PUT, target)) {
		note_settings(save, live, (struct json_slice){ NULL, 0 });
	} else if (err == 0) {
		job_request(&save->job, HTTP_PUT, target, &body, ret_answer, &save->hidden);
		err = judge_put(save, ret_answer);
		if (err < 0) {
			save_explain(save, "The configuration was refused", ret_answer);
		}
		struct json_slice shown = { strbuf_str(&save->shown), save->shown.len };
		note_settings(save, live, shown);
	}
	strbuf_wipe(&body);
	return err;
}

/* One look, and one PUT if it may be sent. 0, AGAIN with the answer, or -errno. */
static int attempt(struct save *save, bool again, struct http_answer *ret_answer)
{
	cleanup(config) struct config live = { 0 };
	int err = read_live(save, &live);
	if (err == 0) {
		err = save_fix_name(&save->wanted, save->job.folder->name, &live, &save->why);
	}
	if (err < 0) {
		return err;
	}
	bool sent_before = again && save->undecided && looks_sent(&save->wanted, &live) &&
			   !looks_sent(&save->wanted, &save->base);
	if (config_equal(&save->wanted, &live) || sent_before ||
		(save->sent && looks_sent(&save->wanted, &live))) {
		/* True where a request of this save's own was carried out, and its answer lost. */
		save->sent |= save->undecided;
		save->undecided = false;
		return 0;
	}
	if (!config_equal(&save->base, &live) && !bulk_is_unchanged(save)) {
		return explain_conflict(save, &live);
	}
	return put(save, &live, ret_answer);
}

/* Before the look, so that nothing stands between that and the PUT. What was masked when the writer
 * saw it goes as it is. */
static int validate_update(struct save *save)
{
	cleanup(config) struct config sending = { 0 };
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(WHY_BYTES);
	if (config_copy(&save->wanted, &sending) < 0) {
		return -ENOMEM;
	}
	save_fill_masks(&sending, save->job.folder->name, &save->base, save->job.fs->secrets, &why);
	hide_secrets(save, &sending, &save->base);
	return save_validate(save, &sending);
}

static int update(struct job *job)
{
	struct save *save = (struct save *)job;
	int err = validate_update(save);
	if (err < 0) {
		return err;
	}
	cleanup(fd) int lock = host_lock(job->fs, job->folder->key, job->deadline);
	if (lock == -EBUSY) {
		strbuf_adds(&save->why,
			"Another mount of this account on this host holds the connector.\n");
		return -EBUSY;
	}
	for (unsigned tries = 1;; tries++) {
		cleanup(http_answer) struct http_answer answer = { .retry_after = -1 };
		err = attempt(save, tries > 1, &answer);
		if (err != AGAIN) {
			return err;
		}
		if (!job_pause(job, tries, &answer)) {
			save_explain(save, "The configuration was not taken in time", &answer);
			return answer.err ? answer.err : -EBADMSG;
		}
	}
}

/* The body of a create: name, settings, offsets. */
static void create_body(const struct save *save, const struct config *sending, struct strbuf *out)
{
	const char *name = save->job.folder->name;
	strbuf_adds(out, "{\"name\":");
	json_encode(name, strlen(name), out);
	strbuf_adds(out, ",\"config\":");
	config_encode(sending, out);
	if (save->offsets) {
		strbuf_addf(out, ",\"offsets\":%s", save->offsets);
	}
	strbuf_addc(out, '}');
}

/* After an attempt that failed: is it there? 0: no, -EEXIST: yes, 1: yes, and it is what was sent.
 */
static int look(struct save *save, bool maybe_done)
{
	cleanup(http_answer) struct http_answer answer = { 0 };
	cleanup(config) struct config live = { 0 };
	cleanup(free) char *target = target_of(save, CLOUD_CONNECTOR);
	struct json_slice value = { NULL, 0 };
	struct http_request request = {
		.method = HTTP_GET, .target = target, .deadline = save->job.deadline
	};
	int err = target ? http_perform(save->job.fs->http, &request, &answer) : -ENOMEM;
	if (err == -ENOENT) {
		return 0;
	}
	if (err < 0 || json_check(strbuf_str(&answer.body), answer.body.len, &value, NULL) < 0) {
		return err < 0 ? err : -EBADMSG;
	}
	if (!maybe_done || config_of_answer(json_get(value, "config"), &live) < 0) {
		return -EEXIST;
	}
	if (!config_covers(&live, &save->wanted)) {
		return -EEXIST;
	}
	strbuf_reset(&save->shown);
	strbuf_add(&save->shown, value.text, value.len);
	save->sent = true;
	return 1;
}

/* 0, AGAIN, or -errno. */
static int judge_post(struct save *save, struct http_answer *answer)
{
	struct json_slice value;
	if (answer->err == 0 &&
		json_check(strbuf_str(&answer->body), answer->body.len, &value, NULL) == 0 &&
		json_type(value) == JSON_OBJECT) {
		save->sent = true;
		strbuf_reset(&save->shown);
		strbuf_add(&save->shown, value.text, value.len);
		return 0;
	}
	int refused = answer->err ? answer->err : -EBADMSG;
	bool unsure = answer->err == 0 || answer->maybe_done;
	save->undecided |= unsure;
	if (answer->err == -EPROTO || answer->err == -ECANCELED || answer->err == -EACCES) {
		return refused;
	}
	int there = look(save, unsure || save->undecided);
	if (there == 1) {
		return 0;
	}
	if (there == -EEXIST) {
		strbuf_addf(&save->why,
			"There is a connector \"%s\" already; it was not touched.\n",
			save->job.folder->name);
		return -EEXIST;
	}
	bool passing = unsure ||
		       (answer->status ? error_is_transient(answer->status) && answer->status != 500
				       : true);
	return there == 0 && passing ? AGAIN : refused;
}

/* The same as for any change, but that the answer tells what is secret. */
static void note_created(struct save *save)
{
	struct json_slice answer = { strbuf_str(&save->shown), save->shown.len };
	note_settings(save, &(struct config){ 0 }, json_get(answer, "config"));
}

static int create(struct job *job)
{
	struct save *save = (struct save *)job;
	cleanup(config) struct config sending = { 0 };
	cleanup(free) char *target = target_of(save, CLOUD_CONNECTORS);
	int err = target ? config_copy(&save->wanted, &sending) : -ENOMEM;
	if (err == 0) {
		err = save_fill_masks(
			&sending, job->folder->name, NULL, job->fs->secrets, &save->why);
	}
	hide_secrets(save, &sending, NULL);
	if (err == 0) {
		err = save_validate(save, &sending);
	}
	struct strbuf body = STRBUF_INIT(BODY_BYTES);
	create_body(save, &sending, &body);
	err = err < 0 ? err : body.err;
	note_settings(save, &(struct config){ 0 }, (struct json_slice){ NULL, 0 });
	for (unsigned tries = 1; err == 0 && job_may_send(job, HTTP_POST, target); tries++) {
		cleanup(http_answer) struct http_answer answer = { .retry_after = -1 };
		job_request(job, HTTP_POST, target, &body, &answer, &save->hidden);
		err = judge_post(save, &answer);
		if (err == 0) {
			note_created(save);
			break;
		}
		if (err == AGAIN && job_pause(job, tries, &answer)) {
			err = 0;
			continue;
		}
		if (err == AGAIN) {
			err = answer.err ? answer.err : -EBADMSG;
		}
		save_explain(save, "The connector was not created", &answer);
	}
	strbuf_wipe(&body);
	return err;
}

int save_run(struct job *job)
{
	struct save *save = (struct save *)job;
	fs_lock(job->fs);
	const struct folder *folder = job->folder;
	/* An update that waited for a removal's turn finds that there is nothing left to update. */
	bool creates = !save->create && folder->made;
	/* A create that waited for its writer's own finds that there is. */
	bool updates = save->create && !folder->made && folder->created_at &&
		       folder->creator == save->commit.pid;
	save_take_base(save); /* an earlier save of the same writer may have ended meanwhile */
	fs_unlock(job->fs);
	int err = 0;
	save->create = (save->create && !updates) || creates;
	if (creates) {
		save_strip_added(&save->wanted);
	} else if (updates && save->offsets) {
		strbuf_adds(&save->why, SAVE_NO_OFFSETS);
		err = -EINVAL;
	}
	job->change.action = save->create ? "create" : "update";
	if (err == 0) {
		err = save->create ? create(job) : update(job);
	}
	job->change.undecided = save->undecided;
	return err;
}

/* Saving config.json: what a connector's settings become on their way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloud.h"
#include "api/error.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "fs/connectors.h"
#include "fs/fs.h"
#include "fs/save_run.h"
#include "fs/save_text.h"

#define BODY_BYTES ((size_t)4 << 20)
#define WHY_BYTES  65536
#define NO_OFFSETS "\"offsets\" may be given only when a connector is created"

/* Reads the text. 0 or -EINVAL with the reason in save->why. */
static int parse(struct save *save)
{
	struct json_slice offsets;
	const char *name = save->job.folder->name;
	int err = config_parse(
		save->commit.text, save->commit.len, &save->wanted, &offsets, &save->why);
	if (err == 0 && save->create) {
		err = save_fix_name(&save->wanted, name, NULL, &save->why);
		save_strip_added(&save->wanted);
		save->offsets = offsets.text ? strndup(offsets.text, offsets.len) : NULL;
	} else if (err == 0 && offsets.text) {
		strbuf_adds(&save->why, NO_OFFSETS);
		err = -EINVAL;
	} else if (err == 0 && !config_get(&save->wanted, "name")) {
		err = config_set(&save->wanted, "name", name);
	}
	return err;
}

static int turn(struct save *save)
{
	if (save->create) {
		save_strip_added(&save->wanted);
		return save_fix_name(&save->wanted, save->job.folder->name, NULL, &save->why);
	}
	if (save->offsets) {
		strbuf_adds(&save->why, NO_OFFSETS);
		return -EINVAL;
	}
	return 0;
}

static int read_answer(const struct save *save, struct json_slice answer, struct config *ret_config)
{
	(void)save;
	return config_of_answer(answer, ret_config);
}

static char *target_of(const struct save *save, const char *pattern)
{
	const struct folder *folder = save->job.folder;
	return url_target(pattern, folder->environment, folder->cluster, folder->name);
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
			bool known = config_is_mask(setting->value) ||
				     (its && strcmp(its, setting->value) == 0);
			config_set(&save->hidden, setting->name, setting->value);
			save->job.secret |= !known;
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

static char *live_target(const struct save *save)
{
	return target_of(save, CLOUD_CONFIG);
}

static int check(struct save *save, const struct config *live)
{
	return save_fix_name(&save->wanted, save->job.folder->name, live, &save->why);
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

static bool is_unchanged(struct save *save, const struct config *live)
{
	return config_equal(&save->base, live) || bulk_is_unchanged(save);
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

static void add_difference(const struct save *save, const struct config *before,
	const struct config *after, struct strbuf *out)
{
	save_add_difference(before, after, &save->hidden, out);
}

/* Sends the settings, with what stands behind masks. 0, SAVE_AGAIN, or -errno. */
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
		err = save_judge(save, ret_answer);
		struct json_slice shown = { strbuf_str(&save->shown), save->shown.len };
		note_settings(save, live, shown);
	}
	strbuf_wipe(&body);
	return err;
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

/* 0, SAVE_AGAIN, or -errno. */
static int judge_post(void *arg, struct http_answer *answer)
{
	struct save *save = arg;
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
	return there == 0 && passing ? SAVE_AGAIN : refused;
}

/* The same as for any change, but that the answer tells what is secret. */
static void note_created(struct save *save)
{
	struct json_slice answer = { strbuf_str(&save->shown), save->shown.len };
	note_settings(save, &(struct config){ 0 }, json_get(answer, "config"));
}

static int create(struct save *save)
{
	struct job *job = &save->job;
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
	err = err < 0 ? err : save_post(save, target, &body, judge_post, save);
	if (err == 0 && job->change.sent) {
		note_created(save);
	}
	strbuf_wipe(&body);
	return err;
}

static struct item *take_created(struct save *save, struct json_slice answer)
{
	struct document *document = folder_document(save->job.folder);
	return document ? connector_created(document, save->job.folder->name, answer) : NULL;
}

static const struct save_kind connector = {
	.noun = "configuration",
	.parse = parse,
	.turn = turn,
	.read = read_answer,
	.is = config_equal,
	.looks = looks_sent,
	.live_target = live_target,
	.answer_member = "config",
	.check = check,
	.is_unchanged = is_unchanged,
	.add_difference = add_difference,
	.prepare = validate_update,
	.send = put,
	.create = create,
	.take_created = take_created,
};

int save_start(struct op *op, struct slot *slot, struct node *draft, pid_t pid, enum save_how how)
{
	return save_begin(&connector, op, slot, draft, pid, how);
}

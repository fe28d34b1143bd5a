/* Creating a plugin or a version: presigned URL, upload, POST. Runs on a job's thread. */
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
#include "fs/custom_priv.h"
#include "fs/fs.h"
#include "fs/save_run.h"

#define BODY_BYTES ((size_t)4 << 20)
#define PAGES_MAX  500

void unanswered_destroy(struct unanswered *unanswered)
{
	if (unanswered) {
		config_finish(&unanswered->known);
		config_finish(&unanswered->uploads);
		free(unanswered);
	}
}

/* Under the lock: who tries again has to know. */
static void remember(struct creation *creation)
{
	struct unanswered *unanswered = calloc(1, sizeof(*unanswered));
	if (unanswered) {
		unanswered->known = creation->known;
		unanswered->uploads = creation->uploads;
		creation->known = creation->uploads = (struct config){ 0 };
		creation->save->job.folder->unanswered = unanswered;
	}
}

static void creation_begin(struct creation *creation)
{
	struct folder *folder = creation->save->job.folder;
	fs_lock(folder->fs);
	struct unanswered *unanswered = steal(folder->unanswered);
	fs_unlock(folder->fs);
	creation->again = unanswered != NULL;
	if (unanswered) {
		creation->known = unanswered->known;
		creation->uploads = unanswered->uploads;
		free(unanswered);
	}
}

static void creation_finish(struct creation *creation, int err)
{
	struct fs *fs = creation->save->job.fs;
	fs_lock(fs);
	if (err < 0 && (creation->again || creation->save->undecided)) {
		remember(creation);
	}
	archive_finish(&creation->archive);
	fs_unlock(fs);
	free(creation->label);
	config_finish(&creation->members);
	config_finish(&creation->known);
	config_finish(&creation->uploads);
}

static char *list_target(const struct folder *folder)
{
	return folder->plugin        ? url_target(CLOUD_VERSIONS, folder->plugin)
	       : folder->environment ? url_target(CLOUD_ENVIRONMENT_PLUGINS)
				     : url_target(CLOUD_CUSTOM_PLUGINS);
}

/* What one of a list is called, to be freed; NULL: nothing. */
static char *label_of(const struct creation *creation, struct json_slice item)
{
	cleanup(config) struct config members = { 0 };
	return plugin_of_answer(creation->kind, item, &members) == 0
		       ? plugin_string(&members, creation->kind->label)
		       : NULL;
}

/* Whether one of the list that is new can be what was created: an API that tells of uploads would
 * tell of one of these. */
static bool may_be_ours(const struct creation *creation, struct json_slice item)
{
	cleanup(config) struct config live = { 0 };
	cleanup(free) char *told = NULL;
	if (plugin_of_answer(creation->kind, item, &live) == 0) {
		told = plugin_upload_id(&live);
	}
	return !told || creation->uploads.count == 0 || config_get(&creation->uploads, told);
}

/* Looks through a page. Before the create, those of the name are noted; later, one that was not
 * there is the one that was created: 1. */
static int look_at_page(struct creation *creation, struct json_slice page, bool before)
{
	struct save *save = creation->save;
	struct json_iter iter = json_iter(json_get(page, "data"));
	struct json_slice item;
	while (json_next(&iter, NULL, &item)) {
		cleanup(free) char *label = label_of(creation, item);
		cleanup(free) char *id = json_decode_cstr(json_get(item, "id"));
		if (!id || !label || strcmp(label, creation->label) != 0) {
			continue;
		}
		if (before) {
			int err = config_set(&creation->known, id, "");
			if (err < 0) {
				return err;
			}
		} else if (!config_get(&creation->known, id) && may_be_ours(creation, item)) {
			strbuf_reset(&save->shown);
			strbuf_add(&save->shown, item.text, item.len);
			return 1;
		}
	}
	return 0;
}

static bool read_page(const struct http_answer *answer, struct json_slice *ret_page)
{
	enum json_type data = JSON_NONE;
	if (json_check(strbuf_str(&answer->body), answer->body.len, ret_page, NULL) == 0) {
		data = json_type(json_get(*ret_page, "data"));
	}
	return data == JSON_ARRAY || data == JSON_NULL;
}

/* 0, 1 (look_at_page), or -errno. */
static int look(struct creation *creation, bool before)
{
	struct save *save = creation->save;
	fs_lock(save->job.fs);
	const struct document *document = folder_document(save->job.folder);
	char *target = document ? strdup(document->target) : NULL;
	fs_unlock(save->job.fs);
	int result = target ? 0 : -ENOMEM;
	for (unsigned pages = 0; result == 0 && target && pages < PAGES_MAX; pages++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		struct json_slice page = { NULL, 0 };
		result = job_request(&save->job, HTTP_GET, target, NULL, &answer, NULL);
		if (result == 0 && !read_page(&answer, &page)) {
			result = -EBADMSG;
		}
		if (result < 0) {
			save_explain(save,
				before ? "Before creating, the list was asked for"
				       : "To see whether it was created, the list was asked for",
				&answer);
			break;
		}
		result = look_at_page(creation, page, before);
		cleanup(free) char *link = json_decode_cstr(json_get(page, "metadata/next"));
		char *next;
		int err = http_next_target(target, link, &next);
		free(target);
		target = next;
		if (result == 0 && (err < 0 || (target && pages + 1 == PAGES_MAX))) {
			strbuf_adds(&save->why,
				"The list of what is there cannot be read to its end.\n");
			result = -EBADMSG;
		}
	}
	free(target);
	return result;
}

/* What was found is what was created; of an earlier request, if that wanted the same. */
static int take_found(struct creation *creation)
{
	struct save *save = creation->save;
	cleanup(config) struct config live = { 0 };
	cleanup(free) char *given = plugin_upload_id(&creation->members);
	const char *upload = given ? given : creation->archive.upload_id;
	const struct config *sent = &creation->uploads;
	struct json_slice answer = { save->shown.buf, save->shown.len };
	int err = plugin_of_answer(creation->kind, answer, &live);
	cleanup(free) char *told = plugin_upload_id(&live);
	bool same = told && upload ? strcmp(told, upload) == 0
		    : upload       ? sent->count == 1 && config_get(sent, upload)
				   : sent->count == 0;
	if (creation->again && !(err == 0 && same && plugin_looks(&creation->members, &live))) {
		cleanup(free) char *id = json_decode_cstr(json_get(answer, "id"));
		strbuf_addf(&save->why,
			"An earlier request, which nobody had answered, has created %s of what was here then. Remove that one, or what is here.\n",
			id ? id : "it");
		return -EEXIST;
	}
	save->sent = true;
	save->undecided = false;
	return 0;
}

/* 0, SAVE_AGAIN, or -errno. */
static int judge(void *arg, struct http_answer *answer)
{
	struct creation *creation = arg;
	struct save *save = creation->save;
	struct json_slice value;
	bool read = answer->err == 0 &&
		    json_check(strbuf_str(&answer->body), answer->body.len, &value, NULL) == 0;
	if (read && json_type(json_get(value, "id")) == JSON_STRING) {
		save->sent = true;
		strbuf_reset(&save->shown);
		strbuf_add(&save->shown, value.text, value.len);
		return 0;
	}
	int refused = answer->err ? answer->err : -EBADMSG;
	bool passing = http_answer_is_passing(answer) && !http_answer_is_failure(answer);
	/* A gateway does not know what became of it. */
	bool unsure = answer->err == 0 || answer->maybe_done || (passing && answer->status >= 500);
	save->undecided |= unsure;
	if (answer->status == 409 && creation->known.count > 0) {
		return -EEXIST;
	}
	if (!save->undecided && !creation->again && !passing) {
		return refused;
	}
	int there = look(creation, false);
	if (there == 1) {
		return take_found(creation);
	}
	return there == 0 && (unsure || passing) ? SAVE_AGAIN : refused;
}

static int post(struct creation *creation, const struct strbuf *body)
{
	struct save *save = creation->save;
	struct job *job = &save->job;
	cleanup(free) char *target = list_target(job->folder);
	job->deadline = clock_now_ms() + job->fs->options->timeout_write;
	int err = target ? creation_given_up(creation) : -ENOMEM;
	return err < 0 ? err : save_post(save, target, body, judge, creation);
}

/* Where an archive belongs: into its own cloud, or its plugin's. -EINVAL: that is none. */
static int find_cloud(struct creation *creation)
{
	struct folder *folder = creation->save->job.folder;
	cleanup(free) char *own = plugin_string(&creation->members, "cloud");
	struct json_slice plugins_own = { NULL, 0 };
	if (!creation->kind->clouded) {
		struct document *plugins = document_get(
			folder->fs, &document_environment_plugins, folder->environment, NULL);
		const struct item *item = plugins ? document_find(plugins, folder->plugin) : NULL;
		plugins_own =
			json_get(part_json(item ? item->parts[PART_WHOLE] : NULL), "spec/cloud");
	}
	cleanup(free) char *its = plugins_own.text ? json_decode_cstr(plugins_own) : NULL;
	const char *cloud = creation->kind->clouded ? own : its ? its : "AWS";
	size_t len = cloud ? strlen(cloud) : CLOUD_BYTES;
	if (len >= CLOUD_BYTES) {
		strbuf_adds(&creation->save->why, "\"cloud\" names none.\n");
		return -EINVAL;
	}
	memcpy(creation->cloud, cloud, len + 1);
	return 0;
}

/* Under the lock: what is to be uploaded. */
static int take_archive(struct creation *creation)
{
	struct save *save = creation->save;
	struct folder *folder = save->job.folder;
	cleanup(free) char *given = plugin_upload_id(&creation->members);
	if (!folder->route->folder->archive || given) {
		return 0;
	}
	int err = find_cloud(creation);
	if (err < 0) {
		return err;
	}
	int there = archive_take(folder, creation->cloud, &creation->archive, &save->why);
	if (there == 0) {
		strbuf_adds(&save->why, "Its archive is not there any more.\n");
		return -EINVAL;
	}
	return there < 0 ? there : 0;
}

static int prepare(struct creation *creation)
{
	struct save *save = creation->save;
	const struct folder *folder = save->job.folder;
	struct plugin_place place = { folder->name, folder->environment, NULL };
	struct config *members = &creation->members;
	int err = config_copy(&save->wanted, members);
	if (err == 0) {
		err = plugin_complete(creation->kind, &place, members);
	}
	if (err == 0) {
		fs_lock(save->job.fs);
		err = take_archive(creation);
		fs_unlock(save->job.fs);
	}
	creation->label = plugin_string(members, creation->kind->label);
	if (err == 0 && !creation->label) {
		strbuf_addf(&save->why, "\"%s\" is no text\n", creation->kind->label);
		err = -EINVAL;
	}
	strbuf_reset(&save->job.change.settings);
	plugin_add_difference(&(struct config){ 0 }, members, &save->job.change.settings);
	return err;
}

/* Adds where its archive is, and sends it. */
static int complete_and_post(struct creation *creation)
{
	const struct folder *folder = creation->save->job.folder;
	struct config *members = &creation->members;
	cleanup(strbuf) struct strbuf body = STRBUF_INIT(BODY_BYTES);
	struct plugin_place place = { folder->name, folder->environment,
		creation->archive.upload_id };
	int err = plugin_complete(creation->kind, &place, members);
	cleanup(free) char *upload = plugin_upload_id(members);
	if (err == 0 && upload) {
		err = config_set(&creation->uploads, upload, "");
	}
	plugin_encode(creation->kind, members, folder->environment, &body);
	err = err ? err : body.err;
	return err ? err : post(creation, &body);
}

static int run(struct creation *creation)
{
	struct job *job = &creation->save->job;
	cleanup(free) char *target = list_target(job->folder);
	int err = target ? prepare(creation) : -ENOMEM;
	if (err < 0) {
		return err;
	}
	if (job->fs->options->dry_run) {
		job_may_send(job, HTTP_POST, target);
		return 0;
	}
	int there = look(creation, !creation->again);
	if (there != 0) {
		return there == 1 ? take_found(creation) : there;
	}
	if (creation->archive.node && !creation->archive.fresh) {
		err = creation_upload(creation);
	}
	return err ? err : complete_and_post(creation);
}

int custom_create(struct save *save)
{
	struct creation creation = {
		.save = save, .kind = save->job.folder->route->folder->plugin, .archive.fd = -1
	};
	creation_begin(&creation);
	int err = run(&creation);
	creation_finish(&creation, err);
	return err;
}

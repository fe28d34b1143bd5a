/* Bringing an archive to where the API wants it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloud.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/wipe.h"
#include "fs/custom_priv.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/spool.h"

#define BODY_BYTES  ((size_t)1 << 20)
#define FIELDS_MAX  32
#define UPLOADS_MAX 3 /* of one archive, to one URL */

int creation_given_up(struct creation *creation)
{
	if (!job_is_given_up(&creation->save->job)) {
		return 0;
	}
	strbuf_adds(&creation->save->why, "It was interrupted; nothing was created.\n");
	return -EINTR;
}

/* The answer that tells where to upload. */
struct ticket {
	struct http_answer answer;
	struct json_slice value;
};

static void add_text_member(const char *name, const char *text, struct strbuf *out)
{
	strbuf_addf(out, "%c\"%s\":", out->len ? ',' : '{', name);
	json_encode(text, strlen(text), out);
}

static void presign_body(const struct creation *creation, struct strbuf *out)
{
	const struct folder *folder = creation->save->job.folder;
	add_text_member("cloud", creation->cloud, out);
	add_text_member("content_format", creation->archive.format, out);
	if (folder->environment) {
		strbuf_adds(out, ",\"environment\":{\"id\":");
		json_encode(folder->environment, strlen(folder->environment), out);
		strbuf_addc(out, '}');
	}
	strbuf_addc(out, '}');
}

static int read_ticket(struct ticket *ticket)
{
	const struct strbuf *body = &ticket->answer.body;
	bool good = json_check(strbuf_str(body), body->len, &ticket->value, NULL) == 0 &&
		    json_type(json_get(ticket->value, "upload_id")) == JSON_STRING &&
		    json_type(json_get(ticket->value, "upload_url")) == JSON_STRING;
	return good ? 0 : -EBADMSG;
}

/* Asks for a presigned URL. Asking twice does no harm. */
static int presign(struct creation *creation, struct ticket *ret_ticket)
{
	struct job *job = &creation->save->job;
	const char *target = job->folder->environment ? CLOUD_ENVIRONMENT_UPLOAD : CLOUD_UPLOAD;
	cleanup(strbuf) struct strbuf body = STRBUF_INIT(BODY_BYTES);
	presign_body(creation, &body);
	job->deadline = clock_now_ms() + job->fs->options->timeout_write;
	int err = body.err ? body.err : creation_given_up(creation);
	for (unsigned tries = 1; err == 0; tries++) {
		http_answer_finish(&ret_ticket->answer);
		ret_ticket->answer = (struct http_answer){ .retry_after = -1 };
		job_may_send(job, HTTP_POST, target);
		err = job_request(job, HTTP_POST, target, &body, &ret_ticket->answer, NULL);
		err = err ? err : read_ticket(ret_ticket);
		if (err == 0) {
			break;
		}
		if (http_answer_is_passing(&ret_ticket->answer) &&
			job_pause(job, tries, &ret_ticket->answer)) {
			err = 0;
			continue;
		}
		save_explain(creation->save, "A place for the archive was asked for",
			&ret_ticket->answer);
	}
	return err;
}

/* Where to upload, and a form's fields, as they were given: as good as a password. */
struct form {
	char *url; /* owned, wiped */
	struct http_field fields[FIELDS_MAX];
	char *texts[2 * FIELDS_MAX]; /* owned, wiped */
	size_t count;
};

static void form_cleanup(struct form *form)
{
	wipe_free(form->url);
	for (size_t i = 0; i < 2 * form->count; i++) {
		wipe_free(form->texts[i]);
	}
}

static int read_form(struct json_slice object, struct form *form)
{
	struct json_iter iter = json_iter(object);
	struct json_slice key, value;
	while (json_type(object) == JSON_OBJECT && json_next(&iter, &key, &value)) {
		if (form->count == FIELDS_MAX || json_type(value) != JSON_STRING) {
			return -EBADMSG;
		}
		char *name = json_decode_cstr(key), *text = json_decode_cstr(value);
		size_t at = form->count++;
		form->texts[2 * at] = name;
		form->texts[2 * at + 1] = text;
		form->fields[at] = (struct http_field){ name, text };
		if (!name || !text) {
			return -EBADMSG;
		}
	}
	return 0;
}

/* Whether the storage says that the URL has ended. */
static bool has_expired(const struct http_answer *answer)
{
	return answer->status == 403 ||
	       (answer->status == 400 && strcasestr(strbuf_str(&answer->body), "expired"));
}

static void explain_upload(struct creation *creation, const struct http_answer *answer)
{
	struct save *save = creation->save;
	const char *name = creation->archive.name;
	if (answer->status) {
		strbuf_addf(&save->why, "%s was not uploaded: the storage answered %ld.\n", name,
			answer->status);
	} else {
		strbuf_addf(&save->why, "%s was not uploaded: %s%s%s.\n", name,
			strerror(-answer->err), answer->trouble[0] ? ": " : "", answer->trouble);
	}
	journal_message(save->job.fs->journal, answer, NULL, &save->why);
	strbuf_addc(&save->why, '\n');
}

/* One upload, or some: they replace each other. */
static int send_archive(struct creation *creation, const struct ticket *ticket, bool first)
{
	struct job *job = &creation->save->job;
	const struct archive *archive = &creation->archive;
	bool azure = strcmp(creation->cloud, "AZURE") == 0;
	bool form_post = strcmp(creation->cloud, "AWS") == 0;
	cleanup(form) struct form form = { .url = json_decode_cstr(
						   json_get(ticket->value, "upload_url")) };
	int err =
		form.url ? read_form(json_get(ticket->value, "upload_form_data"), &form) : -EBADMSG;
	struct http_upload upload = { .fd = archive->fd,
		.size = archive->size,
		.header = azure ? "x-ms-blob-type: BlockBlob" : NULL,
		.fields = form.fields,
		.field_count = form.count,
		.file_name = archive->name };
	job->deadline = clock_now_ms() + job->fs->options->upload_timeout;
	for (unsigned tries = 1; err == 0; tries++) {
		cleanup(http_answer) struct http_answer answer = { .retry_after = -1 };
		cleanup(free) char *shown = strndup(form.url, strcspn(form.url, "?"));
		enum http_method method = form_post ? HTTP_POST : HTTP_PUT;
		job_may_send(job, method, shown ? shown : "");
		err = job_upload(job, method, form.url, &upload, job->deadline, &answer);
		if (err == 0) {
			break;
		}
		if (creation_given_up(creation) < 0) {
			return -EINTR;
		}
		if (first && has_expired(&answer)) {
			return SAVE_AGAIN;
		}
		if (tries < UPLOADS_MAX && http_answer_is_passing(&answer) &&
			job_pause(job, tries, &answer)) {
			err = 0;
			continue;
		}
		explain_upload(creation, &answer);
	}
	return err;
}

/* What was in memory becomes a file, to be sent like any other. */
static int spool_data(struct archive *archive)
{
	if (archive->fd >= 0) {
		return 0;
	}
	archive->fd = spool_open();
	return archive->fd < 0 ? archive->fd
			       : spool_write(archive->fd, archive->data, archive->size, 0);
}

/* Notes an upload, unless the archive is another one by now. */
static int keep_upload(struct creation *creation)
{
	struct fs *fs = creation->save->job.fs;
	fs_lock(fs);
	int err = archive_uploaded(&creation->archive, creation->cloud);
	fs_unlock(fs);
	if (err == -EBUSY) {
		strbuf_addf(&creation->save->why, "%s was changed while it was uploaded.\n",
			creation->archive.name);
	}
	return err;
}

int creation_upload(struct creation *creation)
{
	struct ticket ticket = { 0 };
	int err = spool_data(&creation->archive);
	if (err == 0) {
		err = presign(creation, &ticket);
	}
	if (err == 0) {
		err = send_archive(creation, &ticket, true);
	}
	if (err == SAVE_AGAIN) {
		err = presign(creation, &ticket);
		err = err ? err : send_archive(creation, &ticket, false);
	}
	if (err == 0) {
		struct archive *archive = &creation->archive;
		free(archive->upload_id);
		archive->upload_id = json_decode_cstr(json_get(ticket.value, "upload_id"));
		err = archive->upload_id ? keep_upload(creation) : -EBADMSG;
	}
	http_answer_finish(&ticket.answer);
	return err;
}

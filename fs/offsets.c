#include "fs/offsets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloud.h"
#include "api/config.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/bases.h"
#include "fs/commit.h"
#include "fs/document.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/hash.h"
#include "fs/journal.h"
#include "fs/node.h"
#include "fs/offsets_run.h"
#include "fs/offsets_text.h"
#include "fs/op.h"
#include "fs/route.h"
#include "fs/times.h"

#define WHY_BYTES 65536

/* A request that the API has taken, or may have, and whose end this mount has not seen. */
struct altering {
	struct slot *slot; /* whose save it was */
	struct strbuf request, changes;
	char *text; /* as it was written; owned */
	size_t len;
	int64_t sent_at; /* the moment when its answer came */
	int64_t wall;    /* when it was sent, wall milliseconds */
	int64_t until;   /* it is forgotten, monotonic */
	bool unsure;     /* nobody has answered it */
};

/* The API's observation moves its own time although nothing else does. */
static bool same_offsets(const struct part *a, const struct part *b)
{
	return offsets_same_value(
		       json_get(part_json(a), "offsets"), json_get(part_json(b), "offsets")) &&
	       offsets_same_value(json_get(part_json(a), "id"), json_get(part_json(b), "id"));
}

const struct document_kind document_offsets = { .target = CLOUD_OFFSETS,
	.variables = 3,
	.ttl = TTL_STATUS,
	.single = true,
	.same = same_offsets };
const struct document_kind document_offsets_request = { .target = CLOUD_OFFSETS_STATUS,
	.variables = 3,
	.ttl = TTL_STATUS,
	.single = true,
	.optional = true };

void altering_destroy(struct altering *altering)
{
	if (altering) {
		strbuf_finish(&altering->request);
		strbuf_finish(&altering->changes);
		free(altering->text);
		free(altering);
	}
}

static struct document *document_of(const struct folder *folder, const struct document_kind *kind)
{
	return document_get_named(
		folder->fs, kind, folder->environment, folder->cluster, folder->name);
}

static struct part *part_of(struct document *document)
{
	const struct item *item = document ? document_find(document, "") : NULL;
	return item ? item->parts[PART_WHOLE] : NULL;
}

static void expire(const struct folder *folder, const struct document_kind *kind)
{
	struct document *document = document_of(folder, kind);
	if (document) {
		document_expire(document);
	}
}

/* Appends offsets.json as it is now: the answer, and what was asked for since. */
static int show(const struct folder *folder, struct document *document, struct strbuf *out)
{
	const struct altering *altering = folder ? folder->altering : NULL;
	struct strbuf text = STRBUF_INIT(out->max);
	struct json_slice shown = part_json(part_of(document));
	int err = shown.text ? 0 : -ENOENT;
	if (err == 0 && altering && !altering->unsure) {
		struct json_slice changes = { strbuf_str(&altering->changes),
			altering->changes.len };
		err = offsets_apply(shown, changes, &text);
		shown = (struct json_slice){ strbuf_str(&text), text.len };
	}
	if (err == 0) {
		json_pretty(shown, JSON_AS_GIVEN, out);
		strbuf_addc(out, '\n');
		err = out->err;
	}
	strbuf_finish(&text);
	return err;
}

static void fail(struct folder *folder, struct json_slice status)
{
	const struct altering *altering = folder->altering;
	struct strbuf why = STRBUF_INIT(WHY_BYTES);
	struct json_slice message = json_get(status, "message");
	struct strbuf text = STRBUF_INIT(WHY_BYTES);
	json_decode(message, &text);
	strbuf_addf(&why, "%s: the offsets were not altered: ", folder->name);
	journal_clean(folder->fs->journal, strbuf_str(&text), text.len, NULL, &why);
	strbuf_finish(&text);
	journal_error(folder->fs->journal, "%s", strbuf_str(&why));
	strbuf_addf(&why, "\nWhat was asked for is in %s.rejected.\n", altering->slot->route->name);
	slot_refuse(altering->slot, altering->text, altering->len, strbuf_str(&why));
	strbuf_finish(&why);
}

/* What the newest status says of a request of ours. */
static void settle(struct folder *folder, const struct document *document, struct json_slice value)
{
	struct altering *altering = folder->altering;
	struct json_slice request = { strbuf_str(&altering->request), altering->request.len };
	struct json_slice status = json_get(value, "status"), phase = json_get(status, "phase");
	bool ours = offsets_is_request(json_get(value, "request"), request, altering->wall);
	bool failed = json_is(phase, "FAILED");
	if (altering->unsure && ours) {
		altering->unsure = false;
		slot_clear_refusal(altering->slot);
	}
	if (ours && !failed && !json_is(phase, "APPLIED")) {
		altering->until = clock_now_ms() + folder->fs->options->settle;
		return;
	}
	if (altering->unsure) {
		return;
	}
	/* It has ended, or another one has begun, which only can be when it has. */
	const struct document *offsets = document_of(folder, &document_offsets);
	if (offsets && offsets->fetched_at < document->fetched_at) {
		expire(folder, &document_offsets);
	}
	if (ours && failed) {
		fail(folder, status);
	}
	altering_destroy(steal(folder->altering));
}

/* Looks what has become of a request of ours, where there is one. 0 or OP_WAIT. */
static int look_after(struct op *op, struct folder *folder)
{
	struct altering *altering = folder ? folder->altering : NULL;
	int64_t now = clock_now_ms();
	if (!altering) {
		return 0;
	}
	if (now >= altering->until) {
		altering_destroy(steal(folder->altering));
		return 0;
	}
	struct document *document = document_of(folder, &document_offsets_request);
	bool recent = now < MOMENT_MS(altering->sent_at) + op->fs->options->ttl[TTL_STATUS];
	int result =
		!document || (recent && !altering->unsure) ? -EAGAIN : document_need(op, document);
	if (result == 0 && document->fetched_at > altering->sent_at) {
		settle(folder, document, part_json(part_of(document)));
	}
	return result == OP_WAIT ? OP_WAIT : 0;
}

static struct document *document_at(
	struct op *op, const struct node *dir, const struct document_kind *kind)
{
	return document_get_named(op->fs, kind, node_variable(dir, VAR_ENVIRONMENT),
		node_variable(dir, VAR_CLUSTER), dir->key);
}

int offsets_compose(struct op *op, const struct node *dir, struct strbuf *out)
{
	struct folder *folder = dir->folder;
	struct document *document = document_at(op, dir, &document_offsets);
	int result = document ? look_after(op, folder) : -ENOMEM;
	if (result == 0) {
		result = document_need(op, document);
	}
	return result == 0 ? show(folder, document, out) : result;
}

int offsets_request_compose(struct op *op, const struct node *dir, struct strbuf *out)
{
	struct document *document = document_at(op, dir, &document_offsets_request);
	int result = document ? look_after(op, dir->folder) : -ENOMEM;
	if (result == 0) {
		result = document_need(op, document);
	}
	const struct part *part = part_of(document);
	if (result == 0 && part) {
		json_pretty(part_json(part), JSON_AS_GIVEN, out);
	} else if (result == 0 || result == -ENOENT) {
		/* There was none yet. */
		strbuf_adds(out, "{}");
	} else {
		return result;
	}
	strbuf_addc(out, '\n');
	return out->err;
}

static void alter_free(struct job *job)
{
	struct alter *alter = (struct alter *)job;
	strbuf_finish(&alter->request);
	strbuf_finish(&alter->changes);
	strbuf_finish(&alter->lines);
	strbuf_finish(&alter->why);
	commit_finish(&alter->commit);
	free(alter);
}

/* From now on its request is looked after. */
static void remember(struct alter *alter, bool unsure)
{
	struct folder *folder = alter->job.folder;
	struct altering *altering = calloc(1, sizeof(*altering));
	if (folder->altering) {
		/* The earlier one has ended, or there could be no other. */
		expire(folder, &document_offsets);
		altering_destroy(steal(folder->altering));
	}
	if (!altering) {
		return;
	}
	*altering = (struct altering){ .slot = alter->commit.slot,
		.request = alter->request,
		.changes = alter->changes,
		.text = steal(alter->commit.text),
		.len = alter->commit.len,
		.sent_at = fs_moment(folder->fs),
		.wall = alter->wall,
		.until = clock_now_ms() + folder->fs->options->settle,
		.unsure = unsure };
	strbuf_init(&alter->request, 0);
	strbuf_init(&alter->changes, 0);
	folder->altering = altering;
	expire(folder, &document_offsets_request);
}

/* What is shown now is what the writer goes out from, and was last changed by them. */
static void take_up(const struct alter *alter)
{
	struct fs *fs = alter->job.fs;
	const struct slot *slot = alter->commit.slot;
	struct strbuf text = STRBUF_INIT(OFFSETS_BYTES);
	struct document *document = document_of(alter->job.folder, &document_offsets);
	if (slot->route == &routes[ROUTE_OFFSETS] &&
		show(alter->job.folder, document, &text) == 0) {
		struct part *part = part_create(text.buf, text.len);
		uint64_t hash = hash_mix(hash_bytes(HASH_START, text.buf, text.len));
		times_set(fs->times, slot->ino, hash, alter->commit.node->local->mtime);
		if (part) {
			bases_note(fs, slot->ino, alter->commit.pid, part);
			part_unref(part);
		}
	}
	strbuf_finish(&text);
}

static int alter_done(struct job *job, int err)
{
	struct alter *alter = (struct alter *)job;
	struct slot *slot = alter->commit.slot;
	commit_ended(&alter->commit, err);
	if (err < 0) {
		commit_refuse(&alter->commit, &alter->why, err);
		commit_settle(&alter->commit);
		if (job->change.undecided) {
			remember(alter, true);
		}
		return err;
	}
	if (!job->change.held) {
		remember(alter, false);
		slot_clear_refusal(slot);
		take_up(alter);
	}
	commit_settle(&alter->commit);
	return commit_names(&alter->commit, job->op);
}

/* What the writer goes out from: no value where nothing is known. */
static struct json_slice base_of(const struct alter *alter, struct strbuf *text)
{
	const struct slot *slot = alter->commit.slot;
	const struct part *part = bases_find(alter->job.fs, slot->ino, alter->commit.pid);
	struct json_slice base = { NULL, 0 };
	if (part) {
		strbuf_add(text, part->text, part->len);
	} else {
		show(slot->folder, document_of(slot->folder, &document_offsets), text);
	}
	json_check(strbuf_str(text), text->len, &base, NULL);
	return base;
}

/* Makes a request of an offsets.json. 0 (alter->request is empty where nothing has changed) or
 * -errno with the reason. */
static int read_offsets(struct alter *alter)
{
	struct strbuf text = STRBUF_INIT(OFFSETS_BYTES);
	struct json_slice written, base = base_of(alter, &text);
	int err = config_object(alter->commit.text, alter->commit.len, &written, &alter->why);
	if (err == 0 && !base.text) {
		strbuf_adds(&alter->why, "what the offsets are now is not known");
		err = -EIO;
	}
	if (err == 0) {
		err = offsets_compare(written, base, alter->job.folder->name, &alter->changes,
			&alter->lines, &alter->why);
	}
	if (err == 0 && alter->lines.len > 0) {
		alter->job.change.action = "alter offsets of";
		strbuf_addf(&alter->request, "{\"type\":\"PATCH\",\"offsets\":%s}",
			strbuf_str(&alter->changes));
	}
	strbuf_finish(&text);
	return err;
}

/* The same of a whole request. One that is shown, or none, changes nothing. */
static int read_request(struct alter *alter)
{
	struct json_slice written, member;
	int err = config_object(alter->commit.text, alter->commit.len, &written, &alter->why);
	if (err < 0) {
		return err;
	}
	struct json_iter iter = json_iter(written);
	struct json_slice type = json_get(written, "type"), offsets = json_get(written, "offsets");
	bool shown = json_type(json_get(written, "request")) == JSON_OBJECT ||
		     !json_next(&iter, NULL, &member);
	bool reset = json_is(type, "DELETE");
	if (shown) {
		return 0;
	}
	if (!reset && !json_is(type, "PATCH")) {
		strbuf_adds(&alter->why, "a request has a \"type\", which is PATCH or DELETE");
		return -EINVAL;
	}
	alter->job.change.action = reset ? "reset offsets of" : "alter offsets of";
	json_compact(written, JSON_AS_GIVEN, &alter->request);
	strbuf_addf(&alter->lines, "  %s\n", strbuf_str(&alter->request));
	if (!reset && json_type(offsets) == JSON_ARRAY) {
		strbuf_add(&alter->changes, offsets.text, offsets.len);
	} else {
		strbuf_adds(&alter->changes, "[]");
	}
	return 0;
}

static int commit(struct op *op, struct slot *slot, struct node *draft, pid_t pid,
	enum save_how how, int (*read)(struct alter *alter))
{
	struct alter *alter = calloc(1, sizeof(*alter));
	if (!alter || commit_init(&alter->commit, slot, draft, pid, how) < 0) {
		free(alter);
		return -ENOMEM;
	}
	alter->job = (struct job){ .fs = slot->folder->fs,
		.folder = slot->folder,
		.run = alter_run,
		.done = alter_done,
		.free = alter_free };
	strbuf_init(&alter->request, OFFSETS_BYTES);
	strbuf_init(&alter->changes, OFFSETS_BYTES);
	strbuf_init(&alter->lines, OFFSETS_BYTES);
	strbuf_init(&alter->why, WHY_BYTES);
	int err = read(alter);
	if (err < 0) {
		commit_reject(&alter->commit, &alter->why, err);
	} else if (alter->request.len > 0) {
		return commit_send(slot, draft, &alter->job, op);
	} else {
		commit_settle(&alter->commit);
		err = commit_names(&alter->commit, op);
	}
	alter_free(&alter->job);
	return err;
}

int offsets_save(struct op *op, struct slot *slot, struct node *draft, pid_t pid, enum save_how how)
{
	return commit(op, slot, draft, pid, how, read_offsets);
}

int offsets_request_save(
	struct op *op, struct slot *slot, struct node *draft, pid_t pid, enum save_how how)
{
	return commit(op, slot, draft, pid, how, read_request);
}

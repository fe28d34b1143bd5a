/* How documents are fetched, and what becomes of those who wait for them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/document_priv.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/op.h"
#include "fs/topology.h"

#define CHECK_MS  5000 /* how long the start waits for its first answer */
#define PAGES_MAX 500

struct fetch {
	struct stage *stage;
	struct json_cutter cutter;
	char *next;        /* the target of the next page; owned */
	struct strbuf all; /* of a single one: the elements of all pages so far */
	size_t all_before; /* its length before this page */
	int64_t deadline;
	unsigned pages;
	int err; /* of the cutting */
	bool background;
	struct http_call *call; /* under way */
	bool data;              /* the page had its "data" */
};

static void fetch_destroy(struct fetch *fetch)
{
	stage_destroy(fetch->stage);
	json_cutter_finish(&fetch->cutter);
	strbuf_wipe(&fetch->all);
	free(fetch->next);
	free(fetch);
}

/* One item of whatever shape the document has. */
static int cut_item(struct fetch *fetch, struct json_slice name_slice, struct json_slice value)
{
	struct stage *stage = fetch->stage;
	const struct document_kind *kind = stage->document->kind;
	char *name = json_decode_cstr(name_slice);
	if (!name) {
		return -EBADMSG;
	}
	int err = 0;
	if (kind->cut) {
		err = kind->cut(stage, name, value);
	} else {
		struct staged *staged = stage_add(stage, name);
		bool kept = staged && stage_part(stage, staged, PART_WHOLE, value);
		err = kept ? 0 : -ENOMEM;
	}
	free(name);
	return err;
}

static int cut_page_data(struct fetch *fetch, struct json_slice data)
{
	const struct document_kind *kind = fetch->stage->document->kind;
	struct json_iter iter = json_iter(data);
	struct json_slice value;
	fetch->data = true;
	if (json_type(data) != JSON_ARRAY) {
		return json_type(data) == JSON_NULL ? 0 : -EBADMSG;
	}
	int err = 0;
	while (err == 0 && json_next(&iter, NULL, &value)) {
		if (kind->single) {
			strbuf_adds(&fetch->all, fetch->all.len > 0 ? "," : "");
			strbuf_add(&fetch->all, value.text, value.len);
			err = fetch->all.err;
		} else {
			err = cut_item(fetch, json_get(value, kind->name_member), value);
		}
	}
	return err;
}

static int take_link(struct fetch *fetch, struct json_slice next)
{
	if (json_type(next) != JSON_STRING && json_type(next) != JSON_NULL && next.text) {
		return -EBADMSG;
	}
	char *link = json_decode_cstr(next);
	free(fetch->next);
	int err = http_next_target(fetch->stage->document->target, link, &fetch->next);
	free(link);
	return err;
}

static int cut_member(void *arg, struct json_slice key, struct json_slice value)
{
	struct fetch *fetch = arg;
	const struct document_kind *kind = fetch->stage->document->kind;
	if (!kind->paged) {
		bool named = kind->name_member != NULL;
		if (named == (key.text != NULL)) {
			return -EBADMSG;
		}
		return cut_item(fetch, named ? json_get(value, kind->name_member) : key, value);
	}
	if (!key.text) {
		return -EBADMSG;
	}
	if (json_is(key, "data")) {
		return cut_page_data(fetch, value);
	}
	if (json_is(key, "metadata") || json_is(key, "links")) {
		return take_link(fetch, json_get(value, "next"));
	}
	return 0;
}

static void page_begin(struct fetch *fetch)
{
	struct document *document = fetch->stage->document;
	json_cutter_finish(&fetch->cutter);
	json_cutter_init(&fetch->cutter, document->fs->options->max_answer, cut_member, fetch);
	fetch->err = 0;
	fetch->data = false;
	fetch->all.len = fetch->all_before;
}

static int sink_data(void *arg, const char *bytes, size_t len)
{
	struct fetch *fetch = arg;
	/* A wrong body is noticed at its end: its status comes before it. */
	if (fetch->err == 0) {
		fetch->err = json_cutter_feed(&fetch->cutter, bytes, len);
	}
	return 0;
}

static void sink_restart(void *arg)
{
	/* What an attempt that broke off has staged is the same as what the next one brings. */
	page_begin(arg);
}

static const struct http_sink sink = { .data = sink_data, .restart = sink_restart };

static void page_done(struct http_answer *answer, void *arg);

/* One that comes as it is: neither in pages nor in parts. */
static bool is_plain(const struct document_kind *kind)
{
	return kind->single && !kind->paged;
}

static struct http *engine_of(const struct document *document)
{
	return document->kind->telemetry ? document->fs->telemetry : document->fs->http;
}

static enum http_method method_of(const struct document_kind *kind)
{
	return kind->question ? HTTP_PUT : HTTP_GET;
}

/* 0, or -errno: nothing was asked. Under the lock. */
static int page_request(struct fetch *fetch, const char *target)
{
	const struct document_kind *kind = fetch->stage->document->kind;
	page_begin(fetch);
	struct http_request request = {
		.method = method_of(kind),
		.target = target,
		.body = kind->question,
		.body_len = kind->question ? strlen(kind->question) : 0,
		.safe = true,
		.deadline = fetch->deadline,
		.background = fetch->background,
		.sink = is_plain(kind) ? NULL : &sink,
		.done = page_done,
		.arg = fetch,
	};
	return http_submit(engine_of(fetch->stage->document), &request, &fetch->call);
}

static const struct json_slice no_name = { "\"\"", 2 };

static int cut_single(struct fetch *fetch, const struct http_answer *answer)
{
	struct json_slice value;
	int err = json_check(strbuf_str(&answer->body), answer->body.len, &value, NULL);
	if (err == 0 && json_type(value) !=
				(fetch->stage->document->kind->array ? JSON_ARRAY : JSON_OBJECT)) {
		err = -EBADMSG;
	}
	return err < 0 ? err : cut_item(fetch, no_name, value);
}

/* All pages are there. */
static int cut_pages(struct fetch *fetch)
{
	struct strbuf text = STRBUF_INIT(fetch->all.len + 16);
	strbuf_adds(&text, "{\"data\":[");
	strbuf_add(&text, fetch->all.buf, fetch->all.len);
	strbuf_adds(&text, "]}");
	struct json_slice value = { text.buf, text.len };
	int err = text.err ? text.err : cut_item(fetch, no_name, value);
	strbuf_wipe(&text);
	return err;
}

static int page_verdict(struct fetch *fetch, const struct http_answer *answer)
{
	if (answer->err < 0) {
		return answer->err;
	}
	if (is_plain(fetch->stage->document->kind)) {
		return cut_single(fetch, answer);
	}
	if (fetch->err < 0) {
		return fetch->err;
	}
	int err = json_cutter_end(&fetch->cutter);
	const struct document_kind *kind = fetch->stage->document->kind;
	char open = kind->name_member && !kind->paged ? '[' : '{';
	if (err == 0 && (fetch->cutter.open != open || (kind->paged && !fetch->data))) {
		err = -EBADMSG;
	}
	return err == 0 && fetch->pages > PAGES_MAX ? -EBADMSG : err;
}

/* What happened in the background is nobody's failure; a refusal is kept for who comes next. */
static void leave(struct document *document, struct http_answer *answer)
{
	document->fetching = false;
	if (!document_is_passing(answer->err)) {
		document->refusal = calloc(1, sizeof(*document->refusal));
	}
	if (document->refusal) {
		*document->refusal = *answer;
		answer->body = (struct strbuf){ 0 };
	}
}

static void fail(struct fetch *fetch, const struct http_answer *answer)
{
	struct document *document = fetch->stage->document;
	struct check *check = document->fs->check;
	if (check) {
		check->status = answer->status;
		snprintf(check->trouble, sizeof(check->trouble), "%s", answer->trouble);
	} else if (answer->err != -ECANCELED &&
		   !(answer->err == -ENOENT && document->kind->optional)) {
		journal_answer(document->fs->journal, http_method_name(method_of(document->kind)),
			document->target, answer, NULL);
	}
	document_failed(document, fetch->stage->started, answer->err);
}

static void page_done(struct http_answer *answer, void *arg)
{
	struct fetch *fetch = arg;
	struct document *document = fetch->stage->document;
	struct fs *fs = document->fs;
	int err = page_verdict(fetch, answer);
	fetch->pages++;
	fetch->all_before = fetch->all.len;
	if (err == 0 && fetch->next) {
		char *next = steal(fetch->next);
		fs_lock(fs);
		err = page_request(fetch, next);
		fs_unlock(fs);
		free(next);
		if (err == 0) {
			return;
		}
	} else if (err == 0 && document->kind->single && document->kind->paged) {
		err = cut_pages(fetch);
	}
	answer->err = err;
	fs_lock(fs);
	document->background = NULL;
	if (err < 0 && fetch->background) {
		leave(document, answer);
	} else if (err < 0) {
		fail(fetch, answer);
	} else if (document->kind->merge) {
		document->kind->merge(document, steal(fetch->stage));
	} else {
		document_merge(document, steal(fetch->stage));
	}
	fetch_destroy(fetch);
	fs_unlock(fs);
}

/* Whether the last good answer may still serve although it is expired. */
static bool can_serve_stale(const struct document *document, int64_t now)
{
	return document->fetched_at && now < document->expires_at + document->fs->options->stale;
}

/* 0, or -errno: nothing was asked. */
static int fetch_pages(struct stage *stage, int64_t deadline, bool background)
{
	struct document *document = stage->document;
	struct fetch *fetch = calloc(1, sizeof(*fetch));
	if (!fetch) {
		return -ENOMEM;
	}
	fetch->stage = stage;
	strbuf_init(&fetch->all, document->fs->options->max_answer);
	fetch->deadline = deadline;
	fetch->background = background;
	int err = page_request(fetch, document->target);
	document->background = err == 0 && background ? fetch : NULL;
	if (err < 0) {
		fetch->stage = NULL;
		fetch_destroy(fetch);
	}
	return err;
}

/* Of a fetch that begins now. */
static int64_t deadline_of(const struct document *document)
{
	const struct fs *fs = document->fs;
	int64_t now = clock_now_ms();
	int64_t patience =
		fs->check && fs->options->timeout > CHECK_MS ? CHECK_MS : fs->options->timeout;
	if (can_serve_stale(document, now) && patience > REFRESH_STALE_MS) {
		patience = REFRESH_STALE_MS;
	}
	return now + patience;
}

void document_urge(struct document *document)
{
	struct fetch *fetch = steal(document->background);
	if (fetch) {
		fetch->background = false;
		fetch->deadline = deadline_of(document);
		http_urge(engine_of(document), fetch->call, fetch->deadline);
	}
}

void document_adopt_refusal(struct document *document)
{
	if (document->refusal && !document->fetching) {
		int err = document->refusal->err;
		journal_answer(document->fs->journal, http_method_name(method_of(document->kind)),
			document->target, document->refusal, NULL);
		document_failed(document, fs_moment(document->fs), err);
	}
	document_drop_refusal(document);
}

void document_drop_refusal(struct document *document)
{
	struct http_answer *refusal = steal(document->refusal);
	if (refusal) {
		http_answer_finish(refusal);
		free(refusal);
	}
}

void document_refresh(struct document *document, bool background)
{
	struct fs *fs = document->fs;
	if (document->fetching) {
		if (!background) {
			document_urge(document);
		}
		return;
	}
	document_drop_refusal(document);
	int64_t deadline = deadline_of(document);
	struct stage *stage = stage_create(document);
	document->fetching = true;
	int err = !stage                  ? -ENOMEM
		  : document->kind->fetch ? document->kind->fetch(document, stage, deadline)
					  : fetch_pages(stage, deadline, background);
	if (err < 0) {
		stage_destroy(stage);
		document_failed(document, fs_moment(fs), err);
	}
}

static int64_t ttl_of(const struct document *document)
{
	const int64_t *ttls = document->fs->options->ttl;
	int64_t ttl = ttls[document->kind->ttl];
	size_t count = document->kind->unsettled ? document->count : 0;
	for (size_t i = 0; i < count; i++) {
		if (document->kind->unsettled(document->items[i]) && ttl > ttls[TTL_STATUS]) {
			return ttls[TTL_STATUS];
		}
	}
	return ttl;
}

void document_unsettle(struct document *document)
{
	int64_t until = clock_now_ms() + document->fs->options->ttl[TTL_STATUS];
	if (document->expires_at > until) {
		document->expires_at = until;
	}
}

void document_fetched(struct document *document, int64_t started, bool complete)
{
	int64_t ttl = ttl_of(document);
	if (!complete && ttl > SUSPECT_MS) {
		ttl = SUSPECT_MS;
	}
	if (document->failure) {
		log_info("%s: answers again", document->target);
	}
	/* What the kernel has had for its time it asks for by itself. */
	bool held = document_ttl_left(document, clock_now_ms()) > 0;
	document->fetching = false;
	document->fetched_at = started;
	document->expires_at = MOMENT_MS(started) + ttl;
	document->failure = 0;
	document->failed_at = document->retry_at = 0;
	document->small = 0;
	if (held) {
		document_tell(document);
	}
	document->told = document->listing;
	ops_wake(&document->waiters);
	fs_wake(document->fs);
	ahead_fetched(document);
}

void document_failed(struct document *document, int64_t started, int err)
{
	int64_t now = clock_now_ms();
	document->fetching = false;
	document->failed_at = fs_moment(document->fs);
	document->failed_start = started;
	document->failure = err;
	document->retry_at = now + RETRY_STALE_MS;
	ops_wake(&document->waiters);
	fs_wake(document->fs);
}

bool document_is_passing(int err)
{
	return err != -EACCES && err != -ENOENT && err != -EINVAL && err != -EDQUOT;
}

/* Whether it may mean that an environment or cluster is gone. A 404 of a single one is its own. */
static bool is_about_place(const struct document *document, int err)
{
	bool single = document->kind->single;
	if (!document->environment || document->kind->telemetry) {
		return false;
	}
	return err == -EACCES ? !single || document->name : err == -ENOENT && !single;
}

/* A list that is not found says nothing about what it would list. */
static int failure_of(const struct document *document)
{
	bool is_list = !document->kind->single || document->kind->paged;
	return document->failure == -ENOENT && is_list ? -EIO : document->failure;
}

int document_verdict(struct op *op, struct document *document, int64_t now)
{
	int err = document->failure;
	if (document_is_passing(err)) {
		return can_serve_stale(document, now) ? 0 : err;
	}
	if (is_about_place(document, err)) {
		return topology_verdict(op, document, err);
	}
	return failure_of(document);
}

int document_need(struct op *op, struct document *document)
{
	bool ahead = document->ahead_at && !op->peek;
	if (ahead) {
		ahead_needs(op, document);
	}
	int result = document_need_within(op, document, INT64_MAX);
	/* It is asked for before those that may come after it. */
	if (!ahead && !op->peek && (result == OP_WAIT || document->fetched_at >= op->began)) {
		ahead_needs(op, document);
	}
	return result;
}

int document_need_within(struct op *op, struct document *document, int64_t max_age)
{
	struct fs *fs = op->fs;
	int64_t now = clock_now_ms();
	bool young = now - MOMENT_MS(document->fetched_at) < max_age;
	if ((young && document_ttl_left(document, now) > 0) ||
		(document->fetched_at && document->fetched_at >= op->began)) {
		fs->hits++;
		return 0;
	}
	/* One that gave up before this op's deadline began is no verdict on it. */
	bool mine = document->failure && document->failed_at >= op->began &&
		    (document->failure != -ETIMEDOUT || document->failed_start >= op->began);
	if (mine || (!document->fetching && document->failure)) {
		if (document->kind->single && !document_is_passing(document->failure) &&
			!is_about_place(document, document->failure) &&
			now < MOMENT_MS(document->failed_at) + fs->options->ttl[TTL_NEGATIVE]) {
			return failure_of(document);
		}
		if (mine) {
			return document_verdict(op, document, now);
		}
		if (now < document->retry_at && document_is_passing(document->failure) &&
			can_serve_stale(document, now)) {
			return 0;
		}
	}
	fs->misses += !op->peek;
	if (!op->peek) {
		document_refresh(document, false);
	}
	/* It fails at once only where there is no memory, or no engine any more. */
	return document->fetching || op->peek ? op_wait(op, &document->waiters) : document->failure;
}

#include "fs/question.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "fs/fs.h"
#include "fs/hash.h"
#include "fs/journal.h"
#include "fs/local.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/op.h"
#include "fs/route.h"
#include "fs/times.h"
#include "fs/tree.h"

#define ANSWER_MS  60000
#define VIEW_BYTES ((size_t)256 << 20)
#define WHY_BYTES  65536
#define NAME_BYTES 256
#define PAGES_MAX  500

enum note { NOTE_ERROR, NOTE_REJECTED, NOTES };

static const char *const suffixes[NOTES] = { ".error", ".rejected" };

/* What one user was last answered by one file. There are few of them. */
struct asked {
	struct asked *prev, *next; /* in fs->asked */
	uint64_t ino;              /* of the name */
	uid_t uid;
	struct part *answer; /* NULL: none */
	struct timespec mtime;
	int64_t until;             /* when it is forgotten, monotonic milliseconds */
	struct node *notes[NOTES]; /* counted; NULL: nothing was refused */
};

static struct asked *asked_find(const struct fs *fs, uint64_t ino, uid_t uid)
{
	struct asked *asked = fs->asked;
	while (asked && (asked->ino != ino || asked->uid != uid)) {
		asked = asked->next;
	}
	return asked;
}

static struct asked *asked_get(struct fs *fs, uint64_t ino, uid_t uid)
{
	struct asked *asked = asked_find(fs, ino, uid);
	if (!asked) {
		asked = calloc(1, sizeof(*asked));
		if (!asked) {
			return NULL;
		}
		asked->ino = ino;
		asked->uid = uid;
		DL_APPEND(fs->asked, asked);
	}
	return asked;
}

static void drop_notes(struct asked *asked)
{
	for (unsigned i = 0; i < NOTES; i++) {
		struct node *note = asked->notes[i];
		asked->notes[i] = NULL;
		if (note) {
			notify_listing(node_fs(note), note->parent);
			note->local->links--;
			local_wipe_unreachable(note);
			node_unref(note);
		}
	}
}

static void drop_answer(struct asked *asked)
{
	part_unref(asked->answer);
	asked->answer = NULL;
}

/* Forgets it where nothing is left of it. */
static void asked_tidy(struct fs *fs, struct asked *asked)
{
	if (!asked->answer && !asked->notes[NOTE_ERROR] && !asked->notes[NOTE_REJECTED]) {
		DL_DELETE(fs->asked, asked);
		free(asked);
	}
}

int64_t questions_tick(struct fs *fs, int64_t now)
{
	int64_t wait = -1;
	struct asked *asked, *next;
	DL_FOREACH_SAFE (fs->asked, asked, next) {
		if (!asked->answer) {
			continue;
		}
		if (now >= asked->until) {
			drop_answer(asked);
			asked_tidy(fs, asked);
		} else if (wait < 0 || asked->until - now < wait) {
			wait = asked->until - now;
		}
	}
	return wait;
}

void questions_destroy(struct fs *fs)
{
	struct asked *asked, *next;
	DL_FOREACH_SAFE (fs->asked, asked, next) {
		drop_notes(asked);
		drop_answer(asked);
		asked_tidy(fs, asked);
	}
}

void question_destroy(struct question *question)
{
	if (question) {
		config_finish(&question->hidden);
		strbuf_wipe(&question->why);
		strbuf_wipe(&question->body);
		strbuf_wipe(&question->data);
		part_unref(question->answer);
		free(question->target);
		free(question);
	}
}

static struct question *question_of(const struct node *node)
{
	return node->local ? node->local->question : NULL;
}

/* Makes a node show a text, which is taken over. */
static void show(struct node *node, struct part *text, const struct timespec *mtime)
{
	node->part = text;
	node->size = text->len;
	node->hash = hash_mix(hash_bytes(HASH_START, text->text, text->len));
	node_set_mtime(
		node, mtime ? *mtime : times_of(node_fs(node)->times, node->ino, node->hash));
}

int question_load(struct op *op, struct node *node)
{
	struct strbuf text = STRBUF_INIT(VIEW_BYTES);
	if (node->part || node->local) {
		return 0;
	}
	int result = node->route->compose(op, node->parent, &text);
	struct part *part = result == 0 ? part_create(strbuf_str(&text), text.len) : NULL;
	if (part) {
		show(node, part, NULL);
	} else if (result == 0) {
		result = -ENOMEM;
	}
	strbuf_wipe(&text);
	return result;
}

int question_lookup(struct op *op, struct node *dir, const char *name, const struct route *route,
	struct found *ret_found)
{
	struct op peek = { .fs = op->fs, .began = op->began, .uid = op->uid, .peek = true };
	const struct asked *asked = asked_find(op->fs, node_ino(dir, name), op->uid);
	struct node *node = node_create_route(dir, name, route, NULL);
	if (!node) {
		return -ENOMEM;
	}
	node_bind(node);
	if (asked && asked->answer && clock_now_ms() < asked->until) {
		show(node, part_ref(asked->answer), &asked->mtime);
	} else {
		/* Who only writes does not wait for this; who looks asks again. */
		question_load(&peek, node);
	}
	*ret_found = (struct found){ .node = node };
	return 0;
}

bool question_note(
	struct fs *fs, const struct node *dir, const char *name, uid_t uid, struct node **ret_node)
{
	char stem[NAME_BYTES];
	size_t len = strlen(name);
	for (unsigned i = 0; i < NOTES; i++) {
		size_t end = strlen(suffixes[i]);
		if (len <= end || len >= sizeof(stem) ||
			strcmp(name + len - end, suffixes[i]) != 0) {
			continue;
		}
		memcpy(stem, name, len - end);
		stem[len - end] = '\0';
		const struct route *route = route_child(dir->route, stem);
		if (route && route->ask) {
			const struct asked *asked = asked_find(fs, node_ino(dir, stem), uid);
			*ret_node = asked ? asked->notes[i] : NULL;
			return true;
		}
	}
	return false;
}

int question_list_notes(
	const struct op *op, const struct node *dir, child_visitor *visit, void *arg)
{
	int result = 0;
	const struct asked *asked;
	DL_FOREACH (op->fs->asked, asked) {
		for (unsigned i = 0; i < NOTES && result == 0; i++) {
			const struct node *note = asked->notes[i];
			if (note && asked->uid == op->uid && note->parent->ino == dir->ino) {
				struct child child = { .name = note->name };
				result = visit(arg, &child);
			}
		}
	}
	return result;
}

bool question_has_notes(const struct fs *fs, const struct node *dir)
{
	const struct asked *asked;
	DL_FOREACH (fs->asked, asked) {
		for (unsigned i = 0; i < NOTES; i++) {
			if (asked->notes[i] && asked->notes[i]->parent->ino == dir->ino) {
				return true;
			}
		}
	}
	return false;
}

bool question_is_over(const struct node *node)
{
	const struct question *question = question_of(node);
	return !question || node->local->size == 0 || node->local->changes == node->local->tried;
}

int question_begin(const struct op *op, struct node *node)
{
	struct question *question = question_of(node);
	if (question && question->under_way) {
		return -EBUSY;
	}
	if (!question) {
		mode_t mode = S_IFREG | (node->route->mode & 0777 & ~op->fs->options->umask);
		struct local *local = local_create(op->fs, NULL, LOCAL_QUESTION, mode);
		question = local ? calloc(1, sizeof(*question)) : NULL;
		if (!question) {
			local_destroy(local);
			return -ENOMEM;
		}
		question->node = node;
		question->uid = op->uid;
		strbuf_init(&question->why, WHY_BYTES);
		local->question = question;
		node->local = local;
		node_unbind(node);
	} else if (node->local->changes == node->local->tried) {
		part_unref(question->answer);
		question->answer = NULL;
		local_truncate(node->local, 0);
		node->local->tried = node->local->changes;
	}
	struct asked *asked = asked_find(op->fs, node->ino, op->uid);
	if (asked) {
		drop_answer(asked);
		asked_tidy(op->fs, asked);
	}
	return 0;
}

static struct node *make_note(struct node *of, enum note note, const char *text, size_t len)
{
	char name[NAME_BYTES + 16];
	snprintf(name, sizeof(name), "%s%s", of->name, suffixes[note]);
	struct fs *fs = node_fs(of);
	struct node *node = node_create(fs, of->parent, name);
	if (node) {
		node->local =
			local_create(fs, NULL, LOCAL_NOTE, S_IFREG | (0444 & ~fs->options->umask));
	}
	if (node && (!node->local || local_keep(node->local, text, len) < 0)) {
		node_unref(node);
		return NULL;
	}
	if (node) {
		node->local->links++;
		notify_listing(node_fs(node), node->parent);
	}
	return node;
}

static void keep_refused(struct question *question, int err)
{
	struct node *node = question->node;
	struct asked *asked = asked_get(node_fs(node), node->ino, question->uid);
	struct strbuf text = STRBUF_INIT(WHY_BYTES + 1024);
	if (!asked) {
		return;
	}
	strbuf_addf(&text, "%s: not answered (%s)\n%s", node->name, strerror(-err),
		strbuf_str(&question->why));
	if (text.len > 0 && text.buf[text.len - 1] != '\n') {
		strbuf_addc(&text, '\n');
	}
	strbuf_addf(&text, "What was asked is in %s%s.\n", node->name, suffixes[NOTE_REJECTED]);
	drop_notes(asked);
	asked->notes[NOTE_ERROR] = make_note(node, NOTE_ERROR, strbuf_str(&text), text.len);
	asked->notes[NOTE_REJECTED] =
		make_note(node, NOTE_REJECTED, node->local->data, node->local->size);
	asked_tidy(node_fs(node), asked);
	strbuf_wipe(&text);
}

static void keep_answer(struct question *question)
{
	struct node *node = question->node;
	struct asked *asked = asked_get(node_fs(node), node->ino, question->uid);
	if (!asked) {
		return;
	}
	drop_notes(asked);
	drop_answer(asked);
	asked->answer = part_ref(question->answer);
	asked->mtime = node->local->mtime;
	asked->until = clock_now_ms() + ANSWER_MS;
	fs_wake(node_fs(node));
}

static int end(struct question *question, int err)
{
	question->failure = err;
	if (err < 0) {
		keep_refused(question, err);
	} else {
		keep_answer(question);
	}
	return err;
}

/* Keeps the elements of a page; those of all pages are one array. */
static int keep_page(struct question *question, struct json_slice page)
{
	struct json_slice data = json_get(page, "data"), element;
	if (json_type(data) != JSON_ARRAY) {
		return -EBADMSG;
	}
	struct json_iter iter = json_iter(data);
	while (json_next(&iter, NULL, &element)) {
		strbuf_addc(&question->data, question->data.len > 0 ? ',' : '[');
		strbuf_add(&question->data, element.text, element.len);
	}
	return ++question->pages > PAGES_MAX ? -EBADMSG : question->data.err;
}

/* What is shown of the last page: with the elements of all. */
static int show_answer(struct question *question, struct json_slice page, struct strbuf *out)
{
	struct strbuf whole = STRBUF_INIT(VIEW_BYTES);
	if (question->pages > 0) {
		int err = keep_page(question, page);
		if (err < 0) {
			return err;
		}
		strbuf_adds(&question->data, question->data.len > 0 ? "]" : "[]");
		struct json_slice all = { strbuf_str(&question->data), question->data.len };
		json_with(page, "data", all, &whole);
		page = (struct json_slice){ strbuf_str(&whole), whole.len };
	}
	if (!whole.err) {
		json_pretty(page, JSON_AS_GIVEN, out);
		strbuf_addc(out, '\n');
	}
	int err = whole.err;
	strbuf_wipe(&whole);
	return err;
}

static int send_request(struct question *question);

#define MORE 1

/* Takes the text of an answer in. 0, MORE (the next page was asked for) or -errno. */
static int take_answer(struct question *question, const struct http_answer *answer)
{
	struct json_slice value;
	int err = json_check(strbuf_str(&answer->body), answer->body.len, &value, NULL);
	if (err < 0 || json_type(value) != JSON_OBJECT) {
		return -EBADMSG;
	}
	char *next = question->next ? question->next(value) : NULL;
	if (next) {
		free(question->target);
		question->target = next;
		err = keep_page(question, value);
		err = err < 0 ? err : send_request(question);
		return err < 0 ? err : MORE;
	}
	struct strbuf text = STRBUF_INIT(VIEW_BYTES);
	err = show_answer(question, value, &text);
	if (err < 0) {
		strbuf_wipe(&text);
		return err;
	}
	question->answer = text.err ? NULL : part_create(text.buf, text.len);
	err = text.err ? text.err : question->answer ? 0 : -ENOMEM;
	strbuf_wipe(&text);
	if (err == 0) {
		question->node->local->mtime = times_now(node_fs(question->node)->times);
	}
	return err;
}

/* On the engine's thread. */
static void answered(struct http_answer *answer, void *arg)
{
	struct question *question = arg;
	struct node *node = question->node;
	struct fs *fs = node_fs(node);
	fs_lock(fs);
	if (answer->err == 0) {
		answer->err = take_answer(question, answer);
	}
	if (answer->err == MORE) {
		answer->err = 0;
		fs_unlock(fs);
		return;
	}
	if (answer->err < 0) {
		journal_answer(fs->journal, http_method_name(question->method), question->target,
			answer, &question->hidden);
		journal_explain(
			fs->journal, answer, "It was asked", &question->hidden, &question->why);
	}
	question->under_way = false;
	strbuf_wipe(&question->body);
	strbuf_wipe(&question->data);
	config_finish(&question->hidden);
	end(question, answer->err);
	ops_wake(&question->waiters);
	node->local->links--;
	local_wipe_unreachable(node);
	node_unref(node);
	fs_unlock(fs);
}

/* The answer takes the lock, which is held here. */
static int send_request(struct question *question)
{
	struct http_request request = { .method = question->method,
		.target = question->target,
		.body = strbuf_str(&question->body),
		.body_len = question->body.len,
		.safe = true,
		.secret = true,
		.deadline = question->deadline,
		.done = answered,
		.arg = question };
	return http_submit(question->http, &request, NULL);
}

int question_send(struct question *question, struct http *http, enum http_method method,
	char *target, const struct strbuf *body)
{
	free(question->target);
	question->target = target;
	question->method = method;
	question->http = http;
	question->deadline = clock_now_ms() + node_fs(question->node)->options->timeout;
	question->pages = 0;
	strbuf_wipe(&question->data);
	strbuf_init(&question->data, VIEW_BYTES);
	strbuf_wipe(&question->body);
	strbuf_init(&question->body, body->len);
	strbuf_add(&question->body, body->buf, body->len);
	return !target ? -ENOMEM : question->body.err ? question->body.err : send_request(question);
}

static int check(struct question *question, const struct local *local)
{
	struct json_slice value;
	size_t at;
	if (json_check(local->data, local->size, &value, &at) < 0) {
		strbuf_addf(&question->why, "It is not JSON: see byte %zu.\n", at + 1);
		return -EINVAL;
	}
	if (json_type(value) != JSON_OBJECT) {
		strbuf_adds(&question->why, "It is not a JSON object.\n");
		return -EINVAL;
	}
	return 0;
}

int question_commit(struct op *op, struct node *node)
{
	struct question *question = question_of(node);
	struct local *local = node->local;
	if (!question || question->under_way) {
		return question ? op_wait(op, &question->waiters) : 0;
	}
	if (local->size == 0 || local->changes == local->tried) {
		return local->size == 0 ? 0 : question->failure;
	}
	local->tried = local->changes;
	strbuf_reset(&question->why);
	int err = check(question, local);
	if (err == 0) {
		err = node->route->ask(question, local->data, local->size);
	}
	if (err < 0) {
		journal_error(op->fs->journal, "%s: not asked: %s", node->name,
			question->why.len > 0 ? strbuf_str(&question->why) : strerror(-err));
		return end(question, err);
	}
	question->under_way = true;
	local->links++;
	node_ref(node);
	return op_wait(op, &question->waiters);
}

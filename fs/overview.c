#include "fs/overview.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fs/connectors.h"
#include "fs/fs.h"
#include "fs/name.h"
#include "fs/op.h"
#include "fs/topology.h"

#define COLUMNS    7
#define TEXT_BYTES 4096
#define TRACE      "trace"
#define GAP        2 /* blanks between columns */

/* A line's words, while it is made. */
struct row {
	char *columns[COLUMNS]; /* owned */
	char *trace;            /* owned */
	bool failed;
};

/* A connector, without its words: there may be many. */
struct one {
	const struct item *item;
	bool failed;
};

struct all {
	struct one *ones;
	size_t count, room;
	size_t widths[COLUMNS]; /* in characters */
	size_t bytes;           /* of all words, and of blanks at most */
};

static void row_finish(struct row *row)
{
	for (unsigned column = 0; column < COLUMNS; column++) {
		free(row->columns[column]);
	}
	free(row->trace);
}

static size_t width(const char *text)
{
	size_t count = 0;
	for (; *text; text++) {
		count += ((unsigned char)*text & 0xc0) != 0x80;
	}
	return count;
}

/* A word for awk: blanks as a file name has what cannot stand in it; "-" for nothing. */
static char *word_of(const char *text)
{
	struct strbuf word = STRBUF_INIT(4 * TEXT_BYTES);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c <= ' ' || c == 0x7f) {
			strbuf_addf(&word, "%%%02X", c);
		} else {
			strbuf_addc(&word, *text);
		}
	}
	if (word.len == 0) {
		strbuf_addc(&word, '-');
	}
	return strbuf_detach(&word, NULL);
}

static char *word_of_json(struct json_slice value)
{
	char *text = json_type(value) == JSON_STRING ? json_decode_cstr(value) : NULL;
	char *word = word_of(text ? text : "");
	free(text);
	return word;
}

static char *word_of_name(const char *name)
{
	char *encoded = name_encode(name);
	char *word = word_of(encoded ? encoded : name);
	free(encoded);
	return word;
}

/* A custom connector has a plugin in the place of a class. */
static char *class_of(const struct item *item)
{
	struct json_slice config = part_json(item->parts[PART_CONFIG]);
	struct json_slice class = json_get(config, "connector.class");
	return word_of_json(class.text ? class : json_get(config, "confluent.custom.plugin.id"));
}

/* Counts the tasks; ret_trace is the first one's that has failed, if it has any. */
static char *tasks_of(struct json_slice status, bool *ret_failed, struct json_slice *ret_trace)
{
	struct json_slice tasks = json_get(status, "tasks"), task;
	struct json_iter iter = json_iter(tasks);
	unsigned running = 0, all = 0;
	while (json_type(tasks) == JSON_ARRAY && json_next(&iter, NULL, &task)) {
		struct json_slice state = json_get(task, "state");
		bool failed = json_is(state, "FAILED");
		running += json_is(state, "RUNNING");
		all++;
		if (failed && !*ret_failed) {
			struct json_slice trace = json_get(task, TRACE);
			*ret_trace = trace.text ? trace : json_get(task, "msg");
		}
		*ret_failed |= failed;
	}
	char *text = NULL;
	return asprintf(&text, "%u/%u", running, all) < 0 ? NULL : text;
}

static char *first_line(struct json_slice trace)
{
	struct strbuf line = STRBUF_INIT(4 * TEXT_BYTES);
	char *text = json_type(trace) == JSON_STRING ? json_decode_cstr(trace) : NULL;
	if (text) {
		size_t len = strcspn(text, "\r\n");
		log_clean(text, len < TEXT_BYTES ? len : TEXT_BYTES, false, &line);
	}
	free(text);
	return strbuf_detach(&line, NULL);
}

/* 0 or -ENOMEM; to be finished in either case. */
static int fill(struct row *row, const struct item *item)
{
	struct json_slice status = part_json(item->parts[PART_STATUS]);
	struct json_slice trace = json_get(status, "connector/" TRACE), of_task = { NULL, 0 };
	struct strbuf state = STRBUF_INIT(TEXT_BYTES);
	*row = (struct row){ 0 };
	connector_state(item, &state);
	row->columns[0] = word_of_name(item->document->environment);
	row->columns[1] = word_of_name(item->document->cluster);
	row->columns[2] = word_of_name(item->name);
	row->columns[3] = word_of_json(json_get(part_json(item->parts[PART_INFO]), "type"));
	row->columns[4] = class_of(item);
	row->columns[5] = word_of(strbuf_str(&state));
	row->columns[6] = tasks_of(status, &row->failed, &of_task);
	row->failed |= strcmp(strbuf_str(&state), "FAILED") == 0;
	row->trace = first_line(
		json_type(trace) == JSON_STRING && !json_is(trace, "") ? trace : of_task);
	strbuf_finish(&state);
	bool whole = row->trace;
	for (unsigned column = 0; column < COLUMNS; column++) {
		whole = whole && row->columns[column];
	}
	return whole ? 0 : -ENOMEM;
}

static int make_room(struct all *all)
{
	if (all->count < all->room) {
		return 0;
	}
	size_t room = all->room ? 2 * all->room : 64;
	struct one *more = reallocarray(all->ones, room, sizeof(*more));
	if (!more) {
		return -ENOMEM;
	}
	all->ones = more;
	all->room = room;
	return 0;
}

static int measure(struct all *all, const struct item *item)
{
	struct row row;
	int err = make_room(all);
	if (err < 0) {
		return err;
	}
	err = fill(&row, item);
	for (unsigned column = 0; column < COLUMNS && err == 0; column++) {
		size_t its = width(row.columns[column]);
		if (its > all->widths[column]) {
			all->widths[column] = its;
		}
		all->bytes += strlen(row.columns[column]) - its;
	}
	if (err == 0) {
		all->bytes += strlen(row.trace);
		all->ones[all->count++] = (struct one){ item, row.failed };
	}
	row_finish(&row);
	return err;
}

static int visit_connectors(void *arg, struct document *connectors)
{
	int err = 0;
	for (size_t i = 0; i < connectors->count && err == 0; i++) {
		err = measure(arg, connectors->items[i]);
	}
	return err;
}

static int compare(const void *left, const void *right)
{
	const struct one *a = left, *b = right;
	const struct document *at = a->item->document, *bt = b->item->document;
	int order = b->failed - a->failed;
	order = order ? order : strcmp(at->environment, bt->environment);
	order = order ? order : strcmp(at->cluster, bt->cluster);
	return order ? order : strcmp(a->item->name, b->item->name);
}

static int add_line(const struct all *all, const struct item *item, struct strbuf *out)
{
	struct row row;
	int err = fill(&row, item);
	for (unsigned column = 0; column < COLUMNS && err == 0; column++) {
		bool last = column == COLUMNS - 1 && !*row.trace;
		size_t blanks = all->widths[column] - width(row.columns[column]) + GAP;
		strbuf_adds(out, row.columns[column]);
		strbuf_addf(out, "%*s", last ? 0 : (int)blanks, "");
	}
	if (err == 0) {
		strbuf_addf(out, "%s\n", row.trace);
	}
	row_finish(&row);
	return err;
}

int overview_compose(struct op *op, const struct node *dir, struct strbuf *out)
{
	struct all all = { 0 };
	(void)dir;
	int result = topology_connectors(
		op, op->fs->options->ttl[TTL_STATUS], false, visit_connectors, &all);
	if (result == 0 && all.count > 0) {
		size_t line = 1;
		for (unsigned column = 0; column < COLUMNS; column++) {
			line += all.widths[column] + GAP;
		}
		strbuf_reserve(out, all.bytes + all.count * line);
		qsort(all.ones, all.count, sizeof(*all.ones), compare);
	}
	for (size_t i = 0; i < all.count && result == 0; i++) {
		result = add_line(&all, all.ones[i].item, out);
	}
	free(all.ones);
	return result == 0 ? out->err : result;
}

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

struct row {
	char *columns[COLUMNS]; /* owned */
	char *trace;            /* owned */
	bool failed;
};

struct rows {
	struct row *rows;
	size_t count, room;
	size_t widths[COLUMNS]; /* in characters */
};

static void rows_finish(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++) {
		for (unsigned column = 0; column < COLUMNS; column++) {
			free(rows->rows[i].columns[column]);
		}
		free(rows->rows[i].trace);
	}
	free(rows->rows);
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

static void fill(struct row *row, const struct item *item)
{
	struct json_slice status = part_json(item->parts[PART_STATUS]);
	struct json_slice trace = json_get(status, "connector/" TRACE), of_task = { NULL, 0 };
	struct strbuf state = STRBUF_INIT(TEXT_BYTES);
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
}

static int add_row(struct rows *rows, const struct item *item)
{
	if (rows->count == rows->room) {
		size_t room = rows->room ? 2 * rows->room : 64;
		struct row *more = reallocarray(rows->rows, room, sizeof(*more));
		if (!more) {
			return -ENOMEM;
		}
		rows->rows = more;
		rows->room = room;
	}
	struct row *row = &rows->rows[rows->count++];
	*row = (struct row){ 0 };
	fill(row, item);
	for (unsigned column = 0; column < COLUMNS; column++) {
		if (!row->columns[column]) {
			return -ENOMEM;
		}
		size_t its = width(row->columns[column]);
		if (its > rows->widths[column]) {
			rows->widths[column] = its;
		}
	}
	return row->trace ? 0 : -ENOMEM;
}

static int visit_connectors(void *arg, struct document *connectors)
{
	int err = 0;
	for (size_t i = 0; i < connectors->count && err == 0; i++) {
		err = add_row(arg, connectors->items[i]);
	}
	return err;
}

static int compare(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	int order = b->failed - a->failed;
	for (unsigned column = 0; column < COLUMNS && order == 0; column++) {
		order = strcmp(a->columns[column], b->columns[column]);
	}
	return order;
}

static void add_line(const struct rows *rows, const struct row *row, struct strbuf *out)
{
	for (unsigned column = 0; column < COLUMNS; column++) {
		bool last = column == COLUMNS - 1 && !*row->trace;
		size_t blanks = rows->widths[column] - width(row->columns[column]) + 2;
		strbuf_adds(out, row->columns[column]);
		strbuf_addf(out, "%*s", last ? 0 : (int)blanks, "");
	}
	strbuf_addf(out, "%s\n", row->trace);
}

int overview_compose(struct op *op, const struct node *dir, struct strbuf *out)
{
	struct rows rows = { 0 };
	(void)dir;
	int result =
		topology_connectors(op, op->fs->options->ttl[TTL_STATUS], visit_connectors, &rows);
	if (result == 0 && rows.count > 0) {
		qsort(rows.rows, rows.count, sizeof(*rows.rows), compare);
	}
	for (size_t i = 0; i < rows.count && result == 0; i++) {
		add_line(&rows, &rows.rows[i], out);
	}
	rows_finish(&rows);
	return result == 0 ? out->err : result;
}

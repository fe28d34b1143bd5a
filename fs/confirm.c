#include "fs/confirm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloud.h"
#include "api/url.h"
#include "base/clock.h"
#include "fs/fs.h"
#include "fs/journal.h"

struct confirmation {
	struct document *document;
	int64_t started;
	char *target; /* of the request under way */
};

/* 0, or -errno: nothing was asked. */
static int ask(struct confirmation *confirmation, char *target,
	void (*done)(struct http_answer *answer, void *arg))
{
	struct fs *fs = confirmation->document->fs;
	free(confirmation->target);
	confirmation->target = target;
	struct http_request request = {
		.method = HTTP_GET,
		.target = target,
		.deadline = clock_now_ms() + fs->options->timeout,
		.done = done,
		.arg = confirmation,
	};
	return target ? http_submit(fs->http, &request, NULL) : -ENOMEM;
}

/* Under the lock. `gone`: what is not seen is believed to be gone. */
static void settle(struct confirmation *confirmation, bool gone)
{
	struct document *document = confirmation->document;
	bool complete = true;
	if (gone) {
		complete = !document_suspects(
			document, document_count_unseen(document), clock_now_ms());
		if (complete) {
			document_drop_unseen(document);
		}
	}
	document_fetched(document, confirmation->started, complete);
	free(confirmation->target);
	free(confirmation);
}

static void one_done(struct http_answer *answer, void *arg)
{
	struct confirmation *confirmation = arg;
	struct fs *fs = confirmation->document->fs;
	fs_lock(fs);
	settle(confirmation, answer->err == -ENOENT);
	fs_unlock(fs);
}

static struct item *first_unseen(struct document *document)
{
	for (size_t i = 0; i < document->count; i++) {
		if (!document->items[i]->seen) {
			return document->items[i];
		}
	}
	return NULL;
}

/* What it was is what it is, as of now. */
static void item_stays(struct item *item, int64_t started)
{
	for (unsigned kind = 0; kind < PARTS; kind++) {
		if (item->part_at[kind] < started) {
			item->part_at[kind] = started;
		}
	}
}

/* Marks what the list names; false where it is no list of names. */
static bool mark_listed(
	struct document *document, const struct http_answer *answer, int64_t started)
{
	struct json_slice list, name;
	if (json_check(strbuf_str(&answer->body), answer->body.len, &list, NULL) < 0 ||
		json_type(list) != JSON_ARRAY) {
		return false;
	}
	struct json_iter iter = json_iter(list);
	while (json_next(&iter, NULL, &name)) {
		char *text = json_decode_cstr(name);
		struct item *item = text ? document_find(document, text) : NULL;
		if (item) {
			item->seen = true;
			item_stays(item, started);
		}
		free(text);
	}
	return true;
}

static void list_done(struct http_answer *answer, void *arg)
{
	struct confirmation *confirmation = arg;
	struct document *document = confirmation->document;
	struct fs *fs = document->fs;
	if (answer->err < 0 && answer->err != -ECANCELED) {
		journal_answer(fs->journal, "GET", confirmation->target, answer, NULL);
	}
	fs_lock(fs);
	if (answer->err < 0 || !mark_listed(document, answer, confirmation->started)) {
		/* What is not known to be gone stays. */
		settle(confirmation, false);
	} else {
		struct item *item = first_unseen(document);
		int asked = item ? ask(confirmation,
					   url_target(CLOUD_CONNECTOR, document->environment,
						   document->cluster, item->name),
					   one_done)
				 : 1;
		if (asked != 0) {
			settle(confirmation, asked > 0);
		}
	}
	fs_unlock(fs);
}

void confirm_absence(struct document *document, int64_t started)
{
	struct confirmation *confirmation = calloc(1, sizeof(*confirmation));
	if (!confirmation) {
		document_fetched(document, started, true);
		return;
	}
	*confirmation = (struct confirmation){ .document = document, .started = started };
	if (ask(confirmation,
		    url_target(CLOUD_CONNECTORS, document->environment, document->cluster),
		    list_done) < 0) {
		settle(confirmation, false);
	}
}

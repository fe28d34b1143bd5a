#include "fs/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/connectors.h"
#include "fs/fs.h"
#include "fs/journal.h"

#define TARGET_BYTES ((size_t)64 << 10)
#define BODY_BYTES   ((size_t)4 << 20)
#define PAGES_MAX    500

static void gather_destroy(struct gather *gather)
{
	for (size_t i = 0; i < gather->count; i++) {
		free(gather->ids[i]);
	}
	free(gather->ids);
	strbuf_finish(&gather->target);
	strbuf_finish(&gather->body);
	free(gather->next);
	if (gather->kept) {
		gather->kind->release(gather->kept);
	}
	stage_destroy(gather->stage);
	free(gather);
}

static int take_ids(struct gather *gather, const struct document *connectors)
{
	gather->ids = calloc(connectors->count + 1, sizeof(*gather->ids));
	if (!gather->ids) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < connectors->count; i++) {
		struct strbuf id = STRBUF_INIT(256);
		connector_id(connectors->items[i], &id);
		if (id.len > 0 && !id.err) {
			gather->ids[gather->count++] = strbuf_detach(&id, NULL);
		}
		strbuf_finish(&id);
	}
	return 0;
}

static void answered(struct http_answer *answer, void *arg);

static int send_next(struct gather *gather)
{
	const struct gather_kind *kind = gather->kind;
	int err = kind->make(gather);
	struct http_request request = {
		.method = kind->method,
		.target = strbuf_str(&gather->target),
		.body = gather->body.len > 0 ? gather->body.buf : NULL,
		.body_len = gather->body.len,
		.accept = kind->accept,
		.safe = true,
		.deadline = gather->deadline,
		.done = answered,
		.arg = gather,
	};
	err = err < 0 ? err : gather->target.err ? gather->target.err : gather->body.err;
	return err < 0 ? err : http_submit(gather->document->fs->telemetry, &request, NULL);
}

static bool is_complete(const struct gather *gather)
{
	return gather->at == gather->count && !gather->next;
}

/* Under the lock. */
static void finish(struct gather *gather, int err)
{
	struct document *document = gather->document;
	if (err < 0) {
		document_failed(document, gather->stage->started, err);
	} else {
		document->kind->merge(document, steal(gather->stage));
	}
	gather_destroy(gather);
}

static void answered(struct http_answer *answer, void *arg)
{
	struct gather *gather = arg;
	const struct gather_kind *kind = gather->kind;
	struct fs *fs = gather->document->fs;
	free(steal(gather->next));
	int err = answer->err < 0 ? answer->err : kind->take(gather, answer);
	if (err == -ENOENT) {
		/* It is asked for many; that says of none that it does not exist. */
		err = -EIO;
	}
	if (err == 0 && ++gather->pages > PAGES_MAX) {
		err = -EBADMSG;
	}
	if (err == 0 && !is_complete(gather)) {
		err = send_next(gather);
		if (err == 0) {
			return;
		}
	} else if (err == 0 && kind->end) {
		err = kind->end(gather);
	}
	if (err < 0 && err != -ECANCELED) {
		answer->err = err;
		journal_answer(fs->journal, http_method_name(kind->method),
			strbuf_str(&gather->target), answer, NULL);
	}
	fs_lock(fs);
	finish(gather, err);
	fs_unlock(fs);
}

int gather_start(const struct gather_kind *kind, struct document *document, struct stage *stage,
	int64_t deadline)
{
	struct document *connectors = document_get(
		document->fs, &document_connectors, document->environment, document->cluster);
	struct gather *gather = calloc(1, sizeof(*gather));
	if (!connectors || !gather) {
		free(gather);
		return -ENOMEM;
	}
	gather->kind = kind;
	gather->document = document;
	gather->stage = stage;
	gather->deadline = deadline;
	strbuf_init(&gather->target, TARGET_BYTES);
	strbuf_init(&gather->body, BODY_BYTES);
	int err = take_ids(gather, connectors);
	if (err == 0 && is_complete(gather)) {
		finish(gather, 0);
		return 0;
	}
	err = err < 0 ? err : send_next(gather);
	if (err < 0) {
		gather->stage = NULL;
		gather_destroy(gather);
	}
	return err;
}

void gather_merge(struct document *document, struct stage *stage)
{
	document_begin_merge(document, stage);
	document_drop_unseen(document);
	document_fetched(document, stage->started, true);
	stage_destroy(stage);
}

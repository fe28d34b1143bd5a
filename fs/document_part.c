/* Single parts of an item, asked for by themselves. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/cloud.h"
#include "api/url.h"
#include "base/clock.h"
#include "fs/connectors.h"
#include "fs/document_priv.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/op.h"
#include "fs/topology.h"

#define SMALL_MAX 2 /* single parts asked for before it counts as a walk */

/* One part of one item, asked for by itself. */
struct small {
	struct document *document;
	char *name;
	enum part_kind kind;
	int64_t started;
	char *target;
};

static void small_destroy(struct small *small)
{
	free(small->name);
	free(small->target);
	free(small);
}

static void note_failure(struct item *item, enum part_kind kind, int err)
{
	if (!item->trouble) {
		item->trouble = calloc(1, sizeof(*item->trouble));
	}
	if (item->trouble) {
		item->trouble->failure[kind] = err;
		item->trouble->failed_at[kind] = fs_moment(item->document->fs);
	}
}

/* Under the lock. */
static void small_result(struct small *small, const struct http_answer *answer)
{
	struct item *item = document_find(small->document, small->name);
	if (!item) {
		return;
	}
	item->fetching[small->kind] = false;
	int err = answer->err;
	if (err == 0) {
		err = item_take_answer(item, small->kind, strbuf_str(&answer->body),
			answer->body.len, small->started);
	}
	if (err == -ENOENT && small->document->suspect_at) {
		/* So much is gone at once that the server is to say it twice. */
		item->part_at[small->kind] = small->started;
		return;
	}
	if (err == -ENOENT) {
		err = item_not_found(item, small->kind, small->started);
		if (err == -ENOENT) {
			document_remove(item);
			return;
		}
	}
	if (err < 0) {
		note_failure(item, small->kind, err);
	}
}

static void small_done(struct http_answer *answer, void *arg)
{
	struct small *small = arg;
	struct fs *fs = small->document->fs;
	if (answer->err < 0 && answer->err != -ECANCELED && answer->err != -ENOENT) {
		journal_answer(fs->journal, "GET", small->target, answer, NULL);
	}
	fs_lock(fs);
	small_result(small, answer);
	document_tell(small->document);
	ops_wake(&small->document->waiters);
	fs_unlock(fs);
	small_destroy(small);
}

static const char *small_pattern(enum part_kind kind)
{
	return kind == PART_STATUS   ? CLOUD_STATUS
	       : kind == PART_CONFIG ? CLOUD_CONFIG
				     : CLOUD_CONNECTOR;
}

static int small_request(struct item *item, enum part_kind kind, int64_t now)
{
	struct document *document = item->document;
	struct fs *fs = document->fs;
	struct small *small = calloc(1, sizeof(*small));
	char *target = url_target(
		small_pattern(kind), document->environment, document->cluster, item->name);
	if (small) {
		*small =
			(struct small){ document, strdup(item->name), kind, fs_moment(fs), target };
	}
	if (!small || !target || !small->name) {
		if (small) {
			small_destroy(small);
		} else {
			free(target);
		}
		return -ENOMEM;
	}
	int64_t patience = fs->options->timeout;
	if (item->parts[kind] && fs->options->stale > 0 && patience > REFRESH_STALE_MS) {
		patience = REFRESH_STALE_MS;
	}
	item->fetching[kind] = true;
	document->small++;
	struct http_request request = { .method = HTTP_GET,
		.target = target,
		.deadline = now + patience,
		.done = small_done,
		.arg = small };
	int err = http_submit(fs->http, &request, NULL);
	if (err < 0) {
		item->fetching[kind] = false;
		small_destroy(small);
	}
	return err;
}

/* Whether so many ask for single parts that the whole is cheaper. */
static bool is_walk(struct document *document, enum part_kind kind, int64_t now)
{
	int64_t ttl = ttl_of_part(document, kind);
	if (now < document->walked_until) {
		document->walked_until = now + 2 * ttl;
		return true;
	}
	if (now - document->small_since > ttl) {
		document->small_since = now;
		document->small = 0;
	}
	if (document->small < SMALL_MAX) {
		return false;
	}
	document->walked_until = now + 2 * ttl;
	return true;
}

int document_need_part(struct op *op, struct item *item, enum part_kind kind)
{
	struct document *document = item->document;
	int64_t now = clock_now_ms();
	bool stale_ok = item->parts[kind] && now < MOMENT_MS(item->part_at[kind]) +
							     ttl_of_part(document, kind) +
							     op->fs->options->stale;
	if (item_ttl_left(item, kind, now) > 0 || item->part_at[kind] >= op->began) {
		op->fs->hits++;
		return 0;
	}
	if (!document->kind->cut) {
		return document_need(op, document);
	}
	if (item->fetching[kind] || document->fetching) {
		document_urge(document);
		op->fs->misses++;
		return op_wait(op, &document->waiters);
	}
	if (item->trouble && item->trouble->failure[kind]) {
		int err = item->trouble->failure[kind];
		int64_t failed_at = item->trouble->failed_at[kind];
		bool mine = failed_at >= op->began;
		bool recent = now < MOMENT_MS(failed_at) + RETRY_STALE_MS;
		if (document_is_passing(err) && stale_ok && (mine || recent)) {
			return 0;
		}
		if (mine) {
			return document_is_passing(err) ? err : topology_verdict(op, document, err);
		}
	}
	if (document->failure && document->failed_at >= op->began) {
		return document_is_passing(document->failure) && stale_ok
			       ? 0
			       : document_verdict(op, document, now);
	}
	if (document->failure && now < document->retry_at && stale_ok) {
		return 0;
	}
	if (op->peek) {
		return -EAGAIN;
	}
	op->fs->misses++;
	/* What a bulk answer of just now did not bring is asked for by itself: no op asks for it
	 * twice. */
	bool brought = document->fetched_at >= op->began;
	if (!brought && is_walk(document, kind, now)) {
		document_refresh(document, false);
		if (!document->fetching) {
			return document->failure;
		}
	} else {
		int err = small_request(item, kind, now);
		if (err < 0) {
			return err;
		}
	}
	return op_wait(op, &document->waiters);
}

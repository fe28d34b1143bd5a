#include "fs/control.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/name.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/op.h"

#define LINE_BYTES 8192

/* Of both engines. */
static void count_all(const struct fs *fs, struct http_counters *ret_counters)
{
	struct http_counters telemetry;
	http_counters(fs->http, ret_counters);
	http_counters(fs->telemetry, &telemetry);
	ret_counters->requests += telemetry.requests;
	ret_counters->retries += telemetry.retries;
	ret_counters->errors += telemetry.errors;
	ret_counters->connections += telemetry.connections;
	ret_counters->bytes += telemetry.bytes;
}

int control_status(struct op *op, const struct node *dir, struct strbuf *out)
{
	(void)dir;
	const struct fs *fs = op->fs;
	struct http_counters counters;
	struct strbuf last = STRBUF_INIT(LINE_BYTES);
	count_all(fs, &counters);
	journal_last_error(fs->journal, &last);
	strbuf_addf(out, "{\n  \"version\": \"%s\",\n  \"url\": ", CONNECTFS_VERSION);
	json_encode(fs->options->url, strlen(fs->options->url), out);
	strbuf_addf(out, ",\n  \"uptime_seconds\": %lld",
		(long long)((clock_wall_ms() - fs->started_at) / 1000));
	strbuf_addf(out,
		",\n  \"requests\": %llu,\n  \"retries\": %llu,\n  \"connections\": %llu,\n  \"bytes\": %llu",
		(unsigned long long)counters.requests, (unsigned long long)counters.retries,
		(unsigned long long)counters.connections, (unsigned long long)counters.bytes);
	strbuf_addf(out, ",\n  \"cache_hits\": %llu,\n  \"cache_misses\": %llu",
		(unsigned long long)fs->hits, (unsigned long long)fs->misses);
	strbuf_addf(out, ",\n  \"pending_removals\": %u,\n  \"scratch_bytes\": %zu",
		fs->removals_pending, fs->scratch_bytes);
	strbuf_addf(out, ",\n  \"errors\": %llu,\n  \"last_error\": ",
		(unsigned long long)journal_error_count(fs->journal));
	json_encode(strbuf_str(&last), last.len, out);
	strbuf_adds(out, "\n}\n");
	strbuf_finish(&last);
	return out->err;
}

int control_errors(struct op *op, const struct node *dir, struct strbuf *out)
{
	(void)dir;
	journal_errors(op->fs->journal, out);
	return out->err;
}

int control_changes(struct op *op, const struct node *dir, struct strbuf *out)
{
	(void)dir;
	journal_changes(op->fs->journal, out);
	return out->err;
}

int control_nothing(struct op *op, const struct node *dir, struct strbuf *out)
{
	(void)op;
	(void)dir;
	return out->err;
}

void control_drop_caches(struct fs *fs)
{
	documents_expire(fs);
	notify_all(fs);
}

int control_refresh(struct op *op, struct node *dir, const char *text, size_t len)
{
	(void)dir;
	(void)text;
	(void)len;
	control_drop_caches(op->fs);
	return notify_barrier(op);
}

int control_deleted(
	struct op *op, const struct node *dir, const char *only, child_visitor *visit, void *arg)
{
	(void)dir;
	(void)only;
	int result = 0;
	for (unsigned n = 0; result == 0; n++) {
		struct strbuf text = STRBUF_INIT((size_t)4 << 20);
		struct strbuf file = STRBUF_INIT(LINE_BYTES);
		if (journal_deleted_at(op->fs->journal, n, &file, &text) < 0) {
			strbuf_finish(&file);
			strbuf_finish(&text);
			break;
		}
		strbuf_adds(&file, ".json");
		char *encoded = name_encode(strbuf_str(&file));
		if (encoded) {
			struct child child = { encoded, NULL, strbuf_str(&text), text.len };
			result = visit(arg, &child);
		}
		free(encoded);
		strbuf_finish(&file);
		strbuf_wipe(&text);
	}
	return result;
}

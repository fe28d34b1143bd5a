#include "emulator/journal.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emulator/json.h"
#include "emulator/mem.h"

#define HEADERS_MAX ((size_t)1 << 20)
#define LINE_MAX    ((size_t)1 << 20)

void journal_init(struct journal *journal)
{
	*journal = (struct journal){ .count = 0 };
}

int journal_open(struct journal *journal, const char *path)
{
	journal->file = fopen(path, "ae");
	return journal->file ? 0 : -errno;
}

void journal_release(struct record *record)
{
	if (!record || --record->refs > 0) {
		return;
	}
	free(record->method);
	free(record->path);
	free(record->query);
	free(record->headers);
	mem_wipe(record->body);
	free(record);
}

static void forget_oldest(struct journal *journal)
{
	struct record *oldest = journal->records;
	DL_DELETE(journal->records, oldest);
	journal->count--;
	journal_release(oldest);
}

void journal_clear(struct journal *journal)
{
	while (journal->records) {
		forget_oldest(journal);
	}
}

void journal_finish(struct journal *journal)
{
	journal_clear(journal);
	if (journal->file) {
		fclose(journal->file);
	}
	journal->file = NULL;
}

static enum MHD_Result add_header(
	void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	if (strcasecmp(name, "Authorization") != 0) {
		json_field(ctx, name, value ? value : "");
	}
	return MHD_YES;
}

struct record *journal_add(
	struct journal *journal, const struct request *request, uint64_t connection)
{
	cleanup(strbuf) struct strbuf headers = STRBUF_INIT(HEADERS_MAX);
	json_begin(&headers, '{');
	MHD_get_connection_values(request->connection, MHD_HEADER_KIND, add_header, &headers);
	json_end(&headers, '}');

	struct record *record = mem_alloc(sizeof(*record));
	record->refs = 2;
	record->time_ms = clock_wall_ms();
	record->connection = connection;
	record->authorization = request_header(request, "Authorization") != NULL;
	record->method = mem_dup(request->method);
	record->path = mem_dup(request->path);
	record->query = mem_dup(request->query);
	record->headers = mem_dup(strbuf_str(&headers));
	record->body = mem_dup_len(strbuf_str(&request->body), request->body.len);
	record->body_len = request->body.len;
	DL_APPEND(journal->records, record);
	if (++journal->count > JOURNAL_RECORDS_MAX) {
		forget_oldest(journal);
	}
	return record;
}

static void write_short(const struct record *record, struct strbuf *out)
{
	json_field_int(out, "time_ms", record->time_ms);
	json_field(out, "method", record->method);
	json_field(out, "path", record->path);
	json_field(out, "query", record->query);
	json_field_int(out, "status", record->status);
	json_field_int(out, "connection", (long long)record->connection);
	json_field_bool(out, "authorization", record->authorization);
}

void journal_done(struct journal *journal, struct record *record)
{
	if (!journal->file) {
		return;
	}
	cleanup(strbuf) struct strbuf line = STRBUF_INIT(LINE_MAX);
	json_begin(&line, '{');
	write_short(record, &line);
	json_end(&line, '}');
	strbuf_addc(&line, '\n');
	if (!line.err) {
		fwrite(line.buf, 1, line.len, journal->file);
		fflush(journal->file);
	}
}

void journal_write(const struct journal *journal, struct strbuf *out)
{
	const struct record *record;
	json_begin(out, '[');
	DL_FOREACH (journal->records, record) {
		json_begin(out, '{');
		write_short(record, out);
		json_key(out, "headers");
		json_raw(out, record->headers);
		json_key(out, "body");
		json_string_len(out, record->body, record->body_len);
		json_end(out, '}');
	}
	json_end(out, ']');
}

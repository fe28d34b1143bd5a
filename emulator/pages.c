#include "emulator/pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "emulator/account.h"
#include "emulator/json.h"
#include "emulator/mem.h"

#define PAGE_SIZE_DEFAULT 10
#define PAGE_SIZE_MAX     100
#define URL_MAX           4096
#define WORD_DIGITS       16
/* Makes tokens look like nothing in particular, and typed ones fail. */
#define TOKEN_SECRET 0x9e3779b97f4a7c15ULL

static uint64_t token_check(const char *path, uint64_t after)
{
	uint64_t hash = after ^ TOKEN_SECRET;
	for (const char *c = path; *c; c++) {
		hash = (hash ^ (unsigned char)*c) * 0x100000001b3ULL;
	}
	return hash;
}

/* Exactly 16 hexadecimal digits, as page tokens have them. */
static bool parse_word(const char *text, uint64_t *ret_word)
{
	uint64_t word = 0;
	for (size_t i = 0; i < WORD_DIGITS; i++) {
		const char *digits = "0123456789abcdef";
		const char *at = text[i] ? strchr(digits, text[i]) : NULL;
		if (!at) {
			return false;
		}
		word = word << 4 | (uint64_t)(at - digits);
	}
	*ret_word = word;
	return true;
}

static bool token_parse(struct page *page, const char *token)
{
	uint64_t masked;
	uint64_t check;
	if (strlen(token) != 2 * WORD_DIGITS || !parse_word(token, &check) ||
		!parse_word(token + WORD_DIGITS, &masked)) {
		return false;
	}
	page->after = masked ^ check;
	return token_check(page->path, page->after) == check;
}

bool page_init_token(struct page *page, const struct request *request, struct reply *reply)
{
	cleanup(free) char *token = request_query(request, "page_token");
	if (token && *token && !token_parse(page, token)) {
		reply_refuse_parameter(
			reply, request, "page_token", "page_token is none of this list's");
		return false;
	}
	return true;
}

bool page_init(struct page *page, const struct request *request, struct reply *reply)
{
	cleanup(free) char *size = request_query(request, "page_size");
	page->size = page->size ? page->size : PAGE_SIZE_DEFAULT;
	page->max = page->max ? page->max : PAGE_SIZE_MAX;
	if (size && *size) {
		char *end;
		long number = strtol(size, &end, 10);
		if (*end || number < 1) {
			reply_refuse_parameter(
				reply, request, "page_size", "page_size must be a positive number");
			return false;
		}
		page->size = (size_t)number > page->max ? page->max : (size_t)number;
	}
	return page_init_token(page, request, reply);
}

bool page_takes(struct page *page, uint64_t seq)
{
	page->total++;
	if (seq <= page->after) {
		return false;
	}
	if (page->count == page->size) {
		page->more = true;
		return false;
	}
	page->count++;
	page->last = seq;
	return true;
}

void page_base(const struct request *request, struct strbuf *out)
{
	const char *host = request_header(request, "Host");
	strbuf_addf(out, "%s://%s", request->scheme, host ? host : "127.0.0.1");
}

static void token_write(const struct page *page, struct strbuf *out)
{
	uint64_t check = token_check(page->path, page->last);
	strbuf_addf(out, "%016" PRIx64 "%016" PRIx64, check, page->last ^ check);
}

static void write_link(const struct page *page, const struct request *request, const char *key,
	bool next, struct strbuf *out)
{
	cleanup(strbuf) struct strbuf url = STRBUF_INIT(URL_MAX);
	cleanup(free) char *size = request_query(request, "page_size");
	const char *separator = "?";
	page_base(request, &url);
	strbuf_adds(&url, page->path);
	if (page->filter) {
		strbuf_addf(&url, "%s%s", separator, page->filter);
		separator = "&";
	}
	if (size) {
		strbuf_addf(&url, "%spage_size=%zu", separator, page->size);
		separator = "&";
	}
	if (next) {
		strbuf_addf(&url, "%spage_token=", separator);
		token_write(page, &url);
	}
	json_field(out, key, strbuf_str(&url));
}

void page_write(const struct page *page, const struct request *request, struct strbuf *out)
{
	json_key(out, "metadata");
	json_begin(out, '{');
	write_link(page, request, "first", false, out);
	if (page->more) {
		write_link(page, request, "next", true, out);
	}
	json_field_int(out, "total_size", (long long)page->total);
	json_end(out, '}');
}

void page_write_meta(
	const struct page *page, const struct request *request, bool with_total, struct strbuf *out)
{
	json_key(out, "meta");
	json_begin(out, '{');
	json_key(out, "pagination");
	json_begin(out, '{');
	json_field_int(out, "page_size", (long long)page->size);
	if (with_total) {
		json_field_int(out, "total_size", (long long)page->total);
	}
	if (page->more) {
		cleanup(strbuf) struct strbuf token = STRBUF_INIT(URL_MAX);
		token_write(page, &token);
		json_field(out, "next_page_token", strbuf_str(&token));
	}
	json_end(out, '}');
	json_end(out, '}');
	json_key(out, "links");
	if (page->more) {
		json_begin(out, '{');
		write_link(page, request, "next", true, out);
		json_end(out, '}');
	} else {
		json_raw(out, "null");
	}
}

void page_member(const struct request *request, const struct member *member, struct strbuf *out)
{
	cleanup(strbuf) struct strbuf self = STRBUF_INIT(URL_MAX);
	cleanup(strbuf) struct strbuf name = STRBUF_INIT(URL_MAX);
	page_base(request, &self);
	strbuf_addf(&self, "%s/%s%s", member->path, member->id, member->query);
	strbuf_addf(&name, "crn://confluent.cloud/organization=" ACCOUNT_ORGANIZATION "%s",
		member->resource);
	json_key(out, "metadata");
	json_begin(out, '{');
	json_field(out, "self", strbuf_str(&self));
	json_field(out, "resource_name", strbuf_str(&name));
	json_field(out, "created_at", member->created_at);
	json_field(out, "updated_at", member->updated_at);
	json_end(out, '}');
}

void page_environment(const struct request *request, const char *id, struct strbuf *out)
{
	cleanup(strbuf) struct strbuf related = STRBUF_INIT(URL_MAX);
	cleanup(strbuf) struct strbuf name = STRBUF_INIT(URL_MAX);
	page_base(request, &related);
	strbuf_addf(&related, "/org/v2/environments/%s", id);
	strbuf_addf(&name,
		"crn://confluent.cloud/organization=" ACCOUNT_ORGANIZATION "/environment=%s", id);
	json_key(out, "environment");
	json_begin(out, '{');
	json_field(out, "id", id);
	json_field(out, "related", strbuf_str(&related));
	json_field(out, "resource_name", strbuf_str(&name));
	json_end(out, '}');
}

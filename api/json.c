#include "api/json_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
	if (is_digit(c)) {
		return c - '0';
	}
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * The checkers below take the place where something must start and return the place behind it,
 * or NULL with *bad at the byte that is wrong.
 */
struct checker {
	const char *end;
	const char *bad;
};

static const char *fail(struct checker *c, const char *at)
{
	c->bad = at;
	return NULL;
}

size_t json_utf8_length(const char *text, size_t left)
{
	const unsigned char *at = (const unsigned char *)text;
	unsigned char lead = at[0];
	size_t len = lead < 0x80   ? 1
		     : lead < 0xc2 ? 0
		     : lead < 0xe0 ? 2
		     : lead < 0xf0 ? 3
		     : lead < 0xf5 ? 4
				   : 0;
	if (len == 0 || len > left) {
		return 0;
	}
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	bool overlong = (lead == 0xe0 && at[1] < 0xa0) || (lead == 0xf0 && at[1] < 0x90);
	bool outside = (lead == 0xed && at[1] > 0x9f) || (lead == 0xf4 && at[1] > 0x8f);
	return overlong || outside ? 0 : len;
}

static const char *check_escape(struct checker *c, const char *at)
{
	if (c->end - at < 2) {
		return fail(c, at);
	}
	if (at[1] != 'u') {
		return strchr("\"\\/bfnrt", at[1]) && at[1] ? at + 2 : fail(c, at);
	}
	if (c->end - at < 6) {
		return fail(c, at);
	}
	for (int i = 2; i < 6; i++) {
		if (hex_value(at[i]) < 0) {
			return fail(c, at);
		}
	}
	return at + 6;
}

/* Nonzero where a byte of the word is below n (at most 128). */
static uint64_t has_less(uint64_t word, uint64_t n)
{
	return (word - EACH_BYTE * n) & ~word & EACH_BYTE * 0x80;
}

/* Skips printable ASCII but for quotes and backslashes, eight bytes at a time. */
static const char *skip_plain(const char *at, const char *end)
{
	uint64_t word;
	while (end - at >= (ptrdiff_t)sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		if ((word & EACH_BYTE * 0x80) || has_less(word, 0x20) ||
			has_less(word ^ EACH_BYTE * '"', 1) ||
			has_less(word ^ EACH_BYTE * '\\', 1)) {
			break;
		}
		at += sizeof(word);
	}
	return at;
}

static const char *check_string(struct checker *c, const char *at)
{
	if (at >= c->end || *at != '"') {
		return fail(c, at);
	}
	at++;
	while ((at = skip_plain(at, c->end)) < c->end && *at != '"') {
		unsigned char byte = (unsigned char)*at;
		if (byte == '\\') {
			at = check_escape(c, at);
			if (!at) {
				return NULL;
			}
		} else if (byte < 0x20) {
			return fail(c, at);
		} else if (byte < 0x80) {
			at++;
		} else {
			size_t len = json_utf8_length(at, (size_t)(c->end - at));
			if (len == 0) {
				return fail(c, at);
			}
			at += len;
		}
	}
	return at < c->end ? at + 1 : fail(c, at);
}

static const char *check_digits(struct checker *c, const char *at)
{
	if (at >= c->end || !is_digit(*at)) {
		return fail(c, at);
	}
	while (at < c->end && is_digit(*at)) {
		at++;
	}
	return at;
}

static const char *check_number(struct checker *c, const char *at)
{
	if (*at == '-') {
		at++;
	}
	at = at < c->end && *at == '0' ? at + 1 : check_digits(c, at);
	if (at && at < c->end && *at == '.') {
		at = check_digits(c, at + 1);
	}
	if (at && at < c->end && (*at | 0x20) == 'e') {
		at++;
		if (at < c->end && (*at == '+' || *at == '-')) {
			at++;
		}
		at = check_digits(c, at);
	}
	return at;
}

static const char *check_word(struct checker *c, const char *at, const char *word)
{
	size_t len = strlen(word);
	return (size_t)(c->end - at) >= len && memcmp(at, word, len) == 0 ? at + len : fail(c, at);
}

static const char *check_value(struct checker *c, const char *at, unsigned depth);

static const char *check_member(struct checker *c, const char *at, unsigned depth, bool keyed)
{
	if (keyed) {
		at = check_string(c, at);
		if (!at) {
			return NULL;
		}
		at = json_skip_blanks(at, c->end);
		if (at >= c->end || *at != ':') {
			return fail(c, at);
		}
		at = json_skip_blanks(at + 1, c->end);
	}
	return check_value(c, at, depth);
}

static const char *check_container(struct checker *c, const char *at, unsigned depth)
{
	bool keyed = *at == '{';
	char close = keyed ? '}' : ']';
	if (depth >= JSON_DEPTH_MAX) {
		return fail(c, at);
	}
	at = json_skip_blanks(at + 1, c->end);
	if (at < c->end && *at == close) {
		return at + 1;
	}
	for (;;) {
		at = check_member(c, at, depth + 1, keyed);
		if (!at) {
			return NULL;
		}
		at = json_skip_blanks(at, c->end);
		if (at < c->end && *at == close) {
			return at + 1;
		}
		if (at >= c->end || *at != ',') {
			return fail(c, at);
		}
		at = json_skip_blanks(at + 1, c->end);
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): JSON_DEPTH_MAX bounds it */
static const char *check_value(struct checker *c, const char *at, unsigned depth)
{
	if (at >= c->end) {
		return fail(c, at);
	}
	switch (*at) {
	case '{':
	case '[':
		return check_container(c, at, depth);
	case '"':
		return check_string(c, at);
	case 't':
		return check_word(c, at, "true");
	case 'f':
		return check_word(c, at, "false");
	case 'n':
		return check_word(c, at, "null");
	default:
		return *at == '-' || is_digit(*at) ? check_number(c, at) : fail(c, at);
	}
}

int json_check(const char *text, size_t len, struct json_slice *ret_value, size_t *ret_at)
{
	struct checker c = { .end = text + len };
	const char *start = json_skip_blanks(text, c.end);
	const char *stop = check_value(&c, start, 0);
	if (stop && json_skip_blanks(stop, c.end) != c.end) {
		stop = fail(&c, json_skip_blanks(stop, c.end));
	}
	if (!stop) {
		if (ret_at) {
			*ret_at = (size_t)(c.bad - text);
		}
		return -EBADMSG;
	}
	if (ret_value) {
		*ret_value = (struct json_slice){ start, (size_t)(stop - start) };
	}
	return 0;
}

enum json_type json_type(struct json_slice value)
{
	if (!value.text || value.len == 0) {
		return JSON_NONE;
	}
	switch (value.text[0]) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case 't':
	case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

const char *json_string_end(const char *at, const char *end)
{
	while ((at = memchr(at + 1, '"', (size_t)(end - at - 1)))) {
		const char *escape = at;
		/* The opening quote is before them all. */
		while (escape[-1] == '\\') {
			escape--;
		}
		if ((at - escape) % 2 == 0) {
			return at + 1;
		}
	}
	return end;
}

static const char *container_end(const char *at, const char *end)
{
	unsigned depth = 0;
	while (at < end) {
		if (*at == '"') {
			at = json_string_end(at, end);
			continue;
		}
		depth += *at == '{' || *at == '[';
		depth -= *at == '}' || *at == ']';
		at++;
		if (depth == 0) {
			return at;
		}
	}
	return end;
}

const char *json_value_end(const char *at, const char *end)
{
	if (*at == '"') {
		return json_string_end(at, end);
	}
	if (*at == '{' || *at == '[') {
		return container_end(at, end);
	}
	while (at < end && *at != ',' && *at != '}' && *at != ']' && !json_is_blank(*at)) {
		at++;
	}
	return at;
}

struct json_iter json_iter(struct json_slice container)
{
	enum json_type type = json_type(container);
	if (type != JSON_OBJECT && type != JSON_ARRAY) {
		return (struct json_iter){ NULL, NULL };
	}
	return (struct json_iter){ container.text + 1, container.text + container.len - 1 };
}

/* The value at `at`, which must not be the end of its container. */
static struct json_slice take_value(struct json_iter *iter)
{
	const char *start = iter->at;
	iter->at = json_value_end(start, iter->end);
	return (struct json_slice){ start, (size_t)(iter->at - start) };
}

bool json_next(struct json_iter *iter, struct json_slice *ret_key, struct json_slice *ret_value)
{
	while (iter->at < iter->end && (json_is_blank(*iter->at) || *iter->at == ',')) {
		iter->at++;
	}
	if (iter->at >= iter->end || *iter->at == '}' || *iter->at == ']') {
		return false;
	}
	struct json_slice key = { NULL, 0 };
	struct json_slice value = take_value(iter);
	iter->at = json_skip_blanks(iter->at, iter->end);
	if (iter->at < iter->end && *iter->at == ':') {
		key = value;
		iter->at = json_skip_blanks(iter->at + 1, iter->end);
		value = take_value(iter);
	}
	if (ret_key) {
		*ret_key = key;
	}
	*ret_value = value;
	return true;
}

void json_pick(struct json_slice object, const char *const *names, struct json_slice *ret_values,
	size_t count)
{
	struct json_iter iter = json_iter(object);
	struct json_slice key, value;
	for (size_t i = 0; i < count; i++) {
		ret_values[i] = (struct json_slice){ NULL, 0 };
	}
	while (json_type(object) == JSON_OBJECT && json_next(&iter, &key, &value)) {
		for (size_t i = 0; i < count; i++) {
			if (!ret_values[i].text && json_is(key, names[i])) {
				ret_values[i] = value;
			}
		}
	}
}

struct json_slice json_get(struct json_slice value, const char *path)
{
	char name[64];
	while (*path && value.text) {
		size_t len = strcspn(path, "/");
		struct json_iter iter = json_iter(value);
		struct json_slice key, member, found = { NULL, 0 };
		if (json_type(value) != JSON_OBJECT || len >= sizeof(name)) {
			return found;
		}
		memcpy(name, path, len);
		name[len] = '\0';
		while (!found.text && json_next(&iter, &key, &member)) {
			if (json_is(key, name)) {
				found = member;
			}
		}
		value = found;
		path += len + (path[len] == '/');
	}
	return value;
}

void json_with(
	struct json_slice object, const char *member, struct json_slice value, struct strbuf *out)
{
	struct json_iter iter = json_iter(object);
	struct json_slice key, its;
	strbuf_addc(out, '{');
	for (const char *separator = ""; json_next(&iter, &key, &its); separator = ",") {
		struct json_slice shown = json_is(key, member) ? value : its;
		strbuf_adds(out, separator);
		strbuf_add(out, key.text, key.len);
		strbuf_addc(out, ':');
		strbuf_add(out, shown.text, shown.len);
	}
	strbuf_addc(out, '}');
}

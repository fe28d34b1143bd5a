#include "fs/blot.h"

#include <ctype.h>
#include <string.h>

#include "api/json.h"

#define MIN_BYTES  4
#define NAME_BYTES 256

/* A character as JSON escapes it: one unit of UTF-16, or two. */
struct units {
	uint32_t unit[2];
	unsigned count;
};

static size_t run_of(const char *at, const char *end, char c)
{
	size_t len = 0;
	while (at + len < end && at[len] == c) {
		len++;
	}
	return len;
}

static bool starts_with(const char *at, const char *end, const char *text, size_t len)
{
	size_t same = 0;
	while (same < len && at + same < end && at[same] == text[same]) {
		same++;
	}
	return same == len;
}

/* The first character of a text that is not empty; how many bytes it has. */
static size_t first_character(const char *text, struct units *ret_units)
{
	static const unsigned char leads[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	size_t len = json_utf8_length(text, strlen(text));
	len = len ? len : 1;
	uint32_t code = (unsigned char)text[0] & leads[len];
	for (size_t i = 1; i < len; i++) {
		code = code << 6 | ((unsigned char)text[i] & 0x3f);
	}
	*ret_units = (struct units){ { code }, 1 };
	if (code > 0xffff) {
		code -= 0x10000;
		*ret_units = (struct units){ { 0xd800 | code >> 10, 0xdc00 | (code & 0x3ff) }, 2 };
	}
	return len;
}

static bool is_hex(const char *at, uint32_t unit)
{
	uint32_t value = 0;
	for (unsigned i = 0; i < 4; i++) {
		unsigned char c = (unsigned char)at[i];
		if (!isxdigit(c)) {
			return false;
		}
		value = value << 4 | (uint32_t)(isdigit(c) ? c - '0' : tolower(c) - 'a' + 10);
	}
	return value == unit;
}

/* Behind the backslashes of an escape, if it stands for these units: its end; else NULL. */
static const char *end_of_escape(const char *at, const char *end, const struct units *units)
{
	static const char specials[] = "\b\f\n\r\t\"/", letters[] = "bfnrt\"/";
	bool ascii = units->unit[0] > 0 && units->unit[0] < 0x80;
	const char *special = ascii ? strchr(specials, (int)units->unit[0]) : NULL;
	if (special && at < end && *at == letters[special - specials]) {
		return at + 1;
	}
	for (unsigned i = 0; i < units->count; i++) {
		size_t slashes = i > 0 ? run_of(at, end, '\\') : 1;
		at += i > 0 ? slashes : 0;
		if (!slashes || end - at < 5 || *at != 'u' || !is_hex(at + 1, units->unit[i])) {
			return NULL;
		}
		at += 5;
	}
	return at;
}

/* Where a value ends that begins at `at`, in any mixture of escapes; NULL: it does not. How many
 * backslashes there are tells only how often it was escaped. */
static const char *end_of_value(const char *at, const char *end, const char *value)
{
	while (*value) {
		struct units units;
		size_t slashes = run_of(at, end, '\\'), wanted = strspn(value, "\\");
		if (slashes < wanted) {
			return NULL;
		}
		at += slashes;
		value += wanted;
		if (!*value) {
			break;
		}
		size_t len = first_character(value, &units);
		bool same = starts_with(at, end, value, len);
		at = same ? at + len : slashes > wanted ? end_of_escape(at, end, &units) : NULL;
		if (!at) {
			return NULL;
		}
		value += len;
	}
	return at;
}

void blot_value(struct strbuf *text, const char *value)
{
	if (strlen(value) < MIN_BYTES || config_is_mask(value)) {
		return;
	}
	struct strbuf out = STRBUF_INIT(text->max);
	const char *at = strbuf_str(text), *end = at + text->len;
	const char *kept = at;
	while (at < end) {
		const char *after = end_of_value(at, end, value);
		if (after) {
			strbuf_add(&out, kept, (size_t)(at - kept));
			strbuf_adds(&out, "***");
			kept = at = after;
		} else {
			at++;
		}
	}
	if (kept != strbuf_str(text)) {
		strbuf_add(&out, kept, (size_t)(end - kept));
		strbuf_wipe(text);
		*text = out;
	}
}

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '_' || c == '-';
}

static bool is_hidden(const char *name, size_t len, const struct config *hidden)
{
	char copy[NAME_BYTES];
	if (len == 0 || len >= sizeof(copy)) {
		return false;
	}
	memcpy(copy, name, len);
	copy[len] = '\0';
	return config_names_secret(copy) || (hidden && config_get(hidden, copy));
}

/* The end of a text in quotes: at the quote that has as many backslashes as the first one. */
static const char *end_of_quoted(const char *at, const char *end, char quote, size_t slashes)
{
	while (at < end) {
		size_t run = run_of(at, end, '\\');
		if (run == slashes && at + run < end && at[run] == quote) {
			return at;
		}
		at += run ? run : 1;
		at += run && at < end;
	}
	return end;
}

/* What stands behind a name at `at`, between the two places; false: nothing is assigned there. */
static bool find_assigned(
	const char *at, const char *end, const char **ret_start, const char **ret_end)
{
	static const char stops[] = " \t\n,;&})]\"'\\";
	size_t slashes = run_of(at, end, '\\');
	bool quoted = at + slashes < end && at[slashes] == '"';
	at += quoted ? slashes + 1 : 0;
	at += quoted ? run_of(at, end, ' ') : 0;
	if (at == end || *at != (quoted ? ':' : '=')) {
		return false;
	}
	at++;
	at += quoted ? run_of(at, end, ' ') : 0;
	slashes = run_of(at, end, '\\');
	const char *mark = at + slashes;
	if (mark < end && (*mark == '"' || (!quoted && *mark == '\''))) {
		*ret_start = mark + 1;
		*ret_end = end_of_quoted(mark + 1, end, *mark, slashes);
		return true;
	}
	*ret_start = *ret_end = at;
	while (*ret_end < end && !strchr(stops, **ret_end)) {
		(*ret_end)++;
	}
	return !quoted;
}

void blot_named(struct strbuf *text, const struct config *hidden)
{
	struct strbuf out = STRBUF_INIT(text->max);
	const char *at = strbuf_str(text), *end = at + text->len;
	const char *kept = at, *start, *stop;
	while (at < end) {
		const char *name = at;
		while (at < end && in_name(*at)) {
			at++;
		}
		if (is_hidden(name, (size_t)(at - name), hidden) &&
			find_assigned(at, end, &start, &stop) &&
			run_of(start, stop, '*') < (size_t)(stop - start)) {
			strbuf_add(&out, kept, (size_t)(start - kept));
			strbuf_adds(&out, "***");
			kept = at = stop;
		} else if (at == name) {
			at++;
		}
	}
	if (kept != strbuf_str(text)) {
		strbuf_add(&out, kept, (size_t)(end - kept));
		strbuf_wipe(text);
		*text = out;
	}
}

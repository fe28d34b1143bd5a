/* JSON strings: from escapes to UTF-8 and back. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/json.h"

/* Of a digit that was checked. */
static uint32_t hex_value(char c)
{
	return c <= '9' ? (uint32_t)(c - '0') : (uint32_t)((c | 0x20) - 'a' + 10);
}

/* Appends a code point as UTF-8. */
static void add_utf8(struct strbuf *out, uint32_t code)
{
	char bytes[4];
	size_t len = 0;
	if (code < 0x80) {
		bytes[len++] = (char)code;
	} else if (code < 0x800) {
		bytes[len++] = (char)(0xc0 | code >> 6);
	} else if (code < 0x10000) {
		bytes[len++] = (char)(0xe0 | code >> 12);
		bytes[len++] = (char)(0x80 | (code >> 6 & 0x3f));
	} else {
		bytes[len++] = (char)(0xf0 | code >> 18);
		bytes[len++] = (char)(0x80 | (code >> 12 & 0x3f));
		bytes[len++] = (char)(0x80 | (code >> 6 & 0x3f));
	}
	if (code >= 0x80) {
		bytes[len++] = (char)(0x80 | (code & 0x3f));
	}
	strbuf_add(out, bytes, len);
}

static uint32_t hex4(const char *at)
{
	return hex_value(at[0]) << 12 | hex_value(at[1]) << 8 | hex_value(at[2]) << 4 |
	       hex_value(at[3]);
}

static bool is_surrogate(uint32_t code)
{
	return code >= 0xd800 && code < 0xe000;
}

/* Decodes the escape at `at` (a backslash) of a checked string; returns the place behind it. A
 * lone surrogate comes out as itself. */
static const char *decode_escape(const char *at, const char *end, uint32_t *ret_code)
{
	static const char from[] = "bfnrt";
	static const char to[] = "\b\f\n\r\t";
	if (at[1] != 'u') {
		const char *found = strchr(from, at[1]);
		*ret_code = (unsigned char)(found ? to[found - from] : at[1]);
		return at + 2;
	}
	uint32_t code = hex4(at + 2);
	at += 6;
	if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
		uint32_t low = hex4(at + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			at += 6;
		}
	}
	*ret_code = code;
	return at;
}

int json_decode(struct json_slice string, struct strbuf *out)
{
	if (json_type(string) != JSON_STRING) {
		return -EBADMSG;
	}
	const char *at = string.text + 1;
	const char *end = string.text + string.len - 1;
	while (at < end) {
		const char *run = at;
		while (at < end && *at != '\\') {
			at++;
		}
		strbuf_add(out, run, (size_t)(at - run));
		if (at < end) {
			uint32_t code;
			at = decode_escape(at, end, &code);
			add_utf8(out, is_surrogate(code) ? 0xfffd : code);
		}
	}
	return out->err;
}

bool json_has_lone_surrogate(struct json_slice value)
{
	const char *at = value.text;
	const char *end = at + value.len;
	while ((at = memchr(at, '\\', (size_t)(end - at)))) {
		uint32_t code;
		at = decode_escape(at, end, &code);
		if (is_surrogate(code)) {
			return true;
		}
	}
	return false;
}

char *json_decode_cstr(struct json_slice string)
{
	struct strbuf text = STRBUF_INIT(string.len);
	size_t len;
	if (json_decode(string, &text) < 0 || (text.len > 0 && memchr(text.buf, '\0', text.len))) {
		strbuf_finish(&text);
		return NULL;
	}
	return strbuf_detach(&text, &len);
}

bool json_is(struct json_slice string, const char *text)
{
	if (json_type(string) != JSON_STRING) {
		return false;
	}
	size_t len = strlen(text);
	if (!memchr(string.text, '\\', string.len)) {
		return string.len == len + 2 && memcmp(string.text + 1, text, len) == 0;
	}
	struct strbuf decoded = STRBUF_INIT(string.len);
	bool same = json_decode(string, &decoded) == 0 && decoded.len == len &&
		    memcmp(strbuf_str(&decoded), text, len) == 0;
	strbuf_finish(&decoded);
	return same;
}

/* Appends one character in the form that JSON demands: as it is wherever it may be. */
static void encode_code(struct strbuf *out, uint32_t code)
{
	static const char special[] = "\b\f\n\r\t\"\\";
	static const char letters[] = "bfnrt\"\\";
	const char *found = code > 0 && code < 0x80 ? strchr(special, (int)code) : NULL;
	if (found) {
		strbuf_addc(out, '\\');
		strbuf_addc(out, letters[found - special]);
	} else if (code < 0x20 || is_surrogate(code)) {
		strbuf_addf(out, "\\u%04x", code);
	} else {
		add_utf8(out, code);
	}
}

void json_encode(const char *text, size_t len, struct strbuf *out)
{
	strbuf_addc(out, '"');
	for (size_t i = 0; i < len;) {
		size_t run = i;
		while (i < len && (unsigned char)text[i] >= 0x20 && text[i] != '"' &&
			text[i] != '\\') {
			i++;
		}
		strbuf_add(out, text + run, i - run);
		if (i < len) {
			encode_code(out, (unsigned char)text[i++]);
		}
	}
	strbuf_addc(out, '"');
}

void json_respell(struct json_slice string, struct strbuf *out)
{
	const char *at = string.text;
	const char *end = at + string.len;
	while (at < end) {
		const char *escape = memchr(at, '\\', (size_t)(end - at));
		strbuf_add(out, at, (size_t)((escape ? escape : end) - at));
		if (!escape) {
			return;
		}
		uint32_t code;
		at = decode_escape(escape, end, &code);
		encode_code(out, code);
	}
}

bool json_time(struct json_slice text, struct timespec *ret_time)
{
	char *string = json_type(text) == JSON_STRING ? json_decode_cstr(text) : NULL;
	struct tm tm = { 0 };
	char *end = string ? strptime(string, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (end) {
		ret_time->tv_sec = timegm(&tm);
		long nanoseconds = 0, unit = 100000000;
		for (end += *end == '.'; *end >= '0' && *end <= '9' && unit > 0;
			end++, unit /= 10) {
			nanoseconds += (*end - '0') * unit;
		}
		ret_time->tv_nsec = nanoseconds;
	}
	free(string);
	return end != NULL;
}

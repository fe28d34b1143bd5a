/* Cutting JSON up while it arrives. */
#include <errno.h>
#include <string.h>

#include "api/json.h"

void json_cutter_init(struct json_cutter *cutter, size_t max,
	int (*member)(void *arg, struct json_slice key, struct json_slice value), void *arg)
{
	*cutter = (struct json_cutter){ .member = member, .arg = arg, .pending = STRBUF_INIT(max) };
}

void json_cutter_finish(struct json_cutter *cutter)
{
	strbuf_wipe(&cutter->pending);
}

/* Checks what stands between two commas, and hands it on. */
static int cut(struct json_cutter *cutter, const char *text, size_t len)
{
	/* A member of an object is checked as an object of its own: "{" and "}" around it would
	 * need a copy, so the key and the value are checked one after the other. */
	const char *end = text + len;
	struct json_slice key = { NULL, 0 }, value;
	if (cutter->open == '{') {
		const char *at = text;
		while (at < end && *at != '"') {
			at++;
		}
		const char *stop = at + (at < end);
		while (stop < end && *stop != '"') {
			stop += *stop == '\\' ? 2 : 1;
		}
		const char *colon = stop < end ? memchr(stop, ':', (size_t)(end - stop)) : NULL;
		if (!colon || json_check(text, (size_t)(colon - text), &key, NULL) < 0 ||
			json_type(key) != JSON_STRING) {
			return -EBADMSG;
		}
		text = colon + 1;
	}
	int err = json_check(text, (size_t)(end - text), &value, NULL);
	return err < 0 ? err : cutter->member(cutter->arg, key, value);
}

static bool only_blanks(const char *text, size_t len)
{
	return strspn(text, " \t\r\n") >= len;
}

/* At a comma or bracket of the outermost level: the member before it is complete. */
static int boundary(struct json_cutter *cutter, const char *text, size_t len, bool last)
{
	if (only_blanks(text, len)) {
		/* Nothing before it: right only in {} and []. */
		return last && !cutter->comma ? 0 : -EBADMSG;
	}
	cutter->comma = !last;
	return cut(cutter, text, len);
}

/* The opening bracket, or what follows the closing one. Returns how many bytes it took. */
static int outside(struct json_cutter *cutter, const char *bytes, size_t len, size_t *ret_taken)
{
	size_t i = 0;
	while (i < len && strchr(" \t\r\n", bytes[i]) && bytes[i]) {
		i++;
	}
	if (i < len) {
		if (cutter->done || (bytes[i] != '{' && bytes[i] != '[')) {
			return -EBADMSG;
		}
		cutter->open = bytes[i++];
	}
	*ret_taken = i;
	return 0;
}

/* Follows a string to its end; returns how many bytes it took. */
static size_t scan_string(struct json_cutter *cutter, const char *bytes, size_t len)
{
	size_t i = 0;
	while (cutter->in_string && i < len) {
		const char *quote = cutter->escaped ? NULL : memchr(bytes + i, '"', len - i);
		size_t end = cutter->escaped ? i + 1 : quote ? (size_t)(quote - bytes) : len;
		size_t escapes = 0;
		while (!cutter->escaped && end - escapes > i && bytes[end - escapes - 1] == '\\') {
			escapes++;
		}
		cutter->escaped = escapes % 2 == 1;
		if (quote) {
			cutter->in_string = cutter->escaped;
			cutter->escaped = false;
			end++;
		}
		i = end;
	}
	return i;
}

/* Follows brackets and the starts of strings; true at the end of a member. */
static bool scan(struct json_cutter *cutter, char c)
{
	switch (c) {
	case '"':
		cutter->in_string = true;
		return false;
	case '{':
	case '[':
		cutter->depth++;
		return false;
	case '}':
	case ']':
		if (cutter->depth == 0) {
			return true;
		}
		cutter->depth--;
		return false;
	default:
		return c == ',' && cutter->depth == 0;
	}
}

/* Takes bytes up to the end of the next member, or all of them. */
static int inside(struct json_cutter *cutter, const char *bytes, size_t len, size_t *ret_taken)
{
	size_t i = scan_string(cutter, bytes, len);
	while (i < len && !scan(cutter, bytes[i])) {
		i++;
		i += scan_string(cutter, bytes + i, len - i);
	}
	const char *text = bytes;
	size_t text_len = i;
	if (i == len || cutter->pending.len > 0) {
		strbuf_add(&cutter->pending, bytes, i);
		if (cutter->pending.err) {
			return cutter->pending.err;
		}
		text = strbuf_str(&cutter->pending);
		text_len = cutter->pending.len;
	}
	*ret_taken = i;
	if (i == len) {
		return 0;
	}
	*ret_taken = i + 1;
	if (text_len > cutter->pending.max) {
		/* As where it comes in pieces. */
		return -EFBIG;
	}
	bool last = bytes[i] != ',';
	if (last && (bytes[i] == '}') != (cutter->open == '{')) {
		return -EBADMSG;
	}
	int err = boundary(cutter, text, text_len, last);
	strbuf_reset(&cutter->pending);
	cutter->done = last;
	return err < 0 ? err : 0;
}

int json_cutter_feed(struct json_cutter *cutter, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t taken = 0;
		bool around = !cutter->open || cutter->done;
		int err = around ? outside(cutter, bytes, len, &taken)
				 : inside(cutter, bytes, len, &taken);
		if (err < 0) {
			return err;
		}
		bytes += taken;
		len -= taken;
	}
	return 0;
}

int json_cutter_end(struct json_cutter *cutter)
{
	return cutter->done ? 0 : -EBADMSG;
}

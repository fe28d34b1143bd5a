/* JSON as people write it. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/json_priv.h"

struct member {
	struct json_slice key, value;
	struct strbuf decoded; /* the key's text where it has escapes */
};

static struct json_slice key_text(const struct member *member)
{
	if (member->decoded.buf) {
		return (struct json_slice){ member->decoded.buf, member->decoded.len };
	}
	return (struct json_slice){ member->key.text + 1, member->key.len - 2 };
}

static int compare_members(const void *a, const void *b)
{
	struct json_slice x = key_text(a), y = key_text(b);
	int order = memcmp(x.text, y.text, x.len < y.len ? x.len : y.len);
	return order ? order : (x.len > y.len) - (x.len < y.len);
}

static void members_free(struct member *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		strbuf_finish(&members[i].decoded);
	}
	free(members);
}

/* The members that are left of an object by the order of their keys; -ENOMEM. */
static int members_sorted(struct json_iter *iter, struct member **ret_members, size_t *ret_count)
{
	struct json_slice key, value;
	struct member *members = NULL;
	size_t count = 0, size = 0;
	bool sorted = true;
	while (json_next(iter, &key, &value)) {
		if (count == size) {
			size = size ? 2 * size : 32;
			struct member *more = reallocarray(members, size, sizeof(*members));
			if (!more) {
				members_free(members, count);
				return -ENOMEM;
			}
			members = more;
		}
		members[count] = (struct member){ key, value, STRBUF_INIT(key.len) };
		if (memchr(key.text, '\\', key.len)) {
			json_decode(key, &members[count].decoded);
		}
		sorted = sorted &&
			 (count == 0 || compare_members(&members[count - 1], &members[count]) <= 0);
		count++;
	}
	if (!sorted) {
		qsort(members, count, sizeof(*members), compare_members);
	}
	*ret_members = members;
	*ret_count = count;
	return 0;
}

bool json_has_duplicate(struct json_slice object, struct strbuf *out)
{
	struct member *members;
	struct json_iter iter = json_iter(object);
	size_t count;
	bool found = false;
	if (members_sorted(&iter, &members, &count) < 0) {
		return false;
	}
	for (size_t i = 1; i < count && !found; i++) {
		found = compare_members(&members[i - 1], &members[i]) == 0;
		if (found) {
			json_decode(members[i].key, out);
		}
	}
	members_free(members, count);
	return found;
}

/* The depth of what stands on one line, however deep. */
#define COMPACT UINT_MAX

static unsigned below(unsigned depth)
{
	return depth == COMPACT ? COMPACT : depth + 1;
}

static void new_line(unsigned depth, struct strbuf *out)
{
	if (depth == COMPACT) {
		return;
	}
	static const char line[] = "\n                                ";
	size_t left = (size_t)depth * 2 + 1;
	size_t some = left < sizeof(line) - 1 ? left : sizeof(line) - 1;
	strbuf_add(out, line, some);
	while ((left -= some) > 0) {
		some = left < sizeof(line) - 2 ? left : sizeof(line) - 2;
		strbuf_add(out, line + 1, some);
	}
}

/* The writers below take the place in a checked text where something starts, append it, and return
 * the place behind it. */
struct writer {
	const char *end; /* of the text */
	enum json_order order;
	struct strbuf *out;
};

static const char *write_value(const struct writer *writer, const char *at, unsigned depth);

static const char *write_string(const struct writer *writer, const char *at)
{
	const char *stop = json_string_end(at, writer->end);
	json_respell((struct json_slice){ at, (size_t)(stop - at) }, writer->out);
	return stop;
}

static void write_colon(const struct writer *writer, unsigned depth)
{
	strbuf_add(writer->out, ": ", depth == COMPACT ? 1 : 2);
}

/* From the first member or element up to the closing bracket. */
static const char *write_as_given(
	const struct writer *writer, const char *at, bool keyed, unsigned depth)
{
	for (;;) {
		new_line(depth, writer->out);
		if (keyed) {
			at = json_skip_blanks(write_string(writer, at), writer->end);
			at = json_skip_blanks(at + 1, writer->end);
			write_colon(writer, depth);
		}
		at = json_skip_blanks(write_value(writer, at, depth), writer->end);
		if (*at != ',') {
			return at;
		}
		strbuf_addc(writer->out, ',');
		at = json_skip_blanks(at + 1, writer->end);
	}
}

/* The same of an object's members, by the order of their keys. */
static const char *write_sorted(const struct writer *writer, const char *at, unsigned depth)
{
	struct member *members;
	size_t count;
	struct json_iter iter = { at, writer->end };
	if (members_sorted(&iter, &members, &count) < 0) {
		writer->out->err = -ENOMEM;
		return iter.at;
	}
	for (size_t i = 0; i < count; i++) {
		if (i > 0) {
			strbuf_addc(writer->out, ',');
		}
		new_line(depth, writer->out);
		json_respell(members[i].key, writer->out);
		write_colon(writer, depth);
		write_value(writer, members[i].value.text, depth);
	}
	members_free(members, count);
	return iter.at;
}

static const char *write_container(const struct writer *writer, const char *at, unsigned depth)
{
	bool keyed = *at == '{';
	char close = keyed ? '}' : ']';
	strbuf_addc(writer->out, *at);
	at = json_skip_blanks(at + 1, writer->end);
	if (*at != close) {
		at = keyed && writer->order == JSON_SORTED
			     ? write_sorted(writer, at, below(depth))
			     : write_as_given(writer, at, keyed, below(depth));
		new_line(depth, writer->out);
	}
	strbuf_addc(writer->out, close);
	return at + 1;
}

/* NOLINTNEXTLINE(misc-no-recursion): JSON_DEPTH_MAX bounds it */
static const char *write_value(const struct writer *writer, const char *at, unsigned depth)
{
	if (*at == '{' || *at == '[') {
		return write_container(writer, at, depth);
	}
	if (*at == '"') {
		return write_string(writer, at);
	}
	const char *stop = json_value_end(at, writer->end);
	strbuf_add(writer->out, at, (size_t)(stop - at));
	return stop;
}

static void write_whole(
	struct json_slice value, enum json_order order, unsigned depth, struct strbuf *out)
{
	struct writer writer = { value.text + value.len, order, out };
	if (value.text) {
		write_value(&writer, value.text, depth);
	}
}

void json_pretty(struct json_slice value, enum json_order order, struct strbuf *out)
{
	write_whole(value, order, 0, out);
}

void json_compact(struct json_slice value, enum json_order order, struct strbuf *out)
{
	write_whole(value, order, COMPACT, out);
}

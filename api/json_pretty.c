/* JSON as people write it. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "api/json.h"

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

/* The members of an object by the order of their keys; -ENOMEM. */
static int members_sorted(struct json_slice object, struct member **ret_members, size_t *ret_count)
{
	struct json_iter iter = json_iter(object);
	struct json_slice key, value;
	struct member *members = NULL;
	size_t count = 0, size = 0;
	bool sorted = true;
	while (json_next(&iter, &key, &value)) {
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
	size_t count;
	bool found = false;
	if (members_sorted(object, &members, &count) < 0) {
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

static void pretty(
	struct json_slice value, enum json_order order, unsigned depth, struct strbuf *out);

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

/* One member on a line of its own. */
static void pretty_member(struct json_slice key, struct json_slice value, enum json_order order,
	unsigned depth, bool first, struct strbuf *out)
{
	if (!first) {
		strbuf_addc(out, ',');
	}
	new_line(depth, out);
	if (key.text) {
		json_respell(key, out);
		strbuf_adds(out, depth == COMPACT ? ":" : ": ");
	}
	pretty(value, order, depth, out);
}

static void pretty_sorted(struct json_slice object, unsigned depth, struct strbuf *out)
{
	struct member *members;
	size_t count;
	if (members_sorted(object, &members, &count) < 0) {
		out->err = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < count; i++) {
		pretty_member(
			members[i].key, members[i].value, JSON_SORTED, below(depth), i == 0, out);
	}
	members_free(members, count);
}

static void pretty_as_given(
	struct json_slice container, enum json_order order, unsigned depth, struct strbuf *out)
{
	struct json_iter iter = json_iter(container);
	struct json_slice key, value;
	for (bool first = true; json_next(&iter, &key, &value); first = false) {
		pretty_member(key, value, order, below(depth), first, out);
	}
}

/* NOLINTNEXTLINE(misc-no-recursion): JSON_DEPTH_MAX bounds it */
static void pretty(
	struct json_slice value, enum json_order order, unsigned depth, struct strbuf *out)
{
	enum json_type type = json_type(value);
	struct json_slice first;
	struct json_iter iter = json_iter(value);
	if (type == JSON_STRING) {
		json_respell(value, out);
	} else if (type != JSON_OBJECT && type != JSON_ARRAY) {
		strbuf_add(out, value.text, value.len);
	} else if (!json_next(&iter, NULL, &first)) {
		strbuf_adds(out, type == JSON_OBJECT ? "{}" : "[]");
	} else {
		strbuf_addc(out, value.text[0]);
		if (type == JSON_OBJECT && order == JSON_SORTED) {
			pretty_sorted(value, depth, out);
		} else {
			pretty_as_given(value, order, depth, out);
		}
		new_line(depth, out);
		strbuf_addc(out, type == JSON_OBJECT ? '}' : ']');
	}
}

void json_pretty(struct json_slice value, enum json_order order, struct strbuf *out)
{
	pretty(value, order, 0, out);
}

void json_compact(struct json_slice value, enum json_order order, struct strbuf *out)
{
	pretty(value, order, COMPACT, out);
}

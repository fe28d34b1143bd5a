#include "fs/offsets_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES ((size_t)64 << 20)

struct place {
	char *key; /* the partition, the same text however it is written; owned */
	struct json_slice partition, offset;
	size_t order;
};

/* Some connector's offsets, by partition. */
struct offsets {
	struct place *places;
	size_t count;
};

static void offsets_finish(struct offsets *offsets)
{
	for (size_t i = 0; i < offsets->count; i++) {
		free(offsets->places[i].key);
	}
	free(offsets->places);
}

static char *canonical(struct json_slice value)
{
	struct strbuf text = STRBUF_INIT(TEXT_BYTES);
	json_compact(value, JSON_SORTED, &text);
	char *key = text.err ? NULL : strbuf_detach(&text, NULL);
	strbuf_finish(&text);
	return key;
}

bool offsets_same_value(struct json_slice a, struct json_slice b)
{
	char *x = a.text ? canonical(a) : NULL, *y = b.text ? canonical(b) : NULL;
	bool same = x && y ? strcmp(x, y) == 0 : a.text == b.text;
	free(x);
	free(y);
	return same;
}

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	return strcmp(x->key, y->key);
}

static const struct place *find(const struct offsets *offsets, const char *key)
{
	const struct place wanted = { .key = (char *)key };
	return offsets->count == 0 ? NULL
				   : bsearch(&wanted, offsets->places, offsets->count,
					     sizeof(wanted), compare_places);
}

static int refuse_twice(struct json_slice object, struct strbuf *why)
{
	struct strbuf twice = STRBUF_INIT(256);
	bool found = json_has_duplicate(object, &twice);
	if (found) {
		strbuf_addf(why, "\"%s\" stands there twice", strbuf_str(&twice));
	}
	strbuf_finish(&twice);
	return found ? -EINVAL : 0;
}

static int check_element(struct json_slice element, struct strbuf *why)
{
	struct json_slice partition = json_get(element, "partition");
	struct json_slice offset = json_get(element, "offset");
	enum json_type type = json_type(offset);
	if (json_type(element) != JSON_OBJECT || json_type(partition) != JSON_OBJECT ||
		(type != JSON_OBJECT && type != JSON_NULL)) {
		strbuf_addf(why,
			"%.*s: not an object with a \"partition\" and an \"offset\", which "
			"are objects (or null, to reset the offset)",
			(int)element.len, element.text);
		return -EINVAL;
	}
	int err = refuse_twice(element, why);
	err = err < 0 ? err : refuse_twice(partition, why);
	return err < 0 || type == JSON_NULL ? err : refuse_twice(offset, why);
}

static int add(struct offsets *offsets, size_t *room, struct json_slice element)
{
	if (offsets->count == *room) {
		size_t more = *room ? 2 * *room : 16;
		struct place *places =
			reallocarray(offsets->places, more, sizeof(*offsets->places));
		if (!places) {
			return -ENOMEM;
		}
		offsets->places = places;
		*room = more;
	}
	struct place place = { .partition = json_get(element, "partition"),
		.offset = json_get(element, "offset"),
		.order = offsets->count };
	place.key = canonical(place.partition);
	if (!place.key) {
		return -ENOMEM;
	}
	offsets->places[offsets->count++] = place;
	return 0;
}

/* Finish what comes of it, also after an error. -ENOMEM, or -EINVAL with the reason. */
static int parse(struct json_slice array, struct offsets *ret_offsets, struct strbuf *why)
{
	struct json_iter iter = json_iter(array);
	struct json_slice element;
	size_t room = 0;
	int err = 0;
	*ret_offsets = (struct offsets){ 0 };
	if (json_type(array) != JSON_ARRAY) {
		return 0;
	}
	while (err == 0 && json_next(&iter, NULL, &element)) {
		err = check_element(element, why);
		err = err < 0 ? err : add(ret_offsets, &room, element);
	}
	if (ret_offsets->count > 0) {
		qsort(ret_offsets->places, ret_offsets->count, sizeof(*ret_offsets->places),
			compare_places);
	}
	for (size_t i = 1; i < ret_offsets->count && err == 0; i++) {
		const struct place *at = &ret_offsets->places[i];
		if (compare_places(at - 1, at) == 0) {
			strbuf_addf(why, "the partition %s stands there twice", at->key);
			err = -EINVAL;
		}
	}
	return err;
}

/* Everything but the offsets is as it was. What the API makes of itself does not count. */
static int check_others(
	struct json_slice written, struct json_slice base, const char *name, struct strbuf *why)
{
	struct json_iter iter = json_iter(written);
	struct json_slice key, value;
	while (json_next(&iter, &key, &value)) {
		char *member = json_decode_cstr(key);
		bool good = json_is(key, "offsets") || json_is(key, "metadata") ||
			    json_is(key, "id") || (json_is(key, "name") && json_is(value, name)) ||
			    (member && offsets_same_value(value, json_get(base, member)));
		free(member);
		if (!good) {
			strbuf_addf(why,
				"%.*s is not what it was; only \"offsets\" can be changed here",
				(int)key.len, key.text);
			return -EINVAL;
		}
	}
	return 0;
}

static int check_all_there(
	const struct offsets *wanted, const struct offsets *before, struct strbuf *why)
{
	for (size_t i = 0; i < before->count; i++) {
		if (!find(wanted, before->places[i].key)) {
			strbuf_addf(why,
				"the partition %s is left out; to reset it give it \"offset\": null",
				before->places[i].key);
			return -EINVAL;
		}
	}
	return 0;
}

static void add_change(const struct place *place, struct json_slice before, struct strbuf *changes,
	struct strbuf *lines)
{
	strbuf_adds(changes, "{\"partition\":");
	json_compact(place->partition, JSON_AS_GIVEN, changes);
	strbuf_adds(changes, ",\"offset\":");
	json_compact(place->offset, JSON_AS_GIVEN, changes);
	strbuf_addc(changes, '}');
	strbuf_addf(lines, "  %s: ", place->key);
	if (before.text) {
		json_compact(before, JSON_AS_GIVEN, lines);
	} else {
		strbuf_adds(lines, "(none)");
	}
	strbuf_adds(lines, " -> ");
	json_compact(place->offset, JSON_AS_GIVEN, lines);
	strbuf_addc(lines, '\n');
}

static int compare_order(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	return (x->order > y->order) - (x->order < y->order);
}

/* Sorts what is wanted anew: as it was written. */
static void add_changes(struct offsets *wanted, const struct offsets *before,
	struct strbuf *changes, struct strbuf *lines)
{
	if (wanted->count > 0) {
		qsort(wanted->places, wanted->count, sizeof(*wanted->places), compare_order);
	}
	const char *separator = "";
	strbuf_addc(changes, '[');
	for (size_t i = 0; i < wanted->count; i++) {
		const struct place *place = &wanted->places[i];
		const struct place *old = find(before, place->key);
		if (!old || !offsets_same_value(old->offset, place->offset)) {
			struct json_slice none = { NULL, 0 };
			strbuf_adds(changes, separator);
			separator = ",";
			add_change(place, old ? old->offset : none, changes, lines);
		}
	}
	strbuf_addc(changes, ']');
}

int offsets_compare(struct json_slice written, struct json_slice base, const char *name,
	struct strbuf *ret_changes, struct strbuf *ret_lines, struct strbuf *ret_why)
{
	struct offsets wanted = { 0 }, before = { 0 };
	struct json_slice array = json_get(written, "offsets");
	if (json_type(array) != JSON_ARRAY) {
		strbuf_adds(ret_why, "there is no array \"offsets\"");
		return -EINVAL;
	}
	int err = check_others(written, base, name, ret_why);
	if (err == 0) {
		err = parse(array, &wanted, ret_why);
	}
	if (err == 0) {
		err = parse(json_get(base, "offsets"), &before, ret_why);
	}
	if (err == 0) {
		err = check_all_there(&wanted, &before, ret_why);
	}
	if (err == 0) {
		add_changes(&wanted, &before, ret_changes, ret_lines);
		err = ret_changes->err;
	}
	offsets_finish(&wanted);
	offsets_finish(&before);
	return err;
}

/* The elements of an answer, those that change with their new offsets, then what is new. */
static void add_applied(struct json_slice array, const struct offsets *old,
	const struct offsets *changes, struct strbuf *out)
{
	struct json_iter iter = json_iter(array);
	struct json_slice element;
	const char *separator = "";
	strbuf_addc(out, '[');
	while (json_type(array) == JSON_ARRAY && json_next(&iter, NULL, &element)) {
		char *key = canonical(json_get(element, "partition"));
		const struct place *change = key ? find(changes, key) : NULL;
		strbuf_adds(out, separator);
		json_with(element, "offset", change ? change->offset : json_get(element, "offset"),
			out);
		separator = ",";
		free(key);
	}
	for (size_t i = 0; i < changes->count; i++) {
		const struct place *change = &changes->places[i];
		if (!find(old, change->key)) {
			strbuf_addf(out, "%s{\"partition\":%.*s,\"offset\":%.*s}", separator,
				(int)change->partition.len, change->partition.text,
				(int)change->offset.len, change->offset.text);
			separator = ",";
		}
	}
	strbuf_addc(out, ']');
}

int offsets_apply(struct json_slice answer, struct json_slice changes, struct strbuf *out)
{
	struct offsets wanted = { 0 }, old = { 0 };
	struct strbuf why = STRBUF_INIT(TEXT_BYTES);
	int err = parse(changes, &wanted, &why);
	if (err == 0) {
		err = parse(json_get(answer, "offsets"), &old, &why);
	}
	strbuf_finish(&why);
	if (err == 0) {
		struct strbuf array = STRBUF_INIT(TEXT_BYTES);
		add_applied(json_get(answer, "offsets"), &old, &wanted, &array);
		struct json_slice instead = { strbuf_str(&array), array.len };
		json_with(answer, "offsets", instead, out);
		err = array.err ? array.err : out->err;
		strbuf_finish(&array);
	}
	offsets_finish(&wanted);
	offsets_finish(&old);
	return err == -EINVAL ? -EBADMSG : err;
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/offsets_text.h"
#include "tests/unit/json_slice.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES        10000

#define PART(topic, number) \
	"{\"partition\":{\"t\":\"" topic "\",\"p\":0},\"offset\":{\"o\":" number "}}"
#define ALL(list) "{\"id\":\"lcc-1\",\"name\":\"n\",\"offsets\":[" list "],\"metadata\":{\"a\":1}}"

static const char base_text[] = ALL(PART("a", "1") "," PART("b", "9007199254740993"));

static const struct {
	const char *written;
	int err;
	const char *changes; /* or a word of the reason */
	const char *lines;
} rows[] = {
	{ base_text, 0, "[]", "" },
	{ "{\"offsets\":[" PART("b", "9007199254740993") ", " PART("a", " 1 ") "]}", 0, "[]", "" },
	{ "{\"metadata\":2,\"id\":3,\"name\":\"n\",\"offsets\":[{\"offset\":{\"o\":1},"
	  "\"partition\":{\"p\":0,\"t\":\"\\u0061\"}}," PART("b", "9007199254740993") "]}",
		0, "[]", "" },
	{ ALL(PART("a", "2") "," PART("b", "9007199254740993")), 0, "[" PART("a", "2") "]",
		"  {\"p\":0,\"t\":\"a\"}: {\"o\":1} -> {\"o\":2}\n" },
	/* One digit of sixteen, and one that a double would not see. */
	{ ALL(PART("a", "1") "," PART("b", "9007199254740992")), 0,
		"[" PART("b", "9007199254740992") "]",
		"  {\"p\":0,\"t\":\"b\"}: {\"o\":9007199254740993} -> {\"o\":9007199254740992}\n" },
	{ ALL("{\"partition\":{\"t\":\"a\",\"p\":0},\"offset\":null}," PART(
		  "b", "9007199254740993")),
		0, "[{\"partition\":{\"t\":\"a\",\"p\":0},\"offset\":null}]",
		"  {\"p\":0,\"t\":\"a\"}: {\"o\":1} -> null\n" },
	{ ALL(PART("c", "7") "," PART("a", "1") "," PART("b", "9007199254740993")), 0,
		"[" PART("c", "7") "]", "  {\"p\":0,\"t\":\"c\"}: (none) -> {\"o\":7}\n" },
	{ ALL(PART("a", "1")), -EINVAL, "{\"p\":0,\"t\":\"b\"} is left out", "" },
	{ ALL(""), -EINVAL, "left out", "" },
	{ ALL(PART("a", "1") "," PART("b", "1") "," PART("a", "2")), -EINVAL,
		"{\"p\":0,\"t\":\"a\"} stands there twice", "" },
	{ "{\"name\":\"m\",\"offsets\":[]}", -EINVAL, "\"name\" is not what it was", "" },
	{ "{\"offsets\":[],\"more\":1}", -EINVAL, "\"more\" is not what it was", "" },
	{ "{}", -EINVAL, "no array", "" },
	{ "{\"offsets\":null}", -EINVAL, "no array", "" },
	{ "{\"offsets\":[1]}", -EINVAL, "1: not an object", "" },
	{ "{\"offsets\":[{\"partition\":{},\"offset\":1}]}", -EINVAL, "not an object", "" },
	{ "{\"offsets\":[{\"partition\":{\"a\":1,\"a\":2},\"offset\":{}}]}", -EINVAL, "twice", "" },
	{ "{\"offsets\":[{\"partition\":{},\"offset\":{\"a\":1,\"a\":1}}]}", -EINVAL, "twice", "" },
};

static void test_compare(void **state)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf changes = STRBUF_INIT(BYTES);
		cleanup(strbuf) struct strbuf lines = STRBUF_INIT(BYTES);
		cleanup(strbuf) struct strbuf why = STRBUF_INIT(BYTES);
		int err = offsets_compare(
			slice(rows[i].written), slice(base_text), "n", &changes, &lines, &why);
		assert_int_equal(err, rows[i].err);
		if (err == 0) {
			assert_string_equal(strbuf_str(&changes), rows[i].changes);
			assert_string_equal(strbuf_str(&lines), rows[i].lines);
			assert_int_equal(why.len, 0);
		} else {
			assert_non_null(strstr(strbuf_str(&why), rows[i].changes));
		}
	}
}

static void test_apply(void **state)
{
	static const struct {
		const char *changes, *wanted;
	} cases[] = {
		{ "[]", base_text },
		{ "[" PART("b", "5") "]", ALL(PART("a", "1") "," PART("b", "5")) },
		{ "[{\"offset\":null,\"partition\":{\"p\":0,\"t\":\"a\"}}," PART("c", "3") "]",
			ALL("{\"partition\":{\"t\":\"a\",\"p\":0},\"offset\":null}," PART(
				"b", "9007199254740993") "," PART("c", "3")) },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(BYTES);
		assert_int_equal(offsets_apply(slice(base_text), slice(cases[i].changes), &out), 0);
		assert_string_equal(strbuf_str(&out), cases[i].wanted);
	}
}

static void test_apply_to_something_else(void **state)
{
	cleanup(strbuf) struct strbuf out = STRBUF_INIT(BYTES);
	assert_int_equal(offsets_apply(slice("{\"offsets\":[7]}"), slice("[]"), &out), -EBADMSG);
	cleanup(strbuf) struct strbuf small = STRBUF_INIT(20);
	assert_int_equal(offsets_apply(slice(base_text), slice("[]"), &small), -EFBIG);
}

static void test_same_value(void **state)
{
	const struct json_slice none = { NULL, 0 };
	assert_true(offsets_same_value(slice("{\"a\":1,\"b\":[1]}"), slice("{\"b\":[1],\"a\":1}")));
	assert_false(offsets_same_value(slice("[1,2]"), slice("[2,1]")));
	assert_false(offsets_same_value(slice("1"), slice("1.0")));
	assert_true(offsets_same_value(none, none));
	assert_false(offsets_same_value(none, slice("null")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_apply_to_something_else),
		cmocka_unit_test(test_same_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

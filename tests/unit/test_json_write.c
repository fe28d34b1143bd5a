/* JSON that is written: encoded strings, the forms for people and for requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "api/json.h"
#include "base/cleanup.h"
#include "tests/unit/json_slice.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_encode(void **state)
{
	cleanup(strbuf) struct strbuf all = STRBUF_INIT(1024);
	for (int c = 0; c < 0x80; c++) {
		strbuf_addc(&all, (char)c);
	}
	strbuf_adds(&all, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	cleanup(strbuf) struct strbuf text = STRBUF_INIT(4096);
	cleanup(strbuf) struct strbuf back = STRBUF_INIT(1024);
	json_encode(all.buf, all.len, &text);
	assert_memory_equal(text.buf, "\"\\u0000\\u0001", 13);
	assert_non_null(strstr(text.buf, "\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e"));
	assert_non_null(strstr(text.buf, "!\\\"#"));
	assert_non_null(strstr(text.buf, "/0"));
	assert_non_null(strstr(text.buf, "\x7f\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""));
	assert_int_equal(json_decode(slice(text.buf), &back), 0);
	assert_int_equal(back.len, all.len);
	assert_memory_equal(back.buf, all.buf, all.len);
}

static void test_pretty(void **state)
{
	static const struct {
		const char *text, *as_given, *sorted; /* NULL: the same */
	} rows[] = {
		{ "{ }", "{}", NULL },
		{ "[\n]", "[]", NULL },
		{ " -0.10E+02 ", "-0.10E+02", NULL },
		{ "9007199254740993", "9007199254740993", NULL },
		{ "\"\\u00e4\\/\"", "\"\xc3\xa4/\"", NULL },
		{ "[1,[],{},[null,true]]",
			"[\n  1,\n  [],\n  {},\n  [\n    null,\n    true\n  ]\n]", NULL },
		{ "{\"b\":1,\"a\":{\"d\":[{\"f\":0,\"e\":1}],\"c\":{}}}",
			"{\n  \"b\": 1,\n  \"a\": {\n    \"d\": [\n      {\n        \"f\": 0,\n"
			"        \"e\": 1\n      }\n    ],\n    \"c\": {}\n  }\n}",
			"{\n  \"a\": {\n    \"c\": {},\n    \"d\": [\n      {\n        \"e\": 1,\n"
			"        \"f\": 0\n      }\n    ]\n  },\n  \"b\": 1\n}" },
		/* By bytes of the text, not by how it is spelled: a prefix first, no locale. */
		{ "{\"a.b\":1,\"\\u0062\":2,\"a\":3,\"B\":4,\"\xc3\xa4\":5,\"aa\":6,\"c\":7,\"\":8,\"a b\":9}",
			"{\n  \"a.b\": 1,\n  \"b\": 2,\n  \"a\": 3,\n  \"B\": 4,\n  \"\xc3\xa4\": 5,\n"
			"  \"aa\": 6,\n  \"c\": 7,\n  \"\": 8,\n  \"a b\": 9\n}",
			"{\n  \"\": 8,\n  \"B\": 4,\n  \"a\": 3,\n  \"a b\": 9,\n  \"a.b\": 1,\n"
			"  \"aa\": 6,\n  \"b\": 2,\n  \"c\": 7,\n  \"\xc3\xa4\": 5\n}" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf as_given = STRBUF_INIT(1024);
		cleanup(strbuf) struct strbuf sorted = STRBUF_INIT(1024);
		cleanup(strbuf) struct strbuf again = STRBUF_INIT(1024);
		json_pretty(slice(rows[i].text), JSON_AS_GIVEN, &as_given);
		assert_string_equal(strbuf_str(&as_given), rows[i].as_given);
		json_pretty(slice(rows[i].text), JSON_SORTED, &sorted);
		assert_string_equal(
			strbuf_str(&sorted), rows[i].sorted ? rows[i].sorted : rows[i].as_given);
		/* What it wrote it reads, and writes the same. */
		json_pretty(slice(strbuf_str(&sorted)), JSON_SORTED, &again);
		assert_string_equal(strbuf_str(&again), strbuf_str(&sorted));
	}
	struct strbuf small = STRBUF_INIT(8);
	json_pretty(slice("{\"a\":[1,2,3]}"), JSON_SORTED, &small);
	assert_int_equal(small.err, -EFBIG);
	strbuf_finish(&small);
}

static void test_pretty_of_many(void **state)
{
	cleanup(strbuf) struct strbuf text = STRBUF_INIT(1 << 20);
	cleanup(strbuf) struct strbuf out = STRBUF_INIT(1 << 20);
	cleanup(strbuf) struct strbuf wanted = STRBUF_INIT(1 << 20);
	for (int i = 0; i < 1000; i++) {
		strbuf_addf(&text, "%s\"k%03d\":%d", i ? "," : "{", (i * 7) % 1000, i);
	}
	strbuf_addc(&text, '}');
	for (int i = 0; i < 1000; i++) {
		/* 143 is what 7 is multiplied with to give 1, modulo 1000 */
		strbuf_addf(&wanted, "%s\n  \"k%03d\": %d", i ? "," : "{", i, i * 143 % 1000);
	}
	strbuf_adds(&wanted, "\n}");
	json_pretty(slice(text.buf), JSON_SORTED, &out);
	assert_string_equal(out.buf, wanted.buf);
}

static void test_compact(void **state)
{
	static const struct {
		const char *text, *as_given, *sorted;
	} rows[] = {
		{ "{ }", "{}", "{}" },
		{ "[ 1 , [ ] ]", "[1,[]]", "[1,[]]" },
		{ "{\"b\" : 9007199254740993,\n\"\\u0061\": [{\"d\":1, \"c\":\"\\n x\"}]}",
			"{\"b\":9007199254740993,\"a\":[{\"d\":1,\"c\":\"\\n x\"}]}",
			"{\"a\":[{\"c\":\"\\n x\",\"d\":1}],\"b\":9007199254740993}" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf as_given = STRBUF_INIT(1024);
		cleanup(strbuf) struct strbuf sorted = STRBUF_INIT(1024);
		json_compact(slice(rows[i].text), JSON_AS_GIVEN, &as_given);
		json_compact(slice(rows[i].text), JSON_SORTED, &sorted);
		assert_string_equal(strbuf_str(&as_given), rows[i].as_given);
		assert_string_equal(strbuf_str(&sorted), rows[i].sorted);
	}
}

static void test_with(void **state)
{
	static const struct {
		const char *object, *wanted;
	} rows[] = {
		{ "{}", "{}" },
		{ "{\"a\": 1}", "{\"a\":1}" },
		{ "{\"a\": 1, \"m\": {\"m\": 2}, \"b\": 3}", "{\"a\":1,\"m\":[7],\"b\":3}" },
		{ "{\"\\u006d\": 1}", "{\"\\u006d\":[7]}" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
		json_with(slice(rows[i].object), "m", slice("[7]"), &out);
		assert_string_equal(strbuf_str(&out), rows[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_pretty),
		cmocka_unit_test(test_pretty_of_many),
		cmocka_unit_test(test_compact),
		cmocka_unit_test(test_with),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

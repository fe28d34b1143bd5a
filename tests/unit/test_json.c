#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/json.h"
#include "base/cleanup.h"
#include "tests/unit/json_slice.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* A literal and its length, which may have a NUL in it. */
#define TEXT(literal) literal, sizeof(literal) - 1

/* json_check of a copy that ends where the text does, so that nothing behind it can be read. */
static int check(const char *text, size_t len, size_t *ret_value_len, size_t *ret_at)
{
	struct json_slice value = { NULL, 0 };
	char *copy = malloc(len + !len);
	assert_non_null(copy);
	memcpy(copy, text, len);
	int err = json_check(copy, len, &value, ret_at);
	if (err == 0 && ret_value_len) {
		*ret_value_len = value.len;
	}
	free(copy);
	return err;
}

static void test_accepted(void **state)
{
	static const struct {
		const char *text;
		size_t len, value_len;
	} rows[] = {
		{ TEXT("0"), 1 },
		{ TEXT("-0"), 2 },
		{ TEXT("9007199254740993"), 16 },
		{ TEXT("123456789012345678901234567890123456789012345678901234567890"), 60 },
		{ TEXT("-0.0e-0"), 7 },
		{ TEXT("1E+400"), 6 },
		{ TEXT("0.10"), 4 },
		{ TEXT(" \t\r\n true \n"), 4 },
		{ TEXT("false"), 5 },
		{ TEXT("null"), 4 },
		{ TEXT("\"\""), 2 },
		{ TEXT("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00Af\""), 24 },
		{ TEXT("\"\\u0000\""), 8 },
		{ TEXT("\"\\ud800\""), 8 },
		{ TEXT("\"\x7f\""), 3 },
		{ TEXT("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""),
			18 },
		{ TEXT("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""), 10 },
		{ TEXT("[]"), 2 },
		{ TEXT("{}"), 2 },
		{ TEXT("[ ]"), 3 },
		{ TEXT("{\n}"), 3 },
		{ TEXT("[0,-1,\"a\",null,[],{}]"), 21 },
		{ TEXT("{\"\":{\"a\" : [ 1 , 2 ] } , \"a\":1,\"a\":2}"), 37 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = 0;
		assert_int_equal(check(rows[i].text, rows[i].len, &len, NULL), 0);
		assert_int_equal(len, rows[i].value_len);
	}
}

static const struct {
	const char *text;
	size_t len, at;
} refused[] = {
	{ TEXT(""), 0 },
	{ TEXT("  "), 2 },
	{ TEXT("01"), 1 },
	{ TEXT("-01"), 2 },
	{ TEXT("-"), 1 },
	{ TEXT("+1"), 0 },
	{ TEXT(".5"), 0 },
	{ TEXT("1."), 2 },
	{ TEXT("1.e5"), 2 },
	{ TEXT("1e"), 2 },
	{ TEXT("1e+"), 3 },
	{ TEXT("1e5.0"), 3 },
	{ TEXT("0x10"), 1 },
	{ TEXT("1_000"), 1 },
	{ TEXT("NaN"), 0 },
	{ TEXT("Infinity"), 0 },
	{ TEXT("-Infinity"), 1 },
	{ TEXT("tru"), 0 },
	{ TEXT("truE"), 0 },
	{ TEXT("True"), 0 },
	{ TEXT("nul"), 0 },
	{ TEXT("nulll"), 4 },
	{ TEXT("undefined"), 0 },
	{ TEXT("{"), 1 },
	{ TEXT("["), 1 },
	{ TEXT("]"), 0 },
	{ TEXT("{]"), 1 },
	{ TEXT("[}"), 1 },
	{ TEXT("[1}"), 2 },
	{ TEXT("{\"a\":1]"), 6 },
	{ TEXT("{\"a\"}"), 4 },
	{ TEXT("{\"a\":}"), 5 },
	{ TEXT("{\"a\" 1}"), 5 },
	{ TEXT("{\"a\":1,}"), 7 },
	{ TEXT("{,\"a\":1}"), 1 },
	{ TEXT("{\"a\":1 \"b\":2}"), 7 },
	{ TEXT("{\"a\":1:2}"), 6 },
	{ TEXT("[1,]"), 3 },
	{ TEXT("[,1]"), 1 },
	{ TEXT("[1,,2]"), 3 },
	{ TEXT("[1 2]"), 3 },
	{ TEXT("[1:2]"), 2 },
	{ TEXT("{a:1}"), 1 },
	{ TEXT("{'a':1}"), 1 },
	{ TEXT("{1:2}"), 1 },
	{ TEXT("{null:2}"), 1 },
	{ TEXT("\""), 1 },
	{ TEXT("\"a"), 2 },
	{ TEXT("\"\\\""), 3 },
	{ TEXT("\"\\"), 1 },
	{ TEXT("\"\\x41\""), 1 },
	{ TEXT("\"\\\0\""), 1 },
	{ TEXT("\"\\u12\""), 1 },
	{ TEXT("\"\\u12g4\""), 1 },
	{ TEXT("\"\\U0041\""), 1 },
	{ TEXT("\"a\nb\""), 2 },
	{ TEXT("\"a\tb\""), 2 },
	{ TEXT("\"a\0b\""), 2 },
	{ TEXT("\"\x1f\""), 1 },
	{ TEXT("\"\x80\""), 1 },
	{ TEXT("\"\xc3\""), 1 },
	{ TEXT("\"\xc3("), 1 },
	{ TEXT("\"\xc0\x80\""), 1 },
	{ TEXT("\"\xc1\xbf\""), 1 },
	{ TEXT("\"\xe0\x9f\xbf\""), 1 },
	{ TEXT("\"\xed\xa0\x80\""), 1 },
	{ TEXT("\"\xe2\x82\""), 1 },
	{ TEXT("\"\xf0\x8f\xbf\xbf\""), 1 },
	{ TEXT("\"\xf4\x90\x80\x80\""), 1 },
	{ TEXT("\"\xf5\x80\x80\x80\""), 1 },
	{ TEXT("\"\xff\""), 1 },
	{ TEXT("\xef\xbb\xbf{}"), 0 },
	{ TEXT("{} x"), 3 },
	{ TEXT("{}{}"), 2 },
	{ TEXT("1 1"), 2 },
	{ TEXT("{},"), 2 },
	{ TEXT("{}\0"), 2 },
	{ TEXT("\0{}"), 0 },
	{ TEXT("{} // c"), 3 },
	{ TEXT("/**/{}"), 0 },
	{ TEXT("\v1"), 0 },
	{ TEXT("1\f"), 1 },
	{ TEXT("\xc2\xa0[]"), 0 },
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		size_t at = SIZE_MAX;
		if (check(refused[i].text, refused[i].len, NULL, &at) != -EBADMSG ||
			at != refused[i].at) {
			fail_msg("%s: %zu", refused[i].text, at);
		}
	}
	assert_int_equal(json_check("x", 1, NULL, NULL), -EBADMSG);
}

static void test_depth(void **state)
{
	for (size_t depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
		cleanup(strbuf) struct strbuf text = STRBUF_INIT(4096);
		for (size_t i = 0; i < depth; i++) {
			strbuf_adds(&text, i % 2 ? "{\"k\":" : "[");
		}
		size_t deepest = text.len;
		strbuf_addc(&text, '0');
		for (size_t i = depth; i-- > 0;) {
			strbuf_addc(&text, i % 2 ? '}' : ']');
		}
		bool deep = depth > JSON_DEPTH_MAX;
		assert_int_equal(check(text.buf, text.len, NULL, NULL), deep ? -EBADMSG : 0);
		/* And cut off there. */
		assert_int_equal(check(text.buf, deepest, NULL, NULL), -EBADMSG);
	}
	/* A wall of brackets ends the same way. */
	char wall[100000];
	memset(wall, '[', sizeof(wall));
	assert_int_equal(check(wall, sizeof(wall), NULL, NULL), -EBADMSG);
}

static const char sample[] =
	" {\"name\" : \"a,b]}\\\"\\\\\", \"list\":[1, -2.5e+3 ,[], {\"x\":null}],\"\\u0061\\ud83d\\ude00\""
	":{\"deep\":{\"er\":true}},\n\t\"\xc3\xa4\":\"\xe2\x82\xac\",\"n\":9007199254740993 , \"e\":{ } } ";

static void test_cut_off(void **state)
{
	size_t whole = sizeof(sample) - 2; /* without the last blank */
	for (size_t len = 0; len < whole; len++) {
		assert_int_equal(check(sample, len, NULL, NULL), -EBADMSG);
	}
	assert_int_equal(check(sample, whole, NULL, NULL), 0);
}

static void test_types(void **state)
{
	static const struct {
		const char *text;
		enum json_type type;
	} rows[] = {
		{ "{}", JSON_OBJECT },
		{ "[]", JSON_ARRAY },
		{ "\"\"", JSON_STRING },
		{ "-1", JSON_NUMBER },
		{ "0", JSON_NUMBER },
		{ "true", JSON_BOOL },
		{ "false", JSON_BOOL },
		{ "null", JSON_NULL },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(json_type(slice(rows[i].text)), rows[i].type);
	}
	assert_int_equal(json_type((struct json_slice){ NULL, 0 }), JSON_NONE);
}

/* Appends "KEY=VALUE;" as they stand there. */
static void note(struct strbuf *out, struct json_slice key, struct json_slice value)
{
	if (key.text) {
		strbuf_add(out, key.text, key.len);
	}
	strbuf_addc(out, '=');
	strbuf_add(out, value.text, value.len);
	strbuf_addc(out, ';');
}

static void test_walk(void **state)
{
	static const struct {
		const char *text, *members;
	} rows[] = {
		{ "{}", "" },
		{ " [ ] ", "" },
		{ "\"[1]\"", "" },
		{ "12", "" },
		{ "null", "" },
		{ "[1]", "=1;" },
		{ "[ 1 , \"]\" , [ [ ] , {} ] , null ]", "=1;=\"]\";=[ [ ] , {} ];=null;" },
		{ "[[],[[]],{\"a\":[]}]", "=[];=[[]];={\"a\":[]};" },
		{ "{\"a\":1,\"b\" : \"x:y\"\n,\"c\":{\"d\":[{}]} , \"\":-0.5e3}",
			"\"a\"=1;\"b\"=\"x:y\";\"c\"={\"d\":[{}]};\"\"=-0.5e3;" },
		{ "{\"\\\"}\":\"\\\\\",\"b\":\"\\\\\\\"}\"}",
			"\"\\\"}\"=\"\\\\\";\"b\"=\"\\\\\\\"}\";" },
		{ "{\"a\":1,\"a\":2}", "\"a\"=1;\"a\"=2;" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
		struct json_iter iter = json_iter(slice(rows[i].text));
		struct json_slice key, value;
		while (json_next(&iter, &key, &value)) {
			note(&out, key, value);
		}
		assert_false(json_next(&iter, &key, &value));
		assert_string_equal(strbuf_str(&out), rows[i].members);
	}
	struct json_iter iter = json_iter((struct json_slice){ NULL, 0 });
	struct json_slice value;
	assert_false(json_next(&iter, NULL, &value));
}

static void test_get(void **state)
{
	static const char text[] =
		"{\"metadata\":{\"next\":\"n\",\"a b\":{\"\":7}},\"a\":[{\"b\":1}],\"e\\u0078\":2,"
		"\"twice\":1,\"twice\":2,\"nothing\":null,\"nex\":0,\"s\":\"{\\\"t\\\":1}\"}";
	static const struct {
		const char *path, *value; /* NULL: none */
	} rows[] = {
		{ "metadata/next", "\"n\"" },
		{ "metadata", "{\"next\":\"n\",\"a b\":{\"\":7}}" },
		{ "metadata/a b", "{\"\":7}" },
		{ "metadata/next/more", NULL },
		{ "metadata/nex", NULL },
		{ "next", NULL },
		{ "a/b", NULL },
		{ "a/0", NULL },
		{ "ex", "2" },
		{ "twice", "1" },
		{ "nothing", "null" },
		{ "nothing/x", NULL },
		{ "s/t", NULL },
		{ "Metadata", NULL },
		{ "", text },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789", NULL },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_slice value = json_get(slice(text), rows[i].path);
		if (!rows[i].value) {
			assert_null(value.text);
			continue;
		}
		assert_int_equal(value.len, strlen(rows[i].value));
		assert_memory_equal(value.text, rows[i].value, value.len);
	}
	assert_null(json_get((struct json_slice){ NULL, 0 }, "a").text);
}

static void test_is(void **state)
{
	assert_true(json_is(slice("\"name\""), "name"));
	assert_true(json_is(slice("\"n\\u0061me\""), "name"));
	assert_true(json_is(slice("\"\""), ""));
	assert_true(json_is(slice("\"\\ud83d\\ude00\""), "\xf0\x9f\x98\x80"));
	assert_false(json_is(slice("\"name\""), "nam"));
	assert_false(json_is(slice("\"nam\""), "name"));
	assert_false(json_is(slice("\"name\\u0000\""), "name"));
	assert_false(json_is(slice("1"), "1"));
	assert_false(json_is((struct json_slice){ NULL, 0 }, ""));
}

static void test_duplicates(void **state)
{
	static const struct {
		const char *text, *name; /* NULL: none */
	} rows[] = {
		{ "{}", NULL },
		{ "{\"a\":1}", NULL },
		{ "{\"a\":1,\"b\":2,\"aa\":3,\"\":4}", NULL },
		{ "{\"a\":1,\"b\":2,\"a\":1}", "a" },
		{ "{\"\":1,\"\":1}", "" },
		{ "{\"n\\u0061me\":1,\"x\":0,\"name\":1}", "name" },
		{ "{\"\\u00e4\":1,\"\xc3\xa4\":1}", "\xc3\xa4" },
		{ "{\"a\":{\"b\":1},\"b\":{\"b\":1}}", NULL },
		{ "{\"a\":{\"b\":1,\"b\":1}}", NULL },
		{ "[1,1]", NULL },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(64);
		struct json_slice value = slice(rows[i].text);
		if (json_type(value) == JSON_OBJECT) {
			assert_int_equal(json_has_duplicate(value, &out), rows[i].name != NULL);
			assert_string_equal(strbuf_str(&out), rows[i].name ? rows[i].name : "");
		}
	}
}

static void test_decode(void **state)
{
	static const struct {
		const char *text, *decoded, *respelled;
	} rows[] = {
		{ "\"\"", "", "\"\"" },
		{ "\"a\\/b\"", "a/b", "\"a/b\"" },
		{ "\"\\\"\\\\\\b\\f\\n\\r\\t\"", "\"\\\b\f\n\r\t", "\"\\\"\\\\\\b\\f\\n\\r\\t\"" },
		{ "\"\\u0022\\u005C\\u000a\\u0009\"", "\"\\\n\t", "\"\\\"\\\\\\n\\t\"" },
		{ "\"\\u0001\\u001F\\u007f\"", "\x01\x1f\x7f", "\"\\u0001\\u001f\x7f\"" },
		{ "\"\\u0041\\u00E9\\u07ff\\u0800\\uffff\"",
			"A\xc3\xa9\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf",
			"\"A\xc3\xa9\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\"" },
		{ "\"\\ud83d\\ude00\\uDBFF\\uDFFF\"", "\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf",
			"\"\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"" },
		{ "\"\\ud83d\"", "\xef\xbf\xbd", "\"\\ud83d\"" },
		{ "\"\\ude00x\"", "\xef\xbf\xbdx", "\"\\ude00x\"" },
		{ "\"\\uD83D\\u0041\"",
			"\xef\xbf\xbd"
			"A",
			"\"\\ud83dA\"" },
		{ "\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80",
			"\"\\ud83d\xf0\x9f\x98\x80\"" },
		{ "\"\\ude00\\ud83d\"", "\xef\xbf\xbd\xef\xbf\xbd", "\"\\ude00\\ud83d\"" },
		{ "\"\\udc00\\udc00\"", "\xef\xbf\xbd\xef\xbf\xbd", "\"\\udc00\\udc00\"" },
		{ "\"\\ud83d\\n\"", "\xef\xbf\xbd\n", "\"\\ud83d\\n\"" },
		{ "\"\xe2\x82\xac\\\\u0041\"", "\xe2\x82\xac\\u0041", "\"\xe2\x82\xac\\\\u0041\"" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf decoded = STRBUF_INIT(256);
		cleanup(strbuf) struct strbuf respelled = STRBUF_INIT(256);
		assert_int_equal(json_decode(slice(rows[i].text), &decoded), 0);
		assert_string_equal(strbuf_str(&decoded), rows[i].decoded);
		json_respell(slice(rows[i].text), &respelled);
		assert_string_equal(strbuf_str(&respelled), rows[i].respelled);
		cleanup(free) char *text = json_decode_cstr(slice(rows[i].text));
		assert_string_equal(text, rows[i].decoded);
	}
	struct strbuf out = STRBUF_INIT(8);
	assert_int_equal(json_decode(slice("1"), &out), -EBADMSG);
	assert_int_equal(json_decode((struct json_slice){ NULL, 0 }, &out), -EBADMSG);
	assert_int_equal(json_decode(slice("\"a\\u0000b\""), &out), 0);
	assert_memory_equal(out.buf, "a\0b", 3);
	assert_int_equal(json_decode(slice("\"123456\""), &out), -EFBIG);
	strbuf_finish(&out);
	assert_null(json_decode_cstr(slice("\"a\\u0000b\"")));
	assert_null(json_decode_cstr(slice("null")));
}

static void test_time(void **state)
{
	static const struct {
		const char *text;
		bool good;
		time_t seconds;
		long nanoseconds;
	} rows[] = {
		{ "\"1970-01-01T00:00:00Z\"", true, 0, 0 },
		{ "\"2024-02-20T15:14:19Z\"", true, 1708442059, 0 },
		{ "\"2024-02-20T15:14:19.25Z\"", true, 1708442059, 250000000 },
		{ "\"2024-02-20T15:14:19.0123456789Z\"", true, 1708442059, 12345678 },
		{ "\"yesterday\"", false, 0, 0 },
		{ "\"2024-02-20\"", false, 0, 0 },
		{ "17", false, 0, 0 },
		{ "null", false, 0, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct timespec time = { 0 };
		assert_int_equal(json_time(slice(rows[i].text), &time), rows[i].good);
		assert_int_equal(time.tv_sec, rows[i].seconds);
		assert_int_equal(time.tv_nsec, rows[i].nanoseconds);
	}
	assert_false(json_time((struct json_slice){ NULL, 0 }, &(struct timespec){ 0 }));
}

static void test_pick(void **state)
{
	static const char *const names[] = { "b", "none", "a\"", "nested" };
	static const char text[] = "{\"b\":\"x\\\\\",\"c\":[\"\\\"]\"],\"a\\\"\":1,\"b\":2,"
				   "\"nested\":{\"b\":3}}";
	struct json_slice value, found[4];
	assert_int_equal(json_check(text, strlen(text), &value, NULL), 0);
	json_pick(value, names, found, 4);
	assert_int_equal(found[0].len, 5);
	assert_memory_equal(found[0].text, "\"x\\\\\"", 5);
	assert_null(found[1].text);
	assert_int_equal(found[2].len, 1);
	assert_int_equal(found[3].len, strlen("{\"b\":3}"));
	json_pick((struct json_slice){ "[1]", 3 }, names, found, 4);
	json_pick((struct json_slice){ NULL, 0 }, names, found, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_null(found[i].text);
	}
}

/* Strings of all lengths around a word, with what ends or escapes one at each place. */
static void test_long_strings(void **state)
{
	static const char *const odd[] = { "\\\"", "\\\\", "\xc3\xa4", "\\u00e4", "{", "]" };
	for (size_t len = 0; len < 40; len++) {
		for (size_t at = 0; at <= len; at++) {
			for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
				char text[128];
				struct json_slice value, first;
				snprintf(text, sizeof(text), "[\"%.*s%s%.*s\",7]", (int)at,
					"0123456789012345678901234567890123456789", odd[i],
					(int)(len - at),
					"abcdefghijabcdefghijabcdefghijabcdefghij");
				assert_int_equal(json_check(text, strlen(text), &value, NULL), 0);
				struct json_iter iter = json_iter(value);
				assert_true(json_next(&iter, NULL, &first));
				assert_int_equal(first.len, len + strlen(odd[i]) + 2);
				assert_true(json_next(&iter, NULL, &first));
				assert_int_equal(first.len, 1);
				assert_false(json_next(&iter, NULL, &first));
			}
			for (int wrong = 1; wrong < 0x20; wrong++) {
				char text[64] = "\"0123456789012345678901234567890123456789\"";
				text[1 + at] = (char)wrong;
				assert_int_equal(
					json_check(text, strlen(text), NULL, NULL), -EBADMSG);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_get),
		cmocka_unit_test(test_pick),
		cmocka_unit_test(test_long_strings),
		cmocka_unit_test(test_is),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

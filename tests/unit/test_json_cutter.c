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

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* A literal and its length, which may have a NUL in it. */
#define TEXT(literal) literal, sizeof(literal) - 1

/* json_check of a copy that ends where the text does, so that nothing behind it can be read. */
static int check(const char *text, size_t len)
{
	char *copy = malloc(len + !len);
	assert_non_null(copy);
	memcpy(copy, text, len);
	int err = json_check(copy, len, NULL, NULL);
	free(copy);
	return err;
}

static const char sample[] =
	" {\"name\" : \"a,b]}\\\"\\\\\", \"list\":[1, -2.5e+3 ,[], {\"x\":null}],\"\\u0061\\ud83d\\ude00\""
	":{\"deep\":{\"er\":true}},\n\t\"\xc3\xa4\":\"\xe2\x82\xac\",\"n\":9007199254740993 , \"e\":{ } } ";

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

/* Feeds bytes from a copy that ends where they do. */
static int feed(struct json_cutter *cutter, const char *bytes, size_t len)
{
	char *copy = malloc(len + !len);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	int err = json_cutter_feed(cutter, copy, len);
	free(copy);
	return err;
}

static int note_member(void *arg, struct json_slice key, struct json_slice value)
{
	note(arg, key, value);
	return 0;
}

/* Feeds a text in up to three pieces; what came out is appended. */
static int cut(const char *text, size_t len, size_t first, size_t second, struct strbuf *out)
{
	struct json_cutter cutter;
	json_cutter_init(&cutter, 256, note_member, out);
	int err = feed(&cutter, text, first);
	err = err < 0 ? err : feed(&cutter, text + first, second - first);
	err = err < 0 ? err : feed(&cutter, text + second, len - second);
	err = err < 0 ? err : json_cutter_end(&cutter);
	json_cutter_finish(&cutter);
	return err;
}

static void test_splits(void **state)
{
	static const char members[] =
		"\"name\"=\"a,b]}\\\"\\\\\";\"list\"=[1, -2.5e+3 ,[], {\"x\":null}];"
		"\"\\u0061\\ud83d\\ude00\"={\"deep\":{\"er\":true}};\"\xc3\xa4\"=\"\xe2\x82\xac\";"
		"\"n\"=9007199254740993;\"e\"={ };";
	size_t len = strlen(sample);
	for (size_t first = 0; first <= len; first++) {
		for (size_t second = first; second <= len; second++) {
			cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
			assert_int_equal(cut(sample, len, first, second, &out), 0);
			assert_string_equal(strbuf_str(&out), members);
		}
	}
}

static void test_cut_off(void **state)
{
	size_t whole = sizeof(sample) - 2;
	for (size_t len = 0; len < whole; len++) {
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
		assert_int_equal(cut(sample, len, len / 2, len, &out), -EBADMSG);
	}
}

static void test_bytes(void **state)
{
	static const struct {
		const char *text, *members; /* NULL: -EBADMSG */
	} rows[] = {
		{ "{}", "" },
		{ " [ ] ", "" },
		{ "[1,\"x\" , {\"a\":[]}]", "=1;=\"x\";={\"a\":[]};" },
		{ "{\"a\":1}\n", "\"a\"=1;" },
		{ "{\"\\\":\":\":\"}", "\"\\\":\"=\":\";" },
		{ "", NULL },
		{ " ", NULL },
		{ "1", NULL },
		{ "\"[]\"", NULL },
		{ "null", NULL },
		{ "]", NULL },
		{ "[}", NULL },
		{ "{]", NULL },
		{ "[1}", NULL },
		{ "{\"a\":1]", NULL },
		{ "[1,]", NULL },
		{ "[,]", NULL },
		{ "[,1]", NULL },
		{ "[1,,2]", NULL },
		{ "{\"a\":1,}", NULL },
		{ "{,}", NULL },
		{ "{\"a\"}", NULL },
		{ "{\"a\":}", NULL },
		{ "{:1}", NULL },
		{ "{1:1}", NULL },
		{ "{\"a\":1:2}", NULL },
		{ "{\"a\" \"b\":1}", NULL },
		{ "[\"a\":1]", NULL },
		{ "[1 2]", NULL },
		{ "[[1}]", NULL },
		{ "[{]}]", NULL },
		{ "[01]", NULL },
		{ "[\"\x01\"]", NULL },
		{ "[\"\xff\"]", NULL },
		{ "{\"\xff\":1}", NULL },
		{ "[] []", NULL },
		{ "[]]", NULL },
		{ "{},", NULL },
		{ "\xef\xbb\xbf[]", NULL },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
		struct json_cutter cutter;
		json_cutter_init(&cutter, 256, note_member, &out);
		int err = 0;
		for (const char *at = rows[i].text; *at && err == 0; at++) {
			err = feed(&cutter, at, 1);
		}
		err = err < 0 ? err : json_cutter_end(&cutter);
		json_cutter_finish(&cutter);
		assert_int_equal(err, rows[i].members ? 0 : -EBADMSG);
		if (rows[i].members) {
			assert_string_equal(strbuf_str(&out), rows[i].members);
		}
	}
}

/* Whatever one byte is changed to: the cutter takes what json_check takes, and nothing else. */
static void test_agrees(void **state)
{
	static const char bytes[] = "{}[],:\"\\ 01-.eEnu\x01\x80\xff/x\n";
	char text[sizeof(sample)];
	size_t len = strlen(sample);
	for (size_t at = 0; at < len; at++) {
		for (size_t i = 0; i < sizeof(bytes); i++) { /* the NUL too */
			cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
			memcpy(text, sample, sizeof(sample));
			text[at] = bytes[i];
			int checked = check(text, len);
			if (cut(text, len, at, at + 1, &out) != checked) {
				fail_msg("byte %zu as %02x: %d", at, bytes[i] & 0xff, checked);
			}
		}
	}
}

static int stop_at_two(void *arg, struct json_slice key, struct json_slice value)
{
	return json_is(value, "two") ? -ECANCELED : 1;
}

static void test_limits(void **state)
{
	static const char text[] = "{\"a\": \"1234567890\" , \"b\" : 1}";
	for (size_t max = 8; max < 24; max++) {
		for (int whole = 0; whole < 2; whole++) {
			cleanup(strbuf) struct strbuf out = STRBUF_INIT(64);
			struct json_cutter cutter;
			size_t len = strlen(text), piece = whole ? len : 1;
			int err = 0;
			json_cutter_init(&cutter, max, note_member, &out);
			for (size_t at = 0; at < len && err == 0; at += piece) {
				err = feed(&cutter, text + at, piece);
			}
			json_cutter_finish(&cutter);
			/* The first member has 18 bytes, the blank before its comma among them. */
			assert_int_equal(err, max < 18 ? -EFBIG : 0);
		}
	}
	struct json_cutter cutter;
	json_cutter_init(&cutter, 64, stop_at_two, NULL);
	assert_int_equal(feed(&cutter, TEXT("[\"one\", \"t")), 0);
	assert_int_equal(feed(&cutter, TEXT("wo\"]")), -ECANCELED);
	json_cutter_finish(&cutter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_splits),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_agrees),
		cmocka_unit_test(test_limits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

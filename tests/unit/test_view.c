#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_views(void **state)
{
	static const struct {
		int (*view)(const struct part *part, struct strbuf *out);
		const char *text; /* NULL: no part */
		const char *wanted;
	} rows[] = {
		{ view_json, "{\"b\":9007199254740993,\"a\":[\"\\u00e4\"]}",
			"{\n  \"b\": 9007199254740993,\n  \"a\": [\n    \"\xc3\xa4\"\n  ]\n}\n" },
		{ view_json, "{}", "{}\n" },
		{ view_json, NULL, "{}\n" },
		{ view_json_sorted, "{\"b\":{\"d\":1,\"c\":2},\"a\":\"x\"}",
			"{\n  \"a\": \"x\",\n  \"b\": {\n    \"c\": 2,\n    \"d\": 1\n  }\n}\n" },
		{ view_json_sorted, NULL, "{}\n" },
		{ view_status,
			"{\"name\":\"n\",\"connector\":{\"state\":\"RUNNING\"},\"tasks\":[]}",
			"{\n  \"name\": \"n\",\n  \"connector\": {\n    \"state\": \"RUNNING\"\n  },\n"
			"  \"tasks\": []\n}\n" },
		{ view_status, NULL,
			"{\n  \"connector\": {\n    \"state\": \"UNKNOWN\"\n  },\n  \"tasks\": []\n}\n" },
		{ view_state, "{\"connector\":{\"state\":\"RUNNING\"}}", "RUNNING\n" },
		{ view_state, "{\"connector\":{\"worker_id\":\"w\",\"state\":\"PAU\\u0053ED\"}}",
			"PAUSED\n" },
		{ view_state, "{\"connector\":{\"state\":\"\"}}", "\n" },
		{ view_state, "{\"connector\":{\"state\":null}}", "UNKNOWN\n" },
		{ view_state, "{\"connector\":{\"state\":1}}", "UNKNOWN\n" },
		{ view_state, "{\"connector\":{}}", "UNKNOWN\n" },
		{ view_state, "{\"connector\":\"RUNNING\"}", "UNKNOWN\n" },
		{ view_state, "{\"state\":\"RUNNING\"}", "UNKNOWN\n" },
		{ view_state, "[]", "UNKNOWN\n" },
		{ view_state, NULL, "UNKNOWN\n" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
		struct part *part = NULL;
		if (rows[i].text) {
			part = part_create(rows[i].text, strlen(rows[i].text));
			assert_non_null(part);
		}
		assert_int_equal(rows[i].view(part, &out), 0);
		assert_string_equal(strbuf_str(&out), rows[i].wanted);
		part_unref(part);
	}
}

static void test_no_room(void **state)
{
	static int (*const views[])(const struct part *, struct strbuf *) = { view_json,
		view_json_sorted, view_status, view_state };
	static const char text[] = "{\"connector\":{\"state\":\"RUNNING\"}}";
	struct part *part = part_create(text, strlen(text));
	for (size_t i = 0; i < COUNT(views); i++) {
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(7);
		assert_int_equal(views[i](part, &out), -EFBIG);
	}
	part_unref(part);
}

static void test_template(void **state)
{
	static const struct {
		const char *configs, *wanted; /* NULL: no verdict */
	} rows[] = {
		{ "[]", "" },
		{ "{}", NULL },
		{ "[null, 7, [], {}, {\"definition\":{\"required\":true}}]", "" },
		{ "[{\"definition\":{\"name\":\"a\",\"required\":true}}]", ",\n  \"a\": \"\"" },
		{ "[{\"definition\":{\"name\":\"a\",\"required\":true,\"default_value\":7}}]",
			",\n  \"a\": \"\"" },
		{ "[{\"definition\":{\"name\":\"a\",\"required\":\"true\"}}]", "" },
		{ "[{\"definition\":{\"name\":\"a\"},\"value\":{\"recommended_values\":[\"{{x}}\"]}}]",
			",\n  \"a\": \"\"" },
		{ "[{\"definition\":{\"name\":\"a\"},\"value\":{\"recommended_values\":{\"b\":\"c\"}}}]",
			"" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf text = STRBUF_INIT(1024);
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
		cleanup(strbuf) struct strbuf wanted = STRBUF_INIT(1024);
		strbuf_addf(&text, "{\"configs\":%s}", rows[i].configs);
		struct part *part = part_create(text.buf, text.len);
		int err = view_template("a\"b", part, &out);
		part_unref(part);
		assert_int_equal(err, rows[i].wanted ? 0 : -EBADMSG);
		if (rows[i].wanted) {
			strbuf_addf(&wanted, "{\n  \"connector.class\": \"a\\\"b\"%s\n}\n",
				rows[i].wanted);
			assert_string_equal(strbuf_str(&out), wanted.buf);
		}
	}
	cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
	assert_int_equal(view_template("a", NULL, &out), -EBADMSG);
}

static void test_parts(void **state)
{
	struct part *one = part_create("{}", 2), *two = part_create("{}", 2);
	struct part *none = part_create(NULL, 0);
	assert_non_null(one);
	assert_non_null(two);
	assert_non_null(none);
	assert_true(part_is(one, "{}", 2));
	assert_false(part_is(one, "{}x", 3));
	assert_false(part_is(one, "[]", 2));
	assert_false(part_is(NULL, "", 0));
	assert_true(part_is(none, "", 0));
	assert_int_equal(json_type(part_json(one)), JSON_OBJECT);
	assert_int_equal(json_type(part_json(NULL)), JSON_NONE);
	assert_ptr_equal(part_ref(one), one);
	part_unref(one);
	assert_true(part_is(one, "{}", 2));
	part_unref(one);
	part_unref(two);
	part_unref(none);
	part_unref(NULL);
	assert_null(part_ref(NULL));
	assert_null(part_create("", (size_t)UINT32_MAX + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_template),
		cmocka_unit_test(test_parts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/plugin.h"
#include "base/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct plugin_kind *const org = &plugin_of_organization;
static const struct plugin_kind *const env = &plugin_of_environment;
static const struct plugin_kind *const version = &plugin_version;

static void read_members(const struct plugin_kind *kind, const char *text, struct config *ret)
{
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
	int err = plugin_parse(kind, text, strlen(text), ret, &why);
	if (err != 0) {
		fail_msg("%s: %s", text, strbuf_str(&why));
	}
}

static void test_what_is_refused(void **state)
{
	static const struct {
		const struct plugin_kind *const *kind;
		const char *text;
		const char *why;
	} rows[] = {
		{ &org, "{", "not complete, valid JSON: line 1, column 2" },
		{ &org, "[]", "not a JSON object" },
		{ &org, "{\"a\":1,\"a\":1}", "\"a\" stands there twice" },
		{ &org, "{\"a\":\"\\ud800\"}", "half of a surrogate pair: not valid text" },
		{ &env, "{\"display_name\":\"x\"}", "\"display_name\" belongs into \"spec\"" },
		{ &env, "{\"spec\":\"x\"}", "\"spec\" is no object" },
		{ &env, "{\"spec\":{\"a\":1,\"a\":2}}", "\"a\" stands there twice" },
		{ &version, "{\"version\":\"1.0.0\"}", "\"version\" belongs into \"spec\"" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
		struct config members = { 0 };
		assert_int_equal(plugin_parse(*rows[i].kind, rows[i].text, strlen(rows[i].text),
					 &members, &why),
			-EINVAL);
		assert_string_equal(strbuf_str(&why), rows[i].why);
		assert_null(members.settings);
	}
}

static void test_members(void **state)
{
	cleanup(config) struct config top = { 0 };
	cleanup(config) struct config spec = { 0 };
	read_members(org,
		"{\"display_name\": \"a\\nb\", \"n\": 9007199254740993, \"list\": [ \"x\" , {\"b\":1,"
		"\"a\":[]} ], \"spec\": {\"c\":1}, \"none\":null}",
		&top);
	assert_string_equal(config_get(&top, "display_name"), "\"a\\nb\"");
	assert_string_equal(config_get(&top, "n"), "9007199254740993");
	assert_string_equal(config_get(&top, "list"), "[\"x\",{\"a\":[],\"b\":1}]");
	assert_string_equal(config_get(&top, "spec"), "{\"c\":1}");
	assert_string_equal(config_get(&top, "none"), "null");

	read_members(env, "{\"id\":\"ccp-1\",\"spec\":{\"display_name\":\"x\"}}", &spec);
	assert_int_equal(spec.count, 2);
	assert_string_equal(config_get(&spec, "display_name"), "\"x\"");
	assert_string_equal(config_get(&spec, "id"), "\"ccp-1\"");

	cleanup(config) struct config none = { 0 };
	struct json_slice number = { "5", 1 }, no_spec = { "{}", 2 };
	assert_int_equal(plugin_of_answer(org, number, &none), -EBADMSG);
	assert_int_equal(plugin_of_answer(version, no_spec, &none), -EBADMSG);
	assert_int_equal(plugin_of_answer(org, no_spec, &none), 0);
}

static void test_strings(void **state)
{
	cleanup(config) struct config members = { 0 };
	read_members(org,
		"{\"a\":\"x\",\"b\":\"\",\"c\":5,\"upload_source\":{\"upload_id\":\"u-1\"}}",
		&members);
	cleanup(free) char *a = plugin_string(&members, "a");
	cleanup(free) char *upload = plugin_upload_id(&members);
	assert_string_equal(a, "x");
	assert_null(plugin_string(&members, "b"));
	assert_null(plugin_string(&members, "c"));
	assert_null(plugin_string(&members, "d"));
	assert_string_equal(upload, "u-1");
	cleanup(config) struct config told = { 0 };
	read_members(org, "{\"upload_source\":{\"upload_id\":\"\"}}", &told);
	assert_null(plugin_upload_id(&told));
	cleanup(config) struct config untold = { 0 };
	assert_null(plugin_upload_id(&untold));
}

#define LIVE \
	"{\"id\":\"ccp-1\",\"kind\":\"K\"," \
	"\"metadata\":{\"created_at\":\"1\",\"updated_at\":\"1\"}," \
	"\"display_name\":\"n\",\"description\":\"d\",\"connector_class\":\"a.B\",\"cloud\":\"AWS\"," \
	"\"upload_source\":{\"location\":\"L\",\"upload_id\":\"\"}}"

static void test_changes(void **state)
{
	static const struct {
		const char *wanted;
		const char *base;
		const char *body; /* NULL: refused, with this reason */
		const char *why;
	} rows[] = {
		{ LIVE, LIVE, "{}", "" },
		{ "{}", LIVE, "{}", "" },
		{ "{\"description\":\"e\",\"display_name\":\"n\"}", LIVE, "{\"description\":\"e\"}",
			"" },
		{ "{\"description\":\"\",\"more\":[1]}", LIVE,
			"{\"description\":\"\",\"more\":[1]}", "" },
		{ "{\"id\":\"ccp-2\"}", LIVE, NULL, "\"id\" cannot be changed" },
		{ "{\"cloud\":\"GCP\",\"connector_class\":\"c\",\"description\":\"e\"}", LIVE, NULL,
			"\"cloud\", \"connector_class\" cannot be changed" },
		{ "{\"content_format\":\"JAR\"}", LIVE, NULL,
			"\"content_format\" cannot be changed" },
		/* an older text, as its writer saw it */
		{ "{\"metadata\":{\"created_at\":\"0\"}}", "{\"metadata\":{\"created_at\":\"0\"}}",
			"{}", "" },
		{ "{\"metadata\":{\"created_at\":\"0\"}}", LIVE, NULL,
			"\"metadata\" cannot be changed" },
		{ "{\"metadata\":{\"created_at\":\"1\",\"updated_at\":\"0\"}}", LIVE, "{}", "" },
		/* but what can be changed is what the writer wants */
		{ "{\"description\":\"0\"}", "{\"description\":\"0\"}", "{\"description\":\"0\"}",
			"" },
		{ "{\"upload_source\":{\"location\":\"L\",\"upload_id\":\"u\"}}", LIVE,
			"{\"upload_source\":{\"location\":\"L\",\"upload_id\":\"u\"}}", "" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(config) struct config wanted = { 0 };
		cleanup(config) struct config base = { 0 };
		cleanup(config) struct config live = { 0 };
		cleanup(config) struct config changes = { 0 };
		cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
		cleanup(strbuf) struct strbuf body = STRBUF_INIT(1024);
		read_members(org, rows[i].wanted, &wanted);
		read_members(org, rows[i].base, &base);
		read_members(org, LIVE, &live);
		int err = plugin_changes(&wanted, &base, &live, &changes, &why);
		assert_int_equal(err, rows[i].body ? 0 : -EINVAL);
		assert_string_equal(strbuf_str(&why), rows[i].why);
		plugin_encode(org, &changes, NULL, &body);
		assert_string_equal(strbuf_str(&body), rows[i].body ? rows[i].body : "{}");
	}
}

static void test_changes_of_an_environment(void **state)
{
	static const char live_text[] =
		"{\"spec\":{\"display_name\":\"n\",\"environment\":{\"id\":\"env-1\",\"related\":\"r\"}}}";
	cleanup(config) struct config wanted = { 0 };
	cleanup(config) struct config live = { 0 };
	cleanup(config) struct config changes = { 0 };
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
	cleanup(strbuf) struct strbuf body = STRBUF_INIT(1024);
	read_members(env, live_text, &live);
	read_members(env, "{\"spec\":{\"description\":\"d\",\"environment\":{\"id\":\"env-1\"}}}",
		&wanted);
	assert_int_equal(plugin_changes(&wanted, &live, &live, &changes, &why), 0);
	plugin_encode(env, &changes, "env-1", &body);
	assert_string_equal(strbuf_str(&body),
		"{\"spec\":{\"description\":\"d\",\"environment\":{\"id\":\"env-1\"}}}");
	cleanup(config) struct config elsewhere = { 0 };
	read_members(env, "{\"spec\":{\"environment\":{\"id\":\"env-2\"}}}", &elsewhere);
	assert_int_equal(
		plugin_changes(&elsewhere, &live, &live, &(struct config){ 0 }, &why), -EINVAL);
	assert_string_equal(strbuf_str(&why), "\"environment\" cannot be changed");
}

static void test_same(void **state)
{
	static const struct {
		const char *text;
		bool same;
	} rows[] = {
		{ LIVE, true },
		{ "{\"id\":\"ccp-1\",\"kind\":\"K\",\"display_name\":\"n\",\"description\":\"d\","
		  "\"connector_class\":\"a.B\",\"cloud\":\"AWS\",\"status\":{\"phase\":\"P\"}}",
			true },
		{ "{\"id\":\"ccp-1\",\"kind\":\"K\",\"display_name\":\"n\",\"description\":\"e\","
		  "\"connector_class\":\"a.B\",\"cloud\":\"AWS\"}",
			false },
		{ "{}", false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(config) struct config a = { 0 };
		cleanup(config) struct config b = { 0 };
		read_members(org, LIVE, &a);
		read_members(org, rows[i].text, &b);
		if (plugin_same(&a, &b) != rows[i].same) {
			fail_msg("row %zu", i);
		}
	}
}

static void test_has(void **state)
{
	static const struct {
		const char *wanted;
		bool has;
	} rows[] = {
		{ LIVE, true },
		{ "{}", true },
		{ "{\"metadata\":{\"created_at\":\"1\",\"updated_at\":\"0\"},\"status\":{}}",
			true },
		{ "{\"metadata\":{\"created_at\":\"0\",\"updated_at\":\"1\"}}", false },
		{ "{\"description\":\"e\"}", false },
		{ "{\"more\":null}", false },
		{ "{\"upload_source\":{\"location\":\"M\",\"upload_id\":\"\"}}", true },
		{ "{\"upload_source\":{\"location\":\"L\",\"upload_id\":\"u\"}}", false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(config) struct config wanted = { 0 };
		cleanup(config) struct config live = { 0 };
		read_members(org, rows[i].wanted, &wanted);
		read_members(org, LIVE, &live);
		if (plugin_has(&wanted, &live) != rows[i].has) {
			fail_msg("row %zu", i);
		}
	}
}

static void test_create(void **state)
{
	static const struct {
		const struct plugin_kind *const *kind;
		struct plugin_place place;
		const char *text;
		const char *body;
	} rows[] = {
		{ &org, { "My Plugin", NULL, "u-1" }, "{\"connector_class\":\"a.B\"}",
			"{\"cloud\":\"AWS\",\"connector_class\":\"a.B\",\"display_name\":\"My Plugin\","
			"\"upload_source\":{\"location\":\"PRESIGNED_URL_LOCATION\",\"upload_id\":\"u-1\"}}" },
		/* a copy of another one */
		{ &org, { "n", NULL, "u-1" },
			"{\"api_version\":\"connect/v1\",\"kind\":\"K\",\"id\":\"ccp-9\",\"metadata\":{},"
			"\"content_format\":\"ZIP\",\"display_name\":\"given\",\"cloud\":\"GCP\","
			"\"runtime_language\":\"PYTHON\",\"upload_source\":{\"upload_id\":\"\"}}",
			"{\"cloud\":\"GCP\",\"display_name\":\"given\",\"runtime_language\":\"PYTHON\","
			"\"upload_source\":{\"location\":\"PRESIGNED_URL_LOCATION\",\"upload_id\":\"u-1\"}}" },
		{ &env, { "n", "env-2", NULL },
			"{\"id\":\"ccp-9\",\"spec\":{\"runtime_language\":\"JAVA\",\"environment\":{\"id\":"
			"\"env-1\"}}}",
			"{\"spec\":{\"cloud\":\"AWS\",\"display_name\":\"n\",\"environment\":{\"id\":\"env-2\"}}}" },
		{ &env, { "n\"m", "env-2", NULL }, "{}",
			"{\"spec\":{\"cloud\":\"AWS\",\"display_name\":\"n\\\"m\",\"environment\":{\"id\":"
			"\"env-2\"}}}" },
		{ &version, { "1.2.0", "env-2", "u\"2" },
			"{\"spec\":{\"connector_classes\":[]},\"status\":{\"phase\":\"READY\"}}",
			"{\"spec\":{\"connector_classes\":[],\"upload_source\":{\"location\":"
			"\"PRESIGNED_URL_LOCATION\",\"upload_id\":\"u\\\"2\"},\"version\":\"1.2.0\","
			"\"environment\":{\"id\":\"env-2\"}}}" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(config) struct config members = { 0 };
		cleanup(strbuf) struct strbuf body = STRBUF_INIT(1024);
		read_members(*rows[i].kind, rows[i].text, &members);
		assert_int_equal(plugin_complete(*rows[i].kind, &rows[i].place, &members), 0);
		plugin_encode(*rows[i].kind, &members, rows[i].place.environment, &body);
		assert_string_equal(strbuf_str(&body), rows[i].body);
	}
}

static void test_difference(void **state)
{
	cleanup(config) struct config before = { 0 };
	cleanup(config) struct config after = { 0 };
	cleanup(strbuf) struct strbuf out = STRBUF_INIT(4096);
	read_members(org, LIVE, &before);
	read_members(org,
		"{\"id\":\"ccp-1\",\"kind\":\"K\",\"metadata\":{},\"display_name\":\"n\","
		"\"description\":\"e\",\"cloud\":\"AWS\",\"more\":[\"x\"]}",
		&after);
	plugin_add_difference(&before, &after, &out);
	assert_string_equal(strbuf_str(&out), "  connector_class: \"a.B\" -> (not set)\n"
					      "  description: \"d\" -> \"e\"\n"
					      "  more: (not set) -> [\"x\"]\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_changes_of_an_environment),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_has),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_difference),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

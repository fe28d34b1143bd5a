#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/config.h"
#include "base/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The settings as "NAME=VALUE;", in their order. */
static void list(const struct config *config, struct strbuf *out)
{
	for (size_t i = 0; i < config->count; i++) {
		strbuf_addf(out, "%s=%s;", config->settings[i].name, config->settings[i].value);
	}
}

static struct config parsed(const char *text)
{
	struct config config;
	struct strbuf why = STRBUF_INIT(1024);
	if (config_parse(text, strlen(text), &config, NULL, &why) < 0) {
		fail_msg("%s: %s", text, strbuf_str(&why));
	}
	assert_int_equal(why.len, 0);
	strbuf_finish(&why);
	return config;
}

static void test_accepted(void **state)
{
	static const struct {
		const char *text, *settings, *offsets; /* NULL: none */
	} rows[] = {
		{ "{}", "", NULL },
		{ " {\n}\n", "", NULL },
		{ "{\"b\":\"2\",\"a\":\"1\",\"aa\":\"\"}", "a=1;aa=;b=2;", NULL },
		{ "{\"n\":9007199254740993,\"f\":-0.10E+02,\"t\":true,\"u\":false}",
			"f=-0.10E+02;n=9007199254740993;t=true;u=false;", NULL },
		{ "{\"\":\"empty\",\"\\u00e4\":\"\\u20ac\\n\\\"\"}",
			"=empty;\xc3\xa4=\xe2\x82\xac\n\";", NULL },
		{ "{\"config\":\"x\",\"other\":\"y\"}", "config=x;other=y;", NULL },
		{ "{\"name\":\"n\",\"offsets\":\"latest\"}", "name=n;offsets=latest;", NULL },
		{ "{\"config\":{}}", "", NULL },
		{ "{\"config\":{\"a\":1}}", "a=1;", NULL },
		{ "{\"name\":\"n\",\"config\":{\"a\":\"1\"}}", "a=1;name=n;", NULL },
		{ "{\"config\":{\"name\":\"n\",\"a\":\"1\"},\"name\":\"\\u006e\"}", "a=1;name=n;",
			NULL },
		{ "{\"config\":{\"config\":\"c\",\"offsets\":\"o\"}}", "config=c;offsets=o;",
			NULL },
		{ "{\"name\":\"n\",\"config\":{\"a\":\"1\"},\"offsets\":[ {\"o\":1} ]}",
			"a=1;name=n;", "[ {\"o\":1} ]" },
		{ "{\"offsets\":[],\"config\":{}}", "", "[]" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(config) struct config config = { 0 };
		cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
		struct json_slice offsets = { "?", 1 };
		assert_int_equal(
			config_parse(rows[i].text, strlen(rows[i].text), &config, &offsets, &why),
			0);
		list(&config, &out);
		assert_string_equal(strbuf_str(&out), rows[i].settings);
		assert_int_equal(offsets.len, rows[i].offsets ? strlen(rows[i].offsets) : 0);
		if (rows[i].offsets) {
			assert_memory_equal(offsets.text, rows[i].offsets, offsets.len);
		}
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "", "not complete, valid JSON: line 1, column 1" },
		{ "{\"a\":\"1\",\n \"b\": \"2\"", "not complete, valid JSON: line 2, column 10" },
		{ "{\n  \"a\": \"1\",\n}\n", "not complete, valid JSON: line 3, column 1" },
		{ "{\"a\":1} x", "not complete, valid JSON: line 1, column 9" },
		{ "{\"a\":\"\xff\"}", "not complete, valid JSON: line 1, column 7" },
		{ "[]", "not a JSON object" },
		{ "\"a\"", "not a JSON object" },
		{ "null", "not a JSON object" },
		{ "{\"a\":null}", "\"a\": null; a setting is a string" },
		{ "{\"a\":{}}", "\"a\": an object; a setting is a string" },
		{ "{\"x\":1,\"a\":[1]}", "\"a\": an array; a setting is a string" },
		{ "{\"a\":\"x\\u0000y\"}", "\"a\": text with a NUL; a setting is a string" },
		{ "{\"a\\u0000\":\"x\"}",
			"\"a\\u0000\": a name with a NUL; a setting is a string" },
		{ "{\"a\":1,\"b\":2,\"a\":1}", "\"a\" stands there twice" },
		{ "{\"a\":1,\"\\u0061\":1}", "\"a\" stands there twice" },
		{ "{\"config\":{\"a\":1,\"a\":2}}", "\"a\" stands there twice" },
		{ "{\"config\":{},\"config\":{}}", "\"config\" stands there twice" },
		{ "{\"config\":{},\"name\":\"a\",\"name\":\"a\"}", "\"name\" stands there twice" },
		{ "{\"config\":{\"a\":{}}}", "\"a\": an object; a setting is a string" },
		{ "{\"config\":{},\"tasks\":[]}",
			"\"tasks\" beside \"config\": only \"name\" and \"offsets\" may stand there" },
		{ "{\"config\":[]}", "\"config\": an array; a setting is a string" },
		{ "{\"config\":null}", "\"config\": null; a setting is a string" },
		{ "{\"config\":{},\"name\":1}", "\"name\" is no string" },
		{ "{\"config\":{},\"name\":null}", "\"name\" is no string" },
		{ "{\"config\":{},\"offsets\":{}}", "\"offsets\" is no array" },
		{ "{\"config\":{},\"offsets\":null}", "\"offsets\" is no array" },
		{ "{\"config\":{\"name\":\"a\"},\"name\":\"b\"}",
			"the name beside \"config\" and the one in it differ" },
		{ "{\"config\":{},\"name\":\"a\\u0000b\"}", "\"name\" is text with a NUL" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
		struct config config = { .count = 7 };
		struct json_slice offsets = { "?", 1 };
		assert_int_equal(
			config_parse(rows[i].text, strlen(rows[i].text), &config, &offsets, &why),
			-EINVAL);
		assert_string_equal(strbuf_str(&why), rows[i].why);
		/* Untouched. */
		assert_int_equal(config.count, 7);
		assert_int_equal(offsets.len, 1);
	}
}

static void test_long_name_twice(void **state)
{
	cleanup(strbuf) struct strbuf text = STRBUF_INIT(8192);
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(8192);
	struct config config;
	strbuf_addf(&text, "{\"%0999d\":1,\"%0999d\":2}", 7, 7);
	assert_int_equal(config_parse(text.buf, text.len, &config, NULL, &why), -EINVAL);
	assert_non_null(strstr(why.buf, "\" stands there twice"));
}

static void test_answers(void **state)
{
	static const struct {
		const char *text, *settings; /* NULL: -EBADMSG */
	} rows[] = {
		{ "{}", "" },
		{ "{\"b\":1,\"a\":\"x\",\"n\":null,\"t\":true}", "a=x;b=1;t=true;" },
		{ "{\"config\":\"x\",\"name\":\"n\"}", "config=x;name=n;" },
		{ "{\"config\":{}}", NULL },
		{ "{\"a\":[]}", NULL },
		{ "{\"a\":1,\"a\":1}", NULL },
		{ "{\"a\":\"\\u0000\"}", NULL },
		{ "[]", NULL },
		{ "\"x\"", NULL },
		{ "null", NULL },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(256);
		struct json_slice answer;
		struct config config = { 0 };
		assert_int_equal(json_check(rows[i].text, strlen(rows[i].text), &answer, NULL), 0);
		assert_int_equal(
			config_of_answer(answer, &config), rows[i].settings ? 0 : -EBADMSG);
		list(&config, &out);
		assert_string_equal(strbuf_str(&out), rows[i].settings ? rows[i].settings : "");
		config_finish(&config);
	}
	struct config config = { 0 };
	assert_int_equal(config_of_answer((struct json_slice){ NULL, 0 }, &config), -EBADMSG);
}

static void test_get_and_set(void **state)
{
	cleanup(config) struct config config = { 0 };
	cleanup(strbuf) struct strbuf out = STRBUF_INIT(256);
	assert_null(config_get(&config, "a"));
	assert_int_equal(config_set(&config, "a", NULL), 0);
	assert_int_equal(config_set(&config, "m", "1"), 0);
	assert_int_equal(config_set(&config, "z", "2"), 0);
	assert_int_equal(config_set(&config, "a", "3"), 0);
	assert_int_equal(config_set(&config, "m.n", "4"), 0);
	assert_int_equal(config_set(&config, "", "5"), 0);
	assert_int_equal(config_set(&config, "m", "a longer value"), 0);
	assert_int_equal(config_set(&config, "z", config_get(&config, "z")), 0);
	list(&config, &out);
	assert_string_equal(out.buf, "=5;a=3;m=a longer value;m.n=4;z=2;");
	assert_string_equal(config_get(&config, "m.n"), "4");
	assert_string_equal(config_get(&config, ""), "5");
	assert_null(config_get(&config, "m."));
	assert_null(config_get(&config, "zz"));
	assert_int_equal(config_set(&config, "a", NULL), 0);
	assert_int_equal(config_set(&config, "z", NULL), 0);
	assert_int_equal(config_set(&config, "zz", NULL), 0);
	strbuf_reset(&out);
	list(&config, &out);
	assert_string_equal(out.buf, "=5;m=a longer value;m.n=4;");
	config_finish(&config);
	config_finish(&config);
	assert_int_equal(config.count, 0);
}

static void test_masks(void **state)
{
	static const struct {
		const char *value;
		bool mask;
	} rows[] = {
		{ "", false },
		{ "*", false },
		{ "**", true },
		{ "****************", true },
		{ "**x", false },
		{ "x**", false },
		{ "** ", false },
		{ "\\*\\*", false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(config_is_mask(rows[i].value), rows[i].mask);
	}
	assert_true(config_same_value("a", "a"));
	assert_true(config_same_value("**", "*****"));
	assert_true(config_same_value("*", "*"));
	assert_false(config_same_value("*", "**"));
	assert_false(config_same_value("**", "secret"));
	assert_false(config_same_value("secret", "**"));
	assert_false(config_same_value("", "**"));
	assert_false(config_same_value("1", "1.0"));
}

static void test_names_of_secrets(void **state)
{
	static const struct {
		const char *name;
		bool secret;
	} rows[] = {
		{ "kafka.api.secret", true },
		{ "kafka.api.key", true },
		{ "connection.password", true },
		{ "PASSWORD", true },
		{ "github.Access.Token", true },
		{ "gcs.credentials.config", true },
		{ "aws.secret.access.key", true },
		{ "ssh.passphrase", true },
		{ "consumer.sasl.jaas.config", true },
		{ "basic.auth.user.info", true },
		{ "", false },
		{ "name", false },
		{ "kafka.topic", false },
		{ "connection.user", false },
		{ "passwor", false },
		{ "s.e.c.r.e.t", false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(config_names_secret(rows[i].name), rows[i].secret);
	}
}

static void note_difference(void *arg, const char *name, const char *before, const char *after)
{
	strbuf_addf(arg, "%s:%s>%s;", name, before ? before : "-", after ? after : "-");
}

static void test_diff(void **state)
{
	static const struct {
		const char *before, *after, *diff;
	} rows[] = {
		{ "{}", "{}", "" },
		{ "{\"a\":1,\"b\":2}", "{\"b\":\"2\",\"a\":\"1\"}", "" },
		{ "{}", "{\"b\":1,\"a\":2}", "a:->2;b:->1;" },
		{ "{\"b\":1,\"a\":2}", "{}", "a:2>-;b:1>-;" },
		{ "{\"a\":1,\"c\":3,\"e\":5}", "{\"b\":2,\"c\":4,\"e\":5,\"f\":6}",
			"a:1>-;b:->2;c:3>4;f:->6;" },
		{ "{\"s\":\"**\",\"t\":\"***\"}", "{\"s\":\"*****\",\"t\":\"new\"}", "t:***>new;" },
		{ "{\"s\":\"old\"}", "{\"s\":\"**\"}", "s:old>**;" },
		{ "{\"a\":\"\"}", "{}", "a:>-;" },
		{ "{\"ab\":1}", "{\"a\":1}", "a:->1;ab:1>-;" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(config) struct config before = parsed(rows[i].before);
		cleanup(config) struct config after = parsed(rows[i].after);
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(256);
		config_diff(&before, &after, note_difference, &out);
		assert_string_equal(strbuf_str(&out), rows[i].diff);
		assert_int_equal(config_equal(&before, &after), !*rows[i].diff);
		assert_int_equal(config_equal(&after, &before), !*rows[i].diff);
	}
}

static void test_encode(void **state)
{
	static const char text[] =
		"{\n \"b\": \"\\u0001\\\"\\\\\\/\\n\xc3\xa4\", \"a\\t\": 12345678901234567890,"
		" \"\": true, \"z\": \"{\\\"a\\\":[1,2]}\"\n}";
	cleanup(config) struct config config = parsed(text);
	cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
	config_encode(&config, &out);
	assert_string_equal(out.buf,
		"{\"\":\"true\",\"a\\t\":\"12345678901234567890\","
		"\"b\":\"\\u0001\\\"\\\\/\\n\xc3\xa4\",\"z\":\"{\\\"a\\\":[1,2]}\"}");
	cleanup(config) struct config again = parsed(out.buf);
	assert_true(config_equal(&config, &again));
	cleanup(config) struct config none = { 0 };
	strbuf_reset(&out);
	config_encode(&none, &out);
	assert_string_equal(out.buf, "{}");
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Text of ASCII characters, control characters among them. */
static void random_text(uint32_t *seed, char *text, size_t size)
{
	size_t len = next_random(seed) % size;
	for (size_t i = 0; i < len; i++) {
		text[i] = (char)(1 + next_random(seed) % 127);
	}
	text[len] = '\0';
}

/* Whatever is in it, what was encoded is parsed to the same. */
static void test_round_trip(void **state)
{
	uint32_t seed = 1;
	for (int round = 0; round < 500; round++) {
		cleanup(config) struct config config = { 0 };
		cleanup(config) struct config again = { 0 };
		cleanup(strbuf) struct strbuf text = STRBUF_INIT(65536);
		cleanup(strbuf) struct strbuf before = STRBUF_INIT(65536);
		cleanup(strbuf) struct strbuf after = STRBUF_INIT(65536);
		for (uint32_t i = next_random(&seed) % 40; i > 0; i--) {
			char name[8], value[64];
			random_text(&seed, name, sizeof(name));
			random_text(&seed, value, sizeof(value));
			assert_int_equal(config_set(&config, name, value), 0);
		}
		config_encode(&config, &text);
		again = parsed(text.buf);
		list(&config, &before);
		list(&again, &after);
		assert_string_equal(strbuf_str(&before), strbuf_str(&after));
	}
}

static void test_many_settings(void **state)
{
	cleanup(strbuf) struct strbuf text = STRBUF_INIT(1 << 20);
	for (int i = 0; i < 5000; i++) {
		strbuf_addf(&text, "%s\"k%04d\":%d", i ? "," : "{", i * 7 % 5000, i);
	}
	strbuf_addc(&text, '}');
	cleanup(config) struct config config = parsed(text.buf);
	assert_int_equal(config.count, 5000);
	for (size_t i = 0; i < config.count; i++) {
		char name[32];
		snprintf(name, sizeof(name), "k%04zu", i);
		assert_string_equal(config.settings[i].name, name);
	}
	assert_string_equal(config_get(&config, "k0007"), "1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_long_name_twice),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_get_and_set),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_names_of_secrets),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_many_settings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

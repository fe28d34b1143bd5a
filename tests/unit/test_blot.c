#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/cleanup.h"
#include "fs/blot.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_blotted(const char *text, const char *value, const char *wanted)
{
	cleanup(strbuf) struct strbuf sb = STRBUF_INIT(10000);
	strbuf_adds(&sb, text);
	blot_value(&sb, value);
	assert_string_equal(strbuf_str(&sb), wanted);
	assert_int_equal(sb.len, strlen(wanted));
}

static void test_values(void **state)
{
	assert_blotted("", "secret", "");
	assert_blotted("secret", "secret", "***");
	assert_blotted("a secret, secretsecret secre", "secret", "a ***, ****** secre");
	assert_blotted("ssecret", "secret", "s***");
	assert_blotted("abcd", "abc", "abcd");
	assert_blotted("****", "****", "****");
	assert_blotted("Secret", "secret", "Secret");
}

/* As text, as JSON, as JSON in JSON, and once more. */
static void test_escapes(void **state)
{
	static const char value[] = "a\"b\\\\c/d\te\xc3\xa4\xf0\x9f\x98\x80";
	static const char *const texts[] = {
		"a\"b\\\\c/d\te\xc3\xa4\xf0\x9f\x98\x80",
		"a\\\"b\\\\\\\\c/d\\te\xc3\xa4\xf0\x9f\x98\x80",
		"a\\\"b\\\\\\\\c\\/d\\u0009e\\u00e4\\uD83D\\uDE00",
		"a\\u0022b\\\\\\\\c\\u002Fd\\te\\u00E4\\ud83d\\ude00",
		"a\\\\\\\"b\\\\\\\\\\\\\\\\c/d\\\\te\\\\u00e4\\\\ud83d\\\\ude00",
		"a\\\\\\\\\\\\\\\"b\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\c/d\\\\\\\\te\xc3\xa4\xf0\x9f\x98\x80",
	};
	for (size_t i = 0; i < COUNT(texts); i++) {
		cleanup(strbuf) struct strbuf text = STRBUF_INIT(1000);
		strbuf_addf(&text, "{\"x\":\"%s\"} %s", texts[i], texts[i]);
		assert_blotted(strbuf_str(&text), value, "{\"x\":\"***\"} ***");
	}
	assert_blotted("\\u0061\\u0062\\u0063\\u0064", "abcd", "***");
	assert_blotted("a\\u003cb\\u003E\\u0026", "a<b>&", "***");
	assert_blotted("abc\\\\\"", "abc\\", "***\"");
}

static void test_near_misses(void **state)
{
	static const char *const texts[] = { "a\\u00e", "a\\u00", "a\\u", "a\\", "a", "a\\u00e4c",
		"a\\u00g4b", "\\u00e4b", "a\xc3", "au00e4b", "" };
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_blotted(texts[i],
			"a\xc3\xa4"
			"b!",
			texts[i]);
	}
	assert_blotted("x\\ud83d\\ude01yz", "x\xf0\x9f\x98\x80yz", "x\\ud83d\\ude01yz");
	assert_blotted("x\\ud83dude00yz", "x\xf0\x9f\x98\x80yz", "x\\ud83dude00yz");
	assert_blotted("a\\b", "a\\\\b", "a\\b");
}

static void test_named(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "", "" },
		{ "{\"a.secret\":\"x\",\"b\":\"y\"}", "{\"a.secret\":\"***\",\"b\":\"y\"}" },
		{ "{\"a.secret\" : \"x\\\"y\", \"b\":\"z\"}",
			"{\"a.secret\" : \"***\", \"b\":\"z\"}" },
		{ "{\\\"a.key\\\": \\\"x\\\\\\\"y\\\", \\\"b\\\": \\\"z\\\"}",
			"{\\\"a.key\\\": \\\"***\\\", \\\"b\\\": \\\"z\\\"}" },
		{ "{\"password\":\"cut off", "{\"password\":\"***" },
		{ "{a.token=x, b=y}", "{a.token=***, b=y}" },
		{ "password='x y' b", "password='***' b" },
		{ "sasl.jaas.config=Module required password=\"x y\";",
			"sasl.jaas.config=*** required password=\"***\";" },
		{ "{\"jaas\":\"login password=\\\"x\\\";\"}", "{\"jaas\":\"***\"}" },
		{ "basic.auth.user.info=a:b&c=d", "basic.auth.user.info=***&c=d" },
		{ "hidden=x", "hidden=***" },
		/* What is no secret, or no assignment. */
		{ "{\"a.secret\":\"****\"}", "{\"a.secret\":\"****\"}" },
		{ "{\"a.secret\":\"\"}", "{\"a.secret\":\"\"}" },
		{ "{\"a.token.count\": 7}", "{\"a.token.count\": 7}" },
		{ "Invalid token: unexpected end", "Invalid token: unexpected end" },
		{ "kafka.api.key: must not be empty", "kafka.api.key: must not be empty" },
		{ "a.secret=", "a.secret=" },
		{ "a.secret= x", "a.secret= x" },
		{ "kafka.topic=orders", "kafka.topic=orders" },
		{ "secret", "secret" },
		{ "\"secret", "\"secret" },
		{ "\"secret\"", "\"secret\"" },
		{ "\"secret\":", "\"secret\":" },
		{ "\"secret\": \\", "\"secret\": \\" },
	};
	cleanup(config) struct config hidden = { 0 };
	assert_int_equal(config_set(&hidden, "hidden", ""), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf sb = STRBUF_INIT(10000);
		strbuf_adds(&sb, rows[i].text);
		blot_named(&sb, &hidden);
		assert_string_equal(strbuf_str(&sb), rows[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_near_misses),
		cmocka_unit_test(test_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

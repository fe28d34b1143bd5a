#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/http.h"
#include "api/url.h"
#include "base/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_segments(void **state)
{
	static const struct {
		const char *segment;
		const char *encoded;
	} rows[] = {
		{ "", "" },
		{ "lcc-1.a_b~C9", "lcc-1.a_b~C9" },
		{ ".", "%2E" },
		{ "..", "%2E%2E" },
		{ "...", "..." },
		{ "../x", "..%2Fx" },
		{ ".git", ".git" },
		{ "a/b", "a%2Fb" },
		{ "a?b#c&d=e", "a%3Fb%23c%26d%3De" },
		{ "100%", "100%25" },
		{ "%2e", "%252e" },
		{ "a b+c", "a%20b%2Bc" },
		{ "\r\nX: y", "%0D%0AX%3A%20y" },
		{ "\x01\x7f", "%01%7F" },
		{ "gr\xc3\xbc\xc3\x9f", "gr%C3%BC%C3%9F" },
		{ "\xff\xfe", "%FF%FE" },
		{ "{}", "%7B%7D" },
		{ "!*'();:@$,[]\\\"<>^`|",
			"%21%2A%27%28%29%3B%3A%40%24%2C%5B%5D%5C%22%3C%3E%5E%60%7C" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(1024);
		url_add_segment(&out, rows[i].segment);
		assert_string_equal(strbuf_str(&out), rows[i].encoded);
	}
}

static void assert_target(char *target, const char *wanted)
{
	assert_non_null(target);
	assert_string_equal(target, wanted);
	free(target);
}

static void test_targets(void **state)
{
	assert_target(url_target("/connect/v1"), "/connect/v1");
	assert_target(url_target("/e/{}/c/{}?x=1", "env-1", "my/name"), "/e/env-1/c/my%2Fname?x=1");
	assert_target(url_target("{}{}", "..", "{}"), "%2E%2E%7B%7D");
	assert_target(url_target("/a/{}", ""), "/a/");
	assert_target(url_target(""), "");

	char *huge = malloc(100001);
	assert_non_null(huge);
	memset(huge, 'x', 100000);
	huge[100000] = '\0';
	assert_null(url_target("/{}", huge));
	free(huge);
}

static void test_origins(void **state)
{
	static const struct {
		const char *url;
		const char *result; /* NULL: refused */
		int insecure;
	} rows[] = {
		{ "https://api.confluent.cloud", "https://api.confluent.cloud", 0 },
		{ "https://api.confluent.cloud/", "https://api.confluent.cloud", 0 },
		{ "https://api.confluent.cloud//", "https://api.confluent.cloud", 0 },
		{ "HTTPS://Example.com:8443/prefix/", "HTTPS://Example.com:8443/prefix", 0 },
		{ "https://h/a/..b/.c/d..", "https://h/a/..b/.c/d..", 0 },
		{ "https://[2001:db8::1]:443", "https://[2001:db8::1]:443", 0 },
		{ "http://127.0.0.1:80", "http://127.0.0.1:80", 0 },
		{ "http://127.255.0.9", "http://127.255.0.9", 0 },
		{ "http://[::1]", "http://[::1]", 0 },
		{ "http://[::1]:8080/x", "http://[::1]:8080/x", 0 },
		{ "http://localhost", "http://localhost", 0 },
		{ "http://LOCALHOST:1", "http://LOCALHOST:1", 0 },
		{ "http://example.com", NULL, 0 },
		{ "http://example.com", "http://example.com", 1 },
		{ "http://128.0.0.1", NULL, 0 },
		{ "http://127.0.0.1.example.com", NULL, 0 },
		{ "http://localhost.example.com", NULL, 0 },
		{ "http://notlocalhost", NULL, 0 },
		{ "http://[::2]", NULL, 0 },
		{ "http://[::ffff:1.2.3.4]", NULL, 0 },
		{ "http://0.0.0.0", NULL, 0 },
		{ "https://user@example.com", NULL, 0 },
		{ "https://user:pass@example.com", NULL, 0 },
		{ "https://@example.com", NULL, 0 },
		{ "http://localhost@example.com", NULL, 1 },
		{ "https://example.com?x=1", NULL, 0 },
		{ "https://example.com/p?", NULL, 0 },
		{ "https://example.com/#f", NULL, 0 },
		{ "https://example.com/a/../b", NULL, 0 },
		{ "https://example.com/..", NULL, 0 },
		{ "https://example.com/./", NULL, 0 },
		{ "https://example.com:0", NULL, 0 },
		{ "https://example.com:65536", NULL, 0 },
		{ "https://example.com:x", NULL, 0 },
		{ "https://exa mple.com", NULL, 0 },
		{ "https://example.com/a\\b", NULL, 0 },
		{ "https://example.com/\r\nX:y", NULL, 0 },
		{ "https://ex\xc3\xa4mple.com", NULL, 0 },
		{ "https://", NULL, 0 },
		{ "https:///path", NULL, 0 },
		{ "https://:443", NULL, 0 },
		{ "https:example.com", NULL, 0 },
		{ "example.com", NULL, 0 },
		{ "ftp://example.com", NULL, 0 },
		{ "file:///etc/passwd", NULL, 0 },
		{ "", NULL, 0 },
		{ "/", NULL, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf why = STRBUF_INIT(512);
		cleanup(free) char *url = NULL;
		int err = url_check_origin(rows[i].url, rows[i].insecure, &url, &why);
		if (err != (rows[i].result ? 0 : -EINVAL)) {
			fail_msg("%s gives %d (%s)", rows[i].url, err, strbuf_str(&why));
		}
		assert_int_equal(why.len > 0, err != 0);
		if (rows[i].result) {
			assert_string_equal(url, rows[i].result);
		} else {
			assert_null(url);
		}
	}
}

static void test_reason_keeps_the_password(void **state)
{
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(512);
	cleanup(free) char *url = NULL;
	assert_int_equal(url_check_origin("https://u:hunter2@h", 0, &url, &why), -EINVAL);
	assert_null(strstr(strbuf_str(&why), "hunter2"));
}

static void test_next_pages(void **state)
{
	static const struct {
		const char *target;
		const char *link;
		const char *next; /* NULL: no further page, or none that can be had */
		int err;
	} rows[] = {
		{ "/v2/e?page_size=9", "https://api/v2/e?page_size=9&page_token=abc",
			"/v2/e?page_size=9&page_token=abc" },
		{ "/v2/e?page_token=a&page_size=9", "https://api/v2/e?page_token=b",
			"/v2/e?page_size=9&page_token=b" },
		{ "/v2/e", "https://evil.example/other?page_token=b#f", "/v2/e?page_token=b" },
		{ "/v2/e", "/v2/e?x=1&page_token=a%2Bb%3D%3D", "/v2/e?page_token=a%2Bb%3D%3D" },
		{ "/v2/e?a=1&&b=2", "?page_token=x", "/v2/e?a=1&b=2&page_token=x" },
		{ "/v2/e", NULL, NULL },
		{ "/v2/e", "", NULL },
		{ "/v2/e", "https://api/v2/e", NULL },
		{ "/v2/e", "https://api/v2/e?page_token=", NULL },
		{ "/v2/e", "https://api/v2/e?xpage_token=a", NULL },
		{ "/v2/e", "https://api/v2/e#?page_token=a", NULL },
		{ "/v2/e?page_token=a", "https://api/v2/e?page_token=a", NULL, -EBADMSG },
		{ "/v2/e", "?page_token=a b", NULL, -EBADMSG },
		{ "/v2/e", "?page_token=a\r\nX: y", NULL, -EBADMSG },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(free) char *next = NULL;
		assert_int_equal(
			http_next_target(rows[i].target, rows[i].link, &next), rows[i].err);
		if (!rows[i].next && next) {
			fail_msg("row %zu: %s", i, next);
		} else if (rows[i].next) {
			assert_non_null(next);
			assert_string_equal(next, rows[i].next);
		}
	}
}

static void test_uploads(void **state)
{
	static const struct {
		const char *url;
		int err;
	} rows[] = {
		{ "https://bucket.s3.dualstack.us-west-2.amazonaws.com/", 0 },
		{ "https://account.blob.core.windows.net/c/a.zip?se=2026&sig=a%2Bb%3D", 0 },
		{ "https://storage.example:8443/a/../b@c?d@e", 0 },
		{ "http://127.0.0.1:8081/?x", 0 },
		{ "http://localhost/", 0 },
		{ "http://[::1]:80", 0 },
		{ "http://storage.example/", -EPROTO },
		{ "http://127.0.0.1.example/", -EPROTO },
		{ "http://169.254.169.254/latest", -EPROTO },
		{ "http://localhost@storage.example/", -EINVAL },
		{ "https://user:pass@storage.example/", -EINVAL },
		{ "https://storage.example?u@h", 0 },
		{ "https://storage.example/#f", -EINVAL },
		{ "https://storage.example/a b", -EINVAL },
		{ "https://storage.example/\r\nX: y", -EINVAL },
		{ "https://", -EINVAL },
		{ "https://storage.example:0/", -EINVAL },
		{ "ftp://storage.example/", -EINVAL },
		{ "file:///etc/passwd", -EINVAL },
		{ "/upload", -EINVAL },
		{ "", -EINVAL },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		int err = url_check_upload(rows[i].url);
		if (err != rows[i].err) {
			fail_msg("%s: %d", rows[i].url, err);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_uploads),
		cmocka_unit_test(test_reason_keeps_the_password),
		cmocka_unit_test(test_next_pages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

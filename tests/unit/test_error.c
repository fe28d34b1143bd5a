#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "api/error.h"
#include "base/cleanup.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_statuses(void **state)
{
	static const struct {
		long status;
		int json;
		int other; /* without JSON */
	} rows[] = {
		{ 0, -EIO, -EIO },
		{ 100, -EIO, -EIO },
		{ 103, -EIO, -EIO },
		{ 199, -EIO, -EIO },
		{ 200, 0, 0 },
		{ 201, 0, 0 },
		{ 202, 0, 0 },
		{ 204, 0, 0 },
		{ 299, 0, 0 },
		{ 300, -EPROTO, -EPROTO },
		{ 302, -EPROTO, -EPROTO },
		{ 304, -EPROTO, -EPROTO },
		{ 399, -EPROTO, -EPROTO },
		{ 400, -EINVAL, -EINVAL },
		{ 401, -EACCES, -EACCES },
		{ 402, -EDQUOT, -EDQUOT },
		{ 403, -EACCES, -EACCES },
		{ 404, -ENOENT, -EIO },
		{ 405, -EIO, -EIO },
		{ 408, -EIO, -EIO },
		{ 409, -EBUSY, -EBUSY },
		{ 410, -EIO, -EIO },
		{ 413, -EFBIG, -EFBIG },
		{ 414, -EIO, -EIO },
		{ 418, -EIO, -EIO },
		{ 422, -EINVAL, -EINVAL },
		{ 429, -EBUSY, -EBUSY },
		{ 431, -EIO, -EIO },
		{ 500, -EIO, -EIO },
		{ 501, -EIO, -EIO },
		{ 502, -EIO, -EIO },
		{ 503, -EIO, -EIO },
		{ 504, -EIO, -EIO },
		{ 599, -EIO, -EIO },
		{ 999, -EIO, -EIO },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (error_of_status(rows[i].status, true) != rows[i].json ||
			error_of_status(rows[i].status, false) != rows[i].other) {
			fail_msg("status %ld", rows[i].status);
		}
	}
}

static void test_transient(void **state)
{
	static const long yes[] = { 429, 500, 502, 503, 504 };
	for (long status = 0; status < 700; status++) {
		bool wanted = false;
		for (size_t i = 0; i < COUNT(yes); i++) {
			wanted = wanted || yes[i] == status;
		}
		if (error_is_transient(status) != wanted) {
			fail_msg("status %ld", status);
		}
	}
}

static void test_curl_codes(void **state)
{
	static const struct {
		int code;
		int os_errno;
		int err;
	} rows[] = {
		{ CURLE_OK, 0, 0 },
		{ CURLE_COULDNT_RESOLVE_HOST, 0, -EHOSTUNREACH },
		{ CURLE_COULDNT_RESOLVE_PROXY, 0, -EHOSTUNREACH },
		{ CURLE_COULDNT_CONNECT, ECONNREFUSED, -ECONNREFUSED },
		{ CURLE_COULDNT_CONNECT, 0, -ECONNREFUSED },
		{ CURLE_COULDNT_CONNECT, EHOSTUNREACH, -EHOSTUNREACH },
		{ CURLE_COULDNT_CONNECT, EHOSTDOWN, -EHOSTUNREACH },
		{ CURLE_COULDNT_CONNECT, ENETUNREACH, -EHOSTUNREACH },
		{ CURLE_COULDNT_CONNECT, ENETDOWN, -EHOSTUNREACH },
		{ CURLE_COULDNT_CONNECT, EADDRNOTAVAIL, -EHOSTUNREACH },
		{ CURLE_COULDNT_CONNECT, EACCES, -EHOSTUNREACH },
		{ CURLE_COULDNT_CONNECT, EPERM, -EHOSTUNREACH },
		{ CURLE_COULDNT_CONNECT, ETIMEDOUT, -ETIMEDOUT },
		{ CURLE_OPERATION_TIMEDOUT, 0, -ETIMEDOUT },
		{ CURLE_SSL_CONNECT_ERROR, 0, -EPROTO },
		{ CURLE_PEER_FAILED_VERIFICATION, 0, -EPROTO },
		{ CURLE_SSL_ENGINE_NOTFOUND, 0, -EPROTO },
		{ CURLE_SSL_ENGINE_SETFAILED, 0, -EPROTO },
		{ CURLE_SSL_ENGINE_INITFAILED, 0, -EPROTO },
		{ CURLE_SSL_CERTPROBLEM, 0, -EPROTO },
		{ CURLE_SSL_CIPHER, 0, -EPROTO },
		{ CURLE_SSL_CACERT_BADFILE, 0, -EPROTO },
		{ CURLE_SSL_CRL_BADFILE, 0, -EPROTO },
		{ CURLE_SSL_ISSUER_ERROR, 0, -EPROTO },
		{ CURLE_SSL_PINNEDPUBKEYNOTMATCH, 0, -EPROTO },
		{ CURLE_SSL_INVALIDCERTSTATUS, 0, -EPROTO },
		{ CURLE_SSL_CLIENTCERT, 0, -EPROTO },
		{ CURLE_USE_SSL_FAILED, 0, -EPROTO },
		{ CURLE_HTTP2, 0, -EPROTO },
		{ CURLE_HTTP2_STREAM, 0, -EPROTO },
		{ CURLE_WEIRD_SERVER_REPLY, 0, -EPROTO },
		{ CURLE_UNSUPPORTED_PROTOCOL, 0, -EPROTO },
		{ CURLE_TOO_MANY_REDIRECTS, 0, -EPROTO },
		{ CURLE_PROXY, 0, -EPROTO },
		{ CURLE_PARTIAL_FILE, 0, -EBADMSG },
		{ CURLE_BAD_CONTENT_ENCODING, 0, -EBADMSG },
		{ CURLE_GOT_NOTHING, 0, -EIO },
		{ CURLE_SEND_ERROR, EPIPE, -EIO },
		{ CURLE_RECV_ERROR, ECONNRESET, -EIO },
		{ CURLE_FILESIZE_EXCEEDED, 0, -EFBIG },
		{ CURLE_WRITE_ERROR, 0, -EFBIG },
		{ CURLE_ABORTED_BY_CALLBACK, 0, -ECANCELED },
		{ CURLE_OUT_OF_MEMORY, 0, -ENOMEM },
		{ CURLE_URL_MALFORMAT, 0, -EINVAL },
		{ CURLE_LDAP_CANNOT_BIND, 0, -EIO },
		{ 12345, 0, -EIO },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (error_of_curl(rows[i].code, rows[i].os_errno) != rows[i].err) {
			fail_msg("code %d, errno %d", rows[i].code, rows[i].os_errno);
		}
	}
}

static void test_messages(void **state)
{
	static const struct {
		const char *body;
		const char *message;
		bool api;
	} rows[] = {
		{ "{\"error\":{\"code\":400,\"message\":\"bad name\"}}", "bad name", true },
		{ "{\"error_code\":40401,\"message\":\"no such\"}", "no such", true },
		{ "{\"message\":\"plain\"}", "plain", true },
		{ "{\"errors\":[{\"id\":\"1\",\"detail\":\"one\"},{\"detail\":\"two\"}]}",
			"one\ntwo", true },
		{ "{\"errors\":[{\"title\":\"T\"},{\"code\":\"x\"},{\"message\":\"M\"}]}", "T\nM",
			true },
		{ "{\"errors\":[{\"detail\":\"a\\nb\"}]}", "a\nb", true },
		{ "{\"errors\":[],\"message\":\"rest\"}", "rest", true },
		{ "{\"error\":\"text\",\"message\":\"m\"}", "m", true },
		{ "{\"message\":\"a\\r\\nb\\rc\\n\"}", "a\nb c", true },
		{ "{\"message\":\"\\u001b[2J\\u0007\"}", " [2J ", true },
		{ "{\"message\":\"\"}", "", false },
		{ "{\"message\":5}", "", false },
		{ "{}", "", false },
		{ "[]", "", false },
		{ "{\"a\":1}", "", false },
		{ "no healthy upstream\n", "no healthy upstream", false },
		{ "  upstream\r\ndown ", "upstream\ndown", false },
		{ "<html><body>404</body></html>", "", false },
		{ "\n <!DOCTYPE html>", "", false },
		{ "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code>"
		  "<Message>Policy\nexpired.</Message></Error>",
			"Policy\nexpired.", false },
		{ "<Error><Message>cut", "", false },
		{ "<Error></Message><Message>", "", false },
		{ "<Error/>", "", false },
		{ "<html><Message>no</Message></html>", "", false },
		{ "{\"message\":\"cut", "{\"message\":\"cut", false },
		{ "\x01\x02", "", false },
		{ "", "", false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(strbuf) struct strbuf out = STRBUF_INIT(4096);
		size_t len = strlen(rows[i].body);
		error_message(rows[i].body, len, &out);
		assert_string_equal(strbuf_str(&out), rows[i].message);
		if (error_is_from_api(rows[i].body, len) != rows[i].api) {
			fail_msg("body %s", rows[i].body);
		}
	}
	cleanup(strbuf) struct strbuf out = STRBUF_INIT(16);
	error_message(NULL, 0, &out);
	assert_int_equal(out.len, 0);
	assert_false(error_is_from_api(NULL, 0));
}

static void test_long_text(void **state)
{
	char body[1500];
	cleanup(strbuf) struct strbuf out = STRBUF_INIT(4096);

	memset(body, 'x', sizeof(body));
	error_message(body, sizeof(body), &out);
	assert_int_equal(out.len, 1000);

	/* The cut falls into a character of two bytes: it goes as a whole. */
	strbuf_reset(&out);
	memcpy(body + 999, "\xc3\xa9", 2);
	error_message(body, sizeof(body), &out);
	assert_int_equal(out.len, 999);

	/* A NUL is no text, and nothing behind `len` is looked at. */
	strbuf_reset(&out);
	body[10] = '\0';
	error_message(body, sizeof(body), &out);
	assert_int_equal(out.len, 0);
	error_message(body, 10, &out);
	assert_int_equal(out.len, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_transient),
		cmocka_unit_test(test_curl_codes),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_long_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

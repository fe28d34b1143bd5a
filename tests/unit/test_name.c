#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/name.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_both_ways(void **state)
{
	static const struct {
		const char *name, *file_name;
	} rows[] = {
		{ "orders-datagen", "orders-datagen" },
		{ "My Connector (2), a.b&c_d+e|f[g]", "My Connector (2), a.b&c_d+e|f[g]" },
		{ " \"'`$*?<>:;!#~^@={}\\", " \"'`$*?<>:;!#~^@={}\\" },
		{ "io.confluent.Connector$Inner", "io.confluent.Connector$Inner" },
		{ "", "%" },
		{ ".", "%2E" },
		{ "..", "%2E%2E" },
		{ "...", "..." },
		{ ".x", ".x" },
		{ "..x", "..x" },
		{ "x..", "x.." },
		{ ".connectfs", ".connectfs" },
		{ "/", "%2F" },
		{ "/etc/passwd", "%2Fetc%2Fpasswd" },
		{ "../../x", "..%2F..%2Fx" },
		{ "a//b/", "a%2F%2Fb%2F" },
		{ "%", "%25" },
		{ "%2F", "%252F" },
		{ "%2E%2E", "%252E%252E" },
		{ "100%", "100%25" },
		{ "\n\t\x01\x1f\x7f", "%0A%09%01%1F%7F" },
		{ "a\rb\033[0m", "a%0Db%1B[0m" },
		{ "Gr\xc3\xbc\xc3\x9f"
		  "e \xe2\x82\xac \xf0\x9f\x98\x80",
			"Gr\xc3\xbc\xc3\x9f"
			"e \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "e\xcc\x81", "e\xcc\x81" },
		{ "\xff", "%FF" },
		{ "\x80z", "%80z" },
		{ "\xc3", "%C3" },
		{ "\xc3(", "%C3(" },
		{ "\xc3\xc3\xa4", "%C3\xc3\xa4" },
		{ "\xc0\xaf", "%C0%AF" },
		{ "\xe0\x80\xaf", "%E0%80%AF" },
		{ "\xed\xa0\x80", "%ED%A0%80" },
		{ "\xf4\x90\x80\x80", "%F4%90%80%80" },
		{ "\xe2\x82/\xac", "%E2%82%2F%AC" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(free) char *file_name = name_encode(rows[i].name);
		assert_non_null(file_name);
		assert_string_equal(file_name, rows[i].file_name);
		cleanup(free) char *name = name_decode(file_name);
		assert_non_null(name);
		assert_string_equal(name, rows[i].name);
	}
}

/* What no name encodes to stands for nothing: two file names for one connector would be two. */
static void test_no_file_names(void **state)
{
	static const char *const rows[] = { "", ".", "..", "/", "a/b", "../x", "%2", "%%", "%2G",
		"%G2", "% 2", "a%", "%2f", "%41", "%7E", "%2E.", ".%2E", "%2E%2E%2E", "%2Ex", "%00",
		"a%00b", "%C3%A4", "%F0%9F%98%80", "\n", "\x7f", "\xff", "\xc3", "%25%", "%0a",
		"%-1", "%+1", "%0x" };
	for (size_t i = 0; i < COUNT(rows); i++) {
		errno = 0;
		char *name = name_decode(rows[i]);
		if (name) {
			fail_msg("%s: %s", rows[i], name);
		}
		assert_int_equal(errno, ENOENT);
	}
}

static void test_lengths(void **state)
{
	char name[1200];
	for (size_t len = 1; len < sizeof(name); len++) {
		memset(name, 'a', len);
		name[len] = '\0';
		errno = 0;
		cleanup(free) char *file_name = name_encode(name);
		cleanup(free) char *decoded = name_decode(name);
		if (len <= FILE_NAME_BYTES) {
			assert_string_equal(file_name, name);
			assert_string_equal(decoded, name);
		} else {
			assert_null(file_name);
			assert_null(decoded);
		}
	}
	/* What counts are the bytes of the file name. */
	memset(name, '/', 86);
	name[85] = '\0';
	cleanup(free) char *fits = name_encode(name);
	assert_int_equal(strlen(fits), 255);
	cleanup(free) char *back = name_decode(fits);
	assert_string_equal(back, name);
	name[85] = '/';
	name[86] = '\0';
	errno = 0;
	assert_null(name_encode(name));
	assert_int_equal(errno, ENAMETOOLONG);
	memset(name, 'a', 256);
	name[256] = '\0';
	errno = 0;
	assert_null(name_encode(name));
	assert_int_equal(errno, ENAMETOOLONG);
	errno = 0;
	assert_null(name_decode(name));
	assert_int_equal(errno, ENOENT);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Any bytes: they come back, and never lead out of a directory. */
static void test_any_bytes(void **state)
{
	static const char alphabet[] = "..//%%2EFaf0\x01\x7f\xc3\xa4\xe2\x82\xac\xff ";
	uint32_t seed = 7;
	for (int round = 0; round < 200000; round++) {
		char name[48];
		size_t len = next_random(&seed) % (round % 4 ? 6 : sizeof(name) - 1);
		for (size_t i = 0; i < len; i++) {
			uint32_t byte = next_random(&seed);
			name[i] = round % 2 ? alphabet[byte % (sizeof(alphabet) - 1)]
					    : (char)(1 + byte % 255);
		}
		name[len] = '\0';
		cleanup(free) char *file_name = name_encode(name);
		assert_non_null(file_name);
		assert_null(strchr(file_name, '/'));
		assert_string_not_equal(file_name, "");
		assert_string_not_equal(file_name, ".");
		assert_string_not_equal(file_name, "..");
		assert_in_range(strlen(file_name), 1, FILE_NAME_BYTES);
		cleanup(free) char *back = name_decode(file_name);
		assert_non_null(back);
		assert_string_equal(back, name);
		/* And the other way: what can be decoded encodes to just that. */
		cleanup(free) char *decoded = name_decode(name);
		if (decoded) {
			cleanup(free) char *again = name_encode(decoded);
			assert_string_equal(again, name);
		}
	}
}

static void test_rules(void **state)
{
	static const struct {
		const char *name;
		bool unremovable, conventional;
	} rows[] = {
		{ "orders-datagen", false, true },
		{ "a.,&_+|[]- b1", false, true },
		{ "\xc3\xa4\xe2\x82\xac", false, true },
		{ "x", false, true },
		{ "", true, true },
		{ ".", true, true },
		{ "..", true, true },
		{ "...", false, true },
		{ " ", true, true },
		{ " x", true, true },
		{ "x ", true, true },
		{ "x\t", true, false },
		{ "\nx", true, false },
		{ "a/b", true, false },
		{ "a%b", true, false },
		{ "a\\b", true, false },
		{ "a{b", true, false },
		{ "a}b", true, false },
		{ "a\x01"
		  "b",
			true, false },
		{ "a\x7f"
		  "b",
			true, false },
		{ "a:b", false, false },
		{ "a(b)", false, false },
		{ "a$b", false, false },
		{ "0123456789012345678901234567890123456789012345678901234567890123", false, true },
		{ "01234567890123456789012345678901234567890123456789012345678901234", false,
			false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (name_is_unremovable(rows[i].name) != rows[i].unremovable ||
			name_is_conventional(rows[i].name) != rows[i].conventional) {
			fail_msg("%s", rows[i].name);
		}
	}
	/* Characters count, not bytes. */
	char name[129];
	for (size_t i = 0; i < 128; i += 2) {
		memcpy(name + i, "\xc3\xa4", 2);
	}
	name[128] = '\0';
	assert_true(name_is_conventional(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_no_file_names),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strbuf.h"

/* What was in the memory that the last watched free gave back. */
static struct {
	const void *watched;
	size_t size;
	bool freed, zero;
} freed;

void __real_free(void *ptr);
void __wrap_free(void *ptr);

void __wrap_free(void *ptr)
{
	if (ptr && ptr == freed.watched) {
		freed.freed = true;
		freed.zero = true;
		for (size_t i = 0; i < freed.size; i++) {
			freed.zero = freed.zero && ((const char *)ptr)[i] == '\0';
		}
		freed.watched = NULL;
	}
	__real_free(ptr);
}

static void watch(const struct strbuf *sb)
{
	freed.watched = sb->buf;
	freed.size = sb->size;
	freed.freed = false;
}

static void assert_valid(const struct strbuf *sb)
{
	assert_in_range(sb->len, 0, sb->max);
	if (sb->buf) {
		assert_true(sb->len < sb->size);
		assert_int_equal(sb->buf[sb->len], '\0');
	}
}

static void test_appends(void **state)
{
	cleanup(strbuf) struct strbuf sb = STRBUF_INIT(1000);
	assert_string_equal(strbuf_str(&sb), "");
	strbuf_adds(&sb, "");
	strbuf_add(&sb, NULL, 0);
	strbuf_add(&sb, "abcdef", 3);
	strbuf_addc(&sb, '-');
	strbuf_addf(&sb, "%s/%05d", "x", 42);
	strbuf_addf(&sb, "%s", "");
	strbuf_add(&sb, "\0z", 2);
	assert_int_equal(sb.len, 13);
	assert_memory_equal(sb.buf, "abc-x/00042\0z", 14);
	assert_int_equal(sb.err, 0);
	assert_valid(&sb);
	strbuf_reset(&sb);
	assert_int_equal(sb.len, 0);
	assert_string_equal(strbuf_str(&sb), "");
	assert_int_equal(sb.max, 1000);
	strbuf_adds(&sb, "again");
	assert_string_equal(strbuf_str(&sb), "again");
}

/* Exactly the maximum fits, whichever way it is reached. */
static void test_bounds(void **state)
{
	for (size_t max = 0; max < 300; max++) {
		struct strbuf sb;
		strbuf_init(&sb, max);
		for (size_t i = 0; i < max; i++) {
			strbuf_addc(&sb, (char)('a' + i % 26));
			assert_valid(&sb);
		}
		assert_int_equal(sb.err, 0);
		assert_int_equal(sb.len, max);
		strbuf_adds(&sb, "");
		assert_int_equal(sb.err, 0);
		strbuf_addc(&sb, '!');
		assert_int_equal(sb.err, -EFBIG);
		assert_int_equal(sb.len, max);
		assert_null(strchr(strbuf_str(&sb), '!'));
		strbuf_finish(&sb);

		char text[301];
		memset(text, 'x', max + 1);
		text[max + 1] = '\0';
		strbuf_init(&sb, max);
		strbuf_addf(&sb, "%s", text);
		assert_int_equal(sb.err, -EFBIG);
		assert_int_equal(sb.len, 0);
		strbuf_reset(&sb);
		text[max] = '\0';
		strbuf_addf(&sb, "%s", text);
		assert_int_equal(sb.err, 0);
		assert_string_equal(strbuf_str(&sb), text);
		assert_valid(&sb);
		strbuf_finish(&sb);
	}
}

static void test_sticky(void **state)
{
	struct strbuf sb = STRBUF_INIT(4);
	strbuf_adds(&sb, "abc");
	strbuf_adds(&sb, "de");
	assert_int_equal(sb.err, -EFBIG);
	/* What would fit is not taken any more: no text with a gap. */
	strbuf_addc(&sb, 'd');
	strbuf_addf(&sb, "%d", 1);
	assert_int_equal(strbuf_reserve(&sb, 0), -EFBIG);
	assert_string_equal(strbuf_str(&sb), "abc");
	size_t len = 77;
	assert_null(strbuf_detach(&sb, &len));
	assert_int_equal(len, 77);
	strbuf_reset(&sb);
	assert_int_equal(sb.err, 0);
	strbuf_adds(&sb, "abcd");
	assert_string_equal(strbuf_str(&sb), "abcd");
	strbuf_finish(&sb);
	strbuf_adds(&sb, "abcd");
	assert_string_equal(strbuf_str(&sb), "abcd");
	strbuf_finish(&sb);
}

static void test_zeroed(void **state)
{
	struct strbuf sb = { 0 };
	assert_string_equal(strbuf_str(&sb), "");
	strbuf_reset(&sb);
	strbuf_adds(&sb, "");
	assert_int_equal(sb.err, 0);
	strbuf_addc(&sb, 'x');
	assert_int_equal(sb.err, -EFBIG);
	strbuf_finish(&sb);
	strbuf_finish(&sb);
	strbuf_wipe(&sb);
}

static void test_reserve(void **state)
{
	struct strbuf sb = STRBUF_INIT(100);
	assert_int_equal(strbuf_reserve(&sb, 100), 0);
	assert_true(sb.size > 100);
	const char *buf = sb.buf;
	for (int i = 0; i < 100; i++) {
		strbuf_addc(&sb, 'x');
	}
	assert_ptr_equal(sb.buf, buf);
	assert_int_equal(strbuf_reserve(&sb, 0), 0);
	assert_int_equal(strbuf_reserve(&sb, 1), -EFBIG);
	strbuf_finish(&sb);
	strbuf_init(&sb, 100);
	strbuf_addc(&sb, 'x');
	assert_int_equal(strbuf_reserve(&sb, SIZE_MAX), -EFBIG);
	strbuf_reset(&sb);
	assert_int_equal(strbuf_reserve(&sb, SIZE_MAX - 1), -EFBIG);
	strbuf_finish(&sb);
}

static void test_detach(void **state)
{
	struct strbuf sb = STRBUF_INIT(10);
	size_t len;
	cleanup(free) char *none = strbuf_detach(&sb, &len);
	assert_string_equal(none, "");
	assert_int_equal(len, 0);
	strbuf_adds(&sb, "abc");
	cleanup(free) char *text = strbuf_detach(&sb, &len);
	assert_string_equal(text, "abc");
	assert_int_equal(len, 3);
	assert_null(sb.buf);
	assert_int_equal(sb.len, 0);
	/* It is as new. */
	strbuf_adds(&sb, "0123456789");
	cleanup(free) char *more = strbuf_detach(&sb, NULL);
	assert_string_equal(more, "0123456789");
	strbuf_finish(&sb);
}

static void test_wipe(void **state)
{
	struct strbuf sb = STRBUF_INIT(1000);
	strbuf_adds(&sb, "a secret");
	watch(&sb);
	strbuf_finish(&sb);
	assert_true(freed.freed && !freed.zero); /* the watch sees what there is */

	strbuf_adds(&sb, "a longer secret");
	sb.len = 3; /* what stands behind the end was secret too */
	watch(&sb);
	strbuf_wipe(&sb);
	assert_true(freed.freed && freed.zero);
	assert_null(sb.buf);
	assert_int_equal(sb.len, 0);
	strbuf_adds(&sb, "new");
	assert_string_equal(strbuf_str(&sb), "new");
	strbuf_finish(&sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_sticky),
		cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_detach),
		cmocka_unit_test(test_wipe),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

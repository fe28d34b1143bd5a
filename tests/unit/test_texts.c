#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "fs/part.h"
#include "fs/texts.h"

#define MIB ((size_t)1 << 20)

static struct part *a_part;

static int set_up(void **state)
{
	*state = texts_create();
	a_part = part_create("{}", 2);
	return *state && a_part ? 0 : -1;
}

static int tear_down(void **state)
{
	texts_destroy(*state);
	assert_int_equal(a_part->refs, 1);
	part_unref(a_part);
	return 0;
}

/* True: it was taken over. */
static bool keep(struct texts *texts, uint64_t hash, char c, size_t len)
{
	struct strbuf text = STRBUF_INIT(4 * MIB);
	strbuf_reserve(&text, len);
	while (text.len < len) {
		strbuf_addc(&text, c);
	}
	texts_keep(texts, a_part, hash, &text);
	bool kept = text.buf == NULL;
	strbuf_finish(&text);
	return kept;
}

static bool take(struct texts *texts, uint64_t hash, char c, size_t len)
{
	struct strbuf text = STRBUF_INIT(0);
	bool taken = texts_take(texts, a_part, hash, &text);
	if (taken) {
		assert_int_equal(text.len, len);
		assert_int_equal(strspn(strbuf_str(&text), (char[]){ c, '\0' }), len);
	}
	strbuf_finish(&text);
	return taken;
}

static void test_taken_once(void **state)
{
	assert_false(take(*state, 7, 'a', 10));
	assert_true(keep(*state, 7, 'a', 10));
	assert_true(take(*state, 7, 'a', 10));
	assert_false(take(*state, 7, 'a', 10));
}

static void test_another_one(void **state)
{
	assert_true(keep(*state, 7, 'a', 10));
	struct strbuf none = STRBUF_INIT(0);
	struct part *twin = part_create("{}", 2);
	assert_false(take(*state, 8, 'a', 10));
	/* The same bytes, the same hash, and still another one. */
	assert_non_null(twin);
	assert_false(texts_take(*state, twin, 7, &none));
	assert_false(texts_take(*state, NULL, 7, &none));
	part_unref(twin);
	/* It may have the same place. */
	for (uint64_t bit = 1; bit; bit <<= 1) {
		assert_false(take(*state, 7 ^ bit, 'a', 10));
	}
	assert_true(take(*state, 7, 'a', 10));
}

static void test_one_of_a_place(void **state)
{
	uint64_t far = 7 + ((uint64_t)1 << 63);
	assert_true(keep(*state, 7, 'a', 10));
	assert_true(keep(*state, far, 'b', 10));
	assert_false(take(*state, 7, 'a', 10));
	assert_true(take(*state, far, 'b', 10));
}

static void test_of_nothing(void **state)
{
	struct strbuf text = STRBUF_INIT(100);
	strbuf_adds(&text, "{}");
	texts_keep(*state, NULL, 7, &text);
	assert_string_equal(strbuf_str(&text), "{}");
	strbuf_finish(&text);
	assert_false(texts_take(*state, NULL, 7, &text));
}

static void test_long_ones(void **state)
{
	assert_true(keep(*state, 1, 'a', 60000));
	assert_false(keep(*state, 2, 'a', 100000));
	assert_false(take(*state, 2, 'a', 100000));
	assert_true(take(*state, 1, 'a', 60000));
}

static void test_no_more_than_a_mebibyte(void **state)
{
	const size_t len = 1023; /* and a NUL */
	size_t left = 0;
	for (uint64_t hash = 0; hash < 3000; hash++) {
		assert_true(keep(*state, hash, 'a', len));
	}
	for (uint64_t hash = 0; hash < 3000; hash++) {
		left += take(*state, hash, 'a', len);
		assert_true(hash < 3000 - 100 || left > 0);
	}
	assert_int_equal(left, MIB / (len + 1));
}

static void test_forget(void **state)
{
	for (uint64_t hash = 0; hash < 3000; hash++) {
		assert_true(keep(*state, hash, 'a', 100));
	}
	texts_forget(*state);
	for (uint64_t hash = 0; hash < 3000; hash++) {
		assert_false(take(*state, hash, 'a', 100));
	}
	assert_true(keep(*state, 1, 'a', 100));
	assert_true(take(*state, 1, 'a', 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_taken_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_another_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_of_a_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_of_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_long_ones, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_more_than_a_mebibyte, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_forget, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

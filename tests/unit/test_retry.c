#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/retry.h"

#define FAR INT64_C(1000000)

static const uint32_t randoms[] = { 0, 1, 199, 200, 201, 12345, 0x7fffffff, 0xfffffffe,
	0xffffffff };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The longest wait over the whole range of random numbers. */
static int64_t longest(unsigned attempt)
{
	int64_t most = 0;
	for (uint32_t random = 0; random <= 2 * RETRY_CAP_MS; random++) {
		int64_t delay = retry_delay(attempt, -1, 0, FAR, random);
		assert_true(delay >= 0);
		most = delay > most ? delay : most;
	}
	return most;
}

static void test_doubles_up_to_the_cap(void **state)
{
	static const int64_t windows[] = { 200, 400, 800, 1600, 3200, 6400, 10000, 10000 };
	for (unsigned i = 0; i < COUNT(windows); i++) {
		assert_int_equal(longest(i + 1), windows[i]);
	}
	assert_int_equal(longest(1000), RETRY_CAP_MS);
	assert_int_equal(longest(UINT32_MAX), RETRY_CAP_MS);
	assert_int_equal(longest(0), RETRY_BASE_MS);
}

static void test_jitter_is_full(void **state)
{
	assert_int_equal(retry_delay(5, -1, 0, FAR, 0), 0);
	assert_int_equal(retry_delay(1, -1, 0, FAR, 100), 100);
	assert_int_equal(retry_delay(1, -1, 0, FAR, 200), 200);
	assert_int_equal(retry_delay(1, -1, 0, FAR, 201), 0);
}

static void test_never_before_what_was_asked(void **state)
{
	for (unsigned attempt = 1; attempt < 12; attempt++) {
		for (int64_t asked = 0; asked < 30000; asked += 500) {
			for (size_t i = 0; i < COUNT(randoms); i++) {
				int64_t delay = retry_delay(attempt, asked, 5, FAR, randoms[i]);
				int64_t least = asked > RETRY_CAP_MS ? asked : RETRY_CAP_MS;
				assert_true(delay >= asked);
				assert_true(delay <= least + RETRY_BASE_MS);
			}
		}
	}
}

static void test_asked_for_nothing_still_backs_off(void **state)
{
	assert_int_equal(retry_delay(6, 0, 0, FAR, 6400), 6400);
}

static void test_deadline(void **state)
{
	/* 100 is drawn: it fits below 101, not below 100. */
	assert_int_equal(retry_delay(1, -1, 1000, 1101, 100), 100);
	assert_int_equal(retry_delay(1, -1, 1000, 1100, 100), -1);
	assert_int_equal(retry_delay(1, -1, 1000, 1000, 0), -1);
	assert_int_equal(retry_delay(1, -1, 1000, 900, 0), -1);
	/* What was asked for counts first, then the spread gives way to the deadline. */
	assert_int_equal(retry_delay(1, 5000, 0, 5000, 7), -1);
	assert_int_equal(retry_delay(1, 5000, 0, 5001, 7), 5000);
	assert_int_equal(retry_delay(1, 5000, 0, 6000, 7), 5007);
	assert_int_equal(retry_delay(1, INT64_MAX, 0, FAR, 7), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles_up_to_the_cap),
		cmocka_unit_test(test_jitter_is_full),
		cmocka_unit_test(test_never_before_what_was_asked),
		cmocka_unit_test(test_asked_for_nothing_still_backs_off),
		cmocka_unit_test(test_deadline),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

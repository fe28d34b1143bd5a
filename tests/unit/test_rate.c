#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/rate.h"

#define START  INT64_C(100000)
#define MINUTE 60000

static void test_a_burst_and_then_one_by_one(void **state)
{
	struct rate rate = { .every = 2000, .burst = 3 };
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rate_take(&rate, START), 0);
	}
	assert_int_equal(rate_take(&rate, START), 2000);
	assert_int_equal(rate_take(&rate, START + 1999), 1);
	assert_int_equal(rate_take(&rate, START + 2000), 0);
	assert_int_equal(rate_take(&rate, START + 2000), 2000);
}

static void test_full_again(void **state)
{
	struct rate rate = { .every = 2000, .burst = 2 };
	assert_int_equal(rate_take(&rate, START), 0);
	assert_int_equal(rate_take(&rate, START), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rate_take(&rate, START + 10 * MINUTE), 0);
	}
	assert_int_equal(rate_take(&rate, START + 10 * MINUTE), 2000);
}

/* However somebody takes, no minute sees more. */
static void test_any_minute(void **state)
{
	struct rate rate = { .every = 2000, .burst = 28 };
	static int64_t taken[100000];
	unsigned count = 0, random = 1;
	for (int64_t now = START; now < START + 60 * MINUTE;) {
		random = random * 1103515245 + 12345;
		int64_t wait = rate_take(&rate, now);
		if (wait == 0) {
			taken[count++] = now;
		}
		/* In bursts, with pauses between them of up to two minutes. */
		now += wait > 0 ? wait : random >> 16 & 63 ? 0 : random >> 16 & 0x1ffff;
	}
	for (unsigned first = 0, last = 0; last < count; last++) {
		while (taken[first] <= taken[last] - MINUTE) {
			first++;
		}
		assert_in_range(last - first + 1, 1, 58);
	}
	assert_in_range(count, 1000, 100000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_and_then_one_by_one),
		cmocka_unit_test(test_full_again),
		cmocka_unit_test(test_any_minute),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

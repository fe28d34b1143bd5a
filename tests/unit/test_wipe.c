#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"

/* Whether what the last free of `watched` gave back was zero. */
static struct {
	const void *watched;
	size_t size;
	unsigned count;
	bool zero;
} freed;

void __real_free(void *ptr);
void __wrap_free(void *ptr);

void __wrap_free(void *ptr)
{
	if (ptr && ptr == freed.watched) {
		freed.count++;
		freed.zero = true;
		for (size_t i = 0; i < freed.size; i++) {
			freed.zero = freed.zero && ((const char *)ptr)[i] == '\0';
		}
	}
	__real_free(ptr);
}

static char *secret(size_t size)
{
	char *ptr = malloc(size);
	assert_non_null(ptr);
	memset(ptr, 's', size);
	freed.watched = ptr;
	freed.size = size;
	freed.count = 0;
	return ptr;
}

static void test_frees(void **state)
{
	wipe_free(secret(100));
	assert_int_equal(freed.count, 1);
	assert_true(freed.zero);
	wipe_free(NULL);
}

static void test_grows(void **state)
{
	char *ptr = wipe_realloc(secret(100), 5000);
	assert_int_equal(freed.count, 1);
	assert_true(freed.zero);
	for (size_t i = 0; i < 100; i++) {
		assert_int_equal(ptr[i], 's');
	}
	wipe_free(ptr);
}

static void test_shrinks(void **state)
{
	char *ptr = wipe_realloc(secret(5000), 10);
	assert_int_equal(freed.count, 1);
	assert_true(freed.zero);
	assert_memory_equal(ptr, "ssssssssss", 10);
	wipe_free(ptr);
}

static void test_from_nothing(void **state)
{
	char *ptr = wipe_realloc(NULL, 10);
	assert_non_null(ptr);
	wipe_free(ptr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frees),
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_shrinks),
		cmocka_unit_test(test_from_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/table.h"

#define MANY 5000

struct thing {
	unsigned number;
	struct table_link link;
};

static struct thing *thing_of(struct table_link *link)
{
	return link ? table_entry(link, struct thing, link) : NULL;
}

/* Things whose hashes differ, or are shared by `share` of them. */
static struct thing *fill(struct table *table, unsigned share)
{
	struct thing *things = calloc(MANY, sizeof(*things));
	assert_non_null(things);
	for (unsigned i = 0; i < MANY; i++) {
		things[i].number = i;
		assert_int_equal(table_add(table, &things[i].link, (uint64_t)(i / share) << 40), 0);
	}
	assert_int_equal(table->count, MANY);
	return things;
}

static unsigned count_same(const struct table *table, uint64_t hash)
{
	unsigned count = 0;
	for (struct table_link *link = table_find(table, hash); link;
		link = table_find_next(link)) {
		assert_int_equal(link->hash, hash);
		count++;
	}
	return count;
}

static void test_empty(void **state)
{
	struct table table = { 0 };
	assert_null(table_find(&table, 1));
	assert_null(table_next(&table, NULL));
	table_finish(&table);
}

static void test_find(void **state)
{
	struct table table = { 0 };
	struct thing *things = fill(&table, 1);
	for (unsigned i = 0; i < MANY; i++) {
		assert_ptr_equal(thing_of(table_find(&table, (uint64_t)i << 40)), &things[i]);
		assert_null(table_find_next(&things[i].link));
	}
	assert_null(table_find(&table, (uint64_t)MANY << 40));
	table_finish(&table);
	free(things);
}

static void test_shared_hashes(void **state)
{
	struct table table = { 0 };
	struct thing *things = fill(&table, 5);
	for (unsigned i = 0; i < MANY / 5; i++) {
		assert_int_equal(count_same(&table, (uint64_t)i << 40), 5);
	}
	table_remove(&table, &things[7].link);
	assert_int_equal(count_same(&table, (uint64_t)1 << 40), 4);
	assert_int_equal(count_same(&table, 0), 5);
	assert_int_equal(table.count, MANY - 1);
	table_finish(&table);
	free(things);
}

static void test_all(void **state)
{
	struct table table = { 0 };
	struct thing *things = fill(&table, 2);
	char *seen = calloc(MANY, 1);
	unsigned count = 0;
	assert_non_null(seen);
	for (struct table_link *link = table_next(&table, NULL), *next; link; link = next) {
		next = table_next(&table, link);
		unsigned number = thing_of(link)->number;
		assert_false(seen[number]);
		seen[number] = 1;
		count++;
		if (number % 3 == 0) {
			table_remove(&table, link);
		}
	}
	assert_int_equal(count, MANY);
	assert_int_equal(table.count, MANY - (MANY + 2) / 3);
	assert_int_equal(count_same(&table, 0), 1);
	table_finish(&table);
	free(seen);
	free(things);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_shared_hashes),
		cmocka_unit_test(test_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

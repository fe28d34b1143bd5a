#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs/times.h"
#include "fs/times_priv.h"

/* The wall clock: stands still at `time` while it is set. */
static struct {
	bool set;
	struct timespec time;
} wall;

int __real_clock_gettime(clockid_t id, struct timespec *ret_time);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret_time);

int __wrap_clock_gettime(clockid_t id, struct timespec *ret_time)
{
	if (wall.set && id != CLOCK_MONOTONIC) {
		*ret_time = wall.time;
		return 0;
	}
	return __real_clock_gettime(id, ret_time);
}

/* A file of its own, in a directory of its own. */
struct place {
	char dir[64];
	char path[128], lock[128];
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	assert_non_null(place);
	snprintf(place->dir, sizeof(place->dir), "/tmp/connectfs-times-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->path, sizeof(place->path), "%s/times", place->dir);
	snprintf(place->lock, sizeof(place->lock), "%s/times.lock", place->dir);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	unlink(place->path);
	unlink(place->lock);
	int err = rmdir(place->dir);
	free(place);
	return err;
}

static bool same(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static struct timespec at(time_t seconds)
{
	return (struct timespec){ .tv_sec = seconds, .tv_nsec = 123456789 };
}

static struct times *created(void)
{
	struct times *times = times_create();
	assert_non_null(times);
	return times;
}

static struct times *loaded(const struct place *place)
{
	struct times *times = created();
	assert_int_equal(times_load(times, place->path), 0);
	return times;
}

/* Writes a file of so many entries: inodes from 1, hashes from 101, times from 1001. */
static void write_sample(const struct place *place, unsigned count)
{
	struct times *times = created();
	unlink(place->path);
	for (unsigned i = 1; i <= count; i++) {
		times_set(times, i, 100 + i, at(1000 + i));
	}
	assert_int_equal(times_save(times, place->path), 0);
	times_destroy(times);
}

static void test_times(void **state)
{
	struct times *times = created();
	struct timespec first = times_of(times, 1, 10);
	struct timespec second = times_of(times, 2, 10);
	assert_true(later(second, first));
	assert_true(same(times_of(times, 1, 10), first));
	struct timespec changed = times_of(times, 1, 11);
	assert_true(later(changed, second));
	/* Content that was seen before is new again: nobody remembers it. */
	assert_true(later(times_of(times, 1, 10), changed));
	times_set(times, 1, 12, at(5));
	assert_true(same(times_of(times, 1, 12), at(5)));
	assert_true(later(times_of(times, 1, 13), second));
	times_destroy(times);
	times_destroy(NULL);
}

static void assert_time(struct timespec time, time_t seconds, long nanoseconds)
{
	assert_int_equal(time.tv_sec, seconds);
	assert_int_equal(time.tv_nsec, nanoseconds);
}

static void test_now_is_later(void **state)
{
	struct times *times = created();
	wall.set = true;
	wall.time = (struct timespec){ 5000, 999999998 };
	assert_time(times_now(times), 5000, 999999998);
	assert_time(times_now(times), 5000, 999999999);
	assert_time(times_of(times, 1, 1), 5001, 0);
	assert_time(times_now(times), 5001, 1);
	wall.time = (struct timespec){ 4000, 7 }; /* somebody set the clock back */
	assert_time(times_of(times, 2, 1), 5001, 2);
	assert_time(times_of(times, 1, 1), 5001, 0);
	wall.time = (struct timespec){ 5001, 3 };
	assert_time(times_of(times, 1, 2), 5001, 3);
	wall.time = (struct timespec){ 6000, 0 };
	assert_time(times_now(times), 6000, 0);
	wall.set = false;
	times_destroy(times);
}

/* What was there before anybody looked is older than all that is new, and differs all the same. */
static void test_old(void **state)
{
	const struct place *place = *state;
	write_sample(place, 1);
	wall.set = true;
	wall.time = (struct timespec){ 5000, 300000 };
	struct times *times = loaded(place);
	struct timespec now = times_of(times, 10, 1);
	struct timespec first = times_of_old(times, 11, 1);
	assert_time(now, 5000, 300000);
	assert_time(first, 4999, 999300000);
	assert_time(times_of_old(times, 12, 1), 4999, 999300001);
	assert_true(same(times_of_old(times, 11, 1), first));
	/* What an earlier mount knew: the same, or changed since. */
	assert_true(same(times_of_old(times, 1, 101), at(1001)));
	times_destroy(times);
	times = loaded(place);
	assert_time(times_of_old(times, 1, 102), 4999, 999300000);
	/* What changes under the eyes of this mount is new. */
	assert_time(times_of_old(times, 1, 103), 5000, 300000);
	wall.set = false;
	times_destroy(times);
}

/* There are only so many of them before the first that is new. */
static void test_old_ones_end(void **state)
{
	wall.set = true;
	wall.time = (struct timespec){ 5000, 0 };
	struct times *times = created();
	for (uint64_t i = 0; i < TIMES_MAX; i++) {
		assert_true(later(wall.time, times_of_old(times, 10 + i, 1)));
	}
	assert_time(times_of_old(times, 1, 1), 5000, 0);
	assert_time(times_of_old(times, 2, 1), 5000, 1);
	wall.set = false;
	times_destroy(times);
}

static void test_stated(void **state)
{
	struct times *times = created();
	assert_true(same(times_of_stated(times, 1, 10, at(7)), at(7)));
	assert_true(same(times_of_stated(times, 1, 11, at(8)), at(8)));
	/* Other content that bears the same time. */
	struct timespec other = times_of_stated(times, 1, 12, at(8));
	assert_true(later(other, at(8)));
	assert_true(same(times_of_stated(times, 1, 12, at(8)), other));
	assert_true(same(times_of_stated(times, 1, 13, at(9)), at(9)));
	times_destroy(times);
}

static uint32_t use_of(const struct place *place, uint64_t ino)
{
	struct times *times = loaded(place);
	struct times_entry entry;
	uint32_t *numbers;
	size_t count;
	uint32_t used = 0;
	assert_int_equal(times_choose(times, &numbers, &count), 0);
	for (size_t i = 0; i < count; i++) {
		times_read(times, numbers, i, 1, &entry);
		used = entry.ino == ino ? entry.used : used;
	}
	times_destroy(times);
	return used;
}

/* That something is looked at is worth a note once a day. */
static void test_use(void **state)
{
	const struct place *place = *state;
	wall.set = true;
	wall.time = (struct timespec){ 1000000, 0 };
	write_sample(place, 2);
	struct times *times = loaded(place);
	wall.time.tv_sec += 86399;
	assert_true(same(times_of(times, 1, 101), at(1001)));
	assert_int_equal(times_save(times, place->path), 0);
	assert_int_equal(use_of(place, 1), 1000000);
	wall.time.tv_sec += 1;
	assert_true(same(times_of(times, 1, 101), at(1001)));
	assert_int_equal(times_save(times, place->path), 0);
	assert_int_equal(use_of(place, 1), 1086400);
	assert_int_equal(use_of(place, 2), 1000000);
	wall.time.tv_sec = 500000; /* one from the future is set right */
	times_of(times, 1, 101);
	assert_int_equal(times_save(times, place->path), 0);
	assert_int_equal(use_of(place, 1), 500000);
	wall.set = false;
	times_destroy(times);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_now_is_later),
		TEST(test_old),
		cmocka_unit_test(test_old_ones_end),
		cmocka_unit_test(test_stated),
		TEST(test_use),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

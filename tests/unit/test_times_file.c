#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "fs/times.h"
#include "fs/times_priv.h"

#define HEADER_BYTES 32
#define ENTRY_BYTES  32

/* A directory of its own for each test, and in it the names of the file and of what belongs to it.
 */
struct place {
	char dir[64];
	char path[128], damaged[128], temp[128], lock[128];
};

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	assert_non_null(place);
	snprintf(place->dir, sizeof(place->dir), "/tmp/connectfs-times-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->path, sizeof(place->path), "%s/times", place->dir);
	snprintf(place->damaged, sizeof(place->damaged), "%s/times.damaged", place->dir);
	snprintf(place->temp, sizeof(place->temp), "%s/times.new", place->dir);
	snprintf(place->lock, sizeof(place->lock), "%s/times.lock", place->dir);
	/* Each damaged file is a line in the log; hundreds of them are made here. */
	log_set_level(LOG_LEVEL_ERROR);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;
	unlink(place->path);
	unlink(place->damaged);
	unlink(place->temp);
	unlink(place->lock);
	int err = rmdir(place->dir);
	free(place);
	return err;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool same(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
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

static size_t read_file(const char *path, char *bytes, size_t size)
{
	cleanup(file) FILE *file = fopen(path, "rb");
	assert_non_null(file);
	return fread(bytes, 1, size, file);
}

static void write_file(const char *path, const char *bytes, size_t len)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static size_t count_of(struct times *times)
{
	uint32_t *numbers;
	size_t count;
	assert_int_equal(times_choose(times, &numbers, &count), 0);
	assert_null(numbers);
	return count;
}

static void test_round_trip(void **state)
{
	const struct place *place = *state;
	struct times *times = created();
	struct stat stat_buf;
	struct timespec now = times_of(times, UINT64_MAX, UINT64_MAX);
	times_set(times, 0, 0, (struct timespec){ 1, 0 });
	times_set(times, 1, 2, (struct timespec){ -1, 999999999 });
	umask(0);
	assert_int_equal(times_save(times, place->path), 0);
	umask(077);
	times_destroy(times);
	assert_int_equal(stat(place->path, &stat_buf), 0);
	assert_int_equal(stat_buf.st_mode, S_IFREG | 0600);
	assert_int_equal(stat_buf.st_size, HEADER_BYTES + 3 * ENTRY_BYTES);
	assert_int_equal(stat(place->lock, &stat_buf), 0);
	assert_int_equal(stat_buf.st_mode, S_IFREG | 0600);
	assert_false(exists(place->temp));

	times = loaded(place);
	assert_true(same(times_of(times, UINT64_MAX, UINT64_MAX), now));
	assert_true(same(times_of(times, 0, 0), (struct timespec){ 1, 0 }));
	assert_true(same(times_of(times, 1, 2), (struct timespec){ -1, 999999999 }));
	times_destroy(times);
}

static void test_no_file(void **state)
{
	const struct place *place = *state;
	struct times *times = loaded(place);
	/* Nothing is worth a file. */
	assert_int_equal(times_save(times, place->path), 0);
	assert_false(exists(place->path));
	times_of(times, 1, 1);
	assert_int_equal(times_load(times, "/tmp/connectfs-no-such-dir/times"), 0);
	assert_int_equal(times_save(times, "/tmp/connectfs-no-such-dir/times"), -ENOENT);
	/* And what could not be written is written the next time. */
	assert_int_equal(times_save(times, place->path), 0);
	assert_true(exists(place->path));
	times_destroy(times);
}

static void test_nothing_new(void **state)
{
	const struct place *place = *state;
	struct stat before, after;
	write_sample(place, 3);
	assert_int_equal(stat(place->path, &before), 0);
	struct times *times = loaded(place);
	times_of(times, 1, 101);
	assert_int_equal(times_save(times, place->path), 0);
	assert_int_equal(stat(place->path, &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	times_of(times, 1, 102);
	assert_int_equal(times_save(times, place->path), 0);
	assert_int_equal(stat(place->path, &after), 0);
	assert_int_not_equal(after.st_ino, before.st_ino);
	times_destroy(times);
}

static void test_memory_wins_over_file(void **state)
{
	const struct place *place = *state;
	write_sample(place, 3);
	struct times *times = created();
	times_set(times, 2, 102, at(7));
	assert_int_equal(times_load(times, place->path), 0);
	assert_true(same(times_of(times, 1, 101), at(1001)));
	assert_true(same(times_of(times, 2, 102), at(7)));
	times_destroy(times);
}

static void test_merge(void **state)
{
	const struct place *place = *state;
	write_sample(place, 5);
	struct times *one = loaded(place), *two = loaded(place);
	times_set(one, 1, 201, at(1)); /* by both */
	times_set(two, 1, 301, at(2));
	times_set(one, 2, 202, at(3)); /* by one */
	times_set(two, 3, 303, at(4)); /* by two */
	times_set(one, 10, 210, at(5));
	times_set(two, 11, 311, at(6));
	times_of(two, 4, 104); /* looked at by two, unchanged */
	times_set(one, 4, 204, at(7));
	assert_int_equal(times_save(one, place->path), 0);
	assert_int_equal(times_save(two, place->path), 0);
	times_destroy(one);
	times_destroy(two);

	struct times *times = loaded(place);
	assert_int_equal(count_of(times), 7);
	assert_true(same(times_of(times, 1, 301), at(2)));
	assert_true(same(times_of(times, 2, 202), at(3)));
	assert_true(same(times_of(times, 3, 303), at(4)));
	assert_true(same(times_of(times, 4, 104), at(1004)));
	assert_true(same(times_of(times, 5, 105), at(1005)));
	assert_true(same(times_of(times, 10, 210), at(5)));
	assert_true(same(times_of(times, 11, 311), at(6)));
	times_destroy(times);
}

/* A file that somebody removed comes back whole. */
static void test_file_removed(void **state)
{
	const struct place *place = *state;
	write_sample(place, 3);
	struct times *times = loaded(place);
	assert_int_equal(unlink(place->path), 0);
	times_of(times, 9, 9);
	assert_int_equal(times_save(times, place->path), 0);
	times_destroy(times);
	times = loaded(place);
	assert_int_equal(count_of(times), 4);
	times_destroy(times);
}

/* Loads a damaged file, then saves onto another damaged one. */
static void assert_set_aside(const struct place *place, const char *bytes, size_t len)
{
	struct times *times = created();
	write_file(place->path, bytes, len);
	assert_int_equal(times_load(times, place->path), 0);
	assert_int_equal(count_of(times), 0);
	assert_false(exists(place->path));
	char copy[512];
	assert_int_equal(read_file(place->damaged, copy, sizeof(copy)), len);
	assert_memory_equal(copy, bytes, len);
	assert_int_equal(unlink(place->damaged), 0);

	times_set(times, 77, 1, at(1));
	write_file(place->path, bytes, len);
	assert_int_equal(times_save(times, place->path), 0);
	times_destroy(times);
	assert_true(exists(place->damaged));
	assert_int_equal(unlink(place->damaged), 0);
	times = loaded(place);
	assert_int_equal(count_of(times), 1);
	assert_true(same(times_of(times, 77, 1), at(1)));
	times_destroy(times);
}

static void test_damage(void **state)
{
	const struct place *place = *state;
	char bytes[512];
	write_sample(place, 3);
	size_t len = read_file(place->path, bytes, sizeof(bytes));
	assert_int_equal(len, HEADER_BYTES + 3 * ENTRY_BYTES);
	for (size_t i = 0; i < len; i++) {
		char before = bytes[i];
		for (int bit = 0; bit < 8; bit += 7) {
			bytes[i] = (char)(before ^ 1 << bit);
			assert_set_aside(place, bytes, len);
		}
		bytes[i] = before;
	}
	assert_set_aside(place, "no such file was ever written by this program", 45);
}

static void test_wrong_length(void **state)
{
	const struct place *place = *state;
	char bytes[512];
	write_sample(place, 3);
	size_t whole = read_file(place->path, bytes, sizeof(bytes));
	memset(bytes + whole, 0, sizeof(bytes) - whole);
	for (size_t len = 0; len <= whole + ENTRY_BYTES; len++) {
		if (len != whole) {
			assert_set_aside(place, bytes, len);
		}
	}
}

static void test_no_regular_file(void **state)
{
	const struct place *place = *state;
	struct times *times = created();
	assert_int_equal(mkfifo(place->path, 0600), 0);
	assert_int_equal(times_load(times, place->path), 0);
	assert_true(exists(place->damaged));
	assert_int_equal(unlink(place->damaged), 0);
	assert_int_equal(mkdir(place->path, 0700), 0);
	assert_int_equal(times_load(times, place->path), 0);
	assert_int_equal(rmdir(place->damaged), 0);
	/* A sparse file of a terabyte is not read. */
	assert_int_equal(close(open(place->path, O_CREAT | O_WRONLY, 0600)), 0);
	assert_int_equal(truncate(place->path, INT64_C(1) << 40), 0);
	assert_int_equal(times_load(times, place->path), 0);
	assert_true(exists(place->damaged));
	times_destroy(times);
}

/* What a killed mount left behind, with more in it than will be written. */
static void test_left_behind(void **state)
{
	const struct place *place = *state;
	static const char junk[4096] = "half a file";
	write_file(place->temp, junk, sizeof(junk));
	assert_int_equal(chmod(place->temp, 0644), 0);
	write_sample(place, 2);
	assert_false(exists(place->temp));
	struct stat stat_buf;
	assert_int_equal(stat(place->path, &stat_buf), 0);
	assert_int_equal(stat_buf.st_mode, S_IFREG | 0600);
	struct times *times = loaded(place);
	assert_int_equal(count_of(times), 2);
	times_destroy(times);
}

/* A link in its place is not followed. */
static void test_links(void **state)
{
	const struct place *place = *state;
	write_file(place->damaged, "precious", 8);
	assert_int_equal(symlink(place->damaged, place->temp), 0);
	write_sample(place, 1);
	char bytes[16];
	assert_int_equal(read_file(place->damaged, bytes, sizeof(bytes)), 8);
	assert_memory_equal(bytes, "precious", 8);
}

static void test_locked(void **state)
{
	const struct place *place = *state;
	write_sample(place, 1);
	cleanup(fd) int fd = open(place->lock, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	struct times *times = loaded(place); /* reading needs no lock */
	times_of(times, 5, 5);
	assert_int_equal(times_save(times, place->path), -EBUSY);
	assert_int_equal(flock(fd, LOCK_UN), 0);
	assert_int_equal(times_save(times, place->path), 0);
	times_destroy(times);
}

/* Those that nobody has looked at for longest go first. */
static void test_at_most(void **state)
{
	const struct place *place = *state;
	const size_t more = 1000;
	struct times *times = created();
	struct times_entry *old = calloc(TIMES_MAX, sizeof(*old));
	assert_non_null(old);
	for (size_t i = 0; i < TIMES_MAX; i++) {
		old[i] = (struct times_entry){ .ino = i + 1,
			.hash = 1,
			.seconds = 1,
			.nanoseconds = 123456789,
			.used = (uint32_t)(1000000 + i) };
	}
	assert_int_equal(times_import(times, old, TIMES_MAX), 0);
	free(old);
	for (size_t i = 0; i < more; i++) {
		times_set(times, 1000000 + i, 1, at(2));
	}
	times_set(times, 1, 1, at(3)); /* the oldest is looked at again */
	assert_int_equal(times_save(times, place->path), 0);
	times_destroy(times);

	times = loaded(place);
	assert_int_equal(count_of(times), TIMES_MAX);
	assert_true(same(times_of(times, 1, 1), at(3)));
	for (size_t i = 0; i < more; i++) {
		assert_true(same(times_of(times, 1000000 + i, 1), at(2)));
		assert_false(same(times_of(times, i + 2, 1), at(1)));
	}
	assert_true(same(times_of(times, more + 2, 1), at(1)));
	times_destroy(times);
}

/* Saves for ever, and says after each time that it has. */
static void save_for_ever(const struct place *place, int fd)
{
	struct times *times = created();
	for (uint64_t round = 0;; round++) {
		for (uint64_t i = 0; i < 500; i++) {
			times_set(times, i, round, at(1));
		}
		if (times_save(times, place->path) < 0 || write(fd, "", 1) != 1) {
			_exit(1);
		}
	}
}

static void test_killed(void **state)
{
	const struct place *place = *state;
	for (int round = 0; round < 30; round++) {
		int fds[2];
		char byte;
		assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
		pid_t pid = fork();
		if (pid == 0) {
			save_for_ever(place, fds[1]);
		}
		assert_int_equal(read(fds[0], &byte, 1), 1);
		for (volatile int spin = 0; spin < round * 10000; spin = spin + 1) {
		}
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		close(fds[0]);
		close(fds[1]);
		struct times *times = loaded(place);
		assert_int_equal(count_of(times), 500);
		assert_false(exists(place->damaged));
		times_destroy(times);
	}
}

#define THREADS    4
#define PER_THREAD 200

struct worker {
	const struct place *place;
	uint64_t start;
};

static void *work(void *arg)
{
	const struct worker *worker = arg;
	for (uint64_t i = 0; i < PER_THREAD; i += 10) {
		struct times *times = times_create();
		for (uint64_t j = i; j < i + 10; j++) {
			times_set(times, worker->start + j, 1, at((time_t)(worker->start + j)));
		}
		if (times_save(times, worker->place->path) < 0) {
			return arg;
		}
		times_destroy(times);
	}
	return NULL;
}

/* Many mounts at once: nobody's entries are lost. */
static void test_at_once(void **state)
{
	const struct place *place = *state;
	pthread_t threads[THREADS];
	struct worker workers[THREADS];
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ place, 1000 * i };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		void *failed;
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	struct times *times = loaded(place);
	assert_int_equal(count_of(times), THREADS * PER_THREAD);
	times_destroy(times);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round_trip),
		TEST(test_no_file),
		TEST(test_nothing_new),
		TEST(test_memory_wins_over_file),
		TEST(test_merge),
		TEST(test_file_removed),
		TEST(test_damage),
		TEST(test_wrong_length),
		TEST(test_no_regular_file),
		TEST(test_left_behind),
		TEST(test_links),
		TEST(test_locked),
		TEST(test_at_most),
		TEST(test_killed),
		TEST(test_at_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

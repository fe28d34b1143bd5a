/*
 * The file of times: a header and entries of a fixed size, numbers in little endian.
 *
 *   0  "cfstimes"    8  version    16  number of entries    24  checksum    32  entries
 *
 * An entry is its inode, hash, seconds, and one word of nanoseconds (low) and last use (high). The
 * checksum is over all other bytes.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/hash.h"
#include "fs/times.h"
#include "fs/times_priv.h"

#define MAGIC         "cfstimes"
#define VERSION       1
#define WORD          sizeof(uint64_t)
#define HEADER_BYTES  (4 * WORD)
#define ENTRY_BYTES   (4 * WORD)
#define CHECKSUM_AT   (3 * WORD)
#define FILE_MAX      (HEADER_BYTES + (size_t)TIMES_MAX * ENTRY_BYTES)
#define LOCK_WAIT_MS  3000
#define LOCK_PAUSE_NS 20000000

static uint64_t word_at(const char *bytes, size_t index)
{
	uint64_t word;
	memcpy(&word, bytes + index * WORD, WORD);
	return le64toh(word);
}

static void put_word(char *bytes, size_t index, uint64_t word)
{
	word = htole64(word);
	memcpy(bytes + index * WORD, &word, WORD);
}

static uint64_t checksum(const char *file, size_t len)
{
	uint64_t hash = hash_bytes(HASH_START, file, CHECKSUM_AT);
	return hash_mix(hash_bytes(hash, file + HEADER_BYTES, len - HEADER_BYTES));
}

/* What a file says; -EBADMSG: it is damaged. */
static int decode(const char *file, size_t len, struct times_entry **ret_entries, size_t *ret_count)
{
	if (len < HEADER_BYTES || memcmp(file, MAGIC, WORD) != 0 || word_at(file, 1) != VERSION ||
		word_at(file, 2) != (len - HEADER_BYTES) / ENTRY_BYTES ||
		(len - HEADER_BYTES) % ENTRY_BYTES != 0 ||
		word_at(file, 3) != checksum(file, len)) {
		return -EBADMSG;
	}
	size_t count = (len - HEADER_BYTES) / ENTRY_BYTES;
	struct times_entry *entries = calloc(count + 1, sizeof(*entries));
	if (!entries) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		const char *at = file + HEADER_BYTES + i * ENTRY_BYTES;
		uint64_t rest = word_at(at, 3);
		entries[i] = (struct times_entry){ .ino = word_at(at, 0),
			.hash = word_at(at, 1),
			.time = { .tv_sec = (time_t)word_at(at, 2), .tv_nsec = (uint32_t)rest },
			.used = (uint32_t)(rest >> 32),
			.rank = TIMES_WRITTEN };
		if (entries[i].time.tv_nsec >= 1000000000) {
			free(entries);
			return -EBADMSG;
		}
	}
	*ret_entries = entries;
	*ret_count = count;
	return 0;
}

static char *encode(const struct times_entry *entries, size_t count, size_t *ret_len)
{
	size_t len = HEADER_BYTES + count * ENTRY_BYTES;
	char *file = malloc(len);
	if (!file) {
		return NULL;
	}
	memcpy(file, MAGIC, WORD);
	put_word(file, 1, VERSION);
	put_word(file, 2, count);
	for (size_t i = 0; i < count; i++) {
		char *at = file + HEADER_BYTES + i * ENTRY_BYTES;
		put_word(at, 0, entries[i].ino);
		put_word(at, 1, entries[i].hash);
		put_word(at, 2, (uint64_t)entries[i].time.tv_sec);
		put_word(
			at, 3, (uint64_t)entries[i].used << 32 | (uint32_t)entries[i].time.tv_nsec);
	}
	put_word(file, 3, checksum(file, len));
	*ret_len = len;
	return file;
}

/* All of a file that is not larger than one of ours can be; -ENOENT, -EBADMSG, -errno. */
static int read_whole(const char *path, char **ret_file, size_t *ret_len)
{
	struct stat stat;
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &stat) < 0) {
		return -errno;
	}
	if (!S_ISREG(stat.st_mode) || stat.st_size > (off_t)FILE_MAX) {
		return -EBADMSG;
	}
	size_t size = (size_t)stat.st_size, len = 0;
	cleanup(free) char *file = malloc(size + 1);
	ssize_t some = 1;
	if (!file) {
		return -ENOMEM;
	}
	while (len < size && some > 0) {
		some = read(fd, file + len, size - len);
		if (some < 0 && errno != EINTR) {
			return -errno;
		}
		len += some > 0 ? (size_t)some : 0;
		some = some < 0 ? 1 : some;
	}
	*ret_file = steal(file);
	*ret_len = len;
	return 0;
}

/* The entries of a file; none where there is no file. -EBADMSG: it is damaged. */
static int read_entries(const char *path, struct times_entry **ret_entries, size_t *ret_count)
{
	char *file = NULL;
	size_t len = 0;
	int err = read_whole(path, &file, &len);
	if (err == -ENOENT) {
		*ret_entries = NULL;
		*ret_count = 0;
		return 0;
	}
	if (err == 0) {
		err = decode(file, len, ret_entries, ret_count);
	}
	free(file);
	return err;
}

static char *path_with(const char *path, const char *suffix)
{
	char *whole;
	return asprintf(&whole, "%s%s", path, suffix) < 0 ? NULL : whole;
}

/* The lock of a file, as a descriptor to be closed. -EBUSY: another process does not let go of it;
 * waiting for ever would let that one hang our mount. */
static int lock_file(const char *path)
{
	static const struct timespec pause = { .tv_nsec = LOCK_PAUSE_NS };
	cleanup(free) char *lock_path = path_with(path, ".lock");
	if (!lock_path) {
		return -ENOMEM;
	}
	int fd = open(lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		return -errno;
	}
	int64_t until = clock_now_ms() + LOCK_WAIT_MS;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int err = errno == EWOULDBLOCK || errno == EINTR ? -EBUSY : -errno;
		if (err != -EBUSY || clock_now_ms() >= until) {
			close(fd);
			return err;
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

/* As read_entries, under the lock: a damaged file is set aside and counts as none. */
static int read_or_set_aside(const char *path, struct times_entry **ret_entries, size_t *ret_count)
{
	int err = read_entries(path, ret_entries, ret_count);
	if (err != -EBADMSG) {
		return err;
	}
	cleanup(free) char *aside = path_with(path, ".damaged");
	if (!aside) {
		return -ENOMEM;
	}
	if (rename(path, aside) < 0) {
		return -errno;
	}
	log_warn("%s is damaged and now %s; times of files start anew", path, aside);
	*ret_entries = NULL;
	*ret_count = 0;
	return 0;
}

int times_load(struct times *times, const char *path)
{
	struct times_entry *entries = NULL;
	size_t count = 0;
	int err = read_entries(path, &entries, &count);
	if (err == -EBADMSG) {
		/* Another mount may be replacing it just now: look again before judging. */
		int lock = lock_file(path);
		err = lock < 0 ? lock : read_or_set_aside(path, &entries, &count);
		fd_cleanup(&lock);
	}
	if (err == 0) {
		err = times_import(times, entries, count);
	}
	free(entries);
	return err;
}

static int write_whole(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t some = write(fd, bytes, len);
		if (some < 0 && errno != EINTR) {
			return -errno;
		}
		bytes += some > 0 ? some : 0;
		len -= some > 0 ? (size_t)some : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* The entry of a directory is on disk only after its own fsync. */
static void sync_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	free(dir);
}

/* Under the lock, so that the temporary file can always have the same name: one that a killed
 * process left behind is used again. */
static int replace_file(const char *path, const char *bytes, size_t len)
{
	cleanup(free) char *temp = path_with(path, ".new");
	if (!temp) {
		return -ENOMEM;
	}
	unlink(temp);
	int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -errno;
	}
	int err = write_whole(fd, bytes, len);
	if (close(fd) < 0 && err == 0) {
		err = -errno;
	}
	if (err == 0 && rename(temp, path) < 0) {
		err = -errno;
	}
	if (err < 0) {
		unlink(temp);
		return err;
	}
	sync_directory(path);
	return 0;
}

static int by_ino(const void *a, const void *b)
{
	const struct times_entry *x = a, *y = b;
	if (x->ino != y->ino) {
		return x->ino < y->ino ? -1 : 1;
	}
	/* Of two, the first one stays. */
	return (x->rank < y->rank) - (x->rank > y->rank);
}

static int latest_first(const void *a, const void *b)
{
	const struct times_entry *x = a, *y = b;
	return (x->used < y->used) - (x->used > y->used);
}

/* Sorts, drops what stands there twice and what nobody has looked at for longest. */
static size_t condense(struct times_entry *entries, size_t count)
{
	size_t kept = 0;
	qsort(entries, count, sizeof(*entries), by_ino);
	for (size_t i = 0; i < count; i++) {
		if (kept == 0 || entries[kept - 1].ino != entries[i].ino) {
			entries[kept++] = entries[i];
		}
	}
	if (kept > TIMES_MAX) {
		qsort(entries, kept, sizeof(*entries), latest_first);
		kept = TIMES_MAX;
		qsort(entries, kept, sizeof(*entries), by_ino);
	}
	return kept;
}

/* Ours and the file's entries in one. */
static int merge(
	struct times *times, const char *path, struct times_entry **ret_entries, size_t *ret_count)
{
	cleanup(free) struct times_entry *ours = NULL, *written = NULL;
	size_t ours_count = 0, written_count = 0;
	int err = times_export(times, &ours, &ours_count);
	if (err == 0) {
		err = read_or_set_aside(path, &written, &written_count);
	}
	if (err < 0) {
		return err;
	}
	struct times_entry *all = calloc(ours_count + written_count + 1, sizeof(*all));
	if (!all) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < ours_count; i++) {
		all[i] = ours[i];
	}
	for (size_t i = 0; i < written_count; i++) {
		all[ours_count + i] = written[i];
	}
	*ret_count = condense(all, ours_count + written_count);
	*ret_entries = all;
	return 0;
}

static int save_locked(struct times *times, const char *path)
{
	struct times_entry *entries = NULL;
	size_t count = 0, len = 0;
	int err = merge(times, path, &entries, &count);
	if (err < 0) {
		return err;
	}
	char *file = encode(entries, count, &len);
	err = file ? replace_file(path, file, len) : -ENOMEM;
	free(file);
	free(entries);
	return err;
}

int times_save(struct times *times, const char *path)
{
	if (!times_take_news(times)) {
		return 0;
	}
	cleanup(fd) int lock = lock_file(path);
	int err = lock < 0 ? lock : save_locked(times, path);
	if (err < 0) {
		times_give_news_back(times);
	}
	return err;
}

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
#define SECOND_NS     1000000000
#define BLOCK         256 /* entries that are read and written at a time */
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

/* Of the header's first words; that of the entries goes on from it. */
static uint64_t checksum_begin(const char *header)
{
	return hash_bytes(HASH_START, header, CHECKSUM_AT);
}

static struct times_entry decode(const char *at)
{
	uint64_t rest = word_at(at, 3);
	return (struct times_entry){ .ino = word_at(at, 0),
		.hash = word_at(at, 1),
		.seconds = (int64_t)word_at(at, 2),
		.nanoseconds = (uint32_t)rest & INT32_MAX,
		.used = (uint32_t)(rest >> 32) };
}

static void encode(char *at, const struct times_entry *entry)
{
	put_word(at, 0, entry->ino);
	put_word(at, 1, entry->hash);
	put_word(at, 2, (uint64_t)entry->seconds);
	put_word(at, 3, (uint64_t)entry->used << 32 | entry->nanoseconds);
}

/* A file while it is read, some entries at a time. */
struct reader {
	int fd;
	size_t count; /* of entries */
	char header[HEADER_BYTES];
	char block[BLOCK * ENTRY_BYTES];
};

/* All of so many bytes at an offset. -EBADMSG: the file is shorter. */
static int read_at(int fd, char *bytes, size_t len, size_t offset)
{
	while (len > 0) {
		ssize_t some = pread(fd, bytes, len, (off_t)offset);
		if (some == 0 || (some < 0 && errno != EINTR)) {
			return some < 0 ? -errno : -EBADMSG;
		}
		bytes += some > 0 ? some : 0;
		offset += some > 0 ? (size_t)some : 0;
		len -= some > 0 ? (size_t)some : 0;
	}
	return 0;
}

/* Reads the entries from one on into the block. Their number, or -errno. */
static int read_block(struct reader *reader, size_t from)
{
	size_t count = reader->count - from < BLOCK ? reader->count - from : BLOCK;
	int err = read_at(
		reader->fd, reader->block, count * ENTRY_BYTES, HEADER_BYTES + from * ENTRY_BYTES);
	return err < 0 ? err : (int)count;
}

/* Opens a file that is not larger than one of ours can be. -ENOENT, -EBADMSG, -errno. */
static int reader_open(struct reader *reader, const char *path)
{
	struct stat stat;
	reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (reader->fd < 0 || fstat(reader->fd, &stat) < 0) {
		return -errno;
	}
	if (!S_ISREG(stat.st_mode) || stat.st_size > (off_t)FILE_MAX ||
		stat.st_size < (off_t)HEADER_BYTES) {
		return -EBADMSG;
	}
	size_t len = (size_t)stat.st_size - HEADER_BYTES;
	reader->count = len / ENTRY_BYTES;
	int err = read_at(reader->fd, reader->header, HEADER_BYTES, 0);
	if (err < 0) {
		return err;
	}
	bool ours = memcmp(reader->header, MAGIC, WORD) == 0 &&
		    word_at(reader->header, 1) == VERSION &&
		    word_at(reader->header, 2) == reader->count && len % ENTRY_BYTES == 0;
	return ours ? 0 : -EBADMSG;
}

/* -EBADMSG: it is damaged. */
static int reader_check(struct reader *reader)
{
	uint64_t hash = checksum_begin(reader->header);
	for (size_t from = 0; from < reader->count; from += BLOCK) {
		int count = read_block(reader, from);
		if (count < 0) {
			return count;
		}
		hash = hash_bytes(hash, reader->block, (size_t)count * ENTRY_BYTES);
		for (int i = 0; i < count; i++) {
			const char *at = reader->block + (size_t)i * ENTRY_BYTES;
			if ((uint32_t)word_at(at, 3) >= SECOND_NS) {
				return -EBADMSG;
			}
		}
	}
	return hash_mix(hash) == word_at(reader->header, 3) ? 0 : -EBADMSG;
}

static int reader_import(struct reader *reader, struct times *times)
{
	struct times_entry entries[BLOCK];
	for (size_t from = 0; from < reader->count; from += BLOCK) {
		int count = read_block(reader, from);
		for (int i = 0; i < count; i++) {
			entries[i] = decode(reader->block + (size_t)i * ENTRY_BYTES);
		}
		int err = count < 0 ? count : times_import(times, entries, (size_t)count);
		if (err < 0) {
			return err;
		}
	}
	return 0;
}

/* Takes in what a file says, if there is one. -EBADMSG: it is damaged. */
static int read_entries(const char *path, struct times *times)
{
	struct reader reader = { .fd = -1 };
	int err = reader_open(&reader, path);
	err = err < 0 ? err : reader_check(&reader);
	err = err < 0 ? err : reader_import(&reader, times);
	fd_cleanup(&reader.fd);
	return err == -ENOENT ? 0 : err;
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
static int read_or_set_aside(const char *path, struct times *times)
{
	int err = read_entries(path, times);
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
	return 0;
}

int times_load(struct times *times, const char *path)
{
	int err = read_entries(path, times);
	if (err == -EBADMSG) {
		/* Another mount may be replacing it just now: look again before judging. */
		cleanup(fd) int lock = lock_file(path);
		err = lock < 0 ? lock : read_or_set_aside(path, times);
	}
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
	return 0;
}

/* The entries of these numbers (NULL: the first ones), some at a time. The header, which has their
 * checksum, comes last: before that it is none of ours. */
static int write_entries(int fd, struct times *times, const uint32_t *numbers, size_t count)
{
	struct times_entry entries[BLOCK];
	char header[HEADER_BYTES] = { 0 }, block[BLOCK * ENTRY_BYTES];
	int err = write_whole(fd, header, HEADER_BYTES);
	memcpy(header, MAGIC, WORD);
	put_word(header, 1, VERSION);
	put_word(header, 2, count);
	uint64_t hash = checksum_begin(header);
	for (size_t from = 0; from < count && err == 0; from += BLOCK) {
		size_t some = count - from < BLOCK ? count - from : BLOCK;
		times_read(times, numbers, from, some, entries);
		for (size_t i = 0; i < some; i++) {
			encode(block + i * ENTRY_BYTES, &entries[i]);
		}
		hash = hash_bytes(hash, block, some * ENTRY_BYTES);
		err = write_whole(fd, block, some * ENTRY_BYTES);
	}
	put_word(header, 3, hash_mix(hash));
	if (err == 0 && lseek(fd, 0, SEEK_SET) < 0) {
		err = -errno;
	}
	err = err < 0 ? err : write_whole(fd, header, HEADER_BYTES);
	return err == 0 && fsync(fd) < 0 ? -errno : err;
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
static int replace_file(
	const char *path, struct times *times, const uint32_t *numbers, size_t count)
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
	int err = write_entries(fd, times, numbers, count);
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

static int save_locked(struct times *times, const char *path)
{
	cleanup(free) uint32_t *numbers = NULL;
	size_t count;
	int err = read_or_set_aside(path, times);
	err = err < 0 ? err : times_choose(times, &numbers, &count);
	return err < 0 ? err : replace_file(path, times, numbers, count);
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

/*
 * When which content was first seen: the mtimes of files that the API has no time for.
 *
 * An entry is an inode number, a hash of the content and a time. It is kept in memory and, between
 * mounts, in a small file without content and without secrets.
 *
 * Threads: has a lock of its own, which is held over no I/O; any thread may call all of this, with
 * the lock of struct fs or without.
 */
#ifndef FS_TIMES_H
#define FS_TIMES_H

#include <stdint.h>
#include <time.h>

struct times;

/* NULL: no memory. */
struct times *times_create(void);
/* Accepts NULL. */
void times_destroy(struct times *times);

/* The time of this content at this inode: the known one, or now, and noted. Every time that is
 * given out as "now" differs from all others. */
struct timespec times_of(struct times *times, uint64_t ino, uint64_t hash);
/* The same for content that the first answer brought, and that therefore may be older than who
 * looks at it first: what is new of it gets the time at which `times` was made. */
struct timespec times_of_old(struct times *times, uint64_t ino, uint64_t hash);
/* The same for content that says itself when it was changed; now where it says what the content
 * before it said. */
struct timespec times_of_stated(
	struct times *times, uint64_t ino, uint64_t hash, struct timespec stated);
/* The time of whatever content is there, where nobody has looked at it yet: looking does not move
 * it. */
struct timespec times_peek(struct times *times, uint64_t ino);
/* Says what the time of this content is. */
void times_set(struct times *times, uint64_t ino, uint64_t hash, struct timespec time);
/* Now, later than anything that was returned before. */
struct timespec times_now(struct times *times);

/* Adds what a file knows (entries in memory win). 0 also where there is none; a damaged file is
 * set aside as PATH.damaged, with one log line. -ENOMEM, or -errno of reading it. */
int times_load(struct times *times, const char *path);
/*
 * Merges with what other mounts wrote meanwhile, under a lock (PATH.lock), and replaces the file in
 * one step, by way of PATH.new. Of an inode that both know, ours wins if it was asked for or set
 * since it was loaded; theirs is known here from then on. Beyond 400,000 entries those that nobody
 * has looked at for longest are left out. 0 (also where there is nothing new, and nothing is
 * written), -ENOMEM, -EBUSY where another process keeps the lock for seconds, or -errno; the file
 * then is as it was.
 */
int times_save(struct times *times, const char *path);

#endif

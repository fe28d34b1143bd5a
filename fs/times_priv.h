/* Between the table of times and its file. */
#ifndef FS_TIMES_PRIV_H
#define FS_TIMES_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/times.h"

#define TIMES_MAX 400000

struct times_entry {
	uint64_t ino;
	uint64_t hash;
	int64_t seconds;
	uint32_t nanoseconds : 31;
	bool ours : 1; /* asked for or set by this mount: no file knows better */
	uint32_t used; /* wall seconds when it was last looked at, correct to a day */
};

/* Which entries a file keeps: their numbers, to be freed, or NULL: the first ones. 0 or -ENOMEM. */
int times_choose(struct times *times, uint32_t **ret_numbers, size_t *ret_count);
/* Copies so many entries of those that were chosen. */
void times_read(struct times *times, const uint32_t *numbers, size_t from, size_t count,
	struct times_entry *ret_entries);
/* Adds them, but for inodes that this mount has been asked for. */
int times_import(struct times *times, const struct times_entry *entries, size_t count);
/* Whether there is something that no file has; forgets it. */
bool times_take_news(struct times *times);
/* For a save that failed. */
void times_give_news_back(struct times *times);

#endif

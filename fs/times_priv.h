/* Between the table of times and its file. */
#ifndef FS_TIMES_PRIV_H
#define FS_TIMES_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fs/times.h"

#define TIMES_MAX 400000

/* Who knows best: the greater wins. */
enum times_rank {
	TIMES_LOADED,  /* in memory, and nobody has looked at it since */
	TIMES_WRITTEN, /* in the file now */
	TIMES_OURS     /* asked for or set by this mount */
};

struct times_entry {
	uint64_t ino;
	uint64_t hash;
	struct timespec time;
	uint32_t used; /* wall seconds when it was last looked at, correct to a day */
	enum times_rank rank;
};

/* A copy of all entries, in no order, to be freed; NULL where there is none. */
int times_export(struct times *times, struct times_entry **ret_entries, size_t *ret_count);
/* Adds them, but for inodes that this mount has been asked for. */
int times_import(struct times *times, const struct times_entry *entries, size_t count);
/* Whether there is something that no file has; forgets it. */
bool times_take_news(struct times *times);
/* For a save that failed. */
void times_give_news_back(struct times *times);

#endif

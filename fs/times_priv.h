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
	struct timespec time;
	uint32_t used; /* wall seconds when it was last looked at, correct to a day */
	bool ours;     /* asked for or set since it was loaded */
};

/* A copy of all entries, in no order, to be freed; NULL where there is none. */
int times_export(struct times *times, struct times_entry **ret_entries, size_t *ret_count);
/* Adds those whose inodes are unknown. */
int times_import(struct times *times, const struct times_entry *entries, size_t count);
/* Whether there is something that no file has; forgets it. */
bool times_take_news(struct times *times);
/* For a save that failed. */
void times_give_news_back(struct times *times);

#endif

#include "fs/times.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <uthash.h>

#include "fs/times_priv.h"

#define DAY_SECONDS 86400

/* The hash of a content that nobody has looked at. */
#define HASH_UNSEEN 0

struct seen {
	UT_hash_handle hh; /* by ino */
	struct times_entry entry;
};

struct times {
	pthread_mutex_t lock;
	struct seen *seen;    /* lock */
	struct timespec last; /* lock */
	bool news;            /* lock; something is not in the file */
};

struct times *times_create(void)
{
	struct times *times = calloc(1, sizeof(*times));
	if (times) {
		pthread_mutex_init(&times->lock, NULL);
	}
	return times;
}

void times_destroy(struct times *times)
{
	if (!times) {
		return;
	}
	struct seen *seen = times->seen;
	HASH_CLEAR(hh, times->seen);
	while (seen) {
		struct seen *next = seen->hh.next;
		free(seen);
		seen = next;
	}
	pthread_mutex_destroy(&times->lock);
	free(times);
}

/* Takes the lock as held. */
static struct timespec now_locked(struct times *times)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	bool later = now.tv_sec > times->last.tv_sec ||
		     (now.tv_sec == times->last.tv_sec && now.tv_nsec > times->last.tv_nsec);
	if (!later) {
		now = times->last;
		if (++now.tv_nsec == 1000000000) {
			now.tv_nsec = 0;
			now.tv_sec++;
		}
	}
	times->last = now;
	return now;
}

struct timespec times_now(struct times *times)
{
	pthread_mutex_lock(&times->lock);
	struct timespec now = now_locked(times);
	pthread_mutex_unlock(&times->lock);
	return now;
}

/* The entry of an inode, made if need be; NULL: no memory. Takes the lock as held.
 * NOLINTNEXTLINE(readability-function-size): uthash is made of macros */
static struct seen *seen_of(struct times *times, uint64_t ino)
{
	struct seen *seen;
	HASH_FIND(hh, times->seen, &ino, sizeof(ino), seen);
	if (!seen) {
		seen = calloc(1, sizeof(*seen));
		if (seen) {
			seen->entry.ino = ino;
			HASH_ADD(hh, times->seen, entry.ino, sizeof(seen->entry.ino), seen);
			if (!seen->hh.tbl) {
				free(seen);
				seen = NULL;
			}
		}
	}
	return seen;
}

/* Somebody looked at it. Once a day that is worth a note in the file. */
static void note_use(struct times *times, struct times_entry *entry)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	entry->rank = TIMES_OURS;
	if (now.tv_sec < (time_t)entry->used || now.tv_sec >= (time_t)entry->used + DAY_SECONDS) {
		entry->used = (uint32_t)now.tv_sec;
		times->news = true;
	}
}

struct timespec times_peek(struct times *times, uint64_t ino)
{
	pthread_mutex_lock(&times->lock);
	const struct seen *seen = seen_of(times, ino);
	uint64_t hash = seen ? seen->entry.hash : HASH_UNSEEN;
	pthread_mutex_unlock(&times->lock);
	return times_of(times, ino, hash);
}

struct timespec times_of(struct times *times, uint64_t ino, uint64_t hash)
{
	struct timespec time;
	pthread_mutex_lock(&times->lock);
	struct seen *seen = seen_of(times, ino);
	struct times_entry *entry = seen ? &seen->entry : NULL;
	if (!entry) {
		time = now_locked(times);
	} else {
		if (entry->hash == HASH_UNSEEN) {
			entry->hash = hash;
		}
		if (entry->hash != hash || (entry->time.tv_sec == 0 && entry->time.tv_nsec == 0)) {
			entry->hash = hash;
			entry->time = now_locked(times);
			times->news = true;
		}
		note_use(times, entry);
		time = entry->time;
	}
	pthread_mutex_unlock(&times->lock);
	return time;
}

void times_set(struct times *times, uint64_t ino, uint64_t hash, struct timespec time)
{
	pthread_mutex_lock(&times->lock);
	struct seen *seen = seen_of(times, ino);
	if (seen) {
		seen->entry.hash = hash;
		seen->entry.time = time;
		note_use(times, &seen->entry);
		times->news = true;
	}
	pthread_mutex_unlock(&times->lock);
}

int times_export(struct times *times, struct times_entry **ret_entries, size_t *ret_count)
{
	struct seen *seen, *next;
	size_t count = 0;
	pthread_mutex_lock(&times->lock);
	size_t size = HASH_COUNT(times->seen);
	struct times_entry *entries = size > 0 ? calloc(size, sizeof(*entries)) : NULL;
	if (entries) {
		HASH_ITER (hh, times->seen, seen, next) {
			entries[count++] = seen->entry;
		}
	}
	pthread_mutex_unlock(&times->lock);
	if (size > 0 && !entries) {
		return -ENOMEM;
	}
	*ret_entries = entries;
	*ret_count = count;
	return 0;
}

int times_import(struct times *times, const struct times_entry *entries, size_t count)
{
	int err = 0;
	pthread_mutex_lock(&times->lock);
	for (size_t i = 0; i < count && err == 0; i++) {
		struct seen *seen = seen_of(times, entries[i].ino);
		if (!seen) {
			err = -ENOMEM;
		} else if (seen->entry.rank != TIMES_OURS) {
			seen->entry = entries[i];
			seen->entry.rank = TIMES_LOADED;
		}
	}
	pthread_mutex_unlock(&times->lock);
	return err;
}

bool times_take_news(struct times *times)
{
	pthread_mutex_lock(&times->lock);
	bool news = times->news;
	times->news = false;
	pthread_mutex_unlock(&times->lock);
	return news;
}

void times_give_news_back(struct times *times)
{
	pthread_mutex_lock(&times->lock);
	times->news = true;
	pthread_mutex_unlock(&times->lock);
}

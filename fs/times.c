#include "fs/times.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "fs/hash.h"
#include "fs/times_priv.h"

#define DAY_SECONDS 86400
#define SIZE_MIN    64
#define SECOND_NS   1000000000
#define AHEAD_NS    1000000 /* more than TIMES_MAX */

/* The hash of a content that nobody has looked at. */
#define HASH_UNSEEN 0

struct times {
	pthread_mutex_t lock;
	struct times_entry *entries; /* lock; count of them, and room for as many as half of size */
	uint32_t *places;            /* lock; by the inode: an entry's number and 1; 0: none */
	size_t count, size;          /* lock; size of places: a power of two, or 0 */
	struct timespec last;        /* lock; the latest that was given out as now */
	struct timespec old;         /* lock; the next one for what is older than all that */
	size_t olds;                 /* lock; how many of these were given out */
	bool news;                   /* lock; something is not in the file */
};

struct times *times_create(void)
{
	struct times *times = calloc(1, sizeof(*times));
	if (times) {
		pthread_mutex_init(&times->lock, NULL);
		clock_gettime(CLOCK_REALTIME, &times->old);
		times->old.tv_nsec -= AHEAD_NS;
		if (times->old.tv_nsec < 0) {
			times->old.tv_nsec += SECOND_NS;
			times->old.tv_sec--;
		}
	}
	return times;
}

static bool same(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static struct timespec entry_time(const struct times_entry *entry)
{
	return (struct timespec){ entry->seconds, entry->nanoseconds };
}

static void entry_set_time(struct times_entry *entry, struct timespec time)
{
	entry->seconds = time.tv_sec;
	entry->nanoseconds = (uint32_t)time.tv_nsec & INT32_MAX;
}

static void step(struct timespec *time)
{
	if (++time->tv_nsec == SECOND_NS) {
		time->tv_nsec = 0;
		time->tv_sec++;
	}
}

void times_destroy(struct times *times)
{
	if (!times) {
		return;
	}
	free(times->entries);
	free(times->places);
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
		step(&now);
	}
	times->last = now;
	return now;
}

/* Takes the lock as held. */
static struct timespec old_locked(struct times *times)
{
	if (times->olds == TIMES_MAX) {
		return now_locked(times);
	}
	struct timespec old = times->old;
	times->olds++;
	step(&times->old);
	return old;
}

struct timespec times_now(struct times *times)
{
	pthread_mutex_lock(&times->lock);
	struct timespec now = now_locked(times);
	pthread_mutex_unlock(&times->lock);
	return now;
}

/* The place of an inode, or the free one where it would be. Takes the lock as held. */
static uint32_t *place_of(const struct times *times, uint64_t ino)
{
	size_t mask = times->size - 1;
	size_t at = (size_t)hash_mix(ino) & mask;
	while (times->places[at] && times->entries[times->places[at] - 1].ino != ino) {
		at = (at + 1) & mask;
	}
	return &times->places[at];
}

/* Takes the lock as held. */
static int grow(struct times *times)
{
	size_t size = times->size ? 2 * times->size : SIZE_MIN;
	uint32_t *places = calloc(size, sizeof(*places));
	struct times_entry *entries =
		places ? reallocarray(times->entries, size / 2, sizeof(*entries)) : NULL;
	if (!entries) {
		free(places);
		return -ENOMEM;
	}
	free(times->places);
	times->entries = entries;
	times->places = places;
	times->size = size;
	for (size_t i = 0; i < times->count; i++) {
		*place_of(times, entries[i].ino) = (uint32_t)i + 1;
	}
	return 0;
}

/* The entry of an inode, made if need be, until the next one is made; NULL: no memory. Takes the
 * lock as held. */
static struct times_entry *entry_of(struct times *times, uint64_t ino)
{
	uint32_t known = times->size ? *place_of(times, ino) : 0;
	if (known) {
		return &times->entries[known - 1];
	}
	if (2 * times->count >= times->size && grow(times) < 0) {
		return NULL;
	}
	struct times_entry *entry = &times->entries[times->count++];
	*place_of(times, ino) = (uint32_t)times->count;
	*entry = (struct times_entry){ .ino = ino };
	return entry;
}

/* Somebody looked at it. Once a day that is worth a note in the file. */
static void note_use(struct times *times, struct times_entry *entry)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	entry->ours = true;
	if (now.tv_sec < (time_t)entry->used || now.tv_sec >= (time_t)entry->used + DAY_SECONDS) {
		entry->used = (uint32_t)now.tv_sec;
		times->news = true;
	}
}

struct timespec times_peek(struct times *times, uint64_t ino)
{
	pthread_mutex_lock(&times->lock);
	const struct times_entry *entry = entry_of(times, ino);
	uint64_t hash = entry ? entry->hash : HASH_UNSEEN;
	pthread_mutex_unlock(&times->lock);
	return times_of(times, ino, hash);
}

/* Where content that is new gets its time from. */
struct origin {
	bool old;
	struct timespec stated; /* 0: nothing is */
};

static struct timespec time_of(
	struct times *times, uint64_t ino, uint64_t hash, const struct origin *origin)
{
	static const struct timespec none = { 0 };
	struct timespec time;
	pthread_mutex_lock(&times->lock);
	struct times_entry *entry = entry_of(times, ino);
	if (!entry) {
		time = now_locked(times);
	} else {
		if (entry->hash == HASH_UNSEEN) {
			entry->hash = hash;
		}
		if (entry->hash != hash || same(entry_time(entry), none)) {
			bool stated = !same(origin->stated, none) &&
				      !same(origin->stated, entry_time(entry));
			bool old = origin->old && !entry->ours;
			entry->hash = hash;
			entry_set_time(entry, stated ? origin->stated
					      : old  ? old_locked(times)
						     : now_locked(times));
			times->news = true;
		}
		note_use(times, entry);
		time = entry_time(entry);
	}
	pthread_mutex_unlock(&times->lock);
	return time;
}

struct timespec times_of(struct times *times, uint64_t ino, uint64_t hash)
{
	struct origin origin = { 0 };
	return time_of(times, ino, hash, &origin);
}

struct timespec times_of_old(struct times *times, uint64_t ino, uint64_t hash)
{
	struct origin origin = { .old = true };
	return time_of(times, ino, hash, &origin);
}

struct timespec times_of_stated(
	struct times *times, uint64_t ino, uint64_t hash, struct timespec stated)
{
	struct origin origin = { .stated = stated };
	return time_of(times, ino, hash, &origin);
}

void times_set(struct times *times, uint64_t ino, uint64_t hash, struct timespec time)
{
	pthread_mutex_lock(&times->lock);
	struct times_entry *entry = entry_of(times, ino);
	if (entry) {
		entry->hash = hash;
		entry_set_time(entry, time);
		note_use(times, entry);
		times->news = true;
	}
	pthread_mutex_unlock(&times->lock);
}

/* An entry's number, and when it was used. */
struct use {
	uint32_t used, number;
};

static int latest_first(const void *left, const void *right)
{
	const struct use *a = left, *b = right;
	return (a->used < b->used) - (a->used > b->used);
}

/* The numbers of those that were used last. Takes the lock as held. */
static uint32_t *latest(const struct times *times)
{
	struct use *uses = calloc(times->count, sizeof(*uses));
	uint32_t *numbers = calloc(TIMES_MAX, sizeof(*numbers));
	if (!uses || !numbers) {
		free(uses);
		free(numbers);
		return NULL;
	}
	for (size_t i = 0; i < times->count; i++) {
		uses[i] = (struct use){ times->entries[i].used, (uint32_t)i };
	}
	qsort(uses, times->count, sizeof(*uses), latest_first);
	for (size_t i = 0; i < TIMES_MAX; i++) {
		numbers[i] = uses[i].number;
	}
	free(uses);
	return numbers;
}

int times_choose(struct times *times, uint32_t **ret_numbers, size_t *ret_count)
{
	pthread_mutex_lock(&times->lock);
	bool all = times->count <= TIMES_MAX;
	*ret_numbers = all ? NULL : latest(times);
	*ret_count = all ? times->count : TIMES_MAX;
	pthread_mutex_unlock(&times->lock);
	return all || *ret_numbers ? 0 : -ENOMEM;
}

void times_read(struct times *times, const uint32_t *numbers, size_t from, size_t count,
	struct times_entry *ret_entries)
{
	pthread_mutex_lock(&times->lock);
	for (size_t i = 0; i < count; i++) {
		ret_entries[i] = times->entries[numbers ? numbers[from + i] : from + i];
	}
	pthread_mutex_unlock(&times->lock);
}

int times_import(struct times *times, const struct times_entry *entries, size_t count)
{
	int err = 0;
	pthread_mutex_lock(&times->lock);
	for (size_t i = 0; i < count && err == 0; i++) {
		struct times_entry *entry = entry_of(times, entries[i].ino);
		if (!entry) {
			err = -ENOMEM;
		} else if (!entry->ours) {
			*entry = entries[i];
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

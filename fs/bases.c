#include "fs/bases.h"

#include <stdlib.h>
#include <string.h>

#include "fs/fs.h"
#include "fs/part.h"
#include "fs/process.h"

#define BASES_MAX 1024

struct base {
	pid_t pid;
	bool borrowed; /* it has not seen this itself */
	struct part *part;
};

struct bases {
	struct table_link link; /* in fs->bases, by inode number */
	unsigned count, room;
	struct base list[]; /* the newest first */
};

static struct bases *find(const struct fs *fs, uint64_t ino)
{
	struct table_link *link = table_find(&fs->bases, ino);
	return link ? table_entry(link, struct bases, link) : NULL;
}

/* Drops those of processes that have ended, but for the newest. */
static void drop_ended(struct bases *bases)
{
	unsigned kept = 0;
	for (unsigned i = 0; i < bases->count; i++) {
		if (i > 0 && process_has_ended(bases->list[i].pid)) {
			part_unref(bases->list[i].part);
		} else {
			bases->list[kept++] = bases->list[i];
		}
	}
	bases->count = kept;
}

/* Room for one more, the oldest dropped if need be; NULL: no memory. */
static struct bases *make_room(struct fs *fs, uint64_t ino, struct bases *bases)
{
	if (bases && bases->count == bases->room) {
		drop_ended(bases);
	}
	if (bases && bases->count == BASES_MAX) {
		part_unref(bases->list[--bases->count].part);
	}
	if (bases && bases->count < bases->room) {
		return bases;
	}
	unsigned room = bases ? 2 * bases->room : 1;
	size_t size = sizeof(*bases) + room * sizeof(bases->list[0]);
	struct bases *larger = calloc(1, size);
	if (!larger) {
		return NULL;
	}
	if (bases) {
		memcpy(larger->list, bases->list, bases->count * sizeof(bases->list[0]));
		larger->count = bases->count;
		table_remove(&fs->bases, &bases->link);
		free(bases);
	}
	larger->room = room;
	if (table_add(&fs->bases, &larger->link, ino) < 0) {
		free(larger);
		return NULL;
	}
	return larger;
}

/* Where a process's own is; the number there are: it has none. */
static unsigned place_of(const struct bases *bases, pid_t pid)
{
	unsigned at = 0;
	while (bases && at < bases->count && bases->list[at].pid != pid) {
		at++;
	}
	return at;
}

void bases_note(struct fs *fs, uint64_t ino, pid_t pid, struct part *part)
{
	struct bases *bases = find(fs, ino);
	unsigned at = place_of(bases, pid);
	if (!bases || at == bases->count) {
		bases = make_room(fs, ino, bases);
		if (!bases) {
			return;
		}
		at = bases->count++;
		bases->list[at].part = NULL;
	}
	struct part *old = bases->list[at].part;
	memmove(bases->list + 1, bases->list, at * sizeof(bases->list[0]));
	bases->list[0] = (struct base){ .pid = pid, .part = part_ref(part) };
	part_unref(old);
}

void bases_keep(struct fs *fs, uint64_t ino, pid_t pid, struct part *part)
{
	struct bases *bases = find(fs, ino);
	if (bases && place_of(bases, pid) < bases->count) {
		return;
	}
	bases = make_room(fs, ino, bases);
	if (bases) {
		bases->list[bases->count++] =
			(struct base){ .pid = pid, .borrowed = true, .part = part_ref(part) };
	}
}

struct part *bases_find(const struct fs *fs, uint64_t ino, pid_t pid)
{
	const struct bases *bases = find(fs, ino);
	unsigned at = place_of(bases, pid);
	if (bases && at < bases->count) {
		return bases->list[at].part;
	}
	for (at = 0; bases && at < bases->count; at++) {
		if (!bases->list[at].borrowed) {
			return bases->list[at].part;
		}
	}
	return NULL;
}

static void destroy(struct bases *bases)
{
	for (unsigned i = 0; i < bases->count; i++) {
		part_unref(bases->list[i].part);
	}
	free(bases);
}

void bases_forget(struct fs *fs, uint64_t ino)
{
	struct bases *bases = find(fs, ino);
	if (bases) {
		table_remove(&fs->bases, &bases->link);
		destroy(bases);
	}
}

void bases_destroy(struct fs *fs)
{
	for (struct table_link *link = table_next(&fs->bases, NULL), *next; link; link = next) {
		next = table_next(&fs->bases, link);
		destroy(table_entry(link, struct bases, link));
	}
	table_finish(&fs->bases);
}

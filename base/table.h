/*
 * A hash table of structs that hold their own link, for what there are tens of thousands of: a link
 * is two words, and a table about one word for each thing in it.
 *
 * The caller knows the hash of a thing, compares those that share one, and owns them all. A zeroed
 * table is an empty one. Nothing here locks.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_link {
	struct table_link *next;
	uint64_t hash;
};

struct table {
	struct table_link **heads;
	size_t size; /* of heads: a power of two, or 0 */
	size_t count;
};

/* Forgets all that is in it. */
void table_finish(struct table *table);

/* 0 or -ENOMEM. A link is in one table at most. */
int table_add(struct table *table, struct table_link *link, uint64_t hash);
void table_remove(struct table *table, struct table_link *link);

/* The first of those that share a hash, and the one behind another; NULL: there is none. */
struct table_link *table_find(const struct table *table, uint64_t hash);
struct table_link *table_find_next(const struct table_link *link);

/* All, in no order: the first one after NULL, then the one behind another; NULL at the end. One
 * that was returned may be removed once the next is known. */
struct table_link *table_next(const struct table *table, const struct table_link *link);

#define table_entry(link, type, member) ((type *)((char *)(uintptr_t)(link)-offsetof(type, member)))

#endif

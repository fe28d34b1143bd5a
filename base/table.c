#include "base/table.h"

#include <errno.h>
#include <stdlib.h>

#define SIZE_MIN 16

void table_finish(struct table *table)
{
	free(table->heads);
	*table = (struct table){ 0 };
}

/* The hashes may be poor in their low bits. */
static size_t place(uint64_t hash, size_t size)
{
	return (size_t)(hash * 0x9e3779b97f4a7c15ULL >> 32) & (size - 1);
}

static int grow(struct table *table)
{
	size_t size = table->size ? 2 * table->size : SIZE_MIN;
	struct table_link **heads = calloc(size, sizeof(struct table_link *));
	if (!heads) {
		/* What is there still has its place. */
		return table->size ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < table->size; i++) {
		while (table->heads[i]) {
			struct table_link *link = table->heads[i];
			struct table_link **head = &heads[place(link->hash, size)];
			table->heads[i] = link->next;
			link->next = *head;
			*head = link;
		}
	}
	free(table->heads);
	table->heads = heads;
	table->size = size;
	return 0;
}

int table_add(struct table *table, struct table_link *link, uint64_t hash)
{
	int err = table->count < table->size ? 0 : grow(table);
	if (err < 0) {
		return err;
	}
	struct table_link **head = &table->heads[place(hash, table->size)];
	*link = (struct table_link){ *head, hash };
	*head = link;
	table->count++;
	return 0;
}

void table_remove(struct table *table, struct table_link *link)
{
	struct table_link **at = &table->heads[place(link->hash, table->size)];
	while (*at != link) {
		at = &(*at)->next;
	}
	*at = link->next;
	table->count--;
}

static struct table_link *same(struct table_link *link, uint64_t hash)
{
	while (link && link->hash != hash) {
		link = link->next;
	}
	return link;
}

struct table_link *table_find(const struct table *table, uint64_t hash)
{
	return table->size ? same(table->heads[place(hash, table->size)], hash) : NULL;
}

struct table_link *table_find_next(const struct table_link *link)
{
	return same(link->next, link->hash);
}

struct table_link *table_next(const struct table *table, const struct table_link *link)
{
	size_t i = 0;
	if (link && link->next) {
		return link->next;
	}
	if (link) {
		i = place(link->hash, table->size) + 1;
	}
	while (i < table->size && !table->heads[i]) {
		i++;
	}
	return i < table->size ? table->heads[i] : NULL;
}

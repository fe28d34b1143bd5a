/* A piece of an answer: immutable bytes that are shared by count. Counts are protected by the
 * lock of struct fs. */
#ifndef FS_PART_H
#define FS_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/json.h"
#include "base/strbuf.h"

struct part {
	unsigned refs;
	uint32_t len;
	bool bulk;   /* cut out of an answer that holds all items */
	bool first;  /* that one was the first of its document */
	char text[]; /* not terminated */
};

/* A copy of the bytes, with one reference; NULL: no memory. */
struct part *part_create(const char *text, size_t len);
/* The same of a text's own bytes: takes them over, also where it fails. */
struct part *part_take(struct strbuf *text);
struct part *part_ref(struct part *part);
/* Accepts NULL. The last one wipes it. */
void part_unref(struct part *part);

bool part_is(const struct part *part, const char *text, size_t len);

static inline struct json_slice part_json(const struct part *part)
{
	return part ? (struct json_slice){ part->text, part->len } : (struct json_slice){ NULL, 0 };
}

#endif

#include "fs/part.h"

#include <stdlib.h>
#include <string.h>

struct part *part_create(const char *text, size_t len)
{
	struct part *part = len <= UINT32_MAX ? malloc(offsetof(struct part, text) + len) : NULL;
	if (part) {
		part->refs = 1;
		part->bulk = part->first = false;
		part->len = (uint32_t)len;
		if (len > 0) {
			memcpy(part->text, text, len);
		}
	}
	return part;
}

struct part *part_take(struct strbuf *text)
{
	const size_t head = offsetof(struct part, text);
	size_t len = text->len;
	struct part *part = NULL;
	if (len <= UINT32_MAX && strbuf_reserve(text, head) == 0) {
		char *bytes = strbuf_detach(text, NULL);
		memmove(bytes + head, bytes, len);
		part = (struct part *)bytes;
		part->refs = 1;
		part->bulk = part->first = false;
		part->len = (uint32_t)len;
	}
	strbuf_wipe(text);
	return part;
}

struct part *part_ref(struct part *part)
{
	if (part) {
		part->refs++;
	}
	return part;
}

void part_unref(struct part *part)
{
	if (part && --part->refs == 0) {
		explicit_bzero(part->text, part->len);
		free(part);
	}
}

bool part_is(const struct part *part, const char *text, size_t len)
{
	return part && part->len == len && memcmp(part->text, text, len) == 0;
}

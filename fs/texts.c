#include "fs/texts.h"

#include <stdlib.h>

#define TEXTS     4096
#define BYTES_MAX ((size_t)1 << 20)
#define TEXT_MAX  ((size_t)64 << 10)

struct kept {
	uint64_t hash;
	struct strbuf text; /* empty: none */
};

struct texts {
	struct kept kept[TEXTS]; /* each at the place of its hash */
	size_t bytes;
	size_t next; /* to go when there are too many bytes */
};

struct texts *texts_create(void)
{
	return calloc(1, sizeof(struct texts));
}

static struct kept *place_of(struct texts *texts, uint64_t hash)
{
	return &texts->kept[hash % TEXTS];
}

static void drop(struct texts *texts, struct kept *kept)
{
	texts->bytes -= kept->text.size;
	strbuf_wipe(&kept->text);
}

void texts_forget(struct texts *texts)
{
	for (size_t i = 0; i < TEXTS && texts->bytes > 0; i++) {
		drop(texts, &texts->kept[i]);
	}
}

void texts_destroy(struct texts *texts)
{
	if (texts) {
		texts_forget(texts);
		free(texts);
	}
}

void texts_keep(struct texts *texts, uint64_t hash, struct strbuf *text)
{
	struct kept *kept = place_of(texts, hash);
	if (text->size > TEXT_MAX) {
		return;
	}
	drop(texts, kept);
	while (texts->bytes + text->size > BYTES_MAX) {
		drop(texts, &texts->kept[texts->next++ % TEXTS]);
	}
	*kept = (struct kept){ hash, *text };
	texts->bytes += text->size;
	*text = STRBUF_INIT(text->max);
}

bool texts_take(struct texts *texts, uint64_t hash, size_t size, struct strbuf *out)
{
	struct kept *kept = place_of(texts, hash);
	if (kept->hash != hash || kept->text.len != size || size == 0) {
		return false;
	}
	texts->bytes -= kept->text.size;
	*out = kept->text;
	kept->text = STRBUF_INIT(out->max);
	return true;
}

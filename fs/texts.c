#include "fs/texts.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "fs/part.h"

#define TEXTS     4096
#define BYTES_MAX ((size_t)1 << 20)
#define TEXT_MAX  ((size_t)64 << 10)

struct kept {
	struct part *part; /* counted; NULL: none */
	uint64_t hash;
	struct strbuf text;
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
	part_unref(steal(kept->part));
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

void texts_keep(struct texts *texts, struct part *part, uint64_t hash, struct strbuf *text)
{
	struct kept *kept = place_of(texts, hash);
	if (!part || text->size > TEXT_MAX) {
		return;
	}
	drop(texts, kept);
	while (texts->bytes + text->size > BYTES_MAX) {
		drop(texts, &texts->kept[texts->next++ % TEXTS]);
	}
	*kept = (struct kept){ part_ref(part), hash, *text };
	texts->bytes += text->size;
	*text = STRBUF_INIT(text->max);
}

bool texts_take(struct texts *texts, const struct part *part, uint64_t hash, struct strbuf *out)
{
	struct kept *kept = place_of(texts, hash);
	if (!part || kept->part != part || kept->hash != hash) {
		return false;
	}
	texts->bytes -= kept->text.size;
	*out = kept->text;
	kept->text = STRBUF_INIT(out->max);
	part_unref(steal(kept->part));
	return true;
}

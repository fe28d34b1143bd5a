/*
 * Texts that were rendered to know their size, until somebody opens the file: who lists a directory
 * often reads what is in it next.
 *
 * Each belongs to the part that it was made of, which it holds; its hash tells which of the part's
 * views it is. Only the latest are kept. Protected by the lock of struct fs.
 */
#ifndef FS_TEXTS_H
#define FS_TEXTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

struct part;
struct texts;

/* NULL: no memory. */
struct texts *texts_create(void);
void texts_destroy(struct texts *texts);
/* Takes the text over, unless it is a long one, or of nothing. */
void texts_keep(struct texts *texts, struct part *part, uint64_t hash, struct strbuf *text);
/* Moves a text into `out`, which is empty. False: it is not there. */
bool texts_take(struct texts *texts, const struct part *part, uint64_t hash, struct strbuf *out);
/* Wipes them all. */
void texts_forget(struct texts *texts);

#endif

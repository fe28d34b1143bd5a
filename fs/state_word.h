/* `state`: pausing and resuming by writing a word. */
#ifndef FS_STATE_WORD_H
#define FS_STATE_WORD_H

#include <stddef.h>

struct node;
struct op;

int state_word_store(struct op *op, struct node *dir, const char *text, size_t len);

#endif

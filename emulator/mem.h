/*
 * Allocation for a test tool: where there is no memory the program ends with
 * a message, so callers need no error path. Release everything with free().
 */
#ifndef EMULATOR_MEM_H
#define EMULATOR_MEM_H

#include <stddef.h>

/* Zeroed. */
void *mem_alloc(size_t size);
void *mem_grow(void *old, size_t count, size_t size);
char *mem_dup(const char *s);
char *mem_dup_len(const char *s, size_t len);
/* Overwrites the text before it is freed: for secrets. NULL is fine. */
void mem_wipe(char *s);

#endif

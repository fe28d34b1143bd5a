/* Allocation that leaves nothing behind, for libraries that secrets pass through: what they free
 * is wiped first. */
#ifndef BASE_WIPE_H
#define BASE_WIPE_H

#include <stddef.h>

/* As free and realloc, of memory from malloc, calloc or strdup. */
void wipe_free(void *ptr);
void *wipe_realloc(void *ptr, size_t size);

#endif

#include "base/wipe.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void wipe_free(void *ptr)
{
	if (ptr) {
		explicit_bzero(ptr, malloc_usable_size(ptr));
		free(ptr);
	}
}

void *wipe_realloc(void *ptr, size_t size)
{
	void *fresh = malloc(size);
	if (fresh && ptr) {
		size_t old = malloc_usable_size(ptr);
		memcpy(fresh, ptr, old < size ? old : size);
		wipe_free(ptr);
	}
	return fresh;
}

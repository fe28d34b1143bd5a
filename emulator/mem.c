#include "emulator/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void mem_out(void)
{
	fputs("connect-emulator: error: out of memory\n", stderr);
	exit(1);
}

void *mem_alloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);
	if (!p) {
		mem_out();
	}
	return p;
}

void *mem_grow(void *old, size_t count, size_t size)
{
	void *p = reallocarray(old, count, size);
	if (!p) {
		mem_out();
	}
	return p;
}

char *mem_dup_len(const char *s, size_t len)
{
	char *p = mem_alloc(len + 1);
	memcpy(p, s, len);
	return p;
}

char *mem_dup(const char *s)
{
	return mem_dup_len(s, strlen(s));
}

void mem_wipe(char *s)
{
	if (s) {
		explicit_bzero(s, strlen(s));
		free(s);
	}
}

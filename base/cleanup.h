/*
 * Scope-bound release of locals: `cleanup(strbuf) struct strbuf b = STRBUF_INIT(n);`
 * runs strbuf_finish(&b) when b leaves its scope. A type takes part by having
 * a `NAME_cleanup` function that accepts zeroed and half-built values.
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define cleanup(name) __attribute__((cleanup(name##_cleanup)))

static inline void free_cleanup(void *ptr_to_ptr)
{
	free(*(void **)ptr_to_ptr);
}

static inline void fd_cleanup(const int *fd)
{
	if (*fd >= 0) {
		close(*fd);
	}
}

static inline void file_cleanup(FILE **file)
{
	if (*file) {
		fclose(*file);
	}
}

/* Hands the value over to the caller and leaves NULL behind. */
#define steal(ptr) \
	({ \
		__auto_type p_ = &(ptr); \
		__auto_type v_ = *p_; \
		*p_ = NULL; \
		v_; \
	})

#endif

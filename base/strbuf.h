/*
 * A growing byte buffer that is born with a maximum.
 *
 * Lifecycle: STRBUF_INIT(max) or strbuf_init, then strbuf_finish (or
 * cleanup(strbuf)). A zeroed strbuf is valid, empty, and takes nothing.
 *
 * Errors are sticky: the first append that does not fit (-EFBIG) or finds no
 * memory (-ENOMEM) sets `err`; later ones do nothing. Callers append freely and
 * look at `err` once, at the end.
 *
 * Invariants: `buf` is NUL-terminated whenever it is not NULL; `len` does not
 * count that NUL; `len` never exceeds `max`. Not thread-safe.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stddef.h>

struct strbuf {
	char *buf; /* owned */
	size_t len;
	size_t size; /* allocated */
	size_t max;  /* bytes, NUL not counted */
	int err;     /* 0, -EFBIG or -ENOMEM */
};

#define STRBUF_INIT(maximum) ((struct strbuf){ .max = (maximum) })

void strbuf_init(struct strbuf *sb, size_t max);
void strbuf_finish(struct strbuf *sb);
/* As strbuf_finish, but overwrites the content first: for secrets. */
void strbuf_wipe(struct strbuf *sb);

/* Makes room for `extra` more bytes; sets and returns `err`. */
int strbuf_reserve(struct strbuf *sb, size_t extra);
void strbuf_add(struct strbuf *sb, const void *data, size_t len);
void strbuf_adds(struct strbuf *sb, const char *s);
void strbuf_addc(struct strbuf *sb, char c);
void strbuf_addf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* Empties it, keeps the memory, forgets the error. */
void strbuf_reset(struct strbuf *sb);

/* Never NULL: the content, or "". Owned by the strbuf. */
const char *strbuf_str(const struct strbuf *sb);
/* Hands the NUL-terminated content to the caller, who frees it; NULL on error. */
char *strbuf_detach(struct strbuf *sb, size_t *ret_len);

static inline void strbuf_cleanup(struct strbuf *sb)
{
	strbuf_finish(sb);
}

#endif

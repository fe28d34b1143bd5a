/* Texts in Prometheus' format that are brought together: each metric's head stands there once, and
 * all its samples behind it. Pure. */
#ifndef FS_EXPOSITION_H
#define FS_EXPOSITION_H

#include "base/strbuf.h"

struct exposition;

/* max: bytes of all of it. NULL: no memory. */
struct exposition *exposition_create(size_t max);
/* Accepts NULL. */
void exposition_destroy(struct exposition *exposition);
/* 0, -ENOMEM, -EFBIG, or -EBADMSG where a line is none of that format. */
int exposition_add(struct exposition *exposition, const char *text, size_t len);
void exposition_write(const struct exposition *exposition, struct strbuf *out);

#endif

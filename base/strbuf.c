#include "base/strbuf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strbuf_init(struct strbuf *sb, size_t max)
{
	*sb = STRBUF_INIT(max);
}

void strbuf_finish(struct strbuf *sb)
{
	free(sb->buf);
	*sb = STRBUF_INIT(sb->max);
}

void strbuf_wipe(struct strbuf *sb)
{
	if (sb->buf) {
		explicit_bzero(sb->buf, sb->size);
	}
	strbuf_finish(sb);
}

int strbuf_reserve(struct strbuf *sb, size_t extra)
{
	if (sb->err) {
		return sb->err;
	}
	size_t max = sb->max < SIZE_MAX ? sb->max : SIZE_MAX - 1;
	if (extra > max - sb->len) {
		return sb->err = -EFBIG;
	}
	size_t need = sb->len + extra + 1;
	if (need <= sb->size) {
		return 0;
	}
	size_t size = sb->size + sb->size / 2;
	if (size < need) {
		size = need < 64 ? 64 : need;
	}
	if (size > max) {
		size = max + 1;
	}
	/* Not realloc: it would leave a copy of what may be a secret behind. */
	char *buf = malloc(size);
	if (!buf) {
		return sb->err = -ENOMEM;
	}
	if (sb->buf) {
		memcpy(buf, sb->buf, sb->len + 1);
		explicit_bzero(sb->buf, sb->size);
		free(sb->buf);
	}
	sb->buf = buf;
	sb->size = size;
	return 0;
}

void strbuf_add(struct strbuf *sb, const void *data, size_t len)
{
	bool fits = !sb->err && len < sb->size - sb->len;
	if (!fits && strbuf_reserve(sb, len) < 0) {
		return;
	}
	if (len > 0) {
		memcpy(sb->buf + sb->len, data, len);
	}
	sb->len += len;
	sb->buf[sb->len] = '\0';
}

void strbuf_adds(struct strbuf *sb, const char *s)
{
	strbuf_add(sb, s, strlen(s));
}

void strbuf_addc(struct strbuf *sb, char c)
{
	bool fits = !sb->err && 1 < sb->size - sb->len;
	if (fits || strbuf_reserve(sb, 1) == 0) {
		sb->buf[sb->len++] = c;
		sb->buf[sb->len] = '\0';
	}
}

void strbuf_vaddf(struct strbuf *sb, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, ap);
	if (len >= 0 && strbuf_reserve(sb, (size_t)len) == 0) {
		vsnprintf(sb->buf + sb->len, (size_t)len + 1, fmt, again);
		sb->len += (size_t)len;
	}
	va_end(again);
}

void strbuf_addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	strbuf_vaddf(sb, fmt, ap);
	va_end(ap);
}

void strbuf_reset(struct strbuf *sb)
{
	sb->len = 0;
	sb->err = 0;
	if (sb->buf) {
		sb->buf[0] = '\0';
	}
}

const char *strbuf_str(const struct strbuf *sb)
{
	return sb->buf ? sb->buf : "";
}

char *strbuf_detach(struct strbuf *sb, size_t *ret_len)
{
	if (strbuf_reserve(sb, 0) < 0) {
		return NULL;
	}
	char *buf = sb->buf;
	buf[sb->len] = '\0';
	if (ret_len) {
		*ret_len = sb->len;
	}
	*sb = STRBUF_INIT(sb->max);
	return buf;
}

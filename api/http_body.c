#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "api/http_priv.h"

#define UNPACK_CHUNK (size_t)16384
#define GZIP_WINDOW  (MAX_WBITS + 16)

void http_body_begin(struct http_body *body, bool good, bool labelled, size_t max)
{
	body->begun = true;
	body->good = good;
	body->labelled = labelled;
	body->max = max;
	strbuf_init(&body->out, max);
}

void http_body_reset(struct http_body *body)
{
	const struct http_sink *sink = body->sink;
	void *arg = body->arg;
	if (body->unpacks) {
		inflateEnd(&body->z);
	}
	strbuf_wipe(&body->out);
	memset(body, 0, sizeof(*body));
	body->sink = sink;
	body->arg = arg;
}

static void note_first(struct http_body *body, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && body->first == '\0'; i++) {
		if (!isspace((unsigned char)bytes[i])) {
			body->first = bytes[i];
		}
	}
}

static int put(struct http_body *body, const char *bytes, size_t len)
{
	size_t room = body->max - body->total;
	if (len > room && body->good) {
		return -EFBIG;
	}
	body->full = len > room;
	len = body->full ? room : len;
	body->total += len;
	note_first(body, bytes, len);
	if (body->good && body->sink) {
		return len > 0 ? body->sink->data(body->arg, bytes, len) : 0;
	}
	strbuf_add(&body->out, bytes, len);
	if (body->out.err) {
		return body->out.err;
	}
	return body->full ? -EFBIG : 0;
}

static int unpack(struct http_body *body, const char *bytes, size_t len)
{
	char chunk[UNPACK_CHUNK];

	body->z.next_in = (unsigned char *)(uintptr_t)bytes;
	body->z.avail_in = (unsigned)len;
	while (!body->unpacked && (body->z.avail_in > 0 || body->z.avail_out == 0)) {
		body->z.next_out = (unsigned char *)chunk;
		body->z.avail_out = sizeof(chunk);
		int code = inflate(&body->z, Z_NO_FLUSH);
		if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) {
			return code == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
		}
		body->unpacked = code == Z_STREAM_END;
		int err = put(body, chunk, sizeof(chunk) - body->z.avail_out);
		if (err < 0) {
			return err;
		}
	}
	return 0;
}

/* Tells gzip by its first two bytes, which no text starts with. */
static int decide(struct http_body *body)
{
	body->decided = true;
	if (!body->labelled && body->held_len == 2 && body->held[0] == 0x1f &&
		body->held[1] == 0x8b) {
		if (inflateInit2(&body->z, GZIP_WINDOW) != Z_OK) {
			return -ENOMEM;
		}
		body->unpacks = true;
	}
	const char *held = (const char *)body->held;
	return body->unpacks ? unpack(body, held, body->held_len) : put(body, held, body->held_len);
}

int http_body_add(struct http_body *body, const char *bytes, size_t len)
{
	if (body->err) {
		return body->err;
	}
	while (!body->decided && len > 0) {
		body->held[body->held_len++] = (unsigned char)*bytes++;
		len--;
		if (body->held_len == sizeof(body->held)) {
			body->err = decide(body);
		}
	}
	if (!body->err && len > 0) {
		body->err = body->unpacks ? unpack(body, bytes, len) : put(body, bytes, len);
	}
	return body->err;
}

int http_body_end(struct http_body *body)
{
	if (!body->err && !body->decided && body->held_len > 0) {
		body->err = decide(body);
	}
	if (!body->err && body->unpacks && !body->unpacked) {
		return -EBADMSG;
	}
	return body->err;
}

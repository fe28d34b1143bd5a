/*
 * JSON as text: validated once, then looked at in slices, never turned into a tree. So numbers
 * keep every digit, and ten thousand connectors cost their bytes and no more.
 *
 * A struct json_slice points into somebody else's text and is one complete, valid value without
 * blanks around it; only json_check and struct json_cutter make slices out of bytes that nobody
 * has looked at yet. All else is pure and thread-safe.
 */
#ifndef API_JSON_H
#define API_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/strbuf.h"

#define JSON_DEPTH_MAX 200

struct json_slice {
	const char *text; /* borrowed; NULL: no value */
	size_t len;
};

enum json_type {
	JSON_NONE,
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_BOOL,
	JSON_NULL
};

/* One value and nothing behind it, as RFC 8259 has it, in valid UTF-8, at most JSON_DEPTH_MAX
 * deep. 0, or -EBADMSG with the byte offset of the first error in ret_at (may be NULL). */
int json_check(const char *text, size_t len, struct json_slice *ret_value, size_t *ret_at);

/* Bytes of the valid UTF-8 character at the start of a text that is not empty; 0: none is. */
size_t json_utf8_length(const char *text, size_t left);

enum json_type json_type(struct json_slice value);

/* Walks the members of an object (or the elements of an array; their key is no value). */
struct json_iter {
	const char *at, *end;
};

struct json_iter json_iter(struct json_slice container);
bool json_next(struct json_iter *iter, struct json_slice *ret_key, struct json_slice *ret_value);

/* The value at a path of member names such as "metadata/next"; no value where there is none. */
struct json_slice json_get(struct json_slice value, const char *path);
/* Several members of an object at one go; no value where there is none. */
void json_pick(struct json_slice object, const char *const *names, struct json_slice *ret_values,
	size_t count);
/* Whether a string slice holds exactly this text. */
bool json_is(struct json_slice string, const char *text);
/* Whether an object names one member twice; that name is appended to out. */
bool json_has_duplicate(struct json_slice object, struct strbuf *out);

/* Whether some string in it has an escaped surrogate without its other half: no text has that. */
bool json_has_lone_surrogate(struct json_slice value);

/* Appends a string's decoded text (a lone surrogate becomes U+FFFD); -EBADMSG: no string. */
int json_decode(struct json_slice string, struct strbuf *out);
/* The same as a C string to be freed; NULL also for one that holds a NUL. */
char *json_decode_cstr(struct json_slice string);
/* The moment that a string tells: RFC 3339, in UTC. False: it tells none. */
bool json_time(struct json_slice string, struct timespec *ret_time);
/* Appends text as a JSON string, UTF-8 as it is. */
void json_encode(const char *text, size_t len, struct strbuf *out);

/* Appends a string slice with only those escapes that JSON demands. */
void json_respell(struct json_slice string, struct strbuf *out);

enum json_order { JSON_AS_GIVEN, JSON_SORTED };

/* Appends a value as people write it: two spaces, a key a line, escapes only where JSON demands
 * them (and where a lone surrogate has no other form), numbers digit by digit, no newline at the
 * end. JSON_SORTED sorts the keys of every object by their bytes. */
void json_pretty(struct json_slice value, enum json_order order, struct strbuf *out);

/* The same on one line and without blanks. */
void json_compact(struct json_slice value, enum json_order order, struct strbuf *out);

/* Appends a copy of an object with one member's value replaced. */
void json_with(
	struct json_slice object, const char *member, struct json_slice value, struct strbuf *out);

/*
 * Cuts the members of one object (or the elements of one array) out of a text while it arrives
 * in pieces of any size; holds one member at a time.
 */
struct json_cutter {
	/* Gets each member, checked: slices that are valid during the call. */
	int (*member)(void *arg, struct json_slice key, struct json_slice value);
	void *arg;
	struct strbuf pending; /* from the start of the member that is not complete */
	unsigned depth;
	char open; /* '{' or '[' once it was seen */
	bool in_string, escaped, comma, done;
};

void json_cutter_init(struct json_cutter *cutter, size_t max,
	int (*member)(void *arg, struct json_slice key, struct json_slice value), void *arg);
void json_cutter_finish(struct json_cutter *cutter);
/* 0, -EBADMSG, -EFBIG (one member above max), or what `member` returned below 0. */
int json_cutter_feed(struct json_cutter *cutter, const char *bytes, size_t len);
/* At the end of the text: -EBADMSG if it was cut off. */
int json_cutter_end(struct json_cutter *cutter);

#endif

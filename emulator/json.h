/*
 * JSON text written straight into a strbuf, and read with cJSON.
 *
 * The writers put the comma in themselves: each looks at the last byte written,
 * so objects and arrays need no bookkeeping. Errors are the strbuf's, sticky.
 * Bytes that are no UTF-8 are written as the code points of the same number.
 *
 * Stateless; no locks.
 */
#ifndef EMULATOR_JSON_H
#define EMULATOR_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* `bracket` is '{' or '['; json_end takes '}' or ']'. */
void json_begin(struct strbuf *sb, char bracket);
void json_end(struct strbuf *sb, char bracket);
void json_key(struct strbuf *sb, const char *key);
void json_string(struct strbuf *sb, const char *value);
void json_string_len(struct strbuf *sb, const char *value, size_t len);
void json_int(struct strbuf *sb, long long value);
void json_bool(struct strbuf *sb, bool value);
/* An array of the words between the commas; NULL is an empty one. */
void json_list(struct strbuf *sb, const char *words);
/* `text` is JSON already. */
void json_raw(struct strbuf *sb, const char *text);

void json_field(struct strbuf *sb, const char *key, const char *value);
void json_field_int(struct strbuf *sb, const char *key, long long value);
void json_field_bool(struct strbuf *sb, const char *key, bool value);

bool json_is_utf8(const char *s, size_t len);
/* The whole of the text must be one JSON value in UTF-8; NULL if it is not.
 * The caller owns it (cleanup(json)). */
cJSON *json_parse(const char *text, size_t len);
/* As json_parse, but numbers are cJSON_Raw: digit by digit as they were. */
cJSON *json_parse_exact(const char *text, size_t len);
/* A member, case and all; NULL if there is none or `object` is none. */
cJSON *json_get(const cJSON *object, const char *key);
/* The member's string, or NULL if it is no string. Borrowed. */
const char *json_get_string(const cJSON *object, const char *key);
long long json_get_int(const cJSON *object, const char *key, long long otherwise);

static inline void json_cleanup(cJSON **object)
{
	cJSON_Delete(*object);
}

#endif

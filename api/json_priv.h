/* How json*.c find their way through text that was checked. */
#ifndef API_JSON_PRIV_H
#define API_JSON_PRIV_H

#include "api/json.h"

static inline bool json_is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The end of the text's leading blanks. */
static inline const char *json_skip_blanks(const char *at, const char *end)
{
	while (at < end && json_is_blank(*at)) {
		at++;
	}
	return at;
}

/* Behind the string, or the value, that starts at `at`. */
const char *json_string_end(const char *at, const char *end);
const char *json_value_end(const char *at, const char *end);

#endif

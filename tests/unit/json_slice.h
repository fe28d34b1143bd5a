/* JSON text as tests write it. After cmocka.h. */
#ifndef TESTS_UNIT_JSON_SLICE_H
#define TESTS_UNIT_JSON_SLICE_H

#include <string.h>

#include "api/json.h"

static inline struct json_slice slice(const char *text)
{
	struct json_slice value;
	assert_int_equal(json_check(text, strlen(text), &value, NULL), 0);
	return value;
}

#endif

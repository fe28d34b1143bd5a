/* Offsets as JSON: what an altered text asks for, and what an answer looks like with that. Pure. */
#ifndef FS_OFFSETS_TEXT_H
#define FS_OFFSETS_TEXT_H

#include <stdbool.h>

#include "api/json.h"

/*
 * Compares an offsets.json that somebody wrote with the one that they go out from (no value: none).
 * `name` is the connector's. Appends an array of the partitions whose offset differs to
 * ret_changes, and a line for each, with its offsets before and now, to ret_lines. 0, -ENOMEM, or
 * -EINVAL with the reason in ret_why: no such object, a partition twice or left out, or a change of
 * something else.
 */
int offsets_compare(struct json_slice written, struct json_slice base, const char *name,
	struct strbuf *ret_changes, struct strbuf *ret_lines, struct strbuf *ret_why);

/* Appends an answer as it would be with changes (an array). -EBADMSG where it is none, -ENOMEM. */
int offsets_apply(struct json_slice answer, struct json_slice changes, struct strbuf *out);

/* Whether two values say the same: objects whatever their order, numbers digit by digit. */
bool offsets_same_value(struct json_slice a, struct json_slice b);

#endif

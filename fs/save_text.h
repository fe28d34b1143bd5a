/* What a save is made of: the settings to send, and what may not be sent. Pure. */
#ifndef FS_SAVE_TEXT_H
#define FS_SAVE_TEXT_H

#include <stdbool.h>

#include "api/config.h"

struct secrets;

/* Fills in or checks the connector's name. `live` is NULL for a create. -EINVAL with the reason. */
int save_fix_name(
	struct config *wanted, const char *name, const struct config *live, struct strbuf *why);

/* Makes every mask something that can be sent: the live mask where the same setting is masked live,
 * else the secrets file's value. -EINVAL with all that are missing in `why`. `live` NULL: a create.
 */
int save_fill_masks(struct config *wanted, const char *name, const struct config *live,
	const struct secrets *secrets, struct strbuf *why);

/* A create leaves out what the API itself adds. */
void save_strip_added(struct config *wanted);

/* Appends a line for each setting that is not what it was: name, before, now. Secrets are masked:
 * what is masked on either side, what sounds like one, and whatever `hidden` names. Long values are
 * cut. */
void save_add_difference(const struct config *before, const struct config *after,
	const struct config *hidden, struct strbuf *out);

#endif

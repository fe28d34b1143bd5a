/* The secrets file: values for settings that the API shows masked. Immutable once it is read. */
#ifndef FS_SECRETS_H
#define FS_SECRETS_H

#include "base/strbuf.h"

struct secrets;

/* {"SETTING": "value", "connectors": {"NAME": {"SETTING": "value"}}}, mode 0600. -errno with the
 * reason in one line. */
int secrets_load(const char *path, struct secrets **ret_secrets, struct strbuf *ret_why);
/* Wipes it. Accepts NULL. */
void secrets_destroy(struct secrets *secrets);
/* The value for a connector's setting, the more specific first; NULL: none. Borrowed. */
const char *secrets_get(const struct secrets *secrets, const char *connector, const char *setting);
/* Calls back for every value there is. */
void secrets_each(
	const struct secrets *secrets, void (*visit)(void *arg, const char *value), void *arg);

#endif

/* Views: from a part of an answer to the bytes of a file. Pure. */
#ifndef FS_VIEW_H
#define FS_VIEW_H

#include "base/strbuf.h"
#include "fs/part.h"

int view_json(const struct part *part, struct strbuf *out);
int view_json_sorted(const struct part *part, struct strbuf *out);
/* status.json: the status, or one that says UNKNOWN where the API has none yet. */
int view_status(const struct part *part, struct strbuf *out);
/* state: its one word. */
int view_state(const struct part *part, struct strbuf *out);

/* template.json: a configuration to start from, made of a plugin's verdict on an empty one: the
 * class, the settings that are required, then those that have recommended values. -EBADMSG where it
 * is no verdict. */
int view_template(const char *class, const struct part *verdict, struct strbuf *out);

#endif

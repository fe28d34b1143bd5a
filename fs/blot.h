/*
 * Takes secrets out of what the API says: servers repeat what they were sent, whole configurations
 * even, as text, as JSON, and as JSON in JSON.
 */
#ifndef FS_BLOT_H
#define FS_BLOT_H

#include "api/config.h"
#include "base/strbuf.h"

/* Replaces a value by "***", however often JSON has escaped it. One of less than 4 bytes, or of
 * asterisks, stays. */
void blot_value(struct strbuf *text, const char *value);
/* Replaces whatever stands behind the names of settings that are named like a secret, or that
 * `hidden` has (NULL: nothing): "NAME": "value", NAME=value. */
void blot_named(struct strbuf *text, const struct config *hidden);

#endif

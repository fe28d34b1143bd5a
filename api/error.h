/*
 * The one place where HTTP statuses and libcurl's codes become errno, and where
 * the API's several error envelopes become one message.
 */
#ifndef API_ERROR_H
#define API_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"

/* Everything here is pure and safe from any thread. */

/* -errno of an answer's status; 0 for 2xx. `json`: the body is JSON (a 404 of HTML is a
 * proxy's, -EIO). 409 and 429 are -EBUSY here; the caller that knows better says -EEXIST. */
int error_of_status(long status, bool json);

/* -errno of a CURLcode (an int here, so that callers need no curl). `os_errno` is
 * CURLINFO_OS_ERRNO: it tells refused from unreachable. */
int error_of_curl(int code, int os_errno);

/* Whether a GET answered with this is worth another attempt. */
bool error_is_transient(long status);

/* Appends the human message of an error body, from any of the API's forms: {"error":{"message"}},
 * {"error_code","message"}, {"message"}, {"errors":[{"detail"}]} (all of them, a line each),
 * plain text (its first 1000 bytes, not HTML), or nothing. Of a storage's XML, its <Message>.
 * Control characters become blanks, but for the ends of its lines. */
void error_message(const char *body, size_t len, struct strbuf *out);

/* Whether a body is one of the JSON forms above: the API's own word, not a proxy's. */
bool error_is_from_api(const char *body, size_t len);

#endif

/* Targets of API requests, built piece by piece: literal text and encoded segments. */
#ifndef API_URL_H
#define API_URL_H

#include "base/strbuf.h"

/* Appends `segment` with everything but RFC 3986's unreserved characters percent-encoded.
 * "." and ".." come out as %2E and %2E%2E. Takes any bytes. */
void url_add_segment(struct strbuf *out, const char *segment);

/* Builds a target: each "{}" in `pattern` stands for the next argument, encoded (a list of
 * const char *, as many as there are "{}"). To be freed by the caller; NULL: no memory, or longer
 * than 64 KiB. */
char *url_target(const char *pattern, ...);

/* Checks a --url: http or https, a host, no user, query or fragment; plain http only to loopback
 * unless `insecure_http`. Returns 0, -ENOMEM, or -EINVAL with the reason in ret_why. Trailing
 * slashes are cut from ret_url (to be freed). The reason never quotes the URL. */
int url_check_origin(const char *url, int insecure_http, char **ret_url, struct strbuf *ret_why);

/* Checks where an upload is to go: as above, but with a query, and plain http to loopback alone.
 * 0, -EINVAL, or -EPROTO for plain http elsewhere. */
int url_check_upload(const char *url);

#endif

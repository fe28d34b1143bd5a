#include "api/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

#define TARGET_MAX_BYTES (size_t)(64 * 1024)

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

void url_add_segment(struct strbuf *out, const char *segment)
{
	static const char digits[] = "0123456789ABCDEF";
	/* Dots alone would be taken for a way up the tree. */
	bool dots = strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0;

	for (const char *s = segment; *s; s++) {
		unsigned char c = (unsigned char)*s;
		if (is_unreserved(c) && !dots) {
			strbuf_addc(out, *s);
		} else {
			char triplet[3] = { '%', digits[c >> 4], digits[c & 15] };
			strbuf_add(out, triplet, sizeof(triplet));
		}
	}
}

char *url_target(const char *pattern, ...)
{
	cleanup(strbuf) struct strbuf out = STRBUF_INIT(TARGET_MAX_BYTES);
	const char *at;
	va_list ap;

	va_start(ap, pattern);
	while ((at = strstr(pattern, "{}"))) {
		strbuf_add(&out, pattern, (size_t)(at - pattern));
		url_add_segment(&out, va_arg(ap, const char *));
		pattern = at + 2;
	}
	va_end(ap);
	strbuf_adds(&out, pattern);
	return strbuf_detach(&out, NULL);
}

static bool is_loopback(const char *host)
{
	struct in_addr v4;
	if (strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0) {
		return true;
	}
	return inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

static const char *check_host(CURLU *parts, bool plain_anywhere, bool tls)
{
	const char *why = NULL;
	char *host = NULL;
	char *port = NULL;

	if (curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK || host[0] == '\0') {
		why = "it names no host";
	} else if (!tls && !plain_anywhere && !is_loopback(host)) {
		why = "plain http:// would send the credentials unprotected; use https://";
	} else if (curl_url_get(parts, CURLUPART_PORT, &port, 0) == CURLUE_OK &&
		   strcmp(port, "0") == 0) {
		why = "there is no port 0";
	}
	curl_free(host);
	curl_free(port);
	return why;
}

static const char *check_parts(CURLU *parts, const char *url, bool plain_anywhere, bool tls)
{
	if (curl_url_set(parts, CURLUPART_URL, url, CURLU_PATH_AS_IS) != CURLUE_OK) {
		return "it is no valid URL";
	}
	return check_host(parts, plain_anywhere, tls);
}

static bool has_dots(const char *path)
{
	while (*path == '/') {
		path++;
		size_t len = strcspn(path, "/");
		if ((len == 1 && path[0] == '.') || (len == 2 && memcmp(path, "..", 2) == 0)) {
			return true;
		}
		path += len;
	}
	return false;
}

/* What stands before the host is known, and after the host nothing that a URL cannot hold. */
static const char *check_characters(const char *url, bool *ret_tls, const char **ret_rest)
{
	const char *rest;
	if (strncasecmp(url, "https://", 8) == 0) {
		*ret_tls = true;
		rest = url + 8;
	} else if (strncasecmp(url, "http://", 7) == 0) {
		*ret_tls = false;
		rest = url + 7;
	} else {
		return "it must start with https://";
	}
	if (*rest == '\0' || *rest == '/' || *rest == ':') {
		return "it names no host";
	}
	for (const char *s = rest; *s; s++) {
		if (*s <= ' ' || *s > '~' || *s == '\\') {
			return "it holds a character that does not belong into a URL";
		}
	}
	if (memchr(rest, '@', strcspn(rest, "/?#"))) {
		return "it must not hold a user name or a password";
	}
	*ret_rest = rest;
	return NULL;
}

static const char *check_text(const char *url, bool *ret_tls)
{
	const char *rest = NULL;
	const char *why = check_characters(url, ret_tls, &rest);
	if (why) {
		return why;
	}
	if (strpbrk(rest, "?#")) {
		return "it must not have a query or a fragment";
	}
	return has_dots(rest + strcspn(rest, "/")) ? "its path must not hold . or .." : NULL;
}

int url_check_origin(const char *url, int insecure_http, char **ret_url, struct strbuf *ret_why)
{
	bool tls = false;
	size_t len = strlen(url);
	while (len > 0 && url[len - 1] == '/') {
		len--;
	}
	const char *why = check_text(url, &tls);
	if (!why) {
		CURLU *parts = curl_url();
		why = parts ? check_parts(parts, url, insecure_http, tls) : "out of memory";
		curl_url_cleanup(parts);
	}
	if (why) {
		strbuf_addf(ret_why, "this URL cannot be used: %s", why);
		return -EINVAL;
	}
	char *copy = strndup(url, len);
	if (!copy) {
		return -ENOMEM;
	}
	*ret_url = copy;
	return 0;
}

int url_check_upload(const char *url)
{
	const char *rest = NULL;
	char *host = NULL;
	bool tls = false;
	int err = -EINVAL;
	if (check_characters(url, &tls, &rest) || strchr(rest, '#')) {
		return -EINVAL;
	}
	CURLU *parts = curl_url();
	if (!parts) {
		return -ENOMEM;
	}
	if (!check_parts(parts, url, true, tls) &&
		curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK) {
		err = tls || is_loopback(host) ? 0 : -EPROTO;
	}
	curl_free(host);
	curl_url_cleanup(parts);
	return err;
}

#include "emulator/request.h"

#include <microhttpd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "emulator/mem.h"

#define HEADER_MAX 8192

static enum family family_of(const char *path)
{
	static const struct {
		const char *start;
		enum family family;
	} families[] = {
		{ "/_emulator/", FAMILY_CONTROL },
		{ "/connect/v1/environments/", FAMILY_CONNECT },
		{ "/v2/metrics/", FAMILY_METRICS },
	};
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++) {
		if (strncmp(path, families[i].start, strlen(families[i].start)) == 0) {
			return families[i].family;
		}
	}
	return FAMILY_PLATFORM;
}

struct request *request_create(struct MHD_Connection *connection, const char *uri)
{
	struct request *request = mem_alloc(sizeof(*request));
	size_t path_len = strcspn(uri, "?");
	request->connection = connection;
	request->path = mem_dup_len(uri, path_len);
	request->query = mem_dup(uri[path_len] ? uri + path_len + 1 : "");
	request->family = family_of(request->path);
	request->body = STRBUF_INIT(REQUEST_BODY_MAX);
	return request;
}

static void drop_params(struct request *request)
{
	for (size_t i = 0; i < request->param_count; i++) {
		free(request->params[i]);
	}
	request->param_count = 0;
}

void request_destroy(struct request *request)
{
	drop_params(request);
	strbuf_wipe(&request->body);
	free(request->method);
	free(request->path);
	free(request->query);
	free(request);
}

static int hex(char c)
{
	const char *digits = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) % 16 : -1;
}

/* NULL if it is no valid encoding, or hides a NUL. */
static char *percent_decode(const char *s, size_t len, bool plus)
{
	cleanup(free) char *out = mem_alloc(len + 1);
	size_t used = 0;
	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		if (c == '%') {
			int high = len - i > 2 ? hex(s[i + 1]) : -1;
			int low = high >= 0 ? hex(s[i + 2]) : -1;
			if (low < 0 || high * 16 + low == 0) {
				return NULL;
			}
			c = (char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		out[used++] = c;
	}
	return steal(out);
}

bool request_match(struct request *request, const char *pattern)
{
	const char *path = request->path;
	drop_params(request);
	while (*pattern == '/' && *path == '/') {
		size_t want = strcspn(++pattern, "/");
		size_t have = strcspn(++path, "/");
		if (*pattern == '{') {
			char *param = have > 0 ? percent_decode(path, have, false) : NULL;
			if (!param) {
				return false;
			}
			if (request->param_count == REQUEST_PARAMS_MAX) {
				free(param);
				return false;
			}
			request->params[request->param_count++] = param;
		} else if (want != have || strncmp(pattern, path, want) != 0) {
			return false;
		}
		pattern += want;
		path += have;
	}
	return *pattern == '\0' && *path == '\0';
}

char *request_query_next(const char **at, const char *name)
{
	while (**at) {
		const char *param = *at;
		size_t len = strcspn(param, "&");
		size_t name_len = strcspn(param, "=&");
		*at += len + (param[len] == '&');
		cleanup(free) char *found = percent_decode(param, name_len, true);
		if (found && strcmp(found, name) == 0) {
			size_t skip = name_len + (param[name_len] == '=');
			return percent_decode(param + skip, len - skip, true);
		}
	}
	return NULL;
}

char *request_query(const struct request *request, const char *name)
{
	const char *at = request->query;
	return request_query_next(&at, name);
}

const char *request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

bool request_accepts_gzip(const struct request *request)
{
	const char *at = request_header(request, "Accept-Encoding");
	while (at && *at) {
		at += strspn(at, " \t,");
		size_t len = strcspn(at, ",");
		size_t word = strcspn(at, " \t;,");
		if (word == 4 && strncasecmp(at, "gzip", 4) == 0) {
			/* A quality of nothing but zeros means no. */
			const char *quality = memmem(at, len, "q=", 2);
			return !quality ||
			       strcspn(quality, "123456789") < len - (size_t)(quality - at);
		}
		at += len;
	}
	return false;
}

static int base64_value(char c)
{
	const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(letters, c) : NULL;
	return at ? (int)(at - letters) : -1;
}

/* Stops at the first character that is none; NUL-terminates. */
static void base64_decode(const char *in, char *out, size_t size)
{
	unsigned bits = 0;
	unsigned have = 0;
	size_t used = 0;
	for (; base64_value(*in) >= 0 && used + 1 < size; in++) {
		bits = (bits << 6 | (unsigned)base64_value(*in)) & 0xffffff;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[used++] = (char)(bits >> have & 0xff);
		}
	}
	out[used] = '\0';
}

bool request_authorized(const struct request *request, const char *key, const char *secret)
{
	const char *header = request_header(request, "Authorization");
	if (!header) {
		return false;
	}
	if (strncasecmp(header, "Bearer ", 7) == 0) {
		return strcmp(header + 7 + strspn(header + 7, " "), secret) == 0;
	}
	if (strncasecmp(header, "Basic ", 6) != 0) {
		return false;
	}
	char text[HEADER_MAX];
	base64_decode(header + 6 + strspn(header + 6, " "), text, sizeof(text));
	size_t len = strlen(key);
	bool same = strncmp(text, key, len) == 0 && text[len] == ':' &&
		    strcmp(text + len + 1, secret) == 0;
	explicit_bzero(text, sizeof(text));
	return same;
}

bool request_gone(const struct request *request)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd fd = { .fd = info ? info->connect_fd : -1, .events = POLLRDHUP };
	return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

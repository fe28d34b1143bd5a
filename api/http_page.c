#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/http.h"
#include "base/cleanup.h"
#include "base/log.h"

#define TARGET_MAX_BYTES (size_t)(64 * 1024)
#define TOKEN            "page_token="
#define TOKEN_LEN        (sizeof(TOKEN) - 1)

/* Finds the page token in a query; it may be empty. NULL: there is none. */
static const char *find_token(const char *url, size_t *ret_len)
{
	const char *at = strchr(url, '?');
	const char *end = url + strcspn(url, "#");
	while (at && at < end) {
		at++;
		size_t len = strcspn(at, "&#");
		if (len >= TOKEN_LEN && memcmp(at, TOKEN, TOKEN_LEN) == 0) {
			*ret_len = len - TOKEN_LEN;
			return at + TOKEN_LEN;
		}
		at = at[len] == '&' ? at + len : NULL;
	}
	return NULL;
}

/* The token goes into a request as it is, so it may only hold what a query may. */
static bool is_query_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] <= ' ' || text[i] > '~' || strchr("\"<>\\^`{|}", text[i])) {
			return false;
		}
	}
	return true;
}

static void add_other_members(struct strbuf *out, const char *query)
{
	while (*query) {
		size_t len = strcspn(query, "&");
		if (len > 0 && (len < TOKEN_LEN || memcmp(query, TOKEN, TOKEN_LEN) != 0)) {
			strbuf_add(out, query, len);
			strbuf_addc(out, '&');
		}
		query += query[len] == '&' ? len + 1 : len;
	}
}

int http_next_target(const char *target, const char *next_link, char **ret_next)
{
	*ret_next = NULL;
	size_t len = 0;
	size_t old_len = 0;
	const char *token = next_link ? find_token(next_link, &len) : NULL;
	if (!token || len == 0) {
		return 0;
	}
	if (!is_query_text(token, len)) {
		log_warn("a list's link to its next page is no valid URL");
		return -EBADMSG;
	}
	const char *old = find_token(target, &old_len);
	if (old && old_len == len && memcmp(old, token, len) == 0) {
		log_warn("a list's page names itself as the next one");
		return -EBADMSG;
	}
	cleanup(strbuf) struct strbuf out = STRBUF_INIT(TARGET_MAX_BYTES);
	size_t path_len = strcspn(target, "?");
	strbuf_add(&out, target, path_len);
	strbuf_addc(&out, '?');
	if (target[path_len] == '?') {
		add_other_members(&out, target + path_len + 1);
	}
	strbuf_adds(&out, TOKEN);
	strbuf_add(&out, token, len);
	*ret_next = strbuf_detach(&out, NULL);
	return *ret_next ? 0 : -ENOMEM;
}

#include "api/error.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#define TEXT_MAX_BYTES 1000

int error_of_status(long status, bool json)
{
	if (status >= 200 && status <= 299) {
		return 0;
	}
	if (status >= 300 && status <= 399) {
		return -EPROTO;
	}
	switch (status) {
	case 400:
	case 422:
		return -EINVAL;
	case 401:
	case 403:
		return -EACCES;
	case 402:
		return -EDQUOT;
	case 404:
		return json ? -ENOENT : -EIO;
	case 409:
	case 429:
		return -EBUSY;
	case 413:
		return -EFBIG;
	default:
		return -EIO;
	}
}

static int error_of_connect(int os_errno)
{
	switch (os_errno) {
	case EHOSTUNREACH:
	case EHOSTDOWN:
	case ENETUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
	case EACCES:
	case EPERM:
		return -EHOSTUNREACH;
	case ETIMEDOUT:
		return -ETIMEDOUT;
	default:
		return -ECONNREFUSED;
	}
}

int error_of_curl(int code, int os_errno)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return error_of_connect(os_errno);
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_USE_SSL_FAILED:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_TOO_MANY_REDIRECTS:
	case CURLE_PROXY:
		return -EPROTO;
	case CURLE_PARTIAL_FILE:
	case CURLE_BAD_CONTENT_ENCODING:
		return -EBADMSG;
	case CURLE_FILESIZE_EXCEEDED:
	case CURLE_WRITE_ERROR:
		return -EFBIG;
	case CURLE_ABORTED_BY_CALLBACK:
		return -ECANCELED;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_URL_MALFORMAT:
		return -EINVAL;
	default:
		return -EIO;
	}
}

bool error_is_transient(long status)
{
	return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

/* In the lines that it has: one for each setting, mostly. It cannot move a terminal's cursor. */
static void add_lines(struct strbuf *out, const char *text, size_t len)
{
	while (len > 0 && isspace((unsigned char)text[len - 1])) {
		len--;
	}
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool ends = c == '\r' && i + 1 < len && text[i + 1] == '\n';
		if (!ends) {
			strbuf_addc(out, c != '\n' && (c < 0x20 || c == 0x7f) ? ' ' : text[i]);
		}
	}
}

static const char *string_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
	return cJSON_IsString(item) && item->valuestring[0] != '\0' ? item->valuestring : NULL;
}

/* The list form. A member without a detail has a title or a message instead. */
static bool add_list(const cJSON *errors, struct strbuf *out)
{
	static const char *const names[] = { "detail", "message", "title" };
	bool any = false;
	const cJSON *item;

	cJSON_ArrayForEach(item, errors)
	{
		const char *text = NULL;
		for (size_t i = 0; !text && i < sizeof(names) / sizeof(names[0]); i++) {
			text = string_of(item, names[i]);
		}
		if (!text) {
			continue;
		}
		if (any) {
			strbuf_addc(out, '\n');
		}
		add_lines(out, text, strlen(text));
		any = true;
	}
	return any;
}

static bool add_form(const cJSON *json, struct strbuf *out)
{
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(json, "error");
	const cJSON *errors = cJSON_GetObjectItemCaseSensitive(json, "errors");

	if (cJSON_IsArray(errors) && add_list(errors, out)) {
		return true;
	}
	const char *text = cJSON_IsObject(error) ? string_of(error, "message") : NULL;
	if (!text) {
		text = string_of(json, "message");
	}
	if (!text) {
		return false;
	}
	add_lines(out, text, strlen(text));
	return true;
}

static bool is_text(const char *body, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)body[i];
		if (c < 0x20 && !isspace(c)) {
			return false;
		}
	}
	return true;
}

/* Where an upload went, it is not the API that answers. */
static void add_xml(const char *body, size_t len, struct strbuf *out)
{
	static const char open[] = "<Message>", close[] = "</Message>";
	const char *end = body + len;
	const char *text = memmem(body, len, open, sizeof(open) - 1);
	text = text ? text + sizeof(open) - 1 : end;
	const char *text_end = memmem(text, (size_t)(end - text), close, sizeof(close) - 1);
	if (text_end && text_end - text <= TEXT_MAX_BYTES) {
		add_lines(out, text, (size_t)(text_end - text));
	}
}

static void add_text(const char *body, size_t len, struct strbuf *out)
{
	while (len > 0 && isspace((unsigned char)*body)) {
		body++;
		len--;
	}
	if (len > TEXT_MAX_BYTES) {
		len = TEXT_MAX_BYTES;
		/* never half a UTF-8 character */
		while (len > 0 && ((unsigned char)body[len] & 0xc0) == 0x80) {
			len--;
		}
	}
	if (len > 0 && *body != '<' && is_text(body, len)) {
		add_lines(out, body, len);
	}
}

void error_message(const char *body, size_t len, struct strbuf *out)
{
	if (!body || len == 0) {
		return;
	}
	cJSON *json = cJSON_ParseWithLength(body, len);
	if (cJSON_IsObject(json) || cJSON_IsArray(json)) {
		add_form(json, out);
	} else if (memmem(body, len, "<Error>", 7)) {
		add_xml(body, len, out);
	} else {
		add_text(body, len, out);
	}
	cJSON_Delete(json);
}

bool error_is_from_api(const char *body, size_t len)
{
	struct strbuf ignored = STRBUF_INIT(0);
	cJSON *json = body ? cJSON_ParseWithLength(body, len) : NULL;
	bool found = cJSON_IsObject(json) && add_form(json, &ignored);
	cJSON_Delete(json);
	strbuf_finish(&ignored);
	return found;
}

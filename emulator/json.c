#include "emulator/json.h"

#include <string.h>

#include "base/cleanup.h"

#define EXACT_MAX ((size_t)16 << 20)
#define NUMBER    "+-.eE0123456789"

static void json_next(struct strbuf *sb)
{
	if (sb->len > 0 && !strchr("{[:,", sb->buf[sb->len - 1])) {
		strbuf_addc(sb, ',');
	}
}

void json_begin(struct strbuf *sb, char bracket)
{
	json_next(sb);
	strbuf_addc(sb, bracket);
}

void json_end(struct strbuf *sb, char bracket)
{
	strbuf_addc(sb, bracket);
}

/* The length of the UTF-8 sequence at `s`, or 0 if it is none. */
static size_t utf8_len(const unsigned char *s, size_t len)
{
	size_t want = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (want == 0 || want > len || s[0] > 0xf4) {
		return 0;
	}
	for (size_t i = 1; i < want; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			return 0;
		}
	}
	bool bad = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		   (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f);
	return bad ? 0 : want;
}

bool json_is_utf8(const char *s, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_len((const unsigned char *)s + i, len - i);
		if (n == 0) {
			return false;
		}
		i += n;
	}
	return true;
}

static void json_escape(struct strbuf *sb, unsigned char c)
{
	switch (c) {
	case '"':
		strbuf_adds(sb, "\\\"");
		break;
	case '\\':
		strbuf_adds(sb, "\\\\");
		break;
	case '\n':
		strbuf_adds(sb, "\\n");
		break;
	case '\r':
		strbuf_adds(sb, "\\r");
		break;
	case '\t':
		strbuf_adds(sb, "\\t");
		break;
	default:
		strbuf_addf(sb, "\\u%04x", c);
	}
}

void json_string_len(struct strbuf *sb, const char *value, size_t len)
{
	json_next(sb);
	strbuf_addc(sb, '"');
	size_t plain = 0;
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)value[i];
		size_t n = c >= 0x20 && c < 0x80
				   ? 1
				   : utf8_len((const unsigned char *)value + i, len - i);
		if (n > 0 && c >= 0x20 && c != '"' && c != '\\') {
			i += n;
			continue;
		}
		strbuf_add(sb, value + plain, i - plain);
		json_escape(sb, c);
		plain = ++i;
	}
	strbuf_add(sb, value + plain, len - plain);
	strbuf_addc(sb, '"');
}

void json_string(struct strbuf *sb, const char *value)
{
	json_string_len(sb, value, strlen(value));
}

void json_key(struct strbuf *sb, const char *key)
{
	json_string(sb, key);
	strbuf_addc(sb, ':');
}

void json_int(struct strbuf *sb, long long value)
{
	json_next(sb);
	strbuf_addf(sb, "%lld", value);
}

void json_bool(struct strbuf *sb, bool value)
{
	json_raw(sb, value ? "true" : "false");
}

void json_list(struct strbuf *sb, const char *words)
{
	json_begin(sb, '[');
	while (words && *words) {
		size_t len = strcspn(words, ",");
		json_string_len(sb, words, len);
		words += len + (words[len] == ',');
	}
	json_end(sb, ']');
}

void json_raw(struct strbuf *sb, const char *text)
{
	json_next(sb);
	strbuf_adds(sb, text);
}

void json_field(struct strbuf *sb, const char *key, const char *value)
{
	json_key(sb, key);
	json_string(sb, value);
}

void json_field_int(struct strbuf *sb, const char *key, long long value)
{
	json_key(sb, key);
	json_int(sb, value);
}

void json_field_bool(struct strbuf *sb, const char *key, bool value)
{
	json_key(sb, key);
	json_bool(sb, value);
}

cJSON *json_parse(const char *text, size_t len)
{
	if (!json_is_utf8(text, len) || memchr(text, '\0', len)) {
		return NULL;
	}
	/* The terminating NUL is counted in: only so does cJSON refuse what follows the value. */
	return cJSON_ParseWithLengthOpts(text, len + 1, NULL, true);
}

/* Numbers as strings that begin with a control character, which no text does. */
static void mark_numbers(const char *text, size_t len, struct strbuf *out)
{
	for (size_t i = 0; i < len;) {
		size_t n = 1;
		if (text[i] == '"') {
			while (i + n < len && text[i + n] != '"') {
				n += text[i + n] == '\\' ? 2 : 1;
			}
			n++;
		} else if (text[i] == '-' || (text[i] >= '0' && text[i] <= '9')) {
			n = strspn(text + i, NUMBER);
			strbuf_addf(out, "\"\\u0001%.*s\"", (int)n, text + i);
			i += n;
			continue;
		}
		strbuf_add(out, text + i, n);
		i += n;
	}
}

static void unmark_numbers(cJSON *item)
{
	if (cJSON_IsString(item) && item->valuestring[0] == '\001') {
		size_t len = strlen(item->valuestring);
		if (strspn(item->valuestring + 1, NUMBER) == len - 1) {
			memmove(item->valuestring, item->valuestring + 1, len);
			item->type = cJSON_Raw;
		}
	}
	for (cJSON *child = item->child; child; child = child->next) {
		unmark_numbers(child);
	}
}

cJSON *json_parse_exact(const char *text, size_t len)
{
	cleanup(json) cJSON *plain = json_parse(text, len);
	cleanup(strbuf) struct strbuf marked = STRBUF_INIT(EXACT_MAX);
	if (!plain) {
		return NULL;
	}
	mark_numbers(text, len, &marked);
	cJSON *exact = json_parse(strbuf_str(&marked), marked.len);
	if (exact) {
		unmark_numbers(exact);
	}
	return exact;
}

cJSON *json_get(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

const char *json_get_string(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(json_get(object, key));
}

long long json_get_int(const cJSON *object, const char *key, long long otherwise)
{
	const cJSON *item = json_get(object, key);
	if (!cJSON_IsNumber(item) || item->valuedouble > 9e15 || item->valuedouble < -9e15) {
		return otherwise;
	}
	return (long long)item->valuedouble;
}

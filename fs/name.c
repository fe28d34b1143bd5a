#include "fs/name.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/json.h"
#include "base/strbuf.h"

#define CONVENTIONAL_CHARACTERS 64

static void add_encoded(struct strbuf *out, unsigned char byte)
{
	strbuf_addf(out, "%%%02X", byte);
}

char *name_encode(const char *name)
{
	struct strbuf out = STRBUF_INIT(FILE_NAME_BYTES);
	bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
	if (!*name) {
		strbuf_addc(&out, '%');
	}
	for (const char *at = name; *at;) {
		unsigned char byte = (unsigned char)*at;
		size_t len = json_utf8_length(at, strlen(at));
		if (len == 0 || byte < 0x20 || byte == 0x7f || byte == '/' || byte == '%' || dots) {
			add_encoded(&out, byte);
			at++;
		} else {
			strbuf_add(&out, at, len);
			at += len;
		}
	}
	char *encoded = strbuf_detach(&out, NULL);
	if (!encoded) {
		errno = out.err == -EFBIG ? ENAMETOOLONG : ENOMEM;
	}
	strbuf_finish(&out);
	return encoded;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *name_decode(const char *file_name)
{
	struct strbuf out = STRBUF_INIT(FILE_NAME_BYTES);
	const char *at = strcmp(file_name, "%") == 0 ? "" : file_name;
	bool bad = false;
	while (*at && !bad) {
		int high = *at == '%' ? hex_digit(at[1]) : 0;
		int low = *at == '%' && high >= 0 ? hex_digit(at[2]) : 0;
		if (*at != '%') {
			strbuf_addc(&out, *at++);
		} else if (high >= 0 && low >= 0 && (high || low)) {
			strbuf_addc(&out, (char)(high << 4 | low));
			at += 3;
		} else {
			bad = true;
		}
	}
	char *name = strbuf_detach(&out, NULL);
	strbuf_finish(&out);
	/* Only what encodes to just this: one file name a name. */
	char *again = name && !bad ? name_encode(name) : NULL;
	bool same = again && strcmp(again, file_name) == 0;
	free(again);
	if (!same) {
		free(name);
		errno = ENOENT;
		return NULL;
	}
	return name;
}

bool name_is_unremovable(const char *name)
{
	size_t len = strlen(name);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		return true;
	}
	if (len == 0 || isspace((unsigned char)name[0]) || isspace((unsigned char)name[len - 1])) {
		return true;
	}
	for (size_t i = 0; i < len; i++) {
		if (iscntrl((unsigned char)name[i]) || strchr("/%\\{}", name[i])) {
			return true;
		}
	}
	return false;
}

bool name_is_conventional(const char *name)
{
	size_t characters = 0;
	for (const char *at = name; *at; at++) {
		unsigned char byte = (unsigned char)*at;
		if (byte < 0x80 && !isalnum(byte) && !strchr(".,&_+|[]- ", byte)) {
			return false;
		}
		characters += (byte & 0xc0) != 0x80;
	}
	return characters <= CONVENTIONAL_CHARACTERS;
}

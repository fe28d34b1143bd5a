#include "fs/exposition.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct family {
	struct family *next;
	struct strbuf name, head, samples;
};

struct exposition {
	size_t max;
	struct family *families, **last; /* in the order they came */
};

struct exposition *exposition_create(size_t max)
{
	struct exposition *exposition = calloc(1, sizeof(*exposition));
	if (exposition) {
		exposition->max = max;
		exposition->last = &exposition->families;
	}
	return exposition;
}

void exposition_destroy(struct exposition *exposition)
{
	if (!exposition) {
		return;
	}
	for (struct family *family = exposition->families, *next; family; family = next) {
		next = family->next;
		strbuf_finish(&family->name);
		strbuf_finish(&family->head);
		strbuf_finish(&family->samples);
		free(family);
	}
	free(exposition);
}

/* Bytes of the metric's name at the start of a text. */
static size_t name_length(const char *text, size_t len)
{
	size_t i = 0;
	while (i < len && (text[i] == '_' || text[i] == ':' || (text[i] >= 'a' && text[i] <= 'z') ||
				  (text[i] >= 'A' && text[i] <= 'Z') ||
				  (i > 0 && text[i] >= '0' && text[i] <= '9'))) {
		i++;
	}
	return i;
}

static struct family *family_get(struct exposition *exposition, const char *name, size_t len)
{
	for (struct family *family = exposition->families; family; family = family->next) {
		if (family->name.len == len && memcmp(family->name.buf, name, len) == 0) {
			return family;
		}
	}
	struct family *family = calloc(1, sizeof(*family));
	if (family) {
		strbuf_init(&family->name, exposition->max);
		strbuf_init(&family->head, exposition->max);
		strbuf_init(&family->samples, exposition->max);
		strbuf_add(&family->name, name, len);
		*exposition->last = family;
		exposition->last = &family->next;
	}
	return family;
}

static bool has_line(const struct strbuf *lines, const char *line, size_t len)
{
	return lines->len > 0 && memmem(lines->buf, lines->len, line, len);
}

/* A comment that says something of a metric, "# HELP name …"; others are left out. */
static int add_comment(struct exposition *exposition, const char *line, size_t len)
{
	static const char *const words[] = { "# HELP ", "# TYPE ", "# UNIT " };
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t word = strlen(words[i]);
		size_t name = len > word && memcmp(line, words[i], word) == 0
				      ? name_length(line + word, len - word)
				      : 0;
		if (name == 0) {
			continue;
		}
		struct family *family = family_get(exposition, line + word, name);
		if (!family) {
			return -ENOMEM;
		}
		if (!has_line(&family->head, line, len)) {
			strbuf_add(&family->head, line, len);
		}
		return family->head.err;
	}
	return 0;
}

/* A line with its end. */
static int add_line(struct exposition *exposition, const char *line, size_t len)
{
	if (line[0] == '\n') {
		return 0;
	}
	if (line[0] == '#') {
		return add_comment(exposition, line, len);
	}
	size_t name = name_length(line, len);
	if (name == 0 || (line[name] != '{' && line[name] != ' ')) {
		return -EBADMSG;
	}
	struct family *family = family_get(exposition, line, name);
	if (!family) {
		return -ENOMEM;
	}
	strbuf_add(&family->samples, line, len);
	return family->samples.err;
}

int exposition_add(struct exposition *exposition, const char *text, size_t len)
{
	int err = 0;
	while (len > 0 && err == 0) {
		const char *end = memchr(text, '\n', len);
		if (!end) {
			return -EBADMSG;
		}
		size_t line = (size_t)(end - text) + 1;
		err = add_line(exposition, text, line);
		text += line;
		len -= line;
	}
	return err;
}

void exposition_write(const struct exposition *exposition, struct strbuf *out)
{
	const char *separator = "";
	for (const struct family *family = exposition->families; family; family = family->next) {
		strbuf_adds(out, separator);
		strbuf_add(out, family->head.buf, family->head.len);
		strbuf_add(out, family->samples.buf, family->samples.len);
		separator = "\n";
	}
}

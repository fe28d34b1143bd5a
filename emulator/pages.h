/*
 * Paginated lists: their parameters, tokens and links.
 *
 * A token says after which member the page starts, so that members added or
 * removed between two pages neither repeat nor hide others.
 */
#ifndef EMULATOR_PAGES_H
#define EMULATOR_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "emulator/reply.h"

struct page {
	const char *path;   /* of the list */
	const char *filter; /* or NULL: "name=value&...", part of the links */
	size_t size;        /* before page_init: the default, or 0 for the usual one */
	size_t max;         /* likewise */
	uint64_t after;     /* members up to this number were on earlier pages */
	size_t count;       /* written so far */
	size_t total;
	uint64_t last; /* number of the last member written */
	bool more;     /* some did not fit */
};

/* Reads page_size and page_token. False: the reply says no already. */
bool page_init(struct page *page, const struct request *request, struct reply *reply);
/* Only page_token; the size is given. */
bool page_init_token(struct page *page, const struct request *request, struct reply *reply);
/* Whether the member with this number belongs on the page; counts it. */
bool page_takes(struct page *page, uint64_t seq);
/* The list's metadata, key and all. */
void page_write(const struct page *page, const struct request *request, struct strbuf *out);

/* The same for lists of the metrics API: meta and links, keys and all. */
void page_write_meta(const struct page *page, const struct request *request, bool with_total,
	struct strbuf *out);

/* The start of absolute URLs: scheme and host as the client knows them. */
void page_base(const struct request *request, struct strbuf *out);

struct member {
	const char *path; /* of its list */
	const char *id;
	const char *query;    /* of its own URL, with '?'; or "" */
	const char *resource; /* the end of its name */
	const char *created_at;
	const char *updated_at;
};

/* The metadata of one member, key and all. */
void page_member(const struct request *request, const struct member *member, struct strbuf *out);
/* A reference to an environment, key and all. */
void page_environment(const struct request *request, const char *id, struct strbuf *out);

#endif

/*
 * Documents: the API's answers, each fetched once for all who want it, believed for its TTL.
 *
 * A document is cut into items (an environment, a cluster, a connector, a plugin) and an item into
 * parts, which are what files show. Large answers are cut while they arrive. A refresh that brings
 * the same bytes leaves the parts as they are.
 *
 * Everything here is protected by the lock of struct fs; fetches run on the HTTP engine's thread
 * and take the lock only to bring their result in. Moments are fs_moment's, other times monotonic
 * milliseconds. Documents live until the fs is destroyed.
 */
#ifndef FS_DOCUMENT_H
#define FS_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "api/http.h"
#include "base/table.h"
#include "fs/options.h"
#include "fs/part.h"

#define SUSPECT_MS 5000

struct fs;
struct op;
struct document;
struct fetch;
struct overlay;
struct removed;
struct stage;

/* An item's parts. All but connectors have just the first. */
enum part_kind { PART_WHOLE, PART_INFO = PART_WHOLE, PART_CONFIG, PART_STATUS, PARTS };

/* What is known of a rendered view without keeping it. */
struct face {
	uint64_t hash;
	size_t size; /* 0: it was not rendered yet */
};

enum face_kind {
	FACE_FIRST,
	FACE_CONFIG = FACE_FIRST,
	FACE_CONNECTOR,
	FACE_STATUS,
	FACE_STATE,
	FACES,
	/* Not of a connector's item; told apart from the others by this. */
	FACE_TASKS = FACES,
	FACE_METRICS,
	FILES_OF_CONNECTOR
};

/* What went wrong with small requests. */
struct trouble {
	int64_t failed_at[PARTS];
	int failure[PARTS];
};

struct item {
	struct table_link link; /* in document->names */
	struct document *document;
	uint64_t place; /* in the order they came; never used twice in its document */
	struct part *parts[PARTS];
	int64_t part_at[PARTS];  /* the moment when the request for it began; 0: never */
	struct trouble *trouble; /* NULL: none */
	struct overlay *overlay; /* what this mount did to it; NULL: nothing (overlay.h) */
	struct face faces[FACES];
	bool fetching[PARTS];
	bool seen;    /* scratch mark of a merge */
	bool unnamed; /* its name is too long for a file's, and the log says so */
	char name[];  /* the API's */
};

/* What an answer says of an item, before it is brought in. */
struct staged {
	struct table_link link; /* in stage->names */
	struct staged *next;    /* in stage->items */
	struct part *parts[PARTS];
	char name[];
};

struct document_kind {
	const char *target; /* url_target pattern; the variables are environment, cluster, name */
	unsigned variables;
	const char *question; /* JSON to be sent with PUT, which changes nothing; NULL: a GET */
	bool of_plugin;       /* the variables are a custom plugin and its environment */
	enum ttl_class ttl;
	/* Where the items are: in the pages' "data", named by this member ("id"); else members of
	 * the object, or elements of the array, at the top. */
	const char *name_member;
	bool paged;
	/* The whole answer is one item, named ""; of several pages: {"data": […]}. */
	bool single;
	bool array; /* of a single one: no object, an array */
	/* Whether an item is about to change by itself: then all are believed for the status's TTL
	 * alone. NULL: none ever is. */
	bool (*unsettled)(const struct item *item);
	/* Makes an item of one value; NULL: the value is its only part. */
	int (*cut)(struct stage *stage, const char *name, struct json_slice value);
	bool optional;  /* of a single one: a 404 only says that there is none */
	bool telemetry; /* asked where metrics are; its errors say nothing about a place */
	/* Fetches in a way of its own, until `deadline`: brings in what it has staged, or fails,
	 * after it has returned. 0, or -errno: nothing was begun. NULL: one request, or pages. */
	int (*fetch)(struct document *document, struct stage *stage, int64_t deadline);
	/* Whether two parts say the same although their bytes differ; NULL: never. */
	bool (*same)(const struct part *a, const struct part *b);
	/* Brings in what arrived; NULL: document_merge. It calls document_fetched when it is done,
	 * which may be later. */
	void (*merge)(struct document *document, struct stage *stage);
};

struct document {
	UT_hash_handle hh; /* in fs->documents, by target */
	struct fs *fs;
	const struct document_kind *kind;
	char *target;
	char *environment, *cluster, *plugin, *name; /* NULL where the kind has no such variable */
	struct table names;                          /* the items, by the hashes of their names */
	struct item **items;                         /* their places ascend */
	size_t count, room;                          /* of items */
	uint64_t next_place;
	int64_t fetched_at; /* the moment when the last good fetch began; 0: never */
	int64_t expires_at;
	int64_t failed_at;    /* the moment of the last failure */
	int64_t failed_start; /* the moment when the failed fetch began */
	int failure;          /* -errno; 0: the last fetch was good */
	int64_t retry_at;     /* while failing with a stale answer at hand: not before */
	int64_t suspect_at;   /* since when answers lack most of the items; 0: they do not */
	uint64_t listing;     /* hash of the set of names */
	uint64_t told;        /* the listing that the kernel may have */
	bool fetching;
	struct fetch *background;    /* that fetches it while nobody waits; NULL: none */
	struct http_answer *refusal; /* what fetching it ahead came to; NULL: no refusal */
	int64_t ahead_at;        /* when it was fetched ahead (ahead.h); 0: or it was used since */
	struct removed *removed; /* what this mount removed (overlay.h) */
	struct op *waiters;      /* a utlist of ops */
	unsigned small;          /* requests for single parts since small_since */
	int64_t small_since;
	int64_t walked_until; /* a walk was noticed: refresh in bulk */
};

/* What a fetch has brought so far, before it is merged. */
struct stage {
	struct document *document;
	struct table names;
	struct staged *items, **last; /* in the order they came */
	int64_t started;
};

/* The document of its variables (NULL for those that it has not); `inner` is the cluster or custom
 * plugin. NULL: no memory. */
struct document *document_get(struct fs *fs, const struct document_kind *kind,
	const char *environment, const char *inner);
/* Of a kind with three variables. */
struct document *document_get_named(struct fs *fs, const struct document_kind *kind,
	const char *environment, const char *inner, const char *name);
void documents_destroy(struct fs *fs);

/*
 * Makes sure that a document can be used by an op: within its TTL, fetched since the op began, or
 * stale but the best there is. 0, OP_WAIT (the op is run again when it has changed), or -errno.
 */
int document_need(struct op *op, struct document *document);
/* The same, asked for within max_age milliseconds, where that is less than its TTL. */
int document_need_within(struct op *op, struct document *document, int64_t max_age);
/* The same for one part of an item: by a small request, or by the whole document where many want
 * theirs. The item may be gone after a wait: look it up anew. */
int document_need_part(struct op *op, struct item *item, enum part_kind kind);

/* Milliseconds that the listing, or a part, may still be believed; 0: not beyond this answer. */
int64_t document_ttl_left(const struct document *document, int64_t now);
int64_t item_ttl_left(const struct item *item, enum part_kind kind, int64_t now);

struct item *document_find(struct document *document, const char *name);
/* Adds an item, or returns the one there is; NULL: no memory. */
struct item *document_add(struct document *document, const char *name);
void document_remove(struct item *item);
/* The first item from a place on (NULL: there is none), and its index. */
struct item *document_from(const struct document *document, uint64_t place);
size_t document_index(const struct document *document, uint64_t place);
/* Sets a part (takes the reference over) and its time; keeps the old one where it says the same.
 * True: it has changed. */
bool item_set_part(struct item *item, enum part_kind kind, struct part *part, int64_t at);

/* Has the kernel forget the names that a document lists, if they have changed. */
void document_tell(struct document *document);
/* Has it fetched, unless that is under way. `background`: nobody waits for it, and what goes wrong
 * is nobody's failure. Otherwise what is under way in the background is so no longer. */
void document_refresh(struct document *document, bool background);
/* Takes what a fetch in the background was refused as a failure of now. */
void document_adopt_refusal(struct document *document);
void document_drop_refusal(struct document *document);
/* Forgets how fresh a document, or everything, is. */
void document_expire(struct document *document);
void documents_expire(struct fs *fs);

/* How long a part of this kind is believed, in milliseconds. */
int64_t ttl_of_part(const struct document *document, enum part_kind kind);

/* For kinds: adds an item to the stage, or returns the one there is; NULL: no memory. */
struct staged *stage_add(struct stage *stage, const char *name);
/* Sets a part of it: a copy of the bytes, or what the document has of it where that is the same.
 * Takes the fs's lock. False: no memory. */
bool stage_part(
	struct stage *stage, struct staged *staged, enum part_kind kind, struct json_slice value);
/* Both under the lock. NULL: no memory. */
struct stage *stage_create(struct document *document);
void stage_destroy(struct stage *stage);

/* For merges, in this order. Takes in what was staged; marks all that was seen. */
void document_begin_merge(struct document *document, struct stage *stage);
unsigned document_count_unseen(struct document *document);
/* Whether so much is gone at once that another answer must confirm it first. */
bool document_suspects(struct document *document, unsigned gone, int64_t now);
void document_drop_unseen(struct document *document);
/* All of it: what the stage lacks is gone. */
void document_merge(struct document *document, struct stage *stage);
/* An item is about to change by itself: all are believed for the status's TTL alone. */
void document_unsettle(struct document *document);
/* The end of a fetch: sets the times, wakes whoever waits. `complete`: its absences count. */
void document_fetched(struct document *document, int64_t started, bool complete);
void document_failed(struct document *document, int64_t started, int err);

#endif

/*
 * Fetching ahead: who walks through the tree needs one document after the other, so the next ones
 * of a kind are asked for while the walk is still in this one.
 *
 * A walk is a process that reads a directory and then at once what is below it, or one that needs
 * three documents of a kind in a row. What it has not shown to need, no other kind of document, is
 * never fetched for it: a walk makes the requests that it would have made, just earlier. Who goes
 * straight to a path, or reads one directory, is no walk; but who comes to a cluster has its
 * connectors asked for while the list of clusters is waited for, where this takes no connection
 * more.
 *
 * Only the next few are fetched, as many as there are connections but one, and none where the walk
 * is so slow that an answer would be old before it comes to it.
 *
 * Protected by the lock of struct fs.
 */
#ifndef FS_AHEAD_H
#define FS_AHEAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct document;
struct document_kind;
struct fs;
struct node;
struct op;

#define WALKS  4
#define TRAILS 5 /* kinds of documents that a walk needs many of */

/* How a program goes through a directory: as it is listed (find, cp), from its end (a shell's
 * pattern), or sorted (rsync, ls). */
enum order { ORDER_LISTED, ORDER_BACKWARDS, ORDER_NAMES, ORDERS };

/* What a process has needed of one kind of documents. */
struct trail {
	struct document *last;   /* NULL: none yet */
	unsigned others;         /* needed in a row before it */
	bool wide;               /* of several environments */
	bool slow;               /* what was fetched ahead became old */
	enum order order, outer; /* in its list, in that of the environments */
	int64_t began, at;       /* the row, its last one; monotonic milliseconds */
};

struct walk {
	pid_t process;          /* 0: nobody */
	int64_t began, seen_at; /* monotonic milliseconds */
	/* The lists whose directories it has read: are those of the environments among them, and
	 * the last ones of clusters and of plugins (NULL: none). */
	bool all;
	struct document *clusters, *plugins;
	struct document *entered; /* by its path; NULL: none, or it was needed since */
	struct trail trails[TRAILS];
};

/* Somebody reads a directory; `listing` is the document of its names, or NULL. */
void ahead_reads(struct op *op, struct document *listing);
/* An op needs a document that is to be fetched, or was fetched ahead. */
void ahead_needs(struct op *op, struct document *document);
/* An op waits to hear whether there is the place that a document is of (NULL: no memory), and will
 * need it next. */
void ahead_enters(struct op *op, struct document *document);
/* A document has come. */
void ahead_fetched(struct document *document);

#endif

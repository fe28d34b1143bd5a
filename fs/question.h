/*
 * Questions: files that are written and then answer.
 *
 * Each open file has a question of its own: what is written goes into a local file that no name
 * leads to, and the first read, fsync or close sends it, once. The answer is the content of that
 * open file from then on and, for a minute, what the name shows to the same user. What was refused
 * stands beside it as NAME.rejected, with the reason in NAME.error, for that user alone, until a
 * question of theirs is answered.
 *
 * A row of the routes becomes one by `compose`, which makes what the file shows without a question,
 * and `ask`, which sends one. Protected by the lock of struct fs.
 */
#ifndef FS_QUESTION_H
#define FS_QUESTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "api/config.h"
#include "api/http.h"
#include "fs/node.h"
#include "fs/part.h"
#include "fs/route.h"

struct found;
struct op;

/* What an open file asks; its text is that of the node's local file. */
struct question {
	struct node *node;    /* counted while it is under way, else it owns this */
	uid_t uid;            /* who asks */
	struct config hidden; /* by ask: the secrets in it, to be blotted out of messages */
	struct strbuf why;    /* by ask, for a person: why it was not sent */
	/* By ask: the target, to be freed, of the page behind one that was answered; NULL: there is
	 * none. NULL: answers have no pages. */
	char *(*next)(struct json_slice answer);
	char *target; /* of the request under way; owned */
	enum http_method method;
	struct http *http;  /* where it is asked */
	struct strbuf body; /* of what is asked; wiped */
	struct strbuf data; /* the elements of the pages before this one */
	unsigned pages;
	int64_t deadline;
	bool under_way;
	struct op *waiters;
	struct part *answer; /* as it is shown; NULL: none */
	int failure;         /* what the last one came to: 0 or -errno */
};

/* For a row's ask: sends it, as one that changes nothing, to an engine. `target` is taken over;
 * NULL is -ENOMEM. 0: the answer will come; -errno: nothing was sent. */
int question_send(struct question *question, struct http *http, enum http_method method,
	char *target, const struct strbuf *body);
/* Accepts NULL. */
void question_destroy(struct question *question);

/* A node of its own for each who looks, so that open files do not mix: it shows the user's answer,
 * or else what is at hand of what the file shows without one. 0 or -ENOMEM. */
int question_lookup(struct op *op, struct node *dir, const char *name, const struct route *route,
	struct found *ret_found);
/* Makes sure that a node that was looked up shows something. 0, OP_WAIT or -errno. */
int question_load(struct op *op, struct node *node);
/* Before a change of a node: it asks anew, from an empty text unless one is being written. 0,
 * -EBUSY (one is under way) or -ENOMEM. */
int question_begin(const struct op *op, struct node *node);
static inline bool question_is(const struct node *node)
{
	return node->route && node->route->ask;
}

/* Whether the next byte that is written is the first one of a question. */
bool question_is_over(const struct node *node);
/* Sends what was written since the last time; 0 also where that is nothing. 0, OP_WAIT or -errno.
 */
int question_commit(struct op *op, struct node *node);

/* NAME.error or NAME.rejected, where it is the name of such a file: its node, borrowed (NULL: there
 * is none now). */
bool question_note(
	struct fs *fs, const struct node *dir, const char *name, uid_t uid, struct node **ret_node);

/* Those that are there now. */
int question_list_notes(
	const struct op *op, const struct node *dir, child_visitor *visit, void *arg);

/* Whether somebody has some there. */
bool question_has_notes(const struct fs *fs, const struct node *dir);

/* Forgets answers that are a minute old; returns the milliseconds after which to look again, -1:
 * there are none. */
int64_t questions_tick(struct fs *fs, int64_t now);
void questions_destroy(struct fs *fs);

#endif

/*
 * What all saves of a slot have in common: the draft as it was when it was committed, and what
 * becomes of it. Protected by the lock of struct fs, but for text and len, which belong to the
 * save.
 */
#ifndef FS_COMMIT_H
#define FS_COMMIT_H

#include "base/strbuf.h"
#include "fs/slot.h"

struct job;
struct op;

struct commit {
	struct slot *slot;
	struct node *node; /* counted */
	pid_t pid;
	enum save_how how;
	uint64_t change; /* of the draft */
	char *text;      /* as it was written; wiped */
	size_t len;
};

/* Takes the text of a local file that is to be saved: that change is tried, and whatever comes of
 * it, no removal is due any more. 0 or -ENOMEM. */
int commit_init(
	struct commit *commit, struct slot *slot, struct node *draft, pid_t pid, enum save_how how);
void commit_finish(struct commit *commit);

/* It has come to an end, with 0 or -errno: who waits for that hears of it. */
void commit_ended(const struct commit *commit, int err);

/* The draft is what the server has, or is kept elsewhere: the view stands under the name again,
 * unless somebody has written on. */
void commit_settle(const struct commit *commit);
/* Carries out the rename or link that the save was; in place, nothing. op may be NULL. 0 or
 * -errno. */
int commit_names(const struct commit *commit, struct op *op);
/* Whether a refused one stays a draft. */
bool commit_stays(const struct commit *commit);
/* Keeps what was refused, and tells why. */
void commit_refuse(const struct commit *commit, const struct strbuf *why, int err);

/* The text itself is refused: nothing was sent. Returns err. */
int commit_reject(const struct commit *commit, const struct strbuf *why, int err);
/* Starts the job that sends it. OP_WAIT, or -errno: refused, and the job was freed. */
int commit_send(struct slot *slot, struct node *draft, struct job *job, struct op *op);

#endif

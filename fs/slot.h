/*
 * Slots: the files of a folder that are written as a whole and sent when they are closed. A slot
 * is what this mount knows of one of them beyond the server's content: the draft that stands under
 * its name, whether the name is away, and what was refused.
 *
 * They are part of a folder (folder.h). Protected by the lock of struct fs.
 */
#ifndef FS_SLOT_H
#define FS_SLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct folder;
struct local;
struct node;
struct part;
struct route;

/* The first one is the file that stands for the whole directory. */
enum slot_kind { SLOT_MAIN, SLOT_OFFSETS, SLOT_OFFSETS_REQUEST, SLOTS };

/* How a draft comes to be saved: it was written under the name, or renamed or linked onto it. */
enum save_how { SAVE_IN_PLACE, SAVE_BY_RENAME, SAVE_BY_LINK };

enum away {
	AWAY_NOT,
	AWAY_UNLINKED, /* of the main one: a removal, unless it comes back in time */
	AWAY_RENAMED,  /* the server's content comes back in time */
};

struct slot {
	struct folder *folder;
	const struct route *route;
	uint64_t ino; /* the file's */

	struct node *draft; /* stands under the name; counted; NULL: the server's content does */
	int64_t draft_due;  /* when an unsent one counts as refused; 0: somebody writes */
	enum away away;
	int64_t away_due;

	int64_t refused_at;         /* of the last refused save, monotonic; 0: none */
	struct part *refused_shown; /* what was shown before it */
	bool undecided;             /* the refused save may yet be carried out */
};

void slot_finish(struct slot *slot);

/* What the server has. Borrowed; NULL: none that we know of. */
struct part *slot_shown(const struct slot *slot);
/* What a process goes out from: what it last saw of the file, else what anybody did, else what is
 * shown. Borrowed; NULL: there is nothing. */
struct part *slot_base(const struct slot *slot, pid_t pid);

/* Makes a node the draft that stands under the name, or with NULL drops it. */
void slot_set_draft(struct slot *slot, struct node *node);
/* Its file lives on for those who have it open, and is not sent. */
void slot_drop_draft(struct slot *slot);
/* The name goes away without a removal: the server's content comes back in time. */
void slot_goes_away(struct slot *slot, int64_t now);

/* Whatever stands under it now, no removal is due any more. */
void slot_is_back(struct slot *slot);

/* Keeps what was refused (text NULL: nothing), and why; both vanish with the next good save. */
void slot_refuse(struct slot *slot, const char *text, size_t len, const char *why);
/* What is kept of it; NULL: nothing (any more). */
const struct local *slot_rejected(const struct slot *slot);
void slot_clear_refusal(struct slot *slot);
/* A save was refused less than 30 seconds ago. */
bool slot_was_refused(const struct slot *slot, int64_t now);

/* Does what is due, but for removals; returns the milliseconds after which to look again, -1:
 * never.
 */
int64_t slot_tick(struct slot *slot, int64_t now);

#endif

/*
 * A folder: what this mount knows of a directory beyond the API's answers, where people write a
 * file that stands for all of it: a connector's config.json. Local files, the slots of those that
 * are written, removals that wait.
 *
 * Folders are made when they are first needed and live as long as the fs. Protected by its lock.
 */
#ifndef FS_FOLDER_H
#define FS_FOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include <uthash.h>

#include "fs/document.h"
#include "fs/local.h"
#include "fs/route.h"
#include "fs/slot.h"

/* What folders of a route have in common. */
struct folder_kind {
	/* The file that stands for the directory: its save creates it, its removal removes it. */
	enum route_id main;
	/* The target of its own URL: a GET looks at it, a DELETE removes it. To be freed; NULL: no
	 * memory. */
	char *(*target)(const struct folder *folder);
	/* Appends its id where its name is not all there is to tell it by: another one may bear
	 * the name tomorrow. NULL: the name is the id. */
	void (*id)(const struct item *item, struct strbuf *out);
	/* Whether an answer has all that a text asks for. */
	bool (*says)(struct json_slice answer, const char *text, size_t len);
	bool patient; /* a new one that was refused, or cannot be sent yet, stays a draft */
	const struct plugin_kind *plugin; /* what it is, if it is a custom plugin or a version */
	bool archive;                     /* it takes an archive to make it */
};

#define RESTORED_MS 2000 /* how long read-only files of a new connector may be put beside it */

struct altering;
struct job;
struct node;
struct plugin_kind;
struct unanswered;

struct folder {
	UT_hash_handle hh; /* in fs->folders */
	struct fs *fs;
	uint64_t place; /* in listings; they ascend */
	char *key;
	const struct route *route; /* the directory's */
	/* The API's names; NULL where the path has no such variable. */
	char *environment, *cluster, *plugin, *name;
	struct entry *entries; /* local files, by name; those with a slot are not among them */
	struct timespec mtime; /* of the last local change; 0: none yet */
	struct node *dir;   /* the directory's node while there is one with local files; counted */
	struct node *alias; /* a link that bears the name under which it was made; counted; NULL */

	bool made;          /* by mkdir, and not yet created by a save */
	bool kept;          /* its item is gone, but what was refused was not: stays until rmdir */
	int64_t created_at; /* when this mount created it, monotonic; 0: it did not */
	pid_t creator;      /* the process that saved it then */
	struct unanswered *unanswered; /* a create of it (custom.h); NULL: none */

	struct slot slots[SLOTS];
	struct altering *altering; /* what was asked of its offsets (offsets.h); NULL: nothing */
	int64_t uncached_until; /* a writer is about to open a file: give out a node of its own */
	int64_t hidden_until[FILES_OF_CONNECTOR]; /* removed files that cannot be removed */
	struct strbuf hidden_below; /* and those of its metrics, each between two slashes */

	struct job *removal; /* under way; NULL: none is */

	/* Jobs take turns in the order in which they were started. */
	unsigned jobs_started, jobs_ended;
};

/* Whether a change of it is under way. */
static inline bool folder_is_busy(const struct folder *folder)
{
	return folder->jobs_started != folder->jobs_ended;
}

/* Its slot of this route; NULL: the route has none. */
struct slot *folder_slot(struct folder *folder, const struct route *route);

/* The slot that somebody's change of a name goes to; NULL: the name (route NULL: any other) has
 * none, or is still taken as scratch (folder_takes_files). */
struct slot *folder_writes(
	struct folder *folder, const struct route *route, pid_t thread, int64_t now);

static inline struct slot *folder_main(struct folder *folder)
{
	return &folder->slots[SLOT_MAIN];
}

/* Of the node of a directory whose route has a main file; NULL: no memory. */
struct folder *folder_of(struct fs *fs, struct node *dir);
/* The same, where there is one already; NULL. */
struct folder *folder_find(struct fs *fs, struct node *dir);
void folders_destroy(struct fs *fs);

struct document *folder_document(const struct folder *folder);
/* The connector or other thing; NULL: there is none that we know of. */
struct item *folder_item(const struct folder *folder);
/* Appends where it is, for a person: the API's names with slashes between them. */
void folder_add_place(const struct folder *folder, struct strbuf *out);

/* Whether read-only files may still be put beside config.json, as scratch: in a directory that
 * mkdir made, and by the process that created the connector for two seconds more (so that `cp -r`
 * ends well). */
bool folder_takes_files(const struct folder *folder, pid_t thread, int64_t now);

/* A local file under a name of its directory, replacing another. 0 or -errno. */
int folder_put(struct folder *folder, struct node *dir, const char *name, enum local_role role,
	const char *text, size_t len);
void folder_drop(struct folder *folder, const char *name);
/* A file of a directory that shows something more of it is hidden for the grace time; whether one
 * is. */
void folder_hide_below(struct folder *folder, const struct route *dir, const char *name);
bool folder_hides_below(const struct folder *folder, const struct route *dir, const char *name);
/* A name that may not stand in the directory: what is wrong with it goes into the error file and
 * the journal. Returns err. */
int folder_refuse(struct folder *folder, const char *name, const char *what, int err);
/* Something in the directory has changed. */
void folder_touch(struct folder *folder);

/* Drops a refusal whose request, which nobody had answered, turns out to have been carried out. */
void folder_settle_undecided(struct folder *folder);
/* Whether local files keep the directory of a connector that is gone: what was refused is among
 * them. */
bool folder_keeps(struct folder *folder);

/* The API has given what was created in it another name: it moves there, and a link stays. 0 or
 * -ENOMEM. */
int folder_becomes(struct folder *folder, const char *name);
/* The node that a directory has now: who was in it when it got another name is still in the old
 * one. */
struct node *folder_dir_now(struct node *dir);
/* The link of a name in a directory, and whose it is; NULL: none. Borrowed. */
struct node *folder_alias(
	struct fs *fs, const struct node *dir, const char *name, struct folder **ret_folder);
void folder_drop_alias(struct folder *folder);

/* Whether a name that the API has in it, and that has no slot, is not shown. */
bool folder_hides(
	const struct folder *folder, const struct route *route, pid_t thread, int64_t now);

/* Whether its removal has to wait for what is on its way out, or in, below it: for a plugin's
 * versions. */
bool folder_is_awaited(const struct folder *folder);
/* The main file is unlinked: the first half of a removal. -EPERM: the brake. */
int folder_unlink_main(struct folder *folder, int64_t now);

/* It is gone: scratch and a draft that were left here stay, in a directory as mkdir
 * makes one. */
void folder_forget(struct folder *folder);

/* Whether a removal must be refused, which is told then: more than max_delete within a minute. */
bool removal_is_braked(const struct folder *folder, int64_t now);
void removals_note(struct fs *fs, int64_t now);

/* Does what is due in all folders; returns the milliseconds after which to look again, -1: never.
 */
int64_t folders_tick(struct fs *fs, int64_t now);

#endif

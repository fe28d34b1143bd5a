/*
 * Local files: a small filesystem in memory for everything that programs create beside
 * config.json, and for config.json itself while somebody writes it. Gone at unmount.
 *
 * Protected by the lock of struct fs. Their bytes are counted in fs->scratch_bytes, and wiped
 * when they are freed.
 */
#ifndef FS_LOCAL_H
#define FS_LOCAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>
#include <uthash.h>

#define LOCAL_FILE_MAX  ((size_t)1 << 20)
#define LOCAL_TOTAL_MAX ((size_t)64 << 20)

struct folder;
struct fs;
struct node;
struct op;
struct question;
struct uploaded;

enum local_role {
	LOCAL_SCRATCH, /* never sent */
	LOCAL_DRAFT,   /* config.json in the making: sent when it is closed */
	LOCAL_WORD,    /* the draft of a file with a store operation */
	LOCAL_SINK,    /* under a read-only file's name: accepted and dropped */
	LOCAL_NOTE,    /* config.json.error: made here, read-only */
	LOCAL_QUESTION /* what an open file asks: sent when it is read or closed */
};

/* Of a file that is too large for memory: its bytes are in a spool (spool.h). */
struct spooled {
	int fd;          /* -1: there are none yet */
	int failure;     /* -errno of a write: it is not what its writer meant; 0: it is */
	uint64_t looked; /* the change after which it was last looked at */
	bool whole;      /* it ended like an archive then (archive.h) */
};

/* A name in a local directory; holds a reference on its node. */
struct entry {
	UT_hash_handle hh;
	uint64_t place; /* in listings; they ascend */
	char *name;
	struct node *node;
};

struct local {
	struct fs *fs;
	struct folder *folder; /* whose directory it is in; NULL: of no connector */
	enum local_role role;
	mode_t mode; /* type and permissions */
	struct timespec mtime;
	unsigned links;
	char *data; /* bytes, or a link's target */
	size_t size, allocated;
	struct entry *entries;     /* of a directory */
	struct spooled *spooled;   /* owned; NULL: its bytes are in memory */
	struct uploaded *uploaded; /* of an archive that was uploaded; owned */
	struct question *question; /* of a LOCAL_QUESTION; owned */

	/* Of a draft. */
	pid_t writer;       /* the process that last opened it to write, or wrote to it */
	uint64_t changes;   /* moves with every change */
	uint64_t tried;     /* the change that was last tried to be saved */
	int failure;        /* what came of that: 0 or -errno */
	bool saving;        /* and is not known yet */
	struct op *waiters; /* for that; a utlist of ops */
	uint64_t held;      /* the change whose create a dry run held back; 0: none */
	bool mirrors; /* it was saved: has the attributes of what is shown (tree_show_saved) */
	bool stands;  /* it is its slot's draft */

	/* Somebody has set it, and, of a time, not written since. */
	bool has_mode, has_mtime;

	bool spent; /* nobody could read it any more: its bytes are gone */
};

/* A file, directory or link. NULL: no memory. */
struct local *local_create(struct fs *fs, struct folder *folder, enum local_role role, mode_t mode);
/* Accepts NULL. */
void local_destroy(struct local *local);

/* Its bytes, which there must be none of yet, will be in a spool. 0 or -ENOMEM. */
int local_spool(struct local *local);
/* So many bytes at an offset have arrived in its spool, or -errno. */
void local_spool_wrote(struct local *local, size_t len, size_t offset, int err);

/* Of a file in memory, but for truncation: 0, -EFBIG (a draft) or -ENOSPC (scratch) above
 * LOCAL_FILE_MAX, -ENOSPC above LOCAL_TOTAL_MAX, -ENOMEM. Both move mtime. */
int local_write(struct local *local, const char *bytes, size_t len, size_t offset);
int local_truncate(struct local *local, size_t size);
/* Wipes the bytes of a file that has no name and no handle any more; the kernel may know its node
 * for hours. It can no longer be opened. */
void local_wipe_unreachable(struct node *node);
/* Replaces all its bytes without counting as a change. */
int local_fill(struct local *local, const char *bytes, size_t len);
/* The same above LOCAL_TOTAL_MAX too: what must not get lost. */
int local_keep(struct local *local, const char *bytes, size_t len);

struct entry *entry_find(struct entry *entries, const char *name);
/* 0 or -ENOMEM; takes a reference on the node and counts a link. */
int entry_add(struct entry **entries, const char *name, struct node *node);
void entry_remove(struct entry **entries, struct entry *entry);
void entries_clear(struct entry **entries);

#endif

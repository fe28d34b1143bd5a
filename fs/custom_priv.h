/* Creating a plugin or a version, shared by the custom_*.c files alone. Runs on a job's thread. */
#ifndef FS_CUSTOM_PRIV_H
#define FS_CUSTOM_PRIV_H

#include "api/plugin.h"
#include "fs/archive.h"
#include "fs/save_run.h"

#define CLOUD_BYTES 32

/* A create that nobody has answered. */
struct unanswered {
	struct config known;   /* the ids of those that were called so before */
	struct config uploads; /* the ids of what it may have been made of */
};

struct creation {
	struct save *save;
	const struct plugin_kind *kind;
	struct config members;   /* what it is to be */
	struct archive archive;  /* node NULL: it needs none */
	char cloud[CLOUD_BYTES]; /* where that belongs */
	char *label;             /* what it is called; not unique */
	bool again;              /* an earlier request for it was not answered */
	struct config known;     /* the ids of those that were called so before the first one */
	struct config uploads;   /* the ids of what any of them was made of */
};

/* Asks for a presigned URL, and for another one if that has ended, and uploads the archive. 0, or
 * -errno with the reason in save->why; -EINTR: it was given up. */
int creation_upload(struct creation *creation);

/* -EINTR with the reason where nobody wants it any more, else 0. */
int creation_given_up(struct creation *creation);

#endif

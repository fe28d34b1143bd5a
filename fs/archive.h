/*
 * Archives: the files that custom plugins and their versions are made of. In a directory that was
 * made for one, a file named *.zip or *.jar is kept in a spool until the plugin exists, beside
 * plugin.json or version.json, which is its draft.
 *
 * Under the lock of struct fs, but for archive_look and archive_format.
 */
#ifndef FS_ARCHIVE_H
#define FS_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct folder;
struct handle;
struct node;
struct op;
struct strbuf;

/* How long an upload may serve: the API forgets it after an hour. */
#define UPLOAD_MS INT64_C(3000000)

/* For a person: why one is of no use. */
#define ARCHIVE_TOO_LATE "it was created of the archive that was here before"

/* An archive that was uploaded, and may still be used. */
struct uploaded {
	int64_t at;      /* monotonic milliseconds */
	uint64_t change; /* of the archive, that was uploaded */
	char *id;        /* owned */
	char *cloud;     /* owned */
};

/* Accepts NULL. */
void uploaded_destroy(struct uploaded *uploaded);

/* "ZIP" or "JAR", as a file's name says; NULL: it is no archive's. */
const char *archive_format(const char *name);

/* Whether a file of this name may be put into a folder; ret_spooled: it may be large. 0; -EPERM: an
 * archive where none is taken; -EINVAL: what is none where one is awaited, with the reason in an
 * error file. */
int archive_admit(struct folder *folder, const char *name, bool *ret_spooled);

/* What a folder that awaits an archive has. */
struct archive {
	struct node *node; /* counted */
	char *name;        /* owned */
	const char *format;
	int fd;     /* of its spool, owned; -1: its bytes are in data */
	char *data; /* owned */
	size_t size;
	uint64_t change;
	char *upload_id; /* of its newest upload to this cloud; owned; NULL: none */
	bool fresh;      /* that may still be used */
};

/* Takes its only archive, if that is complete. 1; 0: there is none; -EINVAL with the reason: there
 * are several; -ENOMEM or -errno. */
int archive_take(
	struct folder *folder, const char *cloud, struct archive *ret_archive, struct strbuf *why);
/* With or without the lock's protection, which the node needs. */
void archive_finish(struct archive *archive);
/* Notes its upload. -EBUSY: it has changed since. */
int archive_uploaded(const struct archive *archive, const char *cloud);
/* The plugin exists: its archives vanish, but for what was written after the upload, if that is
 * what it is made of. */
void archive_drop(struct folder *folder, bool uploaded_only);
/* The name of one that is left beside it; NULL: none is. Borrowed. */
const char *archive_left(const struct folder *folder);

/* Before a commit, without the lock: looks at what was written. */
void archive_look(struct handle *handle);
/* A scratch file was closed, or has got its name: if it is an archive, and what it is for is there
 * too, both are sent. 0, OP_WAIT or -errno. */
int archive_commit(struct op *op, struct node *node, pid_t pid);

#endif

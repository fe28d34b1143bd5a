/*
 * One mount: everything that hangs together at run time.
 *
 * One lock protects the tree, the documents, the folders and the waiting ops. It is never held
 * across network I/O or anything else that can block. Threads: libfuse's (handlers never block),
 * the HTTP engine's (brings answers in), one that keeps the time, one that tells the kernel what
 * to forget, and one for each change that is under way (job.h).
 */
#ifndef FS_FS_H
#define FS_FS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/strbuf.h"
#include "base/table.h"
#include "fs/ahead.h"
#include "fs/look.h"
#include "fs/options.h"

struct asked;
struct auth;
struct document;
struct folder;
struct fuse_session;
struct handle;
struct http;
struct id_index;
struct job;
struct journal;
struct node;
struct notifier;
struct op;
struct secrets;
struct times;
struct touched;

#define ROOT_INO  1
#define PROCESSES 4

/* What the first request of all came to. */
struct check {
	long status; /* 0: no answer */
	char trouble[256];
};

struct fs {
	const struct options *options;
	struct http *http;
	struct http *telemetry; /* where metrics are; the engine of the other URL */
	struct auth *auth;
	struct fuse_session *session;
	int64_t started_at; /* wall milliseconds */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* a job or folder has changed state, or the clock has work */
	struct node *root;
	struct table nodes;         /* lock; all there are */
	struct handle *handles;     /* lock; all there are */
	struct document *documents; /* lock; by target */
	struct document *recent;    /* lock; the one that was last asked for; NULL: none */
	struct folder *folders;     /* lock; by key */
	struct table bases;         /* lock; by inode number (bases.h) */
	struct op *waiting;         /* lock */
	struct times *times;        /* lock */
	struct texts *texts;        /* lock */
	struct id_index *ids;       /* lock; where the connectors' ids are (by_id.h) */
	struct asked *asked;        /* lock; what questions were answered */
	struct touched *touched;    /* lock; what chmod and utimens set on views */
	struct journal *journal;    /* has its own lock */
	struct notifier *notifier;  /* has its own lock */
	int64_t last_moment;        /* lock */
	struct looks looks;         /* lock; of just now (look.h) */
	struct walk walks[WALKS];   /* lock; the latest (ahead.h) */
	uint64_t next_place;        /* lock; of local names in listings */
	size_t scratch_bytes;       /* lock; in all local files */
	pid_t processes[PROCESSES]; /* lock; those whose threads were here last (process.h) */
	unsigned processes_next;    /* lock */
	uint64_t local_inos;        /* lock; numbers that local files were given */
	unsigned jobs;              /* lock; under way */
	unsigned removals_pending;  /* lock; config.json is away, the DELETE not sent */
	int64_t removals[64];       /* lock; when the last ones were sent, monotonic */
	unsigned removals_next;     /* lock */
	uint64_t hits, misses;      /* lock; needs served at once, needs that waited */
	struct secrets *secrets;    /* immutable; NULL: no file */
	pthread_t clock_thread;
	int *closing;         /* lock; descriptors that the clock closes */
	size_t closing_count; /* lock */
	struct check *check;  /* lock; while the start asks whether the API is there */
	bool clock_started;
	bool no_opendir;    /* the kernel can read directories without opening them */
	bool ending;        /* lock; the session is over: uploads are given up */
	bool stopping;      /* lock */
	char *state_path;   /* where the times are kept; NULL: nowhere */
	bool times_unsaved; /* the last try to keep them failed, and was logged */
};

int fs_create(const struct options *options, struct auth *auth, struct http *http,
	struct http *telemetry, struct fs **ret_fs);
/* Asks the API for the environments: are the credentials good, is it there? Before fs_start, with
 * the engine running. 0, or -errno with the reason in ret_why. */
int fs_check(struct fs *fs, struct strbuf *ret_why);
/* Starts the threads that the fs has of its own. `session` is the mounted one. */
int fs_start(struct fs *fs, struct fuse_session *session);
/* After the session's end: sends what is due, waits for what is under way, ends the threads. */
void fs_stop(struct fs *fs);
/* The engines must have been destroyed before. */
void fs_destroy(struct fs *fs);
/* Under the lock: waits until something has changed, at most so many milliseconds (-1: for ever).
 * False: the time is over. */
bool fs_wait(struct fs *fs, int64_t ms);

/* Under the lock: now, as monotonic microseconds that are never the same twice, so that what came
 * first can be told. */
int64_t fs_moment(struct fs *fs);

/* Under the lock: closes a descriptor where closing it may block. */
void fs_close_later(struct fs *fs, int fd);

#define MOMENT_MS(moment) ((moment) / 1000)

static inline void fs_lock(struct fs *fs)
{
	pthread_mutex_lock(&fs->lock);
}

static inline void fs_unlock(struct fs *fs)
{
	pthread_mutex_unlock(&fs->lock);
}

/* Has the clock's thread look again at what is due. */
static inline void fs_wake(struct fs *fs)
{
	pthread_cond_broadcast(&fs->changed);
}

#endif

/*
 * Changes under way: a save, a removal, a pause. Each is a sequence of requests, run by a thread
 * of its own, one at a time for a connector. An op may wait for it; when that is interrupted, the
 * job goes on and is recorded.
 */
#ifndef FS_JOB_H
#define FS_JOB_H

#include <stdint.h>

#include "api/config.h"
#include "api/http.h"
#include "fs/folder.h"

struct op;

/* What a job changes, for the audit trail. */
struct change {
	const char *action; /* "update", …; by who makes the job */
	enum http_method method;
	char *target;           /* of the newest request; owned */
	struct strbuf settings; /* by run: a line for each that changes, no secrets */
	bool sent;              /* a request was sent */
	bool held;              /* one was held back: a dry run */
	bool undecided;         /* by run: a request without an answer may yet be carried out */
};

struct job {
	struct fs *fs;
	struct folder *folder;
	struct op *op;  /* who waits; NULL: nobody (any more) */
	bool abandoned; /* lock; who waited was interrupted */
	unsigned turn;  /* in its folder */
	int64_t deadline;
	bool secret; /* by run: what it sends may hold one */
	struct change change;
	/* Without the lock; may block. 0 or -errno. */
	int (*run)(struct job *job);
	/* Under the lock, when run has ended: brings the result into the tree; returns what the
	 * waiting op is answered with. */
	int (*done)(struct job *job, int err);
	void (*free)(struct job *job); /* under the lock */
};

/* Under the lock: starts a job, with an op that waits for it or NULL. The job is owned by its
 * thread from here on. OP_WAIT, or -errno and the job was freed. */
int job_start(struct job *job, struct op *op);

/* For run, before each request that changes something. False: this is a dry run, nothing is sent,
 * and run ends as if it had been. */
bool job_may_send(struct job *job, enum http_method method, const char *target);

/* For run: performs a request of the job within its deadline, journals an error. */
int job_request(struct job *job, enum http_method method, const char *target,
	const struct strbuf *body, struct http_answer *ret_answer, const struct config *secrets);

/* For run: performs an upload (http.h), which is given up when who waits for the job is
 * interrupted, or the session ends. */
int job_upload(struct job *job, enum http_method method, const char *url,
	const struct http_upload *upload, int64_t deadline, struct http_answer *ret_answer);
/* For run: whether what was not sent yet should be left alone. */
bool job_is_given_up(struct job *job);
/* Under the lock: who waits has been interrupted. */
void job_abandon(struct job *job);

/* For run: waits before the next attempt, as long as the schedule and the answer ask for. False: no
 * further one, for want of time or because the mount ends. */
bool job_pause(struct job *job, unsigned attempt, const struct http_answer *answer);

#endif

/* The network's half of a save: looking, sending, looking again. Runs on a job's thread, without
 * the lock of struct fs. */
#ifndef FS_SAVE_RUN_H
#define FS_SAVE_RUN_H

#include "api/config.h"
#include "fs/commit.h"
#include "fs/job.h"
#include "fs/save.h"

struct save;

/* What is saved: a connector's configuration, a plugin. */
struct save_kind {
	const char *noun;
	/* Reads save->commit's text into save->wanted. 0, or -EINVAL with the reason in save->why.
	 */
	int (*parse)(struct save *save);
	/* The save has turned from an update into a create, or the other way. The same. */
	int (*turn)(struct save *save);
	/* What an answer says, to be compared. 0 or -errno. */
	int (*read)(const struct save *save, struct json_slice answer, struct config *ret_config);
	/* Whether what is wanted is live already; whether, as far as one can see, it was sent. */
	bool (*is)(const struct config *wanted, const struct config *live);
	bool (*looks)(const struct config *wanted, const struct config *live);
	/* Appends a line for each setting that differs. */
	void (*add_difference)(const struct save *save, const struct config *before,
		const struct config *after, struct strbuf *out);

	/* An update: the GET before it (to be freed), where its answer holds what the GET shows
	 * (NULL: it is the same), and what has to be looked at first, last, and in between. */
	char *(*live_target)(const struct save *save);
	const char *answer_member;
	int (*prepare)(struct save *save); /* NULL: nothing */
	int (*check)(struct save *save, const struct config *live);
	/* Whether nobody else has changed it. */
	bool (*is_unchanged)(struct save *save, const struct config *live);
	/* One request, if it may be sent. 0, SAVE_AGAIN with the answer, or -errno. */
	int (*send)(struct save *save, const struct config *live, struct http_answer *ret_answer);

	/* Whether a new one can be sent already. 1, 0, or -errno with the reason in save->why.
	 * NULL: it always can. */
	int (*is_ready)(struct save *save);
	/* 0 with the answer in save->shown, or -errno. */
	int (*create)(struct save *save);
	/* Under the lock: brings what was created into its document. NULL: no memory. */
	struct item *(*take_created)(struct save *save, struct json_slice answer);
};

/* What one attempt came to, beside 0 and -errno. */
#define SAVE_AGAIN 1

struct save {
	struct job job;
	struct commit commit;
	const struct save_kind *kind;
	bool create;
	struct config wanted;
	struct config hidden; /* the secrets among them, to be blotted out of messages */
	char *offsets;        /* JSON, for a create; NULL: none */
	struct config base;
	bool base_is_bulk;      /* it came out of the bulk answer */
	struct part *base_part; /* counted */

	bool sent;      /* a request was carried out */
	bool undecided; /* one may have been */
	bool told;      /* the journal knows why it failed */
	struct strbuf
		shown; /* the configuration that the server has now, or a create's whole answer */
	struct strbuf why; /* for a person, after a failure */
};

/* Commits a local file's text (route.h). */
int save_begin(const struct save_kind *kind, struct op *op, struct slot *slot, struct node *draft,
	pid_t pid, enum save_how how);
int save_run(struct job *job);
/* What the answer to an update comes to. 0, SAVE_AGAIN, or -errno and explained. */
int save_judge(struct save *save, struct http_answer *answer);
/* A create: POSTs, again as long as `judge` answers SAVE_AGAIN. 0 (in a dry run without one), or
 * -errno and explained. */
int save_post(struct save *save, const char *target, const struct strbuf *body,
	int (*judge)(void *arg, struct http_answer *answer), void *arg);
/* For a person: what an answer that is an error said. */
void save_explain(struct save *save, const char *what, const struct http_answer *answer);
/* With -o validate: asks the plugin whether the settings are valid
 * (validateConnectv1ConnectorPlugin). 0, -EINVAL with a line for each field in save->why, or
 * -errno. */
int save_validate(struct save *save, const struct config *settings);

/* What the writer goes out from, as of now. Under the lock. */
void save_take_base(struct save *save);

#endif

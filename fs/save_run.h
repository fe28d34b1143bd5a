/* The network's half of a save: looking, sending, looking again. Runs on a job's thread, without
 * the lock of struct fs. */
#ifndef FS_SAVE_RUN_H
#define FS_SAVE_RUN_H

#include "api/config.h"
#include "fs/commit.h"
#include "fs/job.h"
#include "fs/save.h"

struct save {
	struct job job;
	struct commit commit;
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

#define SAVE_NO_OFFSETS "\"offsets\" may be given only when a connector is created"

int save_run(struct job *job);
/* For a person: what an answer that is an error said. */
void save_explain(struct save *save, const char *what, const struct http_answer *answer);
/* With -o validate: asks the plugin whether the settings are valid
 * (validateConnectv1ConnectorPlugin). 0, -EINVAL with a line for each field in save->why, or
 * -errno. */
int save_validate(struct save *save, const struct config *settings);

/* What the writer goes out from, as of now. Under the lock. */
void save_take_base(struct save *save);

#endif

/* The network's half of a save of offsets: sending a request to alter them, once. Runs on a job's
 * thread, without the lock of struct fs. */
#ifndef FS_OFFSETS_RUN_H
#define FS_OFFSETS_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "api/json.h"
#include "fs/commit.h"
#include "fs/job.h"

#define OFFSETS_BYTES ((size_t)8 << 20)

struct alter {
	struct job job;
	struct commit commit;
	struct strbuf request; /* to be sent: JSON; empty: nothing has changed */
	struct strbuf changes; /* an array: what offsets.json is to show when it is taken */
	struct strbuf lines;   /* for the audit trail */
	struct strbuf why;     /* for a person, after a failure */
	int64_t wall;          /* by run: when it was sent first, wall milliseconds */
};

/* alterConnectv1ConnectorOffsetsRequest; getConnectv1ConnectorOffsetsRequestStatus where nobody has
 * answered. */
int alter_run(struct job *job);

/* Whether a request that the API tells of is one that was sent no earlier than at `wall`, as far as
 * the clocks agree. */
bool offsets_is_request(struct json_slice told, struct json_slice sent, int64_t wall);

#endif

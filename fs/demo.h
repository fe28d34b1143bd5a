/* --demo: a sample account on the emulator that comes with the program. */
#ifndef FS_DEMO_H
#define FS_DEMO_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/strbuf.h"

struct demo {
	pid_t pid; /* 0: not running */
	char *url; /* owned */
};

/* Starts the emulator on a private port; it ends with this process, and is silent unless `loud`.
 * -errno with the reason. */
int demo_start(struct demo *demo, bool loud, struct strbuf *ret_why);
/* Accepts a zeroed one. */
void demo_stop(struct demo *demo);

#define DEMO_KEY    "DEMOKEY"
#define DEMO_SECRET "demo-secret"

#endif

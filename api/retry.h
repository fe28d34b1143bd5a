/* When to try again: full jitter that doubles, never before what the server asked for. Pure. */
#ifndef API_RETRY_H
#define API_RETRY_H

#include <stdint.h>

#define RETRY_BASE_MS 200
#define RETRY_CAP_MS  10000

/* Milliseconds to wait after the attempt number `attempt` (1 is the first) failed; -1 where the
 * next one would start after the deadline. `asked`: milliseconds of Retry-After or
 * X-RateLimit-Reset, -1 for none. `random`: uniform over its range. */
int64_t retry_delay(
	unsigned attempt, int64_t asked, int64_t now, int64_t deadline, uint32_t random);

#endif

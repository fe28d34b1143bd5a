/* A bucket of tokens: `burst` at once, and one more every `every` milliseconds. So no window of
 * time sees more than burst + window / every. Pure. */
#ifndef API_RATE_H
#define API_RATE_H

#include <stdint.h>

struct rate {
	int64_t every;
	int64_t burst;
	int64_t full_at; /* when all tokens are there again, monotonic milliseconds */
};

/* Takes a token: 0. Or none is there: the milliseconds until the next one is. */
int64_t rate_take(struct rate *rate, int64_t now);

#endif

/*
 * A limit of so many requests in a window of time, which begins with the first
 * request after the last one's end.
 *
 * All calls are made under emulator.lock; times are monotonic milliseconds.
 */
#ifndef EMULATOR_RATE_H
#define EMULATOR_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "emulator/reply.h"

struct rate {
	int64_t limit;
	int64_t window_ms;
	int64_t started_ms;
	int64_t used;
};

/* Counts a request; false, uncounted, if there were enough. */
bool rate_take(struct rate *rate, int64_t now);
/* The headers that tell what is left; with Retry-After if nothing is. */
void rate_write(const struct rate *rate, int64_t now, struct reply *reply);

#endif

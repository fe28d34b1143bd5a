/*
 * Time ranges as the metrics API takes them: START/END, START/DURATION or
 * DURATION/END in ISO 8601, where a moment may be "now" with offsets and
 * truncations ("now-1h|m"). Stateless.
 */
#ifndef EMULATOR_INTERVALS_H
#define EMULATOR_INTERVALS_H

#include <stdint.h>

struct interval {
	int64_t from; /* seconds since the epoch */
	int64_t to;   /* exclusive */
};

/* -EINVAL if it is none, or an empty one. `now` is in seconds since the epoch. */
int interval_parse(const char *text, int64_t now, struct interval *ret_interval);

#endif

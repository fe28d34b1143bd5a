#include "api/retry.h"

/* How far requests that were all told the same second are spread behind it. */
#define SPREAD_MS RETRY_BASE_MS

static int64_t window_of(unsigned attempt)
{
	int64_t window = RETRY_BASE_MS;
	for (unsigned i = 1; i < attempt && window < RETRY_CAP_MS; i++) {
		window *= 2;
	}
	return window < RETRY_CAP_MS ? window : RETRY_CAP_MS;
}

int64_t retry_delay(unsigned attempt, int64_t asked, int64_t now, int64_t deadline, uint32_t random)
{
	int64_t left = deadline - now;
	int64_t delay = (int64_t)(random % (uint64_t)(window_of(attempt) + 1));

	if (asked >= left) {
		return -1;
	}
	if (asked >= delay) {
		delay = asked + (int64_t)(random % (SPREAD_MS + 1));
		if (delay >= left) {
			delay = asked;
		}
	}
	return delay < left ? delay : -1;
}

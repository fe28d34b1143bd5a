#include "api/rate.h"

int64_t rate_take(struct rate *rate, int64_t now)
{
	int64_t full_at = rate->full_at > now ? rate->full_at : now;
	int64_t wait = full_at - now - (rate->burst - 1) * rate->every;
	if (wait <= 0) {
		rate->full_at = full_at + rate->every;
	}
	return wait > 0 ? wait : 0;
}

#include "emulator/rate.h"

#include <inttypes.h>
#include <stdio.h>

bool rate_take(struct rate *rate, int64_t now)
{
	if (now - rate->started_ms >= rate->window_ms) {
		rate->started_ms = now;
		rate->used = 0;
	}
	if (rate->used >= rate->limit) {
		return false;
	}
	rate->used++;
	return true;
}

static void write_number(struct reply *reply, const char *name, int64_t number)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, number);
	reply_set_header(reply, name, text);
}

void rate_write(const struct rate *rate, int64_t now, struct reply *reply)
{
	int64_t reset = (rate->started_ms + rate->window_ms - now + 999) / 1000;
	write_number(reply, "X-RateLimit-Limit", rate->limit);
	write_number(reply, "X-RateLimit-Remaining", rate->limit - rate->used);
	write_number(reply, "X-RateLimit-Reset", reset);
	if (reply->status == 429) {
		write_number(reply, "Retry-After", reset);
	}
}

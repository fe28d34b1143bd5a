#include "emulator/intervals.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MINUTE     60
#define HOUR       3600
#define DAY        86400
#define WORD_MAX   64
#define AMOUNT_MAX 100000000

static int64_t unit_of(char c)
{
	return c == 'm' ? MINUTE : c == 'h' ? HOUR : c == 'd' ? DAY : 0;
}

/* A number at *at, which is moved behind it; negative if there is none. */
static int64_t take_number(const char **at)
{
	char *end;
	if (!isdigit((unsigned char)**at)) {
		return -1;
	}
	errno = 0;
	long long number = strtoll(*at, &end, 10);
	*at = end;
	return errno || number > AMOUNT_MAX ? -1 : number;
}

/* What follows "now". */
static int parse_now(const char *at, int64_t now, int64_t *ret_moment)
{
	while (*at) {
		char sign = *at++;
		int64_t amount = sign == '|' ? 0 : take_number(&at);
		int64_t unit = *at ? unit_of(*at++) : 0;
		if (!strchr("+-|", sign) || amount < 0 || unit == 0) {
			return -EINVAL;
		}
		now += sign == '+' ? amount * unit : sign == '-' ? -amount * unit : -(now % unit);
	}
	*ret_moment = now;
	return 0;
}

/* "Z", "+01:00" or "+0100" as seconds to subtract. */
static int parse_zone(const char *at, int64_t *ret_offset)
{
	int sign = *at == '-' ? -1 : 1;
	if (strcmp(at, "Z") == 0) {
		*ret_offset = 0;
		return 0;
	}
	if (*at != '+' && *at != '-') {
		return -EINVAL;
	}
	struct tm tm = { .tm_hour = 0 };
	const char *end = strptime(at + 1, strchr(at, ':') ? "%H:%M" : "%H%M", &tm);
	if (!end || *end) {
		return -EINVAL;
	}
	*ret_offset = (int64_t)sign * (tm.tm_hour * HOUR + tm.tm_min * MINUTE);
	return 0;
}

static int parse_moment(const char *text, int64_t now, int64_t *ret_moment)
{
	if (strncmp(text, "now", 3) == 0) {
		return parse_now(text + 3, now, ret_moment);
	}
	struct tm tm = { .tm_mday = 1 };
	const char *at = strptime(text, "%Y-%m-%dT%H:%M", &tm);
	if (at && *at == ':') {
		at = strptime(at + 1, "%S", &tm);
	}
	if (at && *at == '.') {
		at++;
		at += strspn(at, "0123456789");
	}
	int64_t offset;
	if (!at || parse_zone(at, &offset) < 0) {
		return -EINVAL;
	}
	*ret_moment = timegm(&tm) - offset;
	return 0;
}

/* "P1DT2H30M15S" or "P1W". */
static int parse_duration(const char *text, int64_t *ret_seconds)
{
	int64_t seconds = 0;
	bool time = false;
	bool any = false;
	for (const char *at = text + 1; *at;) {
		if (*at == 'T' && !time) {
			time = true;
			at++;
			continue;
		}
		int64_t amount = take_number(&at);
		int64_t unit = *at == 'W' && !time   ? (int64_t)7 * DAY
			       : *at == 'D' && !time ? DAY
			       : *at == 'H' && time  ? HOUR
			       : *at == 'M' && time  ? MINUTE
			       : *at == 'S' && time  ? 1
						     : 0;
		if (amount < 0 || unit == 0) {
			return -EINVAL;
		}
		seconds += amount * unit;
		any = true;
		at++;
	}
	*ret_seconds = seconds;
	return any ? 0 : -EINVAL;
}

int interval_parse(const char *text, int64_t now, struct interval *ret_interval)
{
	char first[WORD_MAX];
	struct interval interval;
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : 0;
	if (len == 0 || len >= sizeof(first)) {
		return -EINVAL;
	}
	memcpy(first, text, len);
	first[len] = '\0';
	const char *second = slash + 1;
	int64_t seconds = 0;
	int err;
	if (*first == 'P') {
		err = parse_duration(first, &seconds);
		err = err < 0 ? err : parse_moment(second, now, &interval.to);
		interval.from = err < 0 ? 0 : interval.to - seconds;
	} else {
		err = parse_moment(first, now, &interval.from);
		if (err == 0 && *second == 'P') {
			err = parse_duration(second, &seconds);
			interval.to = interval.from + seconds;
		} else if (err == 0) {
			err = parse_moment(second, now, &interval.to);
		}
	}
	if (err < 0 || interval.from >= interval.to) {
		return -EINVAL;
	}
	*ret_interval = interval;
	return 0;
}

#include "emulator/times.h"

#include <time.h>

void time_write(int64_t seconds, char out[TIME_SIZE])
{
	struct tm tm;
	time_t moment = (time_t)seconds;
	gmtime_r(&moment, &tm);
	strftime(out, TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void time_write_now(char out[TIME_SIZE])
{
	time_write(time(NULL), out);
}

/* Moments as the API writes them: RFC 3339, in UTC. Stateless. */
#ifndef EMULATOR_TIMES_H
#define EMULATOR_TIMES_H

#include <stdint.h>

#define TIME_SIZE 32

/* "2023-03-14T09:26:53Z" for seconds since the epoch. */
void time_write(int64_t seconds, char out[TIME_SIZE]);
/* The same for this moment. */
void time_write_now(char out[TIME_SIZE]);

#endif

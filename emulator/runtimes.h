/* The runtimes that custom connectors may ask for. */
#ifndef EMULATOR_RUNTIMES_H
#define EMULATOR_RUNTIMES_H

#include <stdbool.h>

struct runtime {
	const char *id;
	const char *name;
	const char *kafka_version;
	const char *java_versions; /* comma separated */
	const char *maturity;
	const char *end_of_life_at;
	const char *description;
};

/* NULL if there is none of that name. */
const struct runtime *runtime_find(const char *name);

#endif

/* The tables behind plugins.h. */
#ifndef EMULATOR_DEFINITIONS_H
#define EMULATOR_DEFINITIONS_H

#include "emulator/plugins.h"

/* Settings every managed plugin has, then those of every sink. */
extern const struct definition definitions_common[];
extern const size_t definitions_common_count;
extern const struct definition definitions_sink[];
extern const size_t definitions_sink_count;
/* Settings every custom plugin has. */
extern const struct definition definitions_custom[];
extern const size_t definitions_custom_count;

/* Ends with an element whose class is NULL. */
extern const struct plugin definitions_plugins[];

#endif

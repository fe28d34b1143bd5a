/* What custom connectors need beyond the settings of every plugin. */
#ifndef EMULATOR_CUSTOM_H
#define EMULATOR_CUSTOM_H

#include "emulator/config.h"

/* Appends a line "NAME: REASON" for each thing wrong. */
void custom_check(const struct config *config, struct strbuf *lines);

#endif

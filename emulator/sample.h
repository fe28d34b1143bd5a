/*
 * The accounts the emulator starts with: the sample one, made by hand, or a
 * generated one of any size. Both are the same at every start.
 */
#ifndef EMULATOR_SAMPLE_H
#define EMULATOR_SAMPLE_H

#include <stddef.h>

#include "emulator/account.h"

void sample_fill(struct account *account);
/* `clusters` for each environment, `connectors` for each cluster. */
void sample_generate(
	struct account *account, size_t environments, size_t clusters, size_t connectors);

#endif

/* What the handlers of the metrics API share. Under emulator.lock. */
#ifndef EMULATOR_METRICS_API_H
#define EMULATOR_METRICS_API_H

#include "emulator/emulator.h"
#include "emulator/metrics.h"

/* Whether the path names the dataset there is. False: the reply says no already. */
bool metrics_is_known(const struct request *request, struct reply *reply);

#endif

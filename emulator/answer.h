/*
 * From a complete request to what goes over the wire, faults included.
 * Runs in the connection's thread; takes emulator.lock itself.
 */
#ifndef EMULATOR_ANSWER_H
#define EMULATOR_ANSWER_H

#include "emulator/emulator.h"

/* False: the connection is to be closed without an answer. */
bool answer_request(struct emulator *emulator, struct request *request);
/* The request is over, one way or another. */
void answer_forget(struct emulator *emulator, struct request *request);

#endif

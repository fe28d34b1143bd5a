/* From a received request to an answer on its way, with what faults do to it. */
#ifndef EMULATOR_ANSWER_H
#define EMULATOR_ANSWER_H

#include "emulator/emulator.h"

/* It has arrived, or at least its head: it is recorded, and meets its fault. */
void answer_begin(struct emulator *emulator, struct request *request);
/* Before more of a body is taken in. False: the connection is to be closed. Waits where a fault
 * says so, without the lock. */
bool answer_receives(struct emulator *emulator, const struct request *request, size_t len);
/* All of it is there, and it has begun. False: the connection is to be closed without an
 * answer. Waits as long as latency and faults say, without the lock. */
bool answer_request(struct emulator *emulator, struct request *request);
/* Gives back what begin took. */
void answer_forget(struct emulator *emulator, struct request *request);

#endif

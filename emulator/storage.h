/*
 * The second origin: where presigned URLs lead. Archives are hashed while they
 * arrive and never kept. Only server.c and answer.c know this.
 *
 * Threads: of the request's connection, without emulator.lock.
 */
#ifndef EMULATOR_STORAGE_H
#define EMULATOR_STORAGE_H

#include "emulator/emulator.h"

/* The head of the request is there. */
void storage_begin(struct emulator *emulator, struct request *request);
/* A part of its body. */
void storage_receive(struct request *request, const char *data, size_t len);
/* Frees what storage_begin made. */
void storage_forget(struct request *request);

#endif

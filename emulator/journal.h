/*
 * What was asked so far: kept for the control API, and written to a file.
 *
 * A record enters the journal when its request has arrived, and its line goes
 * to the file when it has been answered. Credentials are never part of it.
 *
 * Lifecycle: journal_init, journal_finish. journal_add returns a reference for
 * the caller, who gives it back with journal_release.
 *
 * Threads: all calls are made under emulator.lock.
 */
#ifndef EMULATOR_JOURNAL_H
#define EMULATOR_JOURNAL_H

#include <stdint.h>
#include <stdio.h>

#include "base/strbuf.h"
#include "emulator/request.h"

/* Beyond this the oldest records are forgotten. */
#define JOURNAL_RECORDS_MAX 100000

struct record {
	struct record *prev;
	struct record *next;
	size_t refs;
	int64_t time_ms; /* wall clock */
	unsigned status; /* 0 until answered */
	uint64_t connection;
	bool authorization; /* whether credentials were sent */
	char *method;       /* the rest is owned */
	char *path;
	char *query;
	char *headers; /* JSON text */
	char *body;
	size_t body_len;
};

struct journal {
	struct record *records; /* owned, oldest first */
	size_t count;
	FILE *file; /* owned, may be NULL */
};

void journal_init(struct journal *journal);
/* -errno if the file cannot be opened. */
int journal_open(struct journal *journal, const char *path);
void journal_finish(struct journal *journal);

struct record *journal_add(
	struct journal *journal, const struct request *request, uint64_t connection);
/* Answered, or given up with status 0: writes the line. */
void journal_done(struct journal *journal, struct record *record);
void journal_release(struct record *record);
void journal_clear(struct journal *journal);
/* All of them as a JSON array. */
void journal_write(const struct journal *journal, struct strbuf *out);

#endif

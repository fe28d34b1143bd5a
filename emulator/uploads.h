/*
 * Uploads: presigned URLs, and what arrived there. Of an archive only its size,
 * its hash and whether it looks like one are kept.
 *
 * An upload lives as long as the account. All calls are made under
 * emulator.lock; a reception belongs to the thread of its request.
 */
#ifndef EMULATOR_UPLOADS_H
#define EMULATOR_UPLOADS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* The longest archive. */
#define UPLOAD_MAX      ((uint64_t)1 << 30)
#define UPLOAD_ID_SIZE  40
#define UPLOAD_SHA_SIZE 65

struct account;

struct archive {
	uint64_t size;
	char sha256[UPLOAD_SHA_SIZE]; /* hexadecimal */
	bool is_zip;                  /* begins and ends like one */
};

struct upload {
	struct upload *prev;
	struct upload *next;
	char id[UPLOAD_ID_SIZE];
	const char *cloud;  /* AWS, AZURE or GCP */
	const char *format; /* ZIP or JAR */
	char *environment;  /* owned, NULL for the organization */
	int64_t expires_ms; /* wall clock */
	cJSON *form;        /* owned: the fields of an AWS form */
	char *path;         /* owned: of its URL, with the query */
	uint64_t received;  /* bytes, by the upload that is under way */
	bool done;
	bool used; /* a plugin was made of it */
	struct archive archive;
};

/* `cloud`, `format` and `environment` are known to be good. */
struct upload *upload_create(
	struct account *account, const char *cloud, const char *format, const char *environment);
void upload_destroy(struct upload *upload);
/* NULL if there is none. */
struct upload *upload_find(const struct account *account, const char *id);
bool upload_is_expired(const struct upload *upload);

/* An archive on its way: hashed as it comes. */
struct reception;

struct reception *reception_create(void);
void reception_destroy(struct reception *reception);
void reception_add(struct reception *reception, const void *data, size_t len);
/* Ends it. */
void reception_finish(struct reception *reception, struct archive *ret_archive);

#endif

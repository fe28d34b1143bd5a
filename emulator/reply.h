/*
 * An answer in the making: status, headers, body; and the ways to say no.
 *
 * Lifecycle: REPLY_INIT, reply_finish. Not thread-safe; belongs to a request.
 */
#ifndef EMULATOR_REPLY_H
#define EMULATOR_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/strbuf.h"
#include "emulator/request.h"

#define REPLY_HEADERS_MAX 16
#define REPLY_BODY_MAX    ((size_t)1 << 30)

struct reply_header {
	char *name;  /* owned */
	char *value; /* owned */
};

struct reply {
	unsigned status;
	struct strbuf body;
	bool plain; /* never compress it */
	struct reply_header headers[REPLY_HEADERS_MAX];
	size_t header_count;
};

#define REPLY_INIT ((struct reply){ .status = 200, .body = STRBUF_INIT(REPLY_BODY_MAX) })

void reply_finish(struct reply *reply);
/* Replaces one of the same name; beyond REPLY_HEADERS_MAX does nothing. */
void reply_set_header(struct reply *reply, const char *name, const char *value);
bool reply_has_header(const struct reply *reply, const char *name);

/* No, in the words of the request's family. */
void reply_refuse(struct reply *reply, const struct request *request, unsigned status,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* No, because of this parameter of the query. */
void reply_refuse_parameter(struct reply *reply, const struct request *request,
	const char *parameter, const char *detail);
/* No, because of this member of the body, as a JSON pointer. */
void reply_refuse_member(struct reply *reply, const struct request *request, const char *pointer,
	const char *detail);
/* No, as Kafka Connect itself says it: error_code and message. */
void reply_refuse_kafka(struct reply *reply, unsigned status, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* No, as object stores say it, in XML. Code and message are constants, or need no escaping. */
void reply_refuse_storage(struct reply *reply, const struct request *request, unsigned status,
	const char *code, const char *message);

/* Compresses the body in place; leaves the headers alone. */
void reply_gzip(struct reply *reply);

static inline void reply_cleanup(struct reply *reply)
{
	reply_finish(reply);
}

#endif

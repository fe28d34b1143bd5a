/*
 * Members of a resource that clients give: which there are, and what they may
 * be. Checked against a table, kept as a JSON object, written in the table's
 * order. Stateless.
 */
#ifndef EMULATOR_FIELDS_H
#define EMULATOR_FIELDS_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "emulator/reply.h"

enum field_type { FIELD_TEXT, FIELD_NAMES, FIELD_CLASSES };

struct field {
	const char *name;
	enum field_type type;
	bool required;         /* when it is new */
	bool immutable;        /* later */
	size_t max;            /* characters of a text or a name, classes */
	const char *pattern;   /* extended regular expression, or NULL for any */
	const char *choices;   /* comma separated, or NULL for any */
	const char *otherwise; /* the text if it is not given, or NULL for none */
};

/* Takes what the table (which ends with a name that is NULL) knows of `given` into `spec`; what
 * it does not know is ignored. `pointer` is where `given` is in the body, "" or "/spec". False:
 * the reply says no already, and `spec` is half done. */
bool fields_take(const struct field *fields, const cJSON *given, const char *pointer, bool is_new,
	cJSON *spec, const struct request *request, struct reply *reply);
/* The members, in an object that has been begun. */
void fields_write(const struct field *fields, const cJSON *spec, struct strbuf *out);

#endif

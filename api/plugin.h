/*
 * What people write about a custom plugin or one of its versions, and what becomes of it.
 *
 * Their members are kept as a struct config whose values are JSON, on one line and with sorted
 * keys. Where the API keeps them in a "spec", the spec's members stand beside the outer ones. Pure;
 * not thread-safe.
 */
#ifndef API_PLUGIN_H
#define API_PLUGIN_H

#include "api/config.h"

struct plugin_kind {
	bool spec;           /* the members are in a "spec" */
	const char *label;   /* the member that the directory's name stands for */
	bool clouded;        /* it says in which cloud its archive is */
	bool environment;    /* it names its environment */
	const char *read[8]; /* what the API takes from nobody, beside what no kind takes */
};

extern const struct plugin_kind plugin_of_organization; /* connect/v1 */
extern const struct plugin_kind plugin_of_environment;  /* ccpm/v1 */
extern const struct plugin_kind plugin_version;         /* ccpm/v1 */

/* Where a new one belongs. */
struct plugin_place {
	const char *name;        /* the directory's */
	const char *environment; /* NULL: the organization */
	const char *upload_id;   /* of its archive; NULL: it has none, or names one itself */
};

/* What somebody wrote, read strictly. 0, -ENOMEM, or -EINVAL with the reason. */
int plugin_parse(const struct plugin_kind *kind, const char *text, size_t len,
	struct config *ret_members, struct strbuf *ret_why);
/* What the API answered. -EBADMSG where it is none. */
int plugin_of_answer(
	const struct plugin_kind *kind, struct json_slice answer, struct config *ret_members);

/* A member that is a string, to be freed; NULL: it is none, is absent, or is empty. */
char *plugin_string(const struct config *members, const char *name);
/* The upload that it names itself, to be freed; NULL: none. */
char *plugin_upload_id(const struct config *members);

/* Whether somebody else has changed something that people write: what the API adds by itself does
 * not count. */
bool plugin_same(const struct config *a, const struct config *b);
/* Whether an answer has all that is wanted, but for what the API tells by itself; it never has an
 * upload. */
bool plugin_has(const struct config *wanted, const struct config *live);
/* The same, whatever is wanted of uploads. */
bool plugin_looks(const struct config *wanted, const struct config *live);
/*
 * The members that a PATCH has to send: what is wanted and not live. What is absent stays as it is.
 * -EINVAL with the reason where one of them cannot be changed; it may be what it was when its
 * writer last saw it (`base`).
 */
int plugin_changes(const struct config *wanted, const struct config *base,
	const struct config *live, struct config *ret_changes, struct strbuf *ret_why);
/* Fills in and replaces what a new one is made of: all that is to be sent. */
int plugin_complete(
	const struct plugin_kind *kind, const struct plugin_place *place, struct config *members);
/* Appends the body of a request: the members, the environment among them where the kind names one.
 */
void plugin_encode(const struct plugin_kind *kind, const struct config *members,
	const char *environment, struct strbuf *out);
/* Appends a line for each member that people write and that is not what it was: name, before, now.
 */
void plugin_add_difference(
	const struct config *before, const struct config *after, struct strbuf *out);

#endif

/* A managed connector plugin: what it calls valid, and a configuration to start from. */
#ifndef FS_PLUGINS_H
#define FS_PLUGINS_H

#include <stddef.h>

struct node;
struct op;
struct question;
struct strbuf;

/* validate.json without a question: the verdict on {}. validateConnectv1ConnectorPlugin. */
int plugin_verdict(struct op *op, const struct node *dir, struct strbuf *out);
/* validate.json: asks for the verdict on a configuration, read as one that is saved. */
int plugin_ask(struct question *question, const char *text, size_t len);
/* template.json: made of the verdict on {}. */
int plugin_template(struct op *op, const struct node *dir, struct strbuf *out);

#endif

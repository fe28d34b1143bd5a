/*
 * Metrics: files of each connector, named by the API's descriptors; a cluster's newest points as
 * Prometheus reads them; and queries.
 *
 * One query brings a metric of all connectors of a cluster: the API answers few in a minute.
 */
#ifndef FS_METRICS_H
#define FS_METRICS_H

#include <stddef.h>

#include "fs/route.h"

/* The files of a connector's metrics directory, and what one shows (route.h). */
int metrics_children(
	struct op *op, const struct node *dir, const char *only, child_visitor *visit, void *arg);
int metrics_compose(struct op *op, const struct node *dir, const char *metric, struct strbuf *out);

/* metrics.prom of a cluster (route.h). */
int metrics_export(struct op *op, const struct node *dir, struct strbuf *out);

/* query.json (question.h): without a question, and with one. */
int metrics_no_query(struct op *op, const struct node *dir, struct strbuf *out);
int metrics_ask(struct question *question, const char *text, size_t len);

#endif

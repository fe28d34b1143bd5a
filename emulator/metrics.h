/*
 * The metrics of the emulated account. A series is one resource's metric, with
 * one value of the metric's label if it has one. Its points follow from a
 * formula: with SEED = CRC32("METRIC\nRESOURCE" or "METRIC\nRESOURCE\nLABEL"),
 * the value of a minute (of the epoch) is SEED modulo 1000 plus the minute
 * modulo 60; that of a status is always 1. Minutes that have not ended have no
 * points.
 *
 * All calls are made under emulator.lock.
 */
#ifndef EMULATOR_METRICS_H
#define EMULATOR_METRICS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "emulator/account.h"

struct metric {
	const char *name;
	const char *description;
	const char *unit;
	const char *type;     /* COUNTER_INT64, GAUGE_DOUBLE, ... */
	const char *resource; /* kafka or connector */
	const char *only;     /* connectors of this type; NULL for all */
	const char *label;    /* of its own: topic, task, status; or NULL */
	const char *label_description;
	bool is_gauge;
	bool is_constant; /* always 1 */
};

struct series {
	const struct metric *metric;
	const char *resource; /* the resource's id */
	const char *label;    /* its value, NULL if the metric has none */
};

/* Some series, added up: what they make of a minute is base + moving * (minute modulo 60). */
struct sum {
	double base;
	double moving;
};

typedef void metric_visit(void *ctx, const struct series *series);

/* Ends with an element whose name is NULL. */
const struct metric *metric_list(void);
/* NULL if there is none. */
const struct metric *metric_find(const char *name);
void metric_each(
	const struct account *account, const struct metric *metric, metric_visit *visit, void *ctx);
/* Those of one resource: of a metric of Kafka clusters, or of connectors. */
void metric_each_of_cluster(
	const struct cluster *cluster, const struct metric *metric, metric_visit *visit, void *ctx);
void metric_each_of_connector(const struct connector *connector, const struct metric *metric,
	metric_visit *visit, void *ctx);
bool metric_is_of_kafka(const struct metric *metric);

/* "resource.connector.id", "metric.task", ...; NULL if the metric has no such label. */
const char *series_label(const struct series *series, const char *field);
bool metric_has_label(const struct metric *metric, const char *field);

void sum_add(struct sum *sum, const struct series *series);
/* What the minutes from `from` (of the epoch) to before `to` make: counters are added up, gauges
 * averaged. `to` is after `from`. */
double sum_value(const struct sum *sum, const struct metric *metric, int64_t from, int64_t to);
/* A number of JSON or Prometheus: whole ones without a fraction. */
void sum_write(double value, struct strbuf *out);

/* Filters: which series count. They live no longer than the JSON they are made of. */
struct filter;
/* NULL, with the reason in `why`, if it is none for that metric. */
struct filter *filter_compile(const cJSON *object, const struct metric *metric, struct strbuf *why);
void filter_destroy(struct filter *filter);
bool filter_takes(const struct filter *filter, const struct series *series);
/* Calls for each resource that it asks for by its id: type and id. */
typedef bool filter_visit(void *ctx, const char *type, const char *id);
/* False as soon as a visit says so, and if there is no such resource at all. */
bool filter_each_resource(const struct filter *filter, filter_visit *visit, void *ctx);

#endif

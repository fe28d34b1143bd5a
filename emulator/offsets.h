/*
 * How far a connector has come, and the request to alter that.
 *
 * Offsets are JSON whose numbers are kept digit by digit. They are made from
 * the connector's configuration when first asked for, and do not move by
 * themselves. A request to alter them ends once its status has been read
 * `offsets_reads` times, or `offsets_ms` later; whatever comes first is noticed
 * by the next call here.
 *
 * Lifecycle: offsets_of makes them and gives them to the connector, which
 * releases them with offsets_destroy. All calls are made under emulator.lock.
 */
#ifndef EMULATOR_OFFSETS_H
#define EMULATOR_OFFSETS_H

#include <cjson/cJSON.h>

#include "base/strbuf.h"
#include "emulator/account.h"

struct offsets;

/* Borrowed from the connector, which must exist. */
struct offsets *offsets_of(const struct account *account, struct connector *connector);
void offsets_destroy(struct offsets *offsets);

/* Whether `list` is an array of objects with a partition and an offset, which
 * may be null; without `with_offset` it may be missing, too. */
bool offsets_are_valid(const cJSON *list, bool with_offset);
/* Appends what Kafka Connect would not take for a connector of that kind. */
void offsets_check(const struct plugin *plugin, const struct config *config, const cJSON *list,
	struct strbuf *why);
/* Takes these, which are valid, on top of what there is. */
void offsets_patch(struct offsets *offsets, const struct connector *connector, const cJSON *list);
/* Another client's, or the connector's own progress: takes the place of all. */
void offsets_replace(struct offsets *offsets, const cJSON *list);
/* The request under way, or else the next one, will fail like that. */
void offsets_fail(struct offsets *offsets, const char *message);

bool offsets_is_pending(const struct offsets *offsets);
/* `request` is {"type", "offsets"} and valid; none may be pending. */
void offsets_request(const struct account *account, struct offsets *offsets, const cJSON *request);

/* Each appends a JSON value. */
void offsets_write(
	const struct offsets *offsets, const struct connector *connector, struct strbuf *out);
void offsets_write_request(
	const struct offsets *offsets, const struct connector *connector, struct strbuf *out);
/* Counts as a read. False if there was no request yet. */
bool offsets_write_status(
	struct offsets *offsets, const struct connector *connector, struct strbuf *out);

#endif

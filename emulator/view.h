/*
 * What the API shows of a connector: secrets as masks, states as of a moment.
 *
 * The texts of the expanded list are kept with the snapshots and written anew
 * only after a change. All calls are made under emulator.lock.
 */
#ifndef EMULATOR_VIEW_H
#define EMULATOR_VIEW_H

#include "base/strbuf.h"
#include "emulator/account.h"

enum view_part { VIEW_ID = 1, VIEW_INFO = 2, VIEW_STATUS = 4 };

/* Each appends one JSON value. */
void view_config(const struct snapshot *snapshot, struct strbuf *out);
/* Name, type, config and tasks; `offsets` is JSON text or NULL. */
void view_connector(const struct connector *connector, const struct snapshot *snapshot,
	const char *offsets, struct strbuf *out);
void view_status(const struct connector *connector, const struct snapshot *snapshot, int64_t at,
	struct strbuf *out);
void view_tasks(const struct connector *connector, const struct snapshot *snapshot, int64_t at,
	struct strbuf *out);
/* The lists of a cluster, as seen at that moment. `parts` is of enum view_part. */
void view_names(const struct cluster *cluster, int64_t at, struct strbuf *out);
void view_expanded(const struct cluster *cluster, unsigned parts, int64_t at, struct strbuf *out);

#endif

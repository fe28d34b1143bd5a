/* .connectfs/overview: one line for each connector, for eyes and awk. */
#ifndef FS_OVERVIEW_H
#define FS_OVERVIEW_H

struct node;
struct op;
struct strbuf;

/* In aligned columns without blanks in them, but for the last: environment, cluster, name, type,
 * class, state, tasks running/all, first line of the trace. Failed ones first. */
int overview_compose(struct op *op, const struct node *dir, struct strbuf *out);

#endif

#include "fs/look.h"

#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "fs/fs.h"
#include "fs/op.h"
#include "fs/process.h"

#define LONG_MS 1000 /* a failure that took as long is one for as long */

static struct look *entry_of(struct table_link *link)
{
	return link ? table_entry(link, struct look, link) : NULL;
}

static bool failed_late(const struct look *look)
{
	return look->err < 0 && look->ended - MOMENT_MS(look->began) >= LONG_MS;
}

static bool is_over(const struct look *look, int64_t now)
{
	return now - look->ended >= (failed_late(look) ? LONG_MS : LOOK_MS);
}

void look_drop(struct fs *fs, struct look *look)
{
	table_remove(&fs->looks.table, &look->link);
	DL_DELETE(fs->looks.list, look);
	free(look);
}

void looks_drop(struct fs *fs)
{
	while (fs->looks.list) {
		look_drop(fs, fs->looks.list);
	}
	table_finish(&fs->looks.table);
}

static void keep(struct fs *fs, uint64_t what, const struct look *given)
{
	while (fs->looks.list && is_over(fs->looks.list, clock_now_ms())) {
		look_drop(fs, fs->looks.list);
	}
	struct look *look = malloc(sizeof(*look));
	if (!look) {
		return;
	}
	*look = *given;
	if (table_add(&fs->looks.table, &look->link, what) < 0) {
		free(look);
		return;
	}
	DL_APPEND(fs->looks.list, look);
}

void look_note(struct op *op, uint64_t what, int err, bool again)
{
	struct look *old = look_of(op, what);
	if (old) {
		look_drop(op->fs, old);
	}
	struct look look = { .pid = op->pid,
		.began = op->began,
		.ended = clock_now_ms(),
		.err = err,
		.again = again };
	keep(op->fs, what, &look);
}

struct look *look_of(const struct op *op, uint64_t what)
{
	int64_t now = clock_now_ms();
	struct look *look = entry_of(table_find(&op->fs->looks.table, what));
	while (look && (look->pid != op->pid || is_over(look, now))) {
		look = entry_of(table_find_next(&look->link));
	}
	return look;
}

struct look *look_of_others(const struct op *op, uint64_t what)
{
	int64_t now = clock_now_ms();
	struct look *look = entry_of(table_find(&op->fs->looks.table, what));
	while (look && (!failed_late(look) || is_over(look, now))) {
		look = entry_of(table_find_next(&look->link));
	}
	if (!look || !process_is_older(op->pid, now - look->ended)) {
		return NULL;
	}
	struct look shared = *look;
	shared.pid = op->pid;
	shared.again = true;
	keep(op->fs, what, &shared);
	return look_of(op, what);
}

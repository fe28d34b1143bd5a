#include "fs/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "fs/archive.h"
#include "fs/fs.h"
#include "fs/node.h"
#include "fs/ops.h"
#include "fs/question.h"
#include "fs/times.h"

struct local *local_create(struct fs *fs, struct folder *folder, enum local_role role, mode_t mode)
{
	struct local *local = calloc(1, sizeof(*local));
	if (local) {
		*local = (struct local){ .fs = fs, .folder = folder, .role = role, .mode = mode };
		local->mtime = times_now(fs->times);
	}
	return local;
}

/* What was in a spool is closed by who may block. */
static void release_spool(struct local *local)
{
	if (local->spooled && local->spooled->fd >= 0) {
		fs_close_later(local->fs, local->spooled->fd);
		local->spooled->fd = -1;
	}
}

static void release_bytes(struct local *local)
{
	if (local->data) {
		explicit_bzero(local->data, local->allocated);
		free(local->data);
	}
	local->fs->scratch_bytes -= local->allocated;
	local->data = NULL;
	local->allocated = 0;
}

void local_destroy(struct local *local)
{
	if (local) {
		entries_clear(&local->entries);
		question_destroy(local->question);
		release_bytes(local);
		release_spool(local);
		free(local->spooled);
		uploaded_destroy(local->uploaded);
		free(local);
	}
}

void local_wipe_unreachable(struct node *node)
{
	struct local *local = node->local;
	if (!local || !S_ISREG(local->mode) || local->links > 0 || local->stands) {
		return;
	}
	const struct handle *handle;
	DL_FOREACH (local->fs->handles, handle) {
		if (handle->node == node) {
			return;
		}
	}
	release_bytes(local);
	release_spool(local);
	local->size = 0;
	local->spent = true;
}

/* What is to be sent is too large for the API, a scratch file for this filesystem. */
static int too_large(const struct local *local)
{
	bool sent = local->role == LOCAL_DRAFT || local->role == LOCAL_WORD ||
		    local->role == LOCAL_QUESTION;
	return sent ? -EFBIG : -ENOSPC;
}

/* Room for `size` bytes, as long as all have not more than `total`; what is new is zero. */
static int reserve(struct local *local, size_t size, size_t total)
{
	if (size <= local->allocated) {
		return 0;
	}
	if (size > LOCAL_FILE_MAX) {
		return too_large(local);
	}
	size_t allocated = local->allocated ? local->allocated : 4096;
	while (allocated < size) {
		allocated *= 2;
	}
	if (local->fs->scratch_bytes - local->allocated + allocated > total) {
		return -ENOSPC;
	}
	char *data = calloc(1, allocated);
	if (!data) {
		return -ENOMEM;
	}
	if (local->size > 0) {
		memcpy(data, local->data, local->size);
	}
	release_bytes(local);
	local->data = data;
	local->allocated = allocated;
	local->fs->scratch_bytes += allocated;
	return 0;
}

static void changed(struct local *local)
{
	local->changes++;
	local->mirrors = local->has_mtime = false;
	local->mtime = times_now(local->fs->times);
}

int local_write(struct local *local, const char *bytes, size_t len, size_t offset)
{
	if (offset > LOCAL_FILE_MAX || len > LOCAL_FILE_MAX - offset) {
		return too_large(local);
	}
	int err = reserve(local, offset + len, LOCAL_TOTAL_MAX);
	if (err < 0) {
		return err;
	}
	if (len > 0) {
		memcpy(local->data + offset, bytes, len);
	}
	if (offset + len > local->size) {
		local->size = offset + len;
	}
	changed(local);
	return 0;
}

int local_spool(struct local *local)
{
	local->spooled = calloc(1, sizeof(*local->spooled));
	if (!local->spooled) {
		return -ENOMEM;
	}
	local->spooled->fd = -1;
	return 0;
}

void local_spool_wrote(struct local *local, size_t len, size_t offset, int err)
{
	if (err < 0) {
		local->spooled->failure = err;
	} else if (offset + len > local->size) {
		local->size = offset + len;
	}
	changed(local);
}

/* Nothing is freed but by starting over: then what was written is no longer of interest. */
static int truncate_spool(struct local *local, size_t size)
{
	struct spooled *spooled = local->spooled;
	if (size == 0) {
		release_spool(local);
		spooled->failure = 0;
	} else if (spooled->fd < 0 || ftruncate(spooled->fd, (off_t)size) < 0) {
		return -EFBIG;
	}
	local->size = size;
	changed(local);
	return 0;
}

int local_truncate(struct local *local, size_t size)
{
	if (local->spooled) {
		return truncate_spool(local, size);
	}
	int err = reserve(local, size, LOCAL_TOTAL_MAX);
	if (err < 0) {
		return err;
	}
	if (size < local->size) {
		explicit_bzero(local->data + size, local->size - size);
	}
	local->size = size;
	changed(local);
	return 0;
}

static int fill(struct local *local, const char *bytes, size_t len, size_t total)
{
	int err = reserve(local, len, total);
	if (err == 0 && len > 0) {
		memcpy(local->data, bytes, len);
	}
	if (err == 0) {
		local->size = len;
	}
	return err;
}

int local_fill(struct local *local, const char *bytes, size_t len)
{
	return fill(local, bytes, len, LOCAL_TOTAL_MAX);
}

int local_keep(struct local *local, const char *bytes, size_t len)
{
	return fill(local, bytes, len, SIZE_MAX);
}

struct entry *entry_find(struct entry *entries, const char *name)
{
	struct entry *entry;
	HASH_FIND(hh, entries, name, strlen(name), entry);
	return entry;
}

static void entry_free(struct entry *entry)
{
	if (entry->node->local) {
		entry->node->local->links--;
		local_wipe_unreachable(entry->node);
	}
	node_unref(entry->node);
	free(entry->name);
	free(entry);
}

int entry_add(struct entry **entries, const char *name, struct node *node)
{
	struct entry *entry = calloc(1, sizeof(*entry));
	char *copy = strdup(name);
	if (!entry || !copy) {
		free(entry);
		free(copy);
		return -ENOMEM;
	}
	entry->place = node_fs(node)->next_place++;
	entry->name = copy;
	entry->node = node_ref(node);
	node->local->links++;
	HASH_ADD_KEYPTR(hh, *entries, entry->name, strlen(copy), entry);
	if (!entry->hh.tbl) {
		entry_free(entry);
		return -ENOMEM;
	}
	return 0;
}

void entry_remove(struct entry **entries, struct entry *entry)
{
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL moves the head on */
	HASH_DEL(*entries, entry);
	entry_free(entry);
}

void entries_clear(struct entry **entries)
{
	struct entry *entry, *next;
	HASH_ITER (hh, *entries, entry, next) {
		entry_remove(entries, entry);
	}
}

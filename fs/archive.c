#include "fs/archive.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/strbuf.h"
#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/node.h"
#include "fs/ops.h"
#include "fs/route.h"
#include "fs/spool.h"

#define END_MARK  "PK\005\006"
#define END_BYTES 22    /* of what begins with that mark, at least */
#define TAIL_MAX  65557 /* of that with the longest comment */

void uploaded_destroy(struct uploaded *uploaded)
{
	if (uploaded) {
		free(uploaded->id);
		free(uploaded->cloud);
		free(uploaded);
	}
}

static bool ends_with(const char *name, const char *ending)
{
	size_t len = strlen(name), its = strlen(ending);
	return len > its && strcasecmp(name + len - its, ending) == 0;
}

const char *archive_format(const char *name)
{
	return ends_with(name, ".zip") ? "ZIP" : ends_with(name, ".jar") ? "JAR" : NULL;
}

/* Whether the last bytes of a file are those of an archive that is not cut off: its directory's end
 * is the last thing but for a comment. */
static bool ends_whole(const char *tail, size_t len)
{
	return len >= END_BYTES &&
	       memmem(tail, len - END_BYTES + strlen(END_MARK), END_MARK, strlen(END_MARK));
}

/* What people take for a plugin's archive. */
static bool is_mistaken(const char *name)
{
	static const char *const endings[] = { ".pdf", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst",
		".7z", ".rar", ".war", ".ear", ".class", ".deb", ".rpm", ".exe" };
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (name[0] != '.' && ends_with(name, endings[i])) {
			return true;
		}
	}
	return false;
}

static bool takes_archive(const struct folder *folder)
{
	return folder->made && folder->route->folder->archive;
}

/* Also the names that programs write to before they rename (".tides.zip.1pW4xz"), but not those
 * that bear an ending by chance (".plugin.json.jArP0s"). */
static bool is_archive_in_the_making(const char *name, const char *ending)
{
	const char *found = strcasestr(name, ending);
	while (found && isalnum((unsigned char)found[strlen(ending)])) {
		found = strcasestr(found + 1, ending);
	}
	return found != NULL;
}

int archive_admit(struct folder *folder, const char *name, bool *ret_spooled)
{
	*ret_spooled = false;
	if (!folder->route->folder->plugin) {
		return 0;
	}
	bool archive =
		is_archive_in_the_making(name, ".zip") || is_archive_in_the_making(name, ".jar");
	if (archive && !takes_archive(folder)) {
		journal_error(folder->fs->journal,
			"%s: %s: an archive cannot be put beside what exists already, nor beside a plugin that has versions",
			folder->name, name);
		return -EPERM;
	}
	*ret_spooled = archive;
	if (takes_archive(folder) && is_mistaken(name)) {
		return folder_refuse(
			folder, name, "a plugin's archive is named *.zip or *.jar", -EINVAL);
	}
	return 0;
}

static bool is_whole(const struct local *local)
{
	const struct spooled *spooled = local->spooled;
	if (spooled) {
		return spooled->whole && spooled->looked == local->changes && !spooled->failure;
	}
	size_t len = local->size < TAIL_MAX ? local->size : TAIL_MAX;
	return len > 0 && ends_whole(local->data + local->size - len, len);
}

static const struct entry *entry_of(const struct folder *folder, const struct node *node)
{
	const struct entry *entry = folder->entries;
	while (entry && entry->node != node) {
		entry = entry->hh.next;
	}
	return entry;
}

/* Its bytes, or a descriptor of its own for them: what is written over it meanwhile begins with a
 * new spool. 0 or -errno. */
static int copy_bytes(const struct local *local, struct archive *archive)
{
	if (local->spooled) {
		archive->fd = fcntl(local->spooled->fd, F_DUPFD_CLOEXEC, 0);
		return archive->fd < 0 ? -errno : 0;
	}
	archive->data = malloc(local->size);
	if (!archive->data) {
		return -ENOMEM;
	}
	memcpy(archive->data, local->data, local->size);
	return 0;
}

static int take(const struct entry *entry, const char *cloud, struct archive *ret_archive)
{
	const struct local *local = entry->node->local;
	const struct uploaded *uploaded = local->uploaded;
	bool uploads = uploaded && uploaded->change == local->changes &&
		       strcmp(uploaded->cloud, cloud) == 0;
	struct archive archive = { .fd = -1,
		.format = archive_format(entry->name),
		.size = local->size,
		.change = local->changes,
		.name = strdup(entry->name),
		.upload_id = uploads ? strdup(uploaded->id) : NULL,
		.fresh = uploads && clock_now_ms() - uploaded->at < UPLOAD_MS };
	int err = archive.name && (!uploads || archive.upload_id) ? copy_bytes(local, &archive)
								  : -ENOMEM;
	if (err < 0) {
		archive_finish(&archive);
		return err;
	}
	archive.node = node_ref(entry->node);
	*ret_archive = archive;
	return 1;
}

int archive_take(
	struct folder *folder, const char *cloud, struct archive *ret_archive, struct strbuf *why)
{
	const struct entry *only = NULL;
	for (const struct entry *entry = folder->entries; entry; entry = entry->hh.next) {
		if (!archive_format(entry->name) || !S_ISREG(entry->node->local->mode)) {
			continue;
		}
		if (only) {
			strbuf_addf(why, "There are several archives: %s, %s.\n", only->name,
				entry->name);
			return -EINVAL;
		}
		only = entry;
	}
	bool ready = only && only->node->writers == 0 && is_whole(only->node->local);
	return ready ? take(only, cloud, ret_archive) : 0;
}

void archive_finish(struct archive *archive)
{
	if (archive->fd >= 0) {
		close(archive->fd);
	}
	free(archive->data);
	free(archive->name);
	free(archive->upload_id);
	node_unref(archive->node);
}

int archive_uploaded(const struct archive *archive, const char *cloud)
{
	struct local *local = archive->node->local;
	if (local->changes != archive->change) {
		return -EBUSY;
	}
	struct uploaded *uploaded = calloc(1, sizeof(*uploaded));
	if (uploaded) {
		uploaded->id = strdup(archive->upload_id);
		uploaded->cloud = strdup(cloud);
	}
	if (!uploaded || !uploaded->id || !uploaded->cloud) {
		uploaded_destroy(uploaded);
		return -ENOMEM;
	}
	uploaded->at = clock_now_ms();
	uploaded->change = archive->change;
	uploaded_destroy(local->uploaded);
	local->uploaded = uploaded;
	return 0;
}

void archive_drop(struct folder *folder, bool uploaded_only)
{
	struct entry *entry, *next;
	HASH_ITER (hh, folder->entries, entry, next) {
		const struct local *local = entry->node->local;
		bool uploaded = local->uploaded && local->uploaded->change == local->changes;
		if (archive_format(entry->name) && (uploaded || !uploaded_only)) {
			folder_drop(folder, entry->name);
		}
	}
}

const char *archive_left(const struct folder *folder)
{
	const struct entry *entry = folder->entries;
	while (entry && !archive_format(entry->name)) {
		entry = entry->hh.next;
	}
	return entry ? entry->name : NULL;
}

void archive_look(struct handle *handle)
{
	struct node *node = handle->node;
	struct fs *fs = node_fs(node);
	fs_lock(fs);
	struct local *local = node->local;
	struct spooled *spooled = local ? local->spooled : NULL;
	bool due =
		spooled && handle->wrote && spooled->fd >= 0 && local->changes != spooled->looked;
	uint64_t change = due ? local->changes : 0;
	size_t size = due ? local->size : 0;
	cleanup(fd) int fd = due ? fcntl(spooled->fd, F_DUPFD_CLOEXEC, 0) : -1;
	fs_unlock(fs);
	size_t len = size < TAIL_MAX ? size : TAIL_MAX;
	char *tail = due ? malloc(TAIL_MAX) : NULL;
	if (!tail) {
		return;
	}
	int64_t got = spool_read(fd, tail, len, size - len);
	bool whole = got == (int64_t)len && ends_whole(tail, len);
	free(tail);
	fs_lock(fs);
	spooled->whole = whole;
	spooled->looked = change;
	fs_unlock(fs);
}

int archive_commit(struct op *op, struct node *node, pid_t pid)
{
	struct local *local = node->local;
	struct folder *folder = local->folder;
	int lost = local->spooled ? local->spooled->failure : 0;
	if (!folder || !folder->route->folder->archive || !S_ISREG(local->mode) ||
		node->writers > 0 || (local->size == 0 && !lost)) {
		return 0;
	}
	const struct entry *entry = entry_of(folder, node);
	if (!entry || !archive_format(entry->name)) {
		return 0;
	}
	local->tried = local->changes;
	local->failure = 0;
	if (!folder->made) {
		return folder_refuse(folder, entry->name, ARCHIVE_TOO_LATE, -EPERM);
	}
	if (!is_whole(local)) {
		local->failure = folder_refuse(folder, entry->name,
			lost ? strerror(-lost) : "it is no complete archive",
			lost ? lost : -EINVAL);
		return local->failure;
	}
	struct slot *slot = folder_main(folder);
	if (!slot->draft || slot->draft->local->size == 0 || slot->draft->writers > 0) {
		return 0;
	}
	return slot->route->save(op, slot, slot->draft, pid, SAVE_IN_PLACE);
}

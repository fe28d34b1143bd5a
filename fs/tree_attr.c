#include <stdlib.h>
#include <uthash.h>

#include "fs/folder.h"
#include "fs/fs.h"
#include "fs/hash.h"
#include "fs/local.h"
#include "fs/node.h"
#include "fs/op.h"
#include "fs/question.h"
#include "fs/route.h"
#include "fs/times.h"
#include "fs/topology.h"
#include "fs/tree.h"

#define BLOCK_BYTES 512
#define IO_BYTES    4096

struct touched {
	UT_hash_handle hh; /* in fs->touched, by ino */
	uint64_t ino;
	uint64_t hash; /* of the content that it was set on */
	bool has_mode, has_mtime;
	mode_t mode;
	struct timespec mtime;
};

struct document *tree_listing(struct fs *fs, const struct node *dir)
{
	const struct route *child = dir->route ? route_variable_child(dir->route) : NULL;
	if (!child || !child->document) {
		return NULL;
	}
	return tree_document(fs, child->document, dir);
}

int64_t tree_ttl(const struct fs *fs, const struct route *route)
{
	if (!route->document) {
		return 0;
	}
	bool status = route->document->cut && route->part == PART_STATUS;
	return fs->options->ttl[status ? TTL_STATUS : route->document->ttl];
}

/* A directory's content is its names; 0: they are not known yet. */
static uint64_t listing_hash(struct fs *fs, const struct node *dir)
{
	struct document *document = tree_listing(fs, dir);
	if (document && !document->fetched_at) {
		return 0;
	}
	return document && document->listing ? document->listing : 1;
}

static nlink_t directory_links(struct fs *fs, const struct node *dir)
{
	struct document *document = tree_listing(fs, dir);
	nlink_t links = 2 + (document ? document->count : 0);
	for (unsigned i = 1; dir->route && i < ROUTES; i++) {
		links += routes[i].parent == route_id(dir->route) && routes[i].name &&
			 S_ISDIR(routes[i].mode) && route_is_listed(&routes[i], fs->options);
	}
	return links;
}

static struct touched *touched_find(struct fs *fs, uint64_t ino)
{
	struct touched *touched;
	HASH_FIND(hh, fs->touched, &ino, sizeof(ino), touched);
	return touched;
}

static bool is_later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

/* Tells the contents of a view or directory apart, for what somebody sets on it. */
static uint64_t content_hash(struct fs *fs, const struct node *node)
{
	if (!node_is_dir(node)) {
		return node->hash;
	}
	uint64_t hash = listing_hash(fs, node);
	const struct folder *folder = node->folder;
	return folder ? hash_bytes(hash, &folder->mtime, sizeof(folder->mtime)) : hash;
}

static void attr_directory(struct fs *fs, struct node *node, struct stat *attr)
{
	attr->st_nlink = directory_links(fs, node);
	attr->st_size = IO_BYTES;
	uint64_t hash = listing_hash(fs, node);
	attr->st_mtim =
		hash ? times_of(fs->times, node->ino, hash) : times_peek(fs->times, node->ino);
	const struct folder *folder = node->folder;
	if (folder && is_later(folder->mtime, attr->st_mtim)) {
		attr->st_mtim = folder->mtime;
	}
}

static nlink_t local_directory_links(const struct local *local)
{
	nlink_t links = local->links ? 2 : 0;
	for (const struct entry *entry = local->entries; entry; entry = entry->hh.next) {
		links += S_ISDIR(entry->node->local->mode);
	}
	return links;
}

/* A draft, a word and what was dropped have a name that is no entry. */
static nlink_t local_links(const struct local *local)
{
	return local->links + (local->role != LOCAL_SCRATCH && local->links == 0);
}

static void attr_local(const struct node *node, struct stat *attr)
{
	const struct local *local = node->local;
	attr->st_mode = local->mode;
	attr->st_nlink = S_ISDIR(local->mode) ? local_directory_links(local) : local_links(local);
	const struct part *answer = local->question ? local->question->answer : NULL;
	attr->st_size = (off_t)(S_ISDIR(local->mode) ? IO_BYTES
				: answer             ? answer->len
						     : local->size);
	attr->st_mtim = local->mtime;
}

static bool is_shown_as_view(const struct node *node)
{
	const struct local *local = node->local;
	return !local || (local->mirrors && !local->stands && local->links == 0);
}

static void attr_view(struct fs *fs, struct node *node, struct stat *attr)
{
	mode_t mode = node->route->mode;
	attr->st_mode = S_ISLNK(mode) ? mode : mode & ~fs->options->umask;
	if (S_ISDIR(mode)) {
		attr_directory(fs, node, attr);
	} else {
		attr->st_size = (off_t)node->size;
		attr->st_mtim = node_mtime(node);
	}
	const struct touched *touched = touched_find(fs, node->ino);
	if (touched && touched->hash == content_hash(fs, node)) {
		if (touched->has_mode) {
			attr->st_mode = (mode & S_IFMT) | touched->mode;
		}
		if (touched->has_mtime) {
			attr->st_mtim = touched->mtime;
		}
	}
}

void tree_attr(struct fs *fs, struct node *node, struct stat *ret_attr)
{
	const struct options *options = fs->options;
	struct stat attr = {
		.st_ino = node->ino, .st_uid = options->uid, .st_gid = options->gid, .st_nlink = 1
	};
	if (is_shown_as_view(node)) {
		attr_view(fs, node, &attr);
	} else {
		attr_local(node, &attr);
	}
	attr.st_ctim = attr.st_atim = attr.st_mtim;
	attr.st_blksize = IO_BYTES;
	attr.st_blocks = (attr.st_size + BLOCK_BYTES - 1) / BLOCK_BYTES;
	*ret_attr = attr;
}

/* What is set on this content; NULL: no memory. */
static struct touched *touched_of(struct fs *fs, uint64_t ino, uint64_t hash)
{
	struct touched *touched = touched_find(fs, ino);
	if (!touched) {
		touched = calloc(1, sizeof(*touched));
		if (!touched) {
			return NULL;
		}
		touched->ino = ino;
		HASH_ADD(hh, fs->touched, ino, sizeof(touched->ino), touched);
	}
	if (touched->hash != hash) {
		touched->hash = hash;
		touched->has_mode = touched->has_mtime = false;
	}
	return touched;
}

static void touch_mode(struct touched *touched, mode_t mode)
{
	touched->has_mode = true;
	touched->mode = mode & 07777;
}

void tree_set_attr(struct fs *fs, struct node *node, const struct stat *attr, int to_set)
{
	bool sets_mode = to_set & FUSE_SET_ATTR_MODE;
	bool sets_mtime = to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW);
	struct timespec mtime =
		to_set & FUSE_SET_ATTR_MTIME_NOW ? times_now(fs->times) : attr->st_mtim;
	struct local *local = node->local;
	if (!is_shown_as_view(node)) {
		local->has_mode |= sets_mode;
		local->has_mtime |= sets_mtime;
		local->mode =
			sets_mode ? (local->mode & S_IFMT) | (attr->st_mode & 07777) : local->mode;
		local->mtime = sets_mtime ? mtime : local->mtime;
		return;
	}
	struct touched *touched = touched_of(fs, node->ino, content_hash(fs, node));
	if (touched && sets_mode) {
		touch_mode(touched, attr->st_mode);
	}
	if (touched && sets_mtime) {
		touched->has_mtime = true;
		touched->mtime = mtime;
	}
}

void tree_show_saved(
	struct fs *fs, struct node *draft, uint64_t ino, const struct face *face, bool keeps_time)
{
	struct local *local = draft->local;
	if (keeps_time) {
		times_set(fs->times, ino, face->hash, local->mtime);
	}
	struct touched *touched = touched_find(fs, ino);
	if (touched && keeps_time) {
		touched->has_mtime = false;
	}
	touched = local->has_mode ? touched_of(fs, ino, face->hash) : NULL;
	if (touched) {
		touch_mode(touched, local->mode);
	}
	draft->hash = face->hash;
	draft->size = (uint32_t)face->size;
	node_set_mtime(draft, times_of(fs->times, ino, face->hash));
	local->mirrors = true;
}

void touched_destroy(struct fs *fs)
{
	struct touched *touched, *next;
	HASH_ITER (hh, fs->touched, touched, next) {
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): HASH_DEL moves the head on */
		HASH_DEL(fs->touched, touched);
		free(touched);
	}
}

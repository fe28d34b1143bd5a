/*
 * The tree: from a name in a directory to a node, from a node to its attributes, from a directory
 * to its names. Protected by the lock of struct fs.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct document;
struct face;
struct document_kind;
struct fs;
struct item;
struct node;
struct op;
struct route;
struct strbuf;

struct found {
	struct node *node; /* a reference for the caller; NULL: the name is known to be absent */
	int64_t valid_ms;  /* how long the name may be cached */
	int64_t attr_ms;   /* how long its attributes may be */
};

/* 0, OP_WAIT or -errno; -ENOENT with ret_found->valid_ms set says how long that holds. */
int tree_lookup(struct op *op, struct node *dir, const char *name, struct found *ret_found);
/* The same out of what is at hand, for one of the names that a listing gives: 0, or -errno where it
 * would have to wait. */
int tree_peek(const struct op *op, struct node *dir, const char *name, struct found *ret_found);
/* How long what a row shows is believed, in milliseconds; 0: it is made anew for each look. */
int64_t tree_ttl(const struct fs *fs, const struct route *route);
/* As it is shown now. */
void tree_attr(struct fs *fs, struct node *node, struct stat *ret_attr);
/* The document of a kind that a directory or what is in it shows; NULL: no memory. */
struct document *tree_document(
	struct fs *fs, const struct document_kind *kind, const struct node *dir);
/* The document whose items a directory lists; NULL: none does. */
struct document *tree_listing(struct fs *fs, const struct node *dir);
/* Makes sure that a directory's node is still there, and its listing known. 0, OP_WAIT or -errno.
 */
int tree_check_dir(struct op *op, struct node *dir, int64_t *ret_valid_ms);
/* The kernel looks at a directory, maybe more than once, before it reads it: what was fetched for
 * the first look is fresh for all of that, and what could not be had is not asked for again. */
void tree_reads_on(struct op *op, const struct node *dir);
/* A name that the kernel knew and that could not be had is looked up by it once more; and while one
 * looks a name up, all others who want it wait in the kernel, to ask one after the other. They get
 * the same failure (-errno; 0: there was none) and do not wait for another one. */
int tree_looks_again(struct op *op);
void tree_look_failed(struct op *op, int err);

/* One name of a directory. */
struct listed {
	const char *name;
	uint64_t ino;
	mode_t type;   /* S_IF* */
	uint64_t next; /* where the names behind it begin */
};

/* Gets a directory's names one by one; a result other than 0 ends the listing with it. */
typedef int tree_visitor(void *arg, const struct listed *listed);

/* "." and ".." and all names from a place on, 0 at first. 0, what `visit` returned, OP_WAIT (what
 * was given is then given again) or -errno. */
int tree_list(struct op *op, struct node *dir, uint64_t from, tree_visitor *visit, void *arg);
/* Whether a directory's names change only with the document that lists them, or by the kernel's
 * own doing. */
bool tree_is_steady(struct fs *fs, struct node *dir);

/* What a directory with a folder shows; NULL: it is only local, or gone. */
struct item *tree_item(struct fs *fs, struct node *dir);
/* The text of a view's node. 0 or -errno. */
int tree_render(const struct node *node, struct strbuf *out);
/* Whether a directory takes local files: one that has a folder, or that was made in such a one. */
bool tree_is_local_dir(const struct node *dir);

/* What somebody set on a node that has no place for it (chmod, utimens on a view or a directory):
 * shown until its content changes. to_set and attr as in setattr. */
void tree_set_attr(struct fs *fs, struct node *node, const struct stat *attr, int to_set);
/* A draft was saved, and this is shown under its inode number: it looks like that until somebody
 * writes to it again. A mode that was set on it goes over, and with `keeps_time` its time. */
void tree_show_saved(
	struct fs *fs, struct node *draft, uint64_t ino, const struct face *face, bool keeps_time);
void touched_destroy(struct fs *fs);

/* An item is gone: the kernel forgets its directory. */
void tree_forget_item(struct fs *fs, const struct item *item);
/* The names that a document lists have changed: the kernel forgets them. */
void tree_forget_listing(const struct document *document);

#endif

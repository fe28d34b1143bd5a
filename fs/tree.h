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
struct document_kind;
struct fs;
struct item;
struct node;
struct op;
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

/* A directory's names as they are when it is opened. */
struct name_list {
	char **names;
	unsigned char *types; /* DT_* */
	size_t count, size;
};

/* Without "." and "..". 0, OP_WAIT or -errno. */
int tree_list(struct op *op, struct node *dir, struct name_list *ret_list);
void name_list_finish(struct name_list *list);

/* What a directory with a folder shows; NULL: it is only local, or gone. */
struct item *tree_item(struct fs *fs, struct node *dir);
/* The text of a view's node. 0 or -errno. */
int tree_render(const struct node *node, struct strbuf *out);
/* Whether a directory takes local files: one that has a folder, or that was made in such a one. */
bool tree_is_local_dir(const struct node *dir);

/* What somebody set on a node that has no place for it (chmod, utimens on a view or a directory):
 * shown until its content changes. to_set and attr as in setattr. */
void tree_set_attr(struct fs *fs, struct node *node, const struct stat *attr, int to_set);
void touched_destroy(struct fs *fs);

/* An item is gone: the kernel forgets its directory. */
void tree_forget_item(struct fs *fs, const struct item *item);

#endif

/* The kernel's requests: the only user of FUSE's low-level interface, with op.c. */
#ifndef FS_OPS_H
#define FS_OPS_H

#include "fs/local.h"
#include "fs/op.h"
#include "fs/part.h"
#include "fs/tree.h"

struct folder;
struct node;
struct route;

/* An open file; its address is fuse_file_info.fh. */
struct handle {
	struct handle *prev, *next; /* in fs->handles */
	struct node *node;          /* counted */
	pid_t pid;                  /* the process that opened it to write; 0: nobody did */
	bool view;                  /* shows what the node was a view of when it was opened */
	char *text;                 /* that, once it was read; wiped */
	size_t len;
	bool writes;  /* opened for writing */
	bool wrote;   /* has written since its last flush */
	bool active;  /* counts in its file's writers */
	bool asked;   /* of a question: nothing was read since it was written */
	size_t start; /* where its first byte was written, or that of its answer is read */
};

extern const struct fuse_lowlevel_ops ops;

struct node *ops_node(struct fs *fs, fuse_ino_t ino);
fuse_ino_t ops_ino(const struct fs *fs, const struct node *node);
static inline struct fs *ops_fs(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* Fills an op's ENTRY (or CREATE) answer in and gives the kernel its lookup; takes the reference.
 */
void ops_entry(struct op *op, enum reply_kind kind, struct found *found);

/* ops_file.c */
void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	struct fuse_file_info *fi);
void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void ops_write(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *bufs, off_t off,
	struct fuse_file_info *fi);
void ops_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_setattr(
	fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi);

/* ops_dir.c */
void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void ops_readdirplus(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);

/* ops_name.c */
void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);

/* ops_rename.c */
void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to_parent,
	const char *to_name, unsigned int flags);
void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t to_parent, const char *to_name);

/* Of a directory that takes local files: the row of a name that the API has in it (NULL: any other
 * name), the connector's folder (NULL: no memory), and its local files. */
const struct route *ops_fixed_route(const struct node *dir, const char *name);
struct folder *ops_folder(struct fs *fs, struct node *dir);
struct entry **ops_entries(struct fs *fs, struct node *dir);
/* Its listing has changed. */
void ops_touch(struct fs *fs, struct node *dir);
/* Whether a name is taken; ret_result: -EEXIST, OP_WAIT, or why that cannot be told. */
bool ops_exists(struct op *op, struct node *dir, const char *name, int *ret_result);
/* An op that changes a name in a directory; NULL: it was answered. */
struct op *ops_name_op(
	fuse_req_t req, fuse_ino_t ino, const char *name, int (*step)(struct op *op));

/* After a save by rename: carries the op's names out. Under the lock. */
int ops_rename_local(struct op *op);
/* A new local file or directory in a directory that takes them. 0 or -errno; a reference. */
int ops_create_local(struct op *op, mode_t mode, enum local_role role, struct node **ret_node);

/* ops_handle.c. NULL: no memory. */
struct handle *handle_create(struct fs *fs, struct node *node);
void handle_destroy(struct fs *fs, struct handle *handle);
/* Whether it counts in its file's writers. */
void handle_set_active(struct handle *handle, bool active);
/* Frees those that the kernel has never released. */
void handles_destroy(struct fs *fs);

static inline struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

#endif

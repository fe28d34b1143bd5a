/* Reading and writing open files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/draft.h"
#include "fs/fs.h"
#include "fs/local.h"
#include "fs/node.h"
#include "fs/ops.h"
#include "fs/question.h"
#include "fs/spool.h"

#define VIEW_BYTES ((size_t)256 << 20)

/* An open file's spool, for one request. */
struct borrowed {
	bool spooled; /* false: the file is in memory */
	int of;       /* the spool's descriptor, -1: it is empty */
	int fd;       /* one of one's own for it, which truncation leaves alone */
	int err;
};

static struct borrowed borrow_spool(struct fs *fs, const struct handle *handle)
{
	struct borrowed spool = { .of = -1, .fd = -1 };
	fs_lock(fs);
	const struct local *local = handle->node->local;
	if (local && local->spooled) {
		spool.spooled = true;
		spool.of = local->spooled->fd;
		spool.fd = spool.of < 0 ? -1 : fcntl(spool.of, F_DUPFD_CLOEXEC, 0);
		spool.err = spool.of >= 0 && spool.fd < 0 ? -errno : 0;
	}
	fs_unlock(fs);
	return spool;
}

/* Without the lock: a disk may be slow. */
static void read_spool(fuse_req_t req, struct borrowed *spool, size_t size, off_t off)
{
	char *bytes = malloc(size + 1);
	int64_t got = !bytes          ? -ENOMEM
		      : spool->err    ? spool->err
		      : spool->fd < 0 ? 0
				      : spool_read(spool->fd, bytes, size, (uint64_t)off);
	if (got < 0) {
		fuse_reply_err(req, (int)-got);
	} else {
		fuse_reply_buf(req, bytes, (size_t)got);
	}
	free(bytes);
	fd_cleanup(&spool->fd);
}

static void write_spool(fuse_req_t req, struct handle *handle, struct borrowed *spool,
	const char *bytes, size_t len, size_t offset)
{
	struct fs *fs = ops_fs(req);
	int err = spool->err;
	bool fresh = !err && spool->fd < 0;
	if (fresh) {
		spool->fd = spool_open();
		err = spool->fd < 0 ? spool->fd : 0;
	}
	err = err ? err : spool_write(spool->fd, bytes, len, offset);
	fs_lock(fs);
	struct local *local = handle->node->local;
	/* Truncated meanwhile, it begins anew, without this. */
	if (local->spooled->fd == spool->of) {
		if (fresh) {
			local->spooled->fd = spool->fd;
			spool->fd = -1;
		}
		local_spool_wrote(local, len, offset, err);
	}
	handle->wrote = true;
	handle_set_active(handle, true);
	fs_unlock(fs);
	fd_cleanup(&spool->fd);
	if (err < 0) {
		fuse_reply_err(req, -err);
	} else {
		fuse_reply_write(req, len);
	}
}

static int reply_data(struct op *op, const char *text, size_t len, size_t offset)
{
	size_t count = offset >= len ? 0 : len - offset < op->size ? len - offset : op->size;
	op->reply = (struct reply){ .kind = REPLY_DATA, .len = count };
	/* A copy: the file may be closed, or written to, before the answer is out. */
	op->reply.owned = malloc(count + 1);
	if (!op->reply.owned) {
		return -ENOMEM;
	}
	if (count > 0) {
		memcpy(op->reply.owned, text + offset, count);
	}
	return 0;
}

/* The answer, of which the first byte is where the question ended, until somebody goes back. */
static int read_answer(struct op *op, struct handle *handle)
{
	struct node *node = handle->node;
	const struct local *local = node->local;
	size_t offset = (size_t)op->offset;
	if (!local) {
		int result = question_load(op, node);
		return result != 0 ? result : reply_data(op, node->part->text, node->size, offset);
	}
	if (handle->asked) {
		handle->asked = false;
		handle->start = offset == handle->start + local->size ? offset : 0;
	} else if (offset < handle->start) {
		handle->start = 0;
	}
	int result = question_commit(op, node);
	if (result != 0) {
		return result;
	}
	const struct part *answer = local->question->answer;
	return reply_data(
		op, answer ? answer->text : NULL, answer ? answer->len : 0, offset - handle->start);
}

/* Most are read from the kernel's cache, or in one piece. */
static int read_view(struct op *op, struct handle *handle)
{
	const struct node *node = handle->node;
	if (node->part && !node->route->render) {
		return reply_data(op, node->part->text, node->part->len, (size_t)op->offset);
	}
	if (!handle->text) {
		struct strbuf text = STRBUF_INIT(VIEW_BYTES);
		int err = tree_render(node, &text);
		handle->len = text.len;
		handle->text = err == 0 ? strbuf_detach(&text, NULL) : NULL;
		strbuf_wipe(&text);
		if (!handle->text) {
			return err < 0 ? err : -ENOMEM;
		}
	}
	if (op->offset > 0 || handle->len > op->size) {
		return reply_data(op, handle->text, handle->len, (size_t)op->offset);
	}
	op->reply = (struct reply){
		.kind = REPLY_DATA, .len = handle->len, .owned = steal(handle->text)
	};
	return 0;
}

static int step_read(struct op *op)
{
	struct handle *handle = handle_of(&op->fi);
	const struct local *local = handle->node->local;
	if (handle->writes && question_is(handle->node)) {
		return read_answer(op, handle);
	}
	if (handle->view && !(handle->writes && local)) {
		return read_view(op, handle);
	}
	return reply_data(op, local->data, local->size, (size_t)op->offset);
}

void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct borrowed spool = borrow_spool(fs, handle_of(fi));
	if (spool.spooled) {
		read_spool(req, &spool, size, off);
		return;
	}
	struct op *op = op_create(fs, req, step_read, ops_node(fs, ino));
	if (op) {
		op->fi = *fi;
		op->size = size;
		op->offset = off;
		op_run(op);
	}
}

/* From an offset in the file to one in the question: its first byte is wherever somebody begins to
 * write. */
static int place_in_question(const struct op *op, struct handle *handle, bool first, size_t *offset)
{
	handle->asked = true;
	if (first) {
		handle->start = *offset;
	}
	if (op->fi.flags & O_APPEND) {
		/* The kernel's idea of its end may be that of what was shown. */
		handle->start = *offset - handle->node->local->size;
	} else if (*offset < handle->start) {
		return -EINVAL;
	}
	*offset -= handle->start;
	return 0;
}

/* A line that is all there is to a word is obeyed at once: a shell's own echo hears of the errors
 * of write(), and of none of close(). */
static bool is_whole_word(const struct op *op, const struct local *local)
{
	return local->role == LOCAL_WORD && op->offset == 0 && op->size == local->size &&
	       local->data[local->size - 1] == '\n';
}

static int step_write(struct op *op)
{
	struct handle *handle = handle_of(&op->fi);
	struct node *node = handle->node;
	size_t offset = (size_t)op->offset;
	bool first = question_is(node) && question_is_over(node);
	int err = draft_begin(op, node, handle->pid);
	if (err == 0 && question_is(node)) {
		err = place_in_question(op, handle, first, &offset);
	}
	if (err == 0) {
		err = local_write(node->local, op->bytes, op->size, offset);
	}
	/* libfuse keeps its buffer for the next request, which may be long in coming. */
	explicit_bzero(op->bytes, op->size);
	if (err < 0) {
		return err;
	}
	handle->wrote = true;
	handle_set_active(handle, true);
	op->reply.kind = REPLY_WRITE;
	op->reply.len = op->size;
	return is_whole_word(op, node->local) ? draft_store(op, node) : 0;
}

void ops_write(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *bufs, off_t off,
	struct fuse_file_info *fi)
{
	struct fs *fs = ops_fs(req);
	struct borrowed spool = borrow_spool(fs, handle_of(fi));
	if (spool.spooled) {
		write_spool(req, handle_of(fi), &spool, bufs->buf[0].mem, bufs->buf[0].size,
			(size_t)off);
		return;
	}
	struct op *op = op_create(fs, req, step_write, ops_node(fs, ino));
	if (op) {
		op->fi = *fi;
		op->bytes = bufs->buf[0].mem; /* a write never waits */
		op->size = bufs->buf[0].size;
		op->offset = off;
		op_run(op);
	}
}

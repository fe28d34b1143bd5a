#include "fs/channel.h"

#include <linux/fuse.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs/ops.h"

static ssize_t write_answer(int fd, struct iovec *iov, int count, void *userdata)
{
	static atomic_bool begun;
	(void)userdata;
	/* The first answer of all. */
	if (!atomic_exchange(&begun, true) && count == 2 &&
		iov[1].iov_len == sizeof(struct fuse_init_out)) {
		struct fuse_init_out *init = iov[1].iov_base;
		init->flags |= init->major == FUSE_KERNEL_VERSION ? FUSE_PARALLEL_DIROPS : 0;
	}
	return writev(fd, iov, count);
}

static ssize_t read_request(int fd, void *buf, size_t size, void *userdata)
{
	(void)userdata;
	return read(fd, buf, size);
}

int channel_set_up(struct fuse_session *session)
{
	static const struct fuse_custom_io io = { .writev = write_answer, .read = read_request };
	return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}

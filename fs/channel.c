#include "fs/channel.h"

#include <errno.h>
#include <linux/fuse.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs/ops.h"

#define SHORT_BYTES 4096

/* The thread that takes a request answers it and takes the next one: to wake another would cost
 * more than most answers do. The others wait here. */
static sem_t turn;
static _Thread_local bool has_turn;

/* In one piece, where it is short: the kernel looks for the memory of each by itself. */
static ssize_t write_whole(int fd, const struct iovec *iov, int count)
{
	char whole[SHORT_BYTES];
	size_t len = 0;
	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > sizeof(whole) - len) {
			explicit_bzero(whole, len);
			return writev(fd, iov, count);
		}
		memcpy(whole + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	ssize_t written = write(fd, whole, len);
	explicit_bzero(whole, len);
	return written;
}

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
	return write_whole(fd, iov, count);
}

/* libfuse cancels its threads here, at the end: both calls are points for that. */
static ssize_t read_request(int fd, void *buf, size_t size, void *userdata)
{
	(void)userdata;
	if (!has_turn && sem_wait(&turn) < 0) {
		return -1;
	}
	has_turn = true;
	return read(fd, buf, size);
}

int channel_set_up(struct fuse_session *session)
{
	static const struct fuse_custom_io io = { .writev = write_answer, .read = read_request };
	if (sem_init(&turn, 0, 1) < 0) {
		return -errno;
	}
	return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}

void channel_hand_over(void)
{
	if (has_turn) {
		has_turn = false;
		sem_post(&turn);
	}
}

#include "fs/host_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/auth.h"
#include "base/clock.h"
#include "fs/fs.h"
#include "fs/hash.h"

#define POLL_MS    20
#define LOCK_SLOTS 0x7fffffff

/* One file an account, for all users of the host; a byte of it for each connector. */
static int open_file(struct fs *fs)
{
	char identity[33], path[128];
	auth_identity(fs->auth, identity);
	uint64_t where =
		hash_mix(hash_bytes(HASH_START, fs->options->url, strlen(fs->options->url)));
	snprintf(path, sizeof(path), "/run/lock/connectfs-%s-%08x", identity, (unsigned)where);
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (fd >= 0 && fchmod(fd, 0666) < 0) {
			close(fd);
			return -errno;
		}
	}
	return fd < 0 ? -errno : fd;
}

int host_lock(struct fs *fs, const char *connector_key, int64_t deadline)
{
	int fd = open_file(fs);
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(hash_mix(hash_bytes(
					   HASH_START, connector_key, strlen(connector_key))) %
				   LOCK_SLOTS),
		.l_len = 1,
	};
	while (fd >= 0 && fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		if ((errno != EAGAIN && errno != EACCES) || clock_now_ms() >= deadline) {
			int err = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
			close(fd);
			return err;
		}
		poll(NULL, 0, POLL_MS);
	}
	return fd;
}

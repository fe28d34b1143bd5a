#include "fs/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fs/channel.h"
#include "fs/user_dir.h"

#define PATH_BYTES 4096

int spool_open(void)
{
	cleanup(strbuf) struct strbuf path = STRBUF_INIT(PATH_BYTES);
	channel_hand_over();
	int err = user_dir("XDG_CACHE_HOME", ".cache", &path);
	if (err < 0) {
		return err;
	}
	int fd = open(path.buf, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR)) {
		/* Not every filesystem has files without a name. */
		strbuf_adds(&path, "/XXXXXX");
		fd = path.err ? -1 : mkostemp(path.buf, O_CLOEXEC);
		if (fd >= 0) {
			unlink(path.buf);
		}
	}
	return fd < 0 ? -errno : fd;
}

int spool_write(int fd, const char *bytes, size_t len, uint64_t offset)
{
	channel_hand_over();
	while (len > 0) {
		ssize_t written = pwrite(fd, bytes, len, (off_t)offset);
		if (written < 0 && errno != EINTR) {
			return -errno;
		}
		if (written > 0) {
			bytes += written;
			len -= (size_t)written;
			offset += (uint64_t)written;
		}
	}
	return 0;
}

int64_t spool_read(int fd, char *bytes, size_t len, uint64_t offset)
{
	size_t total = 0;
	ssize_t got = 1;
	channel_hand_over();
	while (total < len && got != 0) {
		got = pread(fd, bytes + total, len - total, (off_t)(offset + total));
		if (got < 0 && errno != EINTR) {
			return -errno;
		}
		total += got > 0 ? (size_t)got : 0;
	}
	return (int64_t)total;
}

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/auth_source.h"
#include "base/cleanup.h"

/* Whether the open file lies below systemd's credential directory, whose files belong to the
 * manager and show the group bits of an ACL. The path is the kernel's, not the user's. */
static bool is_from_manager(int fd)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char link[64];
	char path[PATH_MAX];

	if (!dir || dir[0] != '/') {
		return false;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	cleanup(free) char *real = realpath(dir, NULL);
	if (len < 0 || !real) {
		return false;
	}
	path[len] = '\0';
	size_t real_len = strlen(real);
	return strncmp(path, real, real_len) == 0 && path[real_len] == '/';
}

static int check_file(int fd, const char *path, struct strbuf *ret_why)
{
	struct stat st;
	if (fstat(fd, &st) < 0) {
		int err = -errno;
		strbuf_addf(ret_why, "%s: %s", path, strerror(-err));
		return err;
	}
	if (!S_ISREG(st.st_mode)) {
		strbuf_addf(ret_why, "%s: the credentials file is not a regular file", path);
		return -EINVAL;
	}
	bool manager = is_from_manager(fd);
	if (st.st_uid != geteuid() && !(manager && st.st_uid == 0)) {
		strbuf_addf(ret_why,
			"%s: the credentials file belongs to user %u, not to you: "
			"copy it, then run chmod 600 on the copy",
			path, (unsigned)st.st_uid);
		return -EACCES;
	}
	mode_t allowed = manager ? S_IRUSR | S_IWUSR | S_IRGRP : S_IRWXU;
	if ((st.st_mode & 0777 & ~allowed) != 0) {
		strbuf_addf(ret_why,
			"%s: others can read or change the credentials file (mode %04o): run chmod 600 %s",
			path, (unsigned)(st.st_mode & 07777), path);
		return -EACCES;
	}
	return 0;
}

static int read_all(int fd, struct strbuf *out)
{
	char *chunk = malloc(4096);
	if (!chunk) {
		return -ENOMEM;
	}
	ssize_t got;
	while ((got = read(fd, chunk, 4096)) != 0) {
		if (got < 0 && errno != EINTR) {
			break;
		}
		strbuf_add(out, chunk, got > 0 ? (size_t)got : 0);
		if (out->err) {
			break;
		}
	}
	int err = got < 0 ? -errno : out->err;
	explicit_bzero(chunk, 4096);
	free(chunk);
	return err;
}

int auth_read_file(const char *path, struct strbuf *out, struct strbuf *ret_why)
{
	/* O_NONBLOCK: a FIFO must not hold us up before fstat tells what it is. */
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0) {
		int err = -errno;
		strbuf_addf(ret_why, "%s: %s", path, strerror(-err));
		return err;
	}
	int err = check_file(fd, path, ret_why);
	if (err < 0) {
		return err;
	}
	err = read_all(fd, out);
	if (err == -EFBIG) {
		strbuf_addf(ret_why, "%s: the credentials file is larger than %zu bytes", path,
			AUTH_SOURCE_MAX_BYTES);
	} else if (err < 0) {
		strbuf_addf(ret_why, "%s: %s", path, strerror(-err));
	}
	return err;
}

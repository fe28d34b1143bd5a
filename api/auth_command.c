#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/auth_source.h"
#include "base/cleanup.h"
#include "base/clock.h"

#define WORDS_MAX     64
#define EXIT_CHECK_MS 5

/* Splits `text` in place; the words point into it. Returns how many, -EINVAL for an open quote,
 * -E2BIG for too many. */
static int split_words(char *text, char *words[WORDS_MAX + 1])
{
	int count = 0;
	char *in = text;
	char *out = text;

	for (;;) {
		while (*in == ' ' || *in == '\t' || *in == '\n') {
			in++;
		}
		if (*in == '\0') {
			words[count] = NULL;
			return count;
		}
		if (count == WORDS_MAX) {
			return -E2BIG;
		}
		words[count++] = out;
		char quote = '\0';
		for (; *in && (quote || !strchr(" \t\n", *in)); in++) {
			if (quote ? *in == quote : *in == '"' || *in == '\'') {
				quote = quote ? '\0' : *in;
			} else {
				*out++ = *in;
			}
		}
		if (quote) {
			return -EINVAL;
		}
		bool last = *in == '\0';
		*out++ = '\0';
		if (!last) {
			in++;
		}
	}
}

static int prepare_spawn(
	posix_spawn_file_actions_t *actions, posix_spawnattr_t *attributes, int out_fd)
{
	sigset_t none;
	sigset_t all;
	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);

	int err = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
	if (!err) {
		err = posix_spawn_file_actions_adddup2(actions, out_fd, 1);
	}
	if (!err) {
		err = posix_spawn_file_actions_addclosefrom_np(actions, 3);
	}
	if (!err) {
		err = posix_spawnattr_setsigmask(attributes, &none);
	}
	if (!err) {
		err = posix_spawnattr_setsigdefault(attributes, &all);
	}
	/* A group of its own, so that what the command starts ends with it. */
	if (!err) {
		err = posix_spawnattr_setflags(attributes,
			POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	}
	return err;
}

static int spawn(char *const words[], int out_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;

	int err = posix_spawn_file_actions_init(&actions);
	if (err) {
		return -err;
	}
	err = posix_spawnattr_init(&attributes);
	if (!err) {
		err = prepare_spawn(&actions, &attributes, out_fd);
		if (!err) {
			err = posix_spawnp(
				ret_pid, words[0], &actions, &attributes, words, environ);
		}
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

/* Waits for `fd` (-1: for nothing but the time) up to `until`. 0, -ECANCELED or -ETIMEDOUT. */
static int wait_for(int fd, int cancel_fd, int64_t until)
{
	struct pollfd fds[2] = { { .fd = fd, .events = POLLIN },
		{ .fd = cancel_fd, .events = POLLIN } };
	for (;;) {
		int64_t left = until - clock_now_ms();
		if (left < 0) {
			left = 0;
		}
		int ready = poll(fds, 2, left > INT_MAX ? INT_MAX : (int)left);
		if (ready < 0 && errno == EINTR) {
			continue;
		}
		if (ready < 0) {
			return -errno;
		}
		if (fds[1].revents) {
			return -ECANCELED;
		}
		return ready > 0 ? 0 : -ETIMEDOUT;
	}
}

static int read_output(int fd, int cancel_fd, int64_t until, struct strbuf *out)
{
	for (;;) {
		int err = wait_for(fd, cancel_fd, until);
		if (err < 0) {
			return err;
		}
		/* Straight into the caller's buffer: no copy to wipe. */
		size_t room = out->max - out->len;
		if (strbuf_reserve(out, room) < 0) {
			return out->err;
		}
		char extra;
		ssize_t got = room > 0 ? read(fd, out->buf + out->len, room) : read(fd, &extra, 1);
		if (got == 0) {
			return 0;
		}
		if (got < 0 && errno != EINTR) {
			return -errno;
		}
		if (got > 0 && room == 0) {
			return -EFBIG;
		}
		out->len += got > 0 ? (size_t)got : 0;
		out->buf[out->len] = '\0';
	}
}

static int wait_exit(pid_t pid, int cancel_fd, int64_t until, int *ret_status)
{
	for (;;) {
		pid_t ended = waitpid(pid, ret_status, WNOHANG);
		if (ended == pid) {
			return 0;
		}
		if (ended < 0 && errno != EINTR) {
			/* ECHILD: somebody ignores SIGCHLD, and the exit code is lost. */
			*ret_status = 0;
			return 0;
		}
		int64_t step = clock_now_ms() + EXIT_CHECK_MS;
		int err = wait_for(-1, cancel_fd, step < until ? step : until);
		if (err == -ECANCELED || clock_now_ms() >= until) {
			return err;
		}
	}
}

static void end_command(pid_t pid)
{
	int status;
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
}

static int check_exit(int status, struct strbuf *ret_why)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		return 0;
	}
	if (WIFEXITED(status)) {
		strbuf_addf(ret_why, "the credentials command failed with exit code %d",
			WEXITSTATUS(status));
	} else {
		strbuf_addf(ret_why, "the credentials command was ended by signal %d",
			WIFSIGNALED(status) ? WTERMSIG(status) : 0);
	}
	return -EACCES;
}

static void explain(int err, int limit_ms, struct strbuf *ret_why)
{
	if (err == -ETIMEDOUT) {
		strbuf_addf(ret_why, "the credentials command did not end within %d.%03d seconds",
			limit_ms / 1000, limit_ms % 1000);
	} else if (err == -EFBIG) {
		strbuf_addf(ret_why, "the credentials command printed more than %zu bytes",
			AUTH_SOURCE_MAX_BYTES);
	} else {
		strbuf_addf(ret_why, "the credentials command: %s", strerror(-err));
	}
}

static int start_words(char *text, int out_fd, pid_t *ret_pid, struct strbuf *ret_why)
{
	char *words[WORDS_MAX + 1];
	const char *why = "the credentials command has too many words";
	int count = split_words(text, words);
	if (count <= 0) {
		if (count == 0) {
			why = "the credentials command is empty";
		} else if (count == -EINVAL) {
			why = "the credentials command has a quote that is not closed";
		}
		strbuf_adds(ret_why, why);
		return count == 0 ? -EINVAL : count;
	}
	int err = spawn(words, out_fd, ret_pid);
	if (err < 0) {
		strbuf_addf(ret_why, "the credentials command cannot be started: %s: %s", words[0],
			strerror(-err));
	}
	return err;
}

static int start_command(const char *command, int out_fd, pid_t *ret_pid, struct strbuf *ret_why)
{
	char *text = strdup(command);
	if (!text) {
		return -ENOMEM;
	}
	int err = start_words(text, out_fd, ret_pid, ret_why);
	free(text);
	return err;
}

int auth_read_command(const char *command, int limit_ms, int cancel_fd, struct strbuf *out,
	struct strbuf *ret_why)
{
	int64_t until = clock_now_ms() + limit_ms;
	int fds[2];
	pid_t pid = -1;
	int status = 0;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		int err = -errno;
		explain(err, limit_ms, ret_why);
		return err;
	}
	int err = start_command(command, fds[1], &pid, ret_why);
	close(fds[1]);
	if (err < 0) {
		close(fds[0]);
		return err;
	}
	err = read_output(fds[0], cancel_fd, until, out);
	close(fds[0]);
	if (!err) {
		err = wait_exit(pid, cancel_fd, until, &status);
	}
	if (err < 0) {
		end_command(pid);
		explain(err, limit_ms, ret_why);
		return err;
	}
	return check_exit(status, ret_why);
}

#include "fs/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define START_MS   10000
#define PATH_BYTES 4096

/* The emulator beside this program, or in PATH. */
static void find_emulator(struct strbuf *out)
{
	char self[PATH_BYTES];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (len > 0) {
		self[len] = '\0';
		strbuf_addf(out, "%s/connect-emulator", dirname(self));
		if (access(strbuf_str(out), X_OK) == 0) {
			return;
		}
	}
	strbuf_reset(out);
	strbuf_adds(out, "connect-emulator");
}

/* The first line that it prints: its URL. */
static int read_line(int fd, struct strbuf *out)
{
	int64_t deadline = clock_now_ms() + START_MS;
	char c = '\0';
	while (c != '\n') {
		struct pollfd ready = { .fd = fd, .events = POLLIN };
		int64_t left = deadline - clock_now_ms();
		if (left <= 0 || poll(&ready, 1, (int)left) <= 0) {
			return -ETIMEDOUT;
		}
		if (read(fd, &c, 1) != 1) {
			return -EIO;
		}
		if (c != '\n') {
			strbuf_addc(out, c);
		}
	}
	return out->err;
}

static int spawn(const char *program, int out, bool loud, pid_t *ret_pid)
{
	char *argv[] = { (char *)program, (char *)"--listen", (char *)"127.0.0.1:0",
		(char *)"--exit-with-parent", NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	/* Whoever waits for the end of this program's output must not wait for the emulator's. */
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!loud) {
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	}
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
	int err = posix_spawnp(ret_pid, program, &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

int demo_start(struct demo *demo, bool loud, struct strbuf *ret_why)
{
	struct strbuf program = STRBUF_INIT(PATH_BYTES);
	struct strbuf line = STRBUF_INIT(PATH_BYTES);
	int ends[2];
	find_emulator(&program);
	if (pipe2(ends, O_CLOEXEC) < 0) {
		return -errno;
	}
	int err = spawn(strbuf_str(&program), ends[1], loud, &demo->pid);
	close(ends[1]);
	if (err == 0) {
		err = read_line(ends[0], &line);
	}
	close(ends[0]);
	const char *url = err == 0 ? strstr(strbuf_str(&line), "http") : NULL;
	demo->url = url ? strdup(url) : NULL;
	if (!demo->url) {
		err = err < 0 ? err : -EPROTO;
		strbuf_addf(ret_why, "--demo: %s cannot be started: %s", strbuf_str(&program),
			strerror(-err));
		demo_stop(demo);
	}
	strbuf_finish(&program);
	strbuf_finish(&line);
	return err;
}

void demo_stop(struct demo *demo)
{
	if (demo->pid > 0) {
		kill(demo->pid, SIGTERM);
		waitpid(demo->pid, NULL, 0);
	}
	free(demo->url);
	*demo = (struct demo){ 0 };
}

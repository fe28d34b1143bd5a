#include "fs/process.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "fs/fs.h"

bool process_has(pid_t process, pid_t thread)
{
	return process == thread || tgkill(process, thread, 0) == 0 || errno == EPERM;
}

bool process_has_ended(pid_t process)
{
	return kill(process, 0) < 0 && errno == ESRCH;
}

bool process_is_older(pid_t thread, int64_t ms)
{
	char path[64], text[1024];
	int64_t tick = sysconf(_SC_CLK_TCK);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)thread);
	FILE *file = fopen(path, "re");
	size_t len = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
	if (file) {
		fclose(file);
	}
	text[len] = '\0';
	/* The name, which may hold anything, ends with the last bracket; the time is the twentieth
	 * field behind it. */
	const char *at = strrchr(text, ')');
	for (unsigned i = 0; at && i < 20; i++) {
		at = strchr(at + 1, ' ');
	}
	unsigned long long began = at ? strtoull(at, NULL, 10) : 0;
	if (began == 0) {
		return false;
	}
	/* It was rounded down. */
	return clock_ms_of(CLOCK_BOOTTIME) - ((int64_t)began + 1) * 1000 / tick > ms;
}

static pid_t read_process(pid_t thread)
{
	char path[64], line[256];
	pid_t process = thread;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)thread);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "Tgid:", 5) == 0) {
			process = (pid_t)strtol(line + 5, NULL, 10);
			break;
		}
	}
	if (file) {
		fclose(file);
	}
	return process;
}

pid_t process_of(struct fs *fs, pid_t thread)
{
	/* A process's first thread has its number; of others the kernel is asked whether they are
	 * in one that was here lately. To read it takes a hundred times as long. */
	if (tgkill(thread, thread, 0) == 0 || errno == EPERM) {
		return thread;
	}
	for (size_t i = 0; i < PROCESSES; i++) {
		if (fs->processes[i] && process_has(fs->processes[i], thread)) {
			return fs->processes[i];
		}
	}
	pid_t process = read_process(thread);
	fs->processes[fs->processes_next++ % PROCESSES] = process;
	return process;
}

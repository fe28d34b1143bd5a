/*
 * Processes: FUSE names the thread that calls. What a process has seen outlives its threads, so it
 * is noted under the process's own number.
 */
#ifndef FS_PROCESS_H
#define FS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fs;

/* The process of a thread; the thread itself where that cannot be told. Under the lock. */
pid_t process_of(struct fs *fs, pid_t thread);
/* Whether a thread, which must be alive, is one of this process. */
bool process_has(pid_t process, pid_t thread);
bool process_has_ended(pid_t process);
/* Whether a thread has been there for more than so many milliseconds; false where that cannot be
 * told. */
bool process_is_older(pid_t thread, int64_t ms);

#endif

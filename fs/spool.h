/*
 * Spools: unlinked files in the user's cache directory ($XDG_CACHE_HOME/connectfs) for what is too
 * large for memory. One is gone with its last descriptor.
 *
 * All of this can block, and is never called under the lock of struct fs.
 */
#ifndef FS_SPOOL_H
#define FS_SPOOL_H

#include <stddef.h>
#include <stdint.h>

/* A new one, empty: a descriptor, or -errno. */
int spool_open(void);
/* 0, or -errno: then it is not known what is there. */
int spool_write(int fd, const char *bytes, size_t len, uint64_t offset);
/* How much there is, up to len, or -errno. */
int64_t spool_read(int fd, char *bytes, size_t len, uint64_t offset);

#endif

/* A lock on one connector that all mounts of an account on this host share, held from the look at
 * the live configuration to the answer to the change. */
#ifndef FS_HOST_LOCK_H
#define FS_HOST_LOCK_H

#include <stdint.h>

struct fs;

/* Waits for it until the deadline. Returns a descriptor to be closed, which gives it up; -EBUSY; or
 * -errno where this host has no place for it (then nothing is locked). Without the fs's lock. */
int host_lock(struct fs *fs, const char *connector_key, int64_t deadline);

#endif

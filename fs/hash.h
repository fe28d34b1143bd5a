/* FNV-1a with a final mix, for inode numbers and for telling contents apart. Stable over runs and
 * machines. Not for secrets. */
#ifndef FS_HASH_H
#define FS_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_START 0xcbf29ce484222325ULL

static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ at[i]) * 0x100000001b3ULL;
	}
	return hash;
}

static inline uint64_t hash_mix(uint64_t hash)
{
	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdULL;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return hash ^ hash >> 33;
}

#endif

/* For inode numbers and for telling contents apart: FNV-1a, by eight bytes at a time as far as
 * there are as many, with a mix at the end. Stable over runs and machines. Not for secrets. */
#ifndef FS_HASH_H
#define FS_HASH_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define HASH_START 0xcbf29ce484222325ULL

static inline uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	uint64_t word;
	for (; len >= sizeof(word); at += sizeof(word), len -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		hash = (hash ^ le64toh(word)) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
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

/*
 * Bases: what each process last opened or saved of a file, which is what its next save goes out
 * from. There is one for every file that anybody has read, so they take little room.
 *
 * A file is known by its inode number. Protected by the lock of struct fs.
 */
#ifndef FS_BASES_H
#define FS_BASES_H

#include <stdint.h>
#include <sys/types.h>

struct fs;
struct part;

/* Notes what a process has seen (a reference is taken). */
void bases_note(struct fs *fs, uint64_t ino, pid_t pid, struct part *part);
/* What a process that has seen nothing of the file went out from when it met a conflict: it still
 * does, though what is shown is newer. */
void bases_keep(struct fs *fs, uint64_t ino, pid_t pid, struct part *part);
/* What a process goes out from: its own, else the newest. Borrowed; NULL: nobody has seen any. */
struct part *bases_find(const struct fs *fs, uint64_t ino, pid_t pid);
void bases_forget(struct fs *fs, uint64_t ino);
void bases_destroy(struct fs *fs);

#endif

/*
 * From the API's names to file names and back.
 *
 * What cannot stand in a file name is percent-encoded, and nothing else: '/', NUL, control
 * characters, '%' itself, bytes that are no UTF-8, a lone "." or "..", the empty name. The
 * encoding is reversible, and no name leads out of its directory. Pure.
 */
#ifndef FS_NAME_H
#define FS_NAME_H

#include <stdbool.h>

#define FILE_NAME_BYTES 255

/* The file name of an API name, to be freed. NULL with errno ENAMETOOLONG (above 255 bytes) or
 * ENOMEM. The empty name becomes "%". */
char *name_encode(const char *name);

/* The API name that a file name stands for, to be freed. NULL with errno ENOENT: no name encodes
 * to this (so nothing by that name can exist), or ENOMEM. */
char *name_decode(const char *file_name);

/* Whether the API could later not remove a connector of this name: blanks at its ends, any of
 * / % \ { } and control characters, "." and "..". */
bool name_is_unremovable(const char *name);
/* Whether it keeps the API's own convention: letters, marks and numbers (any byte above 127 is
 * taken for one), . , & _ + | [ ] - and spaces, at most 64 characters. */
bool name_is_conventional(const char *name);

#endif

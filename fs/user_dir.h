/* Directories of the user's, where the program keeps files of its own. */
#ifndef FS_USER_DIR_H
#define FS_USER_DIR_H

#include "base/strbuf.h"

/* Appends the path of one, and makes it where it is missing: $VARIABLE/connectfs, or the fallback
 * below $HOME. -ENOENT: neither is set. Can block. */
int user_dir(const char *variable, const char *fallback, struct strbuf *out);

#endif

#include "fs/user_dir.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int user_dir(const char *variable, const char *fallback, struct strbuf *out)
{
	const char *given = getenv(variable), *home = getenv("HOME");
	if (given && *given) {
		strbuf_addf(out, "%s/connectfs", given);
	} else if (home && *home) {
		strbuf_addf(out, "%s/%s/connectfs", home, fallback);
	} else {
		return -ENOENT;
	}
	if (out->err) {
		return out->err;
	}
	for (char *at = strchr(out->buf + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(out->buf, 0700);
		*at = '/';
	}
	mkdir(out->buf, 0700);
	return 0;
}

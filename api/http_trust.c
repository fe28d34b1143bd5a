#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "api/http_priv.h"
#include "base/cleanup.h"

#define TRUST_MAX_BYTES (size_t)(4 * 1024 * 1024)

static int add_file(struct strbuf *out, const char *path)
{
	char chunk[8192];
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		return -errno;
	}
	ssize_t got;
	while ((got = read(fd, chunk, sizeof(chunk))) != 0) {
		if (got < 0 && errno != EINTR) {
			return -errno;
		}
		strbuf_add(out, chunk, got > 0 ? (size_t)got : 0);
		if (out->err) {
			return out->err;
		}
	}
	strbuf_addc(out, '\n');
	return out->err;
}

int http_trust_read(const char *path, struct curl_blob *ret_blob)
{
	cleanup(strbuf) struct strbuf pem = STRBUF_INIT(TRUST_MAX_BYTES);
	int err = add_file(&pem, path);
	if (err < 0) {
		return err;
	}
	if (!strstr(strbuf_str(&pem), "-----BEGIN CERTIFICATE-----")) {
		return -EINVAL;
	}
	/* libcurl takes its default file or ours, so ours must hold both. Its default directory,
	 * if there is one, stays in use. */
	const char *system = curl_version_info(CURLVERSION_NOW)->cainfo;
	err = system ? add_file(&pem, system) : 0;
	if (err < 0 && err != -ENOENT) {
		return err;
	}
	struct curl_blob blob = { .flags = CURL_BLOB_NOCOPY };
	blob.data = strbuf_detach(&pem, &blob.len);
	if (!blob.data) {
		return -ENOMEM;
	}
	*ret_blob = blob;
	return 0;
}

#include "fs/secrets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/config.h"
#include "base/cleanup.h"

#define FILE_BYTES ((size_t)4 << 20)

struct named {
	char *name;
	struct config values;
};

struct secrets {
	struct config all;
	struct named *connectors;
	size_t count;
};

void secrets_destroy(struct secrets *secrets)
{
	if (!secrets) {
		return;
	}
	config_finish(&secrets->all);
	for (size_t i = 0; i < secrets->count; i++) {
		free(secrets->connectors[i].name);
		config_finish(&secrets->connectors[i].values);
	}
	free(secrets->connectors);
	free(secrets);
}

static int read_file(const char *path, struct strbuf *out, struct strbuf *why)
{
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	if (fd < 0 || fstat(fd, &stat) < 0) {
		int err = -errno;
		strbuf_addf(why, "secrets=%s: %s", path, strerror(-err));
		return err;
	}
	if (stat.st_mode & 077) {
		strbuf_addf(why, "secrets=%s: others may read it; chmod 600 %s", path, path);
		return -EACCES;
	}
	char piece[4096];
	ssize_t len;
	while ((len = read(fd, piece, sizeof(piece))) > 0) {
		strbuf_add(out, piece, (size_t)len);
	}
	explicit_bzero(piece, sizeof(piece));
	if (len < 0 || out->err) {
		strbuf_addf(why, "secrets=%s: cannot be read", path);
		return -EIO;
	}
	return 0;
}

static int add_values(struct config *config, struct json_slice object)
{
	struct json_iter iter = json_iter(object);
	struct json_slice key, value;
	int err = json_type(object) == JSON_OBJECT ? 0 : -EINVAL;
	while (err == 0 && json_next(&iter, &key, &value)) {
		if (json_is(key, "connectors") && json_type(value) == JSON_OBJECT) {
			continue;
		}
		char *name = json_decode_cstr(key);
		char *text = json_type(value) == JSON_STRING ? json_decode_cstr(value) : NULL;
		err = name && text ? config_set(config, name, text) : -EINVAL;
		if (text) {
			explicit_bzero(text, strlen(text));
		}
		free(name);
		free(text);
	}
	return err;
}

static int add_connectors(struct secrets *secrets, struct json_slice connectors)
{
	struct json_iter iter = json_iter(connectors);
	struct json_slice key, value;
	int err = 0;
	while (err == 0 && json_next(&iter, &key, &value)) {
		struct named *more =
			reallocarray(secrets->connectors, secrets->count + 1, sizeof(*more));
		if (!more) {
			return -ENOMEM;
		}
		secrets->connectors = more;
		more[secrets->count] = (struct named){ .name = json_decode_cstr(key) };
		struct named *named = &more[secrets->count++];
		err = named->name ? add_values(&named->values, value) : -EINVAL;
	}
	return err;
}

int secrets_load(const char *path, struct secrets **ret_secrets, struct strbuf *ret_why)
{
	struct strbuf text = STRBUF_INIT(FILE_BYTES);
	struct secrets *secrets = calloc(1, sizeof(*secrets));
	struct json_slice object;
	int err = secrets ? read_file(path, &text, ret_why) : -ENOMEM;
	if (err == 0) {
		err = json_check(strbuf_str(&text), text.len, &object, NULL) < 0
			      ? -EINVAL
			      : add_values(&secrets->all, object);
		if (err == 0) {
			err = add_connectors(secrets, json_get(object, "connectors"));
		}
		if (err < 0) {
			strbuf_addf(ret_why, "secrets=%s: not a JSON object of strings", path);
		}
	}
	strbuf_wipe(&text);
	if (err < 0) {
		secrets_destroy(secrets);
		return err;
	}
	*ret_secrets = secrets;
	return 0;
}

const char *secrets_get(const struct secrets *secrets, const char *connector, const char *setting)
{
	for (size_t i = 0; secrets && i < secrets->count; i++) {
		if (strcmp(secrets->connectors[i].name, connector) == 0) {
			const char *value = config_get(&secrets->connectors[i].values, setting);
			if (value) {
				return value;
			}
		}
	}
	return secrets ? config_get(&secrets->all, setting) : NULL;
}

static void visit_all(
	const struct config *config, void (*visit)(void *arg, const char *value), void *arg)
{
	for (size_t i = 0; i < config->count; i++) {
		visit(arg, config->settings[i].value);
	}
}

void secrets_each(
	const struct secrets *secrets, void (*visit)(void *arg, const char *value), void *arg)
{
	visit_all(&secrets->all, visit, arg);
	for (size_t i = 0; i < secrets->count; i++) {
		visit_all(&secrets->connectors[i].values, visit, arg);
	}
}

/* The options of -o: this program's, libfuse's, mount(8)'s. */
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/options_priv.h"

enum kind { KIND_FLAG, KIND_SECONDS, KIND_COUNT, KIND_BYTES, KIND_TEXT, KIND_FILE, KIND_OTHER };

struct known {
	const char *name;
	enum kind kind;
	size_t offset;    /* of its member of struct options */
	int64_t min, max; /* as stored */
	/* KIND_OTHER: reads the value. */
	int (*take)(struct reading *reading, const char *value);
};

static int take_umask(struct reading *reading, const char *value);
static int take_user(struct reading *reading, const char *value);
static int take_group(struct reading *reading, const char *value);
static int take_granularity(struct reading *reading, const char *value);
static int take_show(struct reading *reading, const char *value);

#define AT(member) offsetof(struct options, member)
#define TIME(name, member, least, most) \
	{ \
		name, KIND_SECONDS, AT(member), least, most, NULL \
	}

static const struct known known_options[] = {
	TIME("ttl", ttl[TTL_CONNECTORS], 0, SECONDS_MAX),
	TIME("ttl_status", ttl[TTL_STATUS], 0, SECONDS_MAX),
	TIME("ttl_topology", ttl[TTL_TOPOLOGY], 0, SECONDS_MAX),
	TIME("ttl_plugins", ttl[TTL_PLUGINS], 0, SECONDS_MAX),
	TIME("ttl_negative", ttl[TTL_NEGATIVE], 0, SECONDS_MAX),
	TIME("ttl_metrics", ttl[TTL_METRICS], 0, SECONDS_MAX),
	TIME("stale", stale, 0, SECONDS_MAX),
	TIME("settle", settle, 0, SECONDS_MAX),
	TIME("timeout", timeout, 1, DAY),
	TIME("timeout_write", timeout_write, 1, DAY),
	TIME("upload_timeout", upload_timeout, 1, DAY),
	TIME("delete_delay", delete_delay, 0, DAY),
	TIME("metrics_interval", metrics_interval, MINUTE, SECONDS_MAX),
	{ "metrics_granularity", KIND_OTHER, 0, 0, 0, take_granularity },
	{ "max_connections", KIND_COUNT, AT(max_connections), 1, 256, NULL },
	{ "max_delete", KIND_COUNT, AT(max_delete), 0, 64, NULL },
	{ "max_answer", KIND_BYTES, AT(max_answer), KIB, GIB, NULL },
	{ "no_delete", KIND_FLAG, AT(no_delete), 0, 0, NULL },
	{ "ro", KIND_FLAG, AT(ro), 0, 0, NULL },
	{ "dry_run", KIND_FLAG, AT(dry_run), 0, 0, NULL },
	{ "validate", KIND_FLAG, AT(validate), 0, 0, NULL },
	{ "insecure_http", KIND_FLAG, AT(insecure_http), 0, 0, NULL },
	{ "allow_other", KIND_FLAG, AT(allow_other), 0, 0, NULL },
	{ "credentials", KIND_FILE, AT(credentials), 0, 0, NULL },
	{ "credential_command", KIND_TEXT, AT(credential_command), 0, 0, NULL },
	{ "secrets", KIND_FILE, AT(secrets), 0, 0, NULL },
	{ "cacert", KIND_FILE, AT(cacert), 0, 0, NULL },
	{ "umask", KIND_OTHER, 0, 0, 0, take_umask },
	{ "uid", KIND_OTHER, 0, 0, 0, take_user },
	{ "gid", KIND_OTHER, 0, 0, 0, take_group },
	{ "show", KIND_OTHER, 0, 0, 0, take_show },
};

/* Options that libfuse knows. With "=" at the end: that need a value. */
static const char *const fuse_names[] = { "auto_unmount", "allow_root", "suid", "nosuid", "dev",
	"nodev", "exec", "noexec", "async", "sync", "dirsync", "atime", "noatime", "max_read=",
	"fsname=", "subtype=", "context=", "fscontext=", "defcontext=", "rootcontext=" };

/* Options that only mount(8) or systemd look at, or that mean nothing here. */
static const char *const mount_names[] = { "defaults", "auto", "noauto", "nofail", "_netdev",
	"user", "nouser", "users", "nousers", "owner", "noowner", "group", "nogroup", "relatime",
	"norelatime", "strictatime", "nostrictatime", "lazytime", "nolazytime", "diratime",
	"nodiratime", "user=", "comment=", "uhelper=", "helper=" };

static bool list_has(const char *const *names, size_t count, const char *name, const char *value)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < count; i++) {
		bool valued = names[i][strlen(names[i]) - 1] == '=';
		if (valued == (value != NULL) && strlen(names[i]) == len + valued &&
			memcmp(names[i], name, len) == 0) {
			return true;
		}
	}
	return false;
}

#define LIST_HAS(names, name, value) \
	list_has(names, sizeof(names) / sizeof((names)[0]), name, value)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* A decimal number below a limit that leaves room to multiply; false: it is none. */
static bool read_number(const char **at, int64_t *ret_number)
{
	int64_t number = 0;
	if (!is_digit(**at)) {
		return false;
	}
	for (; is_digit(**at); (*at)++) {
		if (number < SECONDS_MAX) {
			number = number * 10 + (**at - '0');
		}
	}
	*ret_number = number;
	return true;
}

/* Seconds with decimals, as milliseconds, rounded up so that a time is never cut to none. */
static bool read_seconds(const char *text, int64_t *ret_ms)
{
	int64_t whole = 0, ms = 0, unit = SECOND;
	bool more = false;
	bool digits = read_number(&text, &whole);
	if (*text == '.') {
		for (text++; is_digit(*text); text++) {
			unit /= 10;
			ms += unit * (*text - '0');
			more = more || (unit == 0 && *text != '0');
			digits = true;
		}
	}
	*ret_ms = whole * SECOND + ms + more;
	return digits && *text == '\0';
}

static bool read_bytes(const char *text, int64_t *ret_bytes)
{
	static const char suffixes[] = "KkMmGg";
	if (!read_number(&text, ret_bytes)) {
		return false;
	}
	const char *suffix = *text ? strchr(suffixes, *text) : NULL;
	for (ptrdiff_t i = 0; suffix && i <= (suffix - suffixes) / 2; i++) {
		*ret_bytes = *ret_bytes > GIB ? *ret_bytes : *ret_bytes * KIB;
	}
	return suffix ? text[1] == '\0' : *text == '\0';
}

static int refuse(struct reading *reading, const char *name, const char *value, const char *reason)
{
	strbuf_addf(reading->why, "%s=%s: %s", name, value, reason);
	return -EINVAL;
}

/* A name that is a number of its own or one that `lookup` knows. */
static int take_id(struct reading *reading, const char *name, const char *value,
	bool (*lookup)(const char *value, int64_t *ret_id), const char *reason, int64_t *ret_id)
{
	const char *end = value;
	bool number = read_number(&end, ret_id) && !*end;
	if ((!number && !lookup(value, ret_id)) || *ret_id >= UINT32_MAX) {
		return refuse(reading, name, value, reason);
	}
	return 0;
}

static bool lookup_user(const char *value, int64_t *ret_id)
{
	char buffer[16384];
	struct passwd entry, *found = NULL;
	if (getpwnam_r(value, &entry, buffer, sizeof(buffer), &found) != 0 || !found) {
		return false;
	}
	*ret_id = found->pw_uid;
	return true;
}

static bool lookup_group(const char *value, int64_t *ret_id)
{
	char buffer[16384];
	struct group entry, *found = NULL;
	if (getgrnam_r(value, &entry, buffer, sizeof(buffer), &found) != 0 || !found) {
		return false;
	}
	*ret_id = found->gr_gid;
	return true;
}

static int take_user(struct reading *reading, const char *value)
{
	int64_t id;
	int err = take_id(reading, "uid", value, lookup_user, "no such user", &id);
	reading->options->uid = err < 0 ? reading->options->uid : (uid_t)id;
	return err;
}

static int take_group(struct reading *reading, const char *value)
{
	int64_t id;
	int err = take_id(reading, "gid", value, lookup_group, "no such group", &id);
	reading->options->gid = err < 0 ? reading->options->gid : (gid_t)id;
	return err;
}

static int take_granularity(struct reading *reading, const char *value)
{
	static const char *const known[] = { "PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT4H",
		"PT6H", "PT12H", "P1D", "ALL" };
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i], value) == 0) {
			reading->options->metrics_granularity = known[i];
			return 0;
		}
	}
	return refuse(reading, "metrics_granularity", value,
		"not one of PT1M PT5M PT15M PT30M PT1H PT4H PT6H PT12H P1D ALL");
}

static int take_umask(struct reading *reading, const char *value)
{
	size_t len = strspn(value, "01234567");
	unsigned long bits = len > 0 && len <= 6 ? strtoul(value, NULL, 8) : ULONG_MAX;
	if (value[len] || bits > 0777) {
		return refuse(reading, "umask", value, "not an octal number up to 777");
	}
	reading->options->umask = (mode_t)bits;
	return 0;
}

/* One word of what is to be listed; false: it is none. */
static bool take_shown(struct reading *reading, const char *word, size_t len)
{
	static const char *const words[SHOW_NEVER] = { [SHOW_ALWAYS] = "",
		[SHOW_TASKS] = "tasks",
		[SHOW_OFFSETS] = "offsets",
		[SHOW_METRICS] = "metrics",
		[SHOW_TEMPLATE] = "template",
		[SHOW_VALIDATE] = "validate" };
	for (unsigned i = SHOW_ALWAYS + 1; i < SHOW_NEVER; i++) {
		if (strlen(words[i]) == len && memcmp(words[i], word, len) == 0) {
			reading->options->show |= 1U << i;
			return true;
		}
	}
	return false;
}

static int take_show(struct reading *reading, const char *value)
{
	const char *word = value;
	for (;;) {
		size_t len = strcspn(word, ",");
		if (!take_shown(reading, word, len)) {
			return refuse(reading, "show", value,
				"only tasks, offsets, metrics, template and validate can be shown");
		}
		if (!word[len]) {
			reading->showing = true;
			return 0;
		}
		word += len + 1;
	}
}

static int take_number(struct reading *reading, const struct known *known, const char *value)
{
	void *member = (char *)reading->options + known->offset;
	int64_t number = 0;
	const char *end = value;
	bool is_time = known->kind == KIND_SECONDS, is_size = known->kind == KIND_BYTES;
	bool good = is_time   ? read_seconds(value, &number)
		    : is_size ? read_bytes(value, &number)
			      : read_number(&end, &number) && !*end;
	if (!good) {
		return refuse(reading, known->name, value,
			is_time   ? "not a number of seconds"
			: is_size ? "not a number of bytes (K, M or G may follow)"
				  : "not a whole number");
	}
	if (number < known->min || number > known->max) {
		double unit = is_time ? SECOND : 1;
		strbuf_addf(reading->why, "%s=%s: not from %.10g to %.10g", known->name, value,
			(double)known->min / unit, (double)known->max / unit);
		return -EINVAL;
	}
	if (is_time) {
		*(int64_t *)member = number;
	} else if (is_size) {
		*(size_t *)member = (size_t)number;
	} else {
		*(unsigned *)member = (unsigned)number;
	}
	return 0;
}

static int take_known(struct reading *reading, const struct known *known, const char *value)
{
	void *member = (char *)reading->options + known->offset;
	if (known->kind == KIND_FLAG) {
		*(bool *)member = true;
		return 0;
	}
	if (known->kind == KIND_OTHER) {
		return known->take(reading, value);
	}
	if (known->kind != KIND_TEXT && known->kind != KIND_FILE) {
		return take_number(reading, known, value);
	}
	if (!*value) {
		return refuse(reading, known->name, value, "needs a value");
	}
	char *copy = known->kind == KIND_FILE ? options_absolute(value) : strdup(value);
	return options_replace(member, copy, reading->why);
}

/* Appends an option for libfuse, which takes "\," for a comma and "\\" for a backslash. */
static void add_fuse(struct strbuf *out, const char *name, const char *value)
{
	strbuf_adds(out, out->len > 0 ? "," : "");
	strbuf_adds(out, name);
	strbuf_adds(out, value ? "=" : "");
	for (; value && *value; value++) {
		strbuf_adds(out, *value == ',' || *value == '\\' ? "\\" : "");
		strbuf_addc(out, *value);
	}
}

/* Options that are not this program's own. */
static int take_foreign(struct reading *reading, const char *name, const char *value)
{
	if (LIST_HAS(fuse_names, name, value)) {
		reading->named = reading->named || strcmp(name, "fsname") == 0;
		reading->subtyped = reading->subtyped || strcmp(name, "subtype") == 0;
		reading->permissions = reading->permissions || strcmp(name, "allow_root") == 0;
		add_fuse(&reading->fuse, name, value);
		return 0;
	}
	if (strcmp(name, "default_permissions") == 0 && !value) {
		reading->permissions = true;
		return 0;
	}
	if (strcmp(name, "rw") == 0 && !value) {
		reading->options->ro = false;
		return 0;
	}
	if (strncasecmp(name, "x-", 2) == 0 || LIST_HAS(mount_names, name, value)) {
		return 0;
	}
	if (LIST_HAS(fuse_names, name, value ? NULL : "")) {
		strbuf_addf(
			reading->why, "%s: %s", name, value ? "takes no value" : "needs a value");
		return -EINVAL;
	}
	/* Without its value: who knows what that is. */
	strbuf_addf(reading->why, "%s: no such option", name);
	return -EINVAL;
}

/* One "name" or "name=value"; cuts it up. */
static int take_option(struct reading *reading, char *option)
{
	char *value = strchr(option, '=');
	if (reading->showing && take_shown(reading, option, strlen(option))) {
		return 0;
	}
	reading->showing = false;
	if (value) {
		*value++ = '\0';
	}
	for (size_t i = 0; i < sizeof(known_options) / sizeof(known_options[0]); i++) {
		const struct known *known = &known_options[i];
		if (strcmp(known->name, option) != 0) {
			continue;
		}
		if ((known->kind == KIND_FLAG) == (value == NULL)) {
			return take_known(reading, known, value);
		}
		strbuf_addf(
			reading->why, "%s: %s", option, value ? "takes no value" : "needs a value");
		return -EINVAL;
	}
	return take_foreign(reading, option, value);
}

/* The argument of one -o. */
int options_take_list(struct reading *reading, const char *list)
{
	char *option = malloc(strlen(list) + 1);
	if (!option) {
		strbuf_adds(reading->why, "out of memory");
		return -ENOMEM;
	}
	int err = 0;
	reading->showing = false;
	while (err == 0 && *list) {
		size_t len = 0;
		for (; *list && *list != ','; list++) {
			if (*list == '\\' && (list[1] == ',' || list[1] == '\\')) {
				list++;
			}
			option[len++] = *list;
		}
		option[len] = '\0';
		list += *list == ',';
		err = len > 0 ? take_option(reading, option) : 0;
	}
	free(option);
	return err;
}

/* Everything that libfuse is to know, in one list. */
int options_gather_fuse(struct reading *reading)
{
	struct options *options = reading->options;
	struct strbuf all = STRBUF_INIT(2 * FUSE_BYTES);
	if (!reading->named) {
		add_fuse(&all, "fsname", reading->fsname ? reading->fsname : "connectfs");
	}
	if (!reading->subtyped) {
		add_fuse(&all, "subtype", "connectfs");
	}
	if (options->allow_other) {
		add_fuse(&all, "allow_other", NULL);
	}
	if (options->allow_other || reading->permissions) {
		add_fuse(&all, "default_permissions", NULL);
	}
	if (reading->fuse.len > 0) {
		strbuf_adds(&all, all.len > 0 ? "," : "");
		strbuf_add(&all, reading->fuse.buf, reading->fuse.len);
	}
	if (reading->fuse.err == -EFBIG) {
		strbuf_adds(reading->why, "-o: too long");
		strbuf_finish(&all);
		return -EINVAL;
	}
	return options_replace(&options->fuse_options, strbuf_detach(&all, NULL), reading->why);
}

#include "fs/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fs/options_priv.h"

int options_replace(char **text, char *copy, struct strbuf *why)
{
	if (!copy) {
		strbuf_adds(why, "out of memory");
		return -ENOMEM;
	}
	free(*text);
	*text = copy;
	return 0;
}

/* A daemon works in "/": relative paths would lead elsewhere. */
char *options_absolute(const char *path)
{
	char *whole = NULL;
	if (path[0] == '/') {
		return strdup(path);
	}
	cleanup(free) char *here = getcwd(NULL, 0);
	return here && asprintf(&whole, "%s/%s", here, path) >= 0 ? whole : NULL;
}

enum { SWITCH_DEMO = 256, SWITCH_URL, SWITCH_TELEMETRY_URL };

static const char short_options[] = ":fdVho:";

static const struct option long_options[] = {
	{ "demo", no_argument, NULL, SWITCH_DEMO },
	{ "url", required_argument, NULL, SWITCH_URL },
	{ "telemetry-url", required_argument, NULL, SWITCH_TELEMETRY_URL },
	{ "foreground", no_argument, NULL, 'f' },
	{ "debug", no_argument, NULL, 'd' },
	{ "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* `last` is the word that getopt has done with. */
static int refuse_switch(struct reading *reading, int letter, const char *last)
{
	if (letter != ':' && optopt > 0 && optopt < SWITCH_DEMO && !strchr(short_options, optopt)) {
		strbuf_addf(reading->why, "-%c: no such option", optopt);
		return -EINVAL;
	}
	strbuf_addf(reading->why, "%s: %s", last,
		letter == ':' ? "needs a value"
		: optopt != 0 ? "takes no value"
			      : "no such option");
	return -EINVAL;
}

static int take_switch(struct reading *reading, int letter, const char *last)
{
	struct options *options = reading->options;
	switch (letter) {
	case SWITCH_DEMO:
		options->demo = true;
		return 0;
	case SWITCH_URL:
		reading->url_given = true;
		return options_replace(&options->url, strdup(optarg), reading->why);
	case SWITCH_TELEMETRY_URL:
		return options_replace(&options->telemetry_url, strdup(optarg), reading->why);
	case 'd':
		options->debug = true;
		options->foreground = true;
		return 0;
	case 'f':
		options->foreground = true;
		return 0;
	case 'V':
		options->version = true;
		return 0;
	case 'h':
		options->help = true;
		return 0;
	case 'o':
		return options_take_list(reading, optarg);
	default:
		return refuse_switch(reading, letter, last);
	}
}

/* What mount(8) puts before the mount point: the first field of a line in fstab. */
static int take_source(struct reading *reading, const char *source)
{
	if (strstr(source, "://")) {
		if (reading->url_given) {
			strbuf_adds(reading->why, "two URLs: one by --url, one as the source");
			return -EINVAL;
		}
		reading->url_given = true;
		int err = options_replace(&reading->options->url, strdup(source), reading->why);
		if (err < 0) {
			return err;
		}
	} else if (strchr(source, '/')) {
		strbuf_addf(reading->why, "%s: one mount point only", source);
		return -EINVAL;
	}
	reading->fsname = *source ? source : NULL;
	return 0;
}

static int take_mountpoint(struct reading *reading, const char *path)
{
	char *real = *path ? realpath(path, NULL) : NULL;
	if (!real && *path) {
		/* Not there, or a mount that died: the one who mounts says so. */
		real = options_absolute(path);
	} else if (!real) {
		strbuf_adds(reading->why, "the mount point is missing");
		return -EINVAL;
	}
	return options_replace(&reading->options->mountpoint, real, reading->why);
}

static int take_places(struct reading *reading, char **words, int count)
{
	if (count <= 0) {
		strbuf_adds(reading->why, "the mount point is missing");
		return -EINVAL;
	}
	if (count > 2) {
		strbuf_addf(reading->why, "%s: one mount point only", words[count - 1]);
		return -EINVAL;
	}
	int err = count == 2 ? take_source(reading, words[0]) : 0;
	return err < 0 ? err : take_mountpoint(reading, words[count - 1]);
}

static int fill_defaults(struct options *options, struct strbuf *why)
{
	*options = (struct options){
		.ttl = { [TTL_CONNECTORS] = 30 * SECOND,
			[TTL_STATUS] = 5 * SECOND,
			[TTL_TOPOLOGY] = 300 * SECOND,
			[TTL_PLUGINS] = 3600 * SECOND,
			[TTL_NEGATIVE] = 5 * SECOND,
			[TTL_METRICS] = 60 * SECOND },
		.stale = 600 * SECOND,
		.settle = 60 * SECOND,
		.timeout = 30 * SECOND,
		.timeout_write = 120 * SECOND,
		.upload_timeout = 1200 * SECOND,
		.delete_delay = 2 * SECOND,
		.metrics_interval = 3600 * SECOND,
		.metrics_granularity = "PT1M",
		.max_connections = 8,
		.max_delete = 10,
		.max_answer = 64 * KIB * KIB,
		.show = 1U << SHOW_ALWAYS,
		.uid = getuid(),
		.gid = getgid(),
		.umask = 077,
	};
	return options_replace(&options->url, strdup(DEFAULT_URL), why);
}

static int read_words(struct reading *reading, int argc, char **argv)
{
	struct options *options = reading->options;
	optind = 0; /* starts anew, also after another list */
	opterr = 0;
	for (;;) {
		int letter = getopt_long(argc, argv, short_options, long_options, NULL);
		if (letter < 0) {
			break;
		}
		int err = take_switch(reading, letter, argv[optind - 1]);
		if (err < 0 || options->help || options->version) {
			return err;
		}
	}
	int err = take_places(reading, argv + optind, argc - optind);
	if (err == 0 && options->demo && (reading->url_given || options->telemetry_url)) {
		strbuf_adds(reading->why, "--demo: has a server of its own, and no URL");
		err = -EINVAL;
	}
	if (err == 0 && !options->telemetry_url) {
		const char *url = reading->url_given ? options->url : DEFAULT_TELEMETRY_URL;
		err = options_replace(&options->telemetry_url, strdup(url), reading->why);
	}
	return err < 0 ? err : options_gather_fuse(reading);
}

int options_parse(struct options *options, int argc, char **argv, struct strbuf *ret_why)
{
	struct reading reading = {
		.options = options, .why = ret_why, .fuse = STRBUF_INIT(FUSE_BYTES)
	};
	int err = fill_defaults(options, ret_why);
	if (err == 0) {
		err = read_words(&reading, argc, argv);
	}
	strbuf_finish(&reading.fuse);
	return err;
}

void options_finish(struct options *options)
{
	free(options->mountpoint);
	free(options->url);
	free(options->telemetry_url);
	free(options->credentials);
	free(options->credential_command);
	free(options->secrets);
	free(options->cacert);
	free(options->fuse_options);
	*options = (struct options){ 0 };
}

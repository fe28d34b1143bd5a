#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "emulator/emulator.h"
#include "emulator/options.h"
#include "emulator/routes.h"
#include "emulator/sample.h"
#include "emulator/server.h"

#define PEM_MAX        ((size_t)1 << 20)
#define PATH_MAX_BYTES 4096

enum { EXIT_USAGE = 2 };

static int read_file(const char *path, struct strbuf *out)
{
	cleanup(file) FILE *file = fopen(path, "re");
	if (!file) {
		log_error("%s: %s", path, strerror(errno));
		return -errno;
	}
	char block[4096];
	size_t len;
	while ((len = fread(block, 1, sizeof(block), file)) > 0) {
		strbuf_add(out, block, len);
	}
	if (ferror(file) || out->err) {
		log_error("%s: cannot be read", path);
		return -EIO;
	}
	return 0;
}

/* Whole or not at all: whoever waits for the file never sees half of it. */
static int write_port(const char *path, uint16_t port)
{
	char temporary[PATH_MAX_BYTES];
	int len = snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid());
	if (len < 0 || (size_t)len >= sizeof(temporary)) {
		log_error("%s: the path is too long", path);
		return -ENAMETOOLONG;
	}
	FILE *file = fopen(temporary, "we");
	bool good = file && fprintf(file, "%u\n", port) > 0;
	if (file && fclose(file) != 0) {
		good = false;
	}
	if (!good || rename(temporary, path) < 0) {
		log_error("%s: %s", path, strerror(errno));
		unlink(temporary);
		return -EIO;
	}
	return 0;
}

static void list_operations(const struct route *table)
{
	for (const struct route *route = table; route->method; route++) {
		printf("%-6s %s %s\n", route->method, route->pattern, route->operation);
	}
}

static int prepare(struct emulator *emulator, const struct options *options)
{
	emulator->latency_ms = options->latency_ms;
	emulator->account.settle_ms = options->settle_ms;
	emulator->account.provisioning_ms = options->provisioning_ms;
	emulator_set_key(emulator, options->key, options->secret);
	log_hide(options->secret);
	if (options->request_log) {
		int err = journal_open(&emulator->journal, options->request_log);
		if (err < 0) {
			log_error("%s: %s", options->request_log, strerror(-err));
			return err;
		}
	}
	if (options->environments < 0) {
		sample_fill(&emulator->account);
	} else {
		sample_generate(&emulator->account, (size_t)options->environments,
			(size_t)options->clusters, (size_t)options->connectors);
	}
	return 0;
}

struct texts {
	struct strbuf cert;
	struct strbuf key;
};

static int read_texts(const struct options *options, struct texts *texts)
{
	return options->tls_cert && (read_file(options->tls_cert, &texts->cert) < 0 ||
					    read_file(options->tls_key, &texts->key) < 0)
		       ? -EIO
		       : 0;
}

/* One of the two: the API, or the origin of presigned URLs. */
static int start(struct emulator *emulator, const struct options *options,
	const struct texts *texts, bool is_storage, struct server **ret_server)
{
	const char *address = is_storage ? options->upload_listen : options->listen;
	const char *port_file = is_storage ? options->upload_port_file : options->port_file;
	const char *name = is_storage ? "--upload-listen" : "--listen";
	struct server_options server_options = {
		.listen = address,
		.tls_cert = options->tls_cert ? strbuf_str(&texts->cert) : NULL,
		.tls_key = options->tls_key ? strbuf_str(&texts->key) : NULL,
		.is_storage = is_storage,
	};
	int err = server_create(emulator, &server_options, ret_server);
	if (err == -EINVAL) {
		log_error("%s: \"%s\" is no ADDRESS:PORT", name, address);
	} else if (err == -EPERM) {
		log_error("%s: %s is no loopback address", name, address);
	} else if (err == -EPROTO) {
		log_error("the server does not start%s",
			options->tls_cert ? ": is that a certificate and its key?" : "");
	} else if (err < 0) {
		log_error("%s: %s", address, strerror(-err));
	} else if (port_file) {
		err = write_port(port_file, server_port(*ret_server));
	}
	return err;
}

/* Listens until one of `signals` arrives. */
static int serve(struct emulator *emulator, const struct options *options, const sigset_t *signals)
{
	struct texts texts = { STRBUF_INIT(PEM_MAX), STRBUF_INIT(PEM_MAX) };
	struct server *api = NULL;
	struct server *storage = NULL;
	int err = read_texts(options, &texts);
	if (err < 0) {
		goto out;
	}
	err = start(emulator, options, &texts, true, &storage);
	if (err < 0) {
		goto out;
	}
	emulator->upload_url = server_url(storage);
	err = start(emulator, options, &texts, false, &api);
	if (err < 0) {
		goto out;
	}
	printf("%s\n%s\n", server_url(api), server_url(storage));
	fflush(stdout);
	int number;
	sigwait(signals, &number);
out:
	server_destroy(api);
	server_destroy(storage);
	strbuf_wipe(&texts.key);
	strbuf_finish(&texts.cert);
	return err;
}

static int run(const struct options *options)
{
	/* Blocked here, before there are threads, so that only sigwait gets them. */
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	struct emulator emulator;
	emulator_init(&emulator);
	int err = prepare(&emulator, options);
	if (err == 0) {
		err = serve(&emulator, options, &signals);
	}
	emulator_finish(&emulator);
	log_unhide(options->secret);
	/* An address that cannot be meant is a wrong argument, too. */
	return err == 0                          ? EXIT_SUCCESS
	       : err == -EINVAL || err == -EPERM ? EXIT_USAGE
						 : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	pid_t parent = getppid();
	struct options options;
	log_set_name("connect-emulator");
	if (options_parse(argc, argv, &options) < 0) {
		fputs("Try 'connect-emulator --help'.\n", stderr);
		return EXIT_USAGE;
	}
	if (options.help) {
		options_usage();
		return EXIT_SUCCESS;
	}
	if (options.version) {
		puts("connect-emulator " CONNECTFS_VERSION);
		return EXIT_SUCCESS;
	}
	if (options.list_operations) {
		list_operations(routes);
		list_operations(storage_routes);
		return EXIT_SUCCESS;
	}
	if (options.exit_with_parent) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent) {
			return EXIT_SUCCESS;
		}
	}
	return run(&options);
}

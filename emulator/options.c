#include "emulator/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define COUNT_MAX 10000000

enum option_id {
	OPTION_LISTEN = 256,
	OPTION_PORT_FILE,
	OPTION_UPLOAD_LISTEN,
	OPTION_UPLOAD_PORT_FILE,
	OPTION_TLS_CERT,
	OPTION_TLS_KEY,
	OPTION_LATENCY,
	OPTION_SETTLE,
	OPTION_PROVISIONING,
	OPTION_REQUEST_LOG,
	OPTION_ENVIRONMENTS,
	OPTION_CLUSTERS,
	OPTION_CONNECTORS,
	OPTION_KEY,
	OPTION_SECRET,
	OPTION_EXIT_WITH_PARENT,
	OPTION_LIST_OPERATIONS,
};

static const struct option long_options[] = {
	{ "listen", required_argument, NULL, OPTION_LISTEN },
	{ "port-file", required_argument, NULL, OPTION_PORT_FILE },
	{ "upload-listen", required_argument, NULL, OPTION_UPLOAD_LISTEN },
	{ "upload-port-file", required_argument, NULL, OPTION_UPLOAD_PORT_FILE },
	{ "tls-cert", required_argument, NULL, OPTION_TLS_CERT },
	{ "tls-key", required_argument, NULL, OPTION_TLS_KEY },
	{ "latency", required_argument, NULL, OPTION_LATENCY },
	{ "settle", required_argument, NULL, OPTION_SETTLE },
	{ "provisioning", required_argument, NULL, OPTION_PROVISIONING },
	{ "request-log", required_argument, NULL, OPTION_REQUEST_LOG },
	{ "environments", required_argument, NULL, OPTION_ENVIRONMENTS },
	{ "clusters", required_argument, NULL, OPTION_CLUSTERS },
	{ "connectors", required_argument, NULL, OPTION_CONNECTORS },
	{ "key", required_argument, NULL, OPTION_KEY },
	{ "secret", required_argument, NULL, OPTION_SECRET },
	{ "exit-with-parent", no_argument, NULL, OPTION_EXIT_WITH_PARENT },
	{ "list-operations", no_argument, NULL, OPTION_LIST_OPERATIONS },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

void options_usage(void)
{
	fputs("Usage: connect-emulator [OPTION]...\n"
	      "Emulates the part of Confluent Cloud that manages connectors.\n"
	      "\n"
	      "  --listen ADDRESS:PORT  loopback address, port 0 for any [127.0.0.1:0]\n"
	      "  --port-file FILE       write the port there once it listens\n"
	      "  --upload-listen ADDRESS:PORT     the same, for presigned URLs\n"
	      "  --upload-port-file FILE\n"
	      "  --tls-cert FILE        serve HTTPS with this certificate (PEM)\n"
	      "  --tls-key FILE         and this key (PEM)\n"
	      "  --key KEY              the API key that is valid [DEMOKEY]\n"
	      "  --secret SECRET        and its secret [demo-secret]\n"
	      "  --latency MS           answer that much later [0]\n"
	      "  --settle MS            let reads lag behind writes by that much [0]\n"
	      "  --provisioning MS      how long new connectors take to start [1000]\n"
	      "  --environments N       instead of the sample account, generate one:\n"
	      "  --clusters N           so many clusters in each environment\n"
	      "  --connectors N         and so many connectors in each cluster\n"
	      "  --request-log FILE     append a JSON line for each request\n"
	      "  --exit-with-parent     end when the parent process ends\n"
	      "  --list-operations      print the operations it answers, and end\n"
	      "  -h, --help             print this, and end\n"
	      "  -V, --version          print the version, and end\n",
		stdout);
}

static int parse_number(const char *name, const char *text, int64_t *ret_number)
{
	char *end;
	errno = 0;
	long long number = strtoll(text, &end, 10);
	if (!*text || *end || errno || number < 0 || number > COUNT_MAX) {
		log_error("--%s: \"%s\" is no number from 0 to %d", name, text, COUNT_MAX);
		return -EINVAL;
	}
	*ret_number = number;
	return 0;
}

static int take_option(int id, const char *name, const char *arg, struct options *options)
{
	switch (id) {
	case OPTION_LISTEN:
		options->listen = arg;
		return 0;
	case OPTION_PORT_FILE:
		options->port_file = arg;
		return 0;
	case OPTION_UPLOAD_LISTEN:
		options->upload_listen = arg;
		return 0;
	case OPTION_UPLOAD_PORT_FILE:
		options->upload_port_file = arg;
		return 0;
	case OPTION_TLS_CERT:
		options->tls_cert = arg;
		return 0;
	case OPTION_TLS_KEY:
		options->tls_key = arg;
		return 0;
	case OPTION_REQUEST_LOG:
		options->request_log = arg;
		return 0;
	case OPTION_KEY:
		options->key = arg;
		return 0;
	case OPTION_SECRET:
		options->secret = arg;
		return 0;
	case OPTION_EXIT_WITH_PARENT:
		options->exit_with_parent = true;
		return 0;
	case OPTION_LIST_OPERATIONS:
		options->list_operations = true;
		return 0;
	case 'h':
		options->help = true;
		return 0;
	case 'V':
		options->version = true;
		return 0;
	case OPTION_LATENCY:
		return parse_number(name, arg, &options->latency_ms);
	case OPTION_SETTLE:
		return parse_number(name, arg, &options->settle_ms);
	case OPTION_PROVISIONING:
		return parse_number(name, arg, &options->provisioning_ms);
	case OPTION_ENVIRONMENTS:
		return parse_number(name, arg, &options->environments);
	case OPTION_CLUSTERS:
		return parse_number(name, arg, &options->clusters);
	case OPTION_CONNECTORS:
		return parse_number(name, arg, &options->connectors);
	default:
		return -EINVAL;
	}
}

/* One of the three numbers alone is enough; the others are then small. */
static void fill_in(struct options *options)
{
	if (options->environments < 0 && options->clusters < 0 && options->connectors < 0) {
		return;
	}
	options->environments = options->environments < 0 ? 1 : options->environments;
	options->clusters = options->clusters < 0 ? 1 : options->clusters;
	options->connectors = options->connectors < 0 ? 10 : options->connectors;
}

int options_parse(int argc, char **argv, struct options *ret_options)
{
	struct options options = {
		.listen = "127.0.0.1:0",
		.upload_listen = "127.0.0.1:0",
		.key = "DEMOKEY",
		.secret = "demo-secret",
		.provisioning_ms = 1000,
		.environments = -1,
		.clusters = -1,
		.connectors = -1,
	};
	int index = 0;
	opterr = 0;
	for (int id; (id = getopt_long(argc, argv, "hV", long_options, &index)) != -1;) {
		if (id == '?') {
			log_error(
				"%s: no such option, or its argument is missing", argv[optind - 1]);
			return -EINVAL;
		}
		int err = take_option(id, long_options[index].name, optarg ? optarg : "", &options);
		if (err < 0) {
			return err;
		}
	}
	if (optind < argc) {
		log_error("unexpected argument \"%s\"", argv[optind]);
		return -EINVAL;
	}
	if (!options.tls_cert != !options.tls_key) {
		log_error("--tls-cert and --tls-key go together");
		return -EINVAL;
	}
	if (strchr(options.key, ':')) {
		log_error("--key: a key cannot contain a colon");
		return -EINVAL;
	}
	fill_in(&options);
	*ret_options = options;
	return 0;
}

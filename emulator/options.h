/* The command line. */
#ifndef EMULATOR_OPTIONS_H
#define EMULATOR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	const char *listen; /* all texts are borrowed from argv, or constants */
	const char *port_file;
	const char *upload_listen;
	const char *upload_port_file;
	const char *tls_cert;
	const char *tls_key;
	const char *request_log;
	const char *key;
	const char *secret;
	int64_t latency_ms;
	int64_t settle_ms;
	int64_t provisioning_ms;
	int64_t environments; /* -1: the sample account */
	int64_t clusters;
	int64_t connectors;
	bool exit_with_parent;
	bool help;
	bool version;
	bool list_operations;
};

/* -EINVAL for arguments it does not understand; it has then said why. */
int options_parse(int argc, char **argv, struct options *ret_options);
void options_usage(void);

#endif

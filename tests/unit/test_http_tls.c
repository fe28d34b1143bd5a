/* TLS: whose certificates are believed. */
#include "tests/unit/http_bench.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/http_priv.h"
#include "base/cleanup.h"

#define LONG_MS 10000

struct tls_server {
	SSL_CTX *context;
	int listener;
	unsigned port;
	pthread_t thread;
	atomic_uint handshakes; /* that succeeded */
	atomic_uint requests;
};

static char authority[] = "/tmp/connectfs-tls-XXXXXX";

static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *cert = X509_new();
	X509V3_CTX context;
	X509_set_version(cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
		(const unsigned char *)"connectfs test", -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
	X509_EXTENSION *name =
		X509V3_EXT_conf_nid(NULL, &context, NID_subject_alt_name, "IP:127.0.0.1");
	X509_add_ext(cert, name, -1);
	X509_EXTENSION_free(name);
	assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
	return cert;
}

static int make_authority(void **state)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = make_certificate(key);
	int fd = mkstemp(authority);
	FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!file || PEM_write_X509(file, cert) != 1 || fclose(file) != 0) {
		return -1;
	}
	SSL_CTX_use_certificate(context, cert);
	SSL_CTX_use_PrivateKey(context, key);
	X509_free(cert);
	EVP_PKEY_free(key);
	*state = context;
	return 0;
}

static int drop_authority(void **state)
{
	SSL_CTX_free(*state);
	unlink(authority);
	return 0;
}

static void converse(struct tls_server *server, SSL *ssl)
{
	static const char reply[] = OK("Content-Length: 2\r\n\r\n{}");
	char text[4096];
	if (SSL_accept(ssl) != 1) {
		return;
	}
	server->handshakes++;
	/* Small requests come in one record. */
	while (SSL_read(ssl, text, sizeof(text)) > 0) {
		server->requests++;
		SSL_write(ssl, reply, sizeof(reply) - 1);
	}
}

static void *run(void *arg)
{
	struct tls_server *server = arg;
	sigset_t pipes;
	int fd;
	/* Of this thread alone: the engine must get by without. */
	sigemptyset(&pipes);
	sigaddset(&pipes, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipes, NULL);
	while ((fd = accept(server->listener, NULL, NULL)) >= 0) {
		SSL *ssl = SSL_new(server->context);
		SSL_set_fd(ssl, fd);
		converse(server, ssl);
		SSL_free(ssl);
		close(fd);
	}
	return NULL;
}

static void start(struct tls_server *server, SSL_CTX *context)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	memset(server, 0, sizeof(*server));
	server->context = context;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(server->listener, 8), 0);
	assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &len), 0);
	server->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server->thread, NULL, run, server), 0);
}

static void stop(struct tls_server *server)
{
	shutdown(server->listener, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->listener);
}

static int ask(const struct tls_server *server, const char *host, const char *cacert,
	enum http_method method, struct http_answer *ret_answer)
{
	char url[64];
	struct bench bench = { 0 };
	struct http_options options = {
		.url = url, .cacert = cacert, .max_connections = 2, .max_answer = 100
	};
	snprintf(url, sizeof(url), "https://%s:%u", host, server->port);
	assert_int_equal(auth_create_fixed("key", "a-secret", &bench.auth), 0);
	options.auth = bench.auth;
	assert_int_equal(http_create(&options, &bench.http), 0);
	assert_int_equal(http_start(bench.http), 0);
	int err = bench_do(&bench, method, "/t", LONG_MS, ret_answer);
	for (int i = 0; !err && i < 3; i++) {
		http_answer_finish(ret_answer);
		err = bench_do(&bench, method, "/t", LONG_MS, ret_answer);
	}
	http_destroy(bench.http);
	auth_destroy(bench.auth);
	return err;
}

static void test_added_authority(void **state)
{
	struct tls_server server;
	cleanup(http_answer) struct http_answer answer = { 0 };
	start(&server, *state);
	int err = ask(&server, "127.0.0.1", authority, HTTP_GET, &answer);
	if (err) {
		fail_msg("%d: %s", err, answer.trouble);
	}
	stop(&server);
	assert_int_equal(server.handshakes, 1);
	assert_int_equal(server.requests, 4);
}

static void test_unknown_authority(void **state)
{
	static const enum http_method methods[] = { HTTP_GET, HTTP_POST };
	for (size_t i = 0; i < COUNT(methods); i++) {
		struct tls_server server;
		cleanup(http_answer) struct http_answer answer = { 0 };
		start(&server, *state);
		assert_int_equal(ask(&server, "127.0.0.1", NULL, methods[i], &answer), -EPROTO);
		stop(&server);
		assert_int_equal(answer.attempts, 1);
		assert_false(answer.maybe_done);
		assert_non_null(strstr(answer.trouble, "certificate"));
		assert_int_equal(server.requests, 0);
	}
}

static void test_other_name(void **state)
{
	struct tls_server server;
	cleanup(http_answer) struct http_answer answer = { 0 };
	start(&server, *state);
	assert_int_equal(ask(&server, "localhost", authority, HTTP_GET, &answer), -EPROTO);
	stop(&server);
	assert_int_equal(server.requests, 0);
}

static void test_bad_authority(void **state)
{
	struct http_options options = { .url = "https://127.0.0.1", .max_connections = 1 };
	struct http *http = NULL;
	assert_int_equal(auth_create_fixed("key", "a-secret", &options.auth), 0);
	options.cacert = "/nonexistent/authority.pem";
	assert_int_equal(http_create(&options, &http), -ENOENT);
	options.cacert = "/dev/null";
	assert_int_equal(http_create(&options, &http), -EINVAL);
	options.cacert = NULL;
	options.url = "http://example.com";
	assert_int_equal(http_create(&options, &http), -EINVAL);
	auth_destroy(options.auth);
}

/* An added authority does not take the place of the system's. */
static void test_authorities_add_up(void **state)
{
	const char *system = curl_version_info(CURLVERSION_NOW)->cainfo;
	char text[4096] = "";
	struct curl_blob blob = { 0 };
	FILE *file = system ? fopen(system, "r") : NULL;
	if (!file) {
		skip();
	}
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_int_equal(http_trust_read(authority, &blob), 0);
	assert_non_null(strstr(blob.data, text));
	file = fopen(authority, "r");
	assert_non_null(file);
	memset(text, 0, sizeof(text));
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_non_null(strstr(blob.data, text));
	free(blob.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_added_authority),
		cmocka_unit_test(test_unknown_authority),
		cmocka_unit_test(test_other_name),
		cmocka_unit_test(test_bad_authority),
		cmocka_unit_test(test_authorities_add_up),
	};
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	unsetenv("all_proxy");
	unsetenv("ALL_PROXY");
	return cmocka_run_group_tests(tests, make_authority, drop_authority);
}

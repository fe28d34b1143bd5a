#include "emulator/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "emulator/answer.h"
#include "emulator/mem.h"
#include "emulator/storage.h"

#define STACK_BYTES      ((size_t)2 << 20)
#define CONNECTION_BYTES ((size_t)128 << 10)
#define CONNECTIONS_MAX  1000U
#define BACKLOG          512

struct server {
	struct emulator *emulator;
	struct MHD_Daemon *daemon;
	bool tls;
	bool is_storage;
	uint16_t port;
	char url[80];
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* "127.0.0.1:0", "[::1]:8080", "localhost:8080", ":8080" or a port alone. */
static int parse_listen(const char *text, union address *address, socklen_t *ret_len)
{
	char host[64] = "127.0.0.1";
	const char *colon = strrchr(text, ':');
	const char *port_text = colon ? colon + 1 : text;
	size_t host_len = colon ? (size_t)(colon - text) : 0;
	char *end;
	errno = 0;
	unsigned long port = strtoul(port_text, &end, 10);
	if (!*port_text || *end || errno || port > 65535 || *port_text == '-' ||
		host_len >= sizeof(host)) {
		return -EINVAL;
	}
	if (host_len > 2 && text[0] == '[' && text[host_len - 1] == ']') {
		text++;
		host_len -= 2;
	}
	if (host_len > 0 && strncmp(text, "localhost:", 10) != 0) {
		memcpy(host, text, host_len);
		host[host_len] = '\0';
	}
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, host, &address->v4.sin_addr) == 1) {
		address->v4.sin_family = AF_INET;
		address->v4.sin_port = htons((uint16_t)port);
		*ret_len = sizeof(address->v4);
		return ntohl(address->v4.sin_addr.s_addr) >> 24 == 127 ? 0 : -EPERM;
	}
	if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1) {
		address->v6.sin6_family = AF_INET6;
		address->v6.sin6_port = htons((uint16_t)port);
		*ret_len = sizeof(address->v6);
		return IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr) ? 0 : -EPERM;
	}
	return -EINVAL;
}

static int open_socket(struct server *server, const char *listen_text, int *ret_fd)
{
	union address address;
	socklen_t len;
	char host[INET6_ADDRSTRLEN];
	int err = parse_listen(listen_text, &address, &len);
	if (err < 0) {
		return err;
	}
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return -errno;
	}
	int one = 1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
		bind(fd, &address.any, len) < 0 || listen(fd, BACKLOG) < 0 ||
		getsockname(fd, &address.any, &len) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	bool v6 = address.any.sa_family == AF_INET6;
	server->port = ntohs(v6 ? address.v6.sin6_port : address.v4.sin_port);
	inet_ntop(address.any.sa_family,
		v6 ? (const void *)&address.v6.sin6_addr : (const void *)&address.v4.sin_addr, host,
		sizeof(host));
	snprintf(server->url, sizeof(server->url), v6 ? "%s://[%s]:%u" : "%s://%s:%u",
		server->tls ? "https" : "http", host, server->port);
	*ret_fd = fd;
	return 0;
}

static void *on_uri(void *ctx, const char *uri, struct MHD_Connection *connection)
{
	const struct server *server = ctx;
	struct request *request = request_create(connection, uri);
	request->scheme = server->tls ? "https" : "http";
	request->family = server->is_storage ? FAMILY_STORAGE : request->family;
	return request;
}

/* What is uploaded is dealt with as it comes; it may be more than fits into memory. */
static enum MHD_Result begin_storage(const struct server *server, struct request *request)
{
	answer_begin(server->emulator, request);
	storage_begin(server->emulator, request);
	return answer_receives(server->emulator, request, 0) ? MHD_YES : MHD_NO;
}

static enum MHD_Result take_body(
	const struct server *server, struct request *request, const char *data, size_t *len)
{
	if (server->is_storage) {
		if (!answer_receives(server->emulator, request, *len)) {
			return MHD_NO;
		}
		storage_receive(request, data, *len);
	} else {
		size_t room = REQUEST_BODY_MAX - request->body.len;
		strbuf_add(&request->body, data, *len < room ? *len : room);
	}
	request->body_len += *len;
	*len = 0;
	return MHD_YES;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_len,
	void **request_ctx)
{
	const struct server *server = ctx;
	struct request *request = *request_ctx;
	if (!request) {
		return MHD_NO;
	}
	if (!request->begun) {
		request->begun = true;
		request->method = mem_dup(method);
		return server->is_storage ? begin_storage(server, request) : MHD_YES;
	}
	if (*upload_len > 0) {
		return take_body(server, request, upload, upload_len);
	}
	if (!server->is_storage) {
		answer_begin(server->emulator, request);
	}
	return answer_request(server->emulator, request) ? MHD_YES : MHD_NO;
}

static void on_completed(void *ctx, struct MHD_Connection *connection, void **request_ctx,
	enum MHD_RequestTerminationCode code)
{
	const struct server *server = ctx;
	struct request *request = *request_ctx;
	if (request) {
		storage_forget(request);
		answer_forget(server->emulator, request);
		request_destroy(request);
	}
	*request_ctx = NULL;
}

/* A connection's context is its number, 0 until its first request. */
static void on_connection(void *ctx, struct MHD_Connection *connection, void **connection_ctx,
	enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*connection_ctx = mem_alloc(sizeof(uint64_t));
	} else {
		free(*connection_ctx);
		*connection_ctx = NULL;
	}
}

static struct MHD_Daemon *start(struct server *server, const struct server_options *options, int fd)
{
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)options->tls_cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)options->tls_key },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
			 MHD_USE_POLL | MHD_USE_ITC | (server->tls ? MHD_USE_TLS : 0U);
	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET,
		fd, MHD_OPTION_URI_LOG_CALLBACK, on_uri, server, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_THREAD_STACK_SIZE, STACK_BYTES, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		CONNECTION_BYTES, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_ARRAY,
		server->tls ? tls : tls + 2, MHD_OPTION_END);
}

int server_create(
	struct emulator *emulator, const struct server_options *options, struct server **ret_server)
{
	cleanup(free) struct server *server = mem_alloc(sizeof(*server));
	int fd = -1;
	server->emulator = emulator;
	server->tls = options->tls_cert != NULL;
	server->is_storage = options->is_storage;
	int err = open_socket(server, options->listen, &fd);
	if (err < 0) {
		return err;
	}
	server->daemon = start(server, options, fd);
	if (!server->daemon) {
		close(fd);
		return -EPROTO;
	}
	*ret_server = steal(server);
	return 0;
}

void server_destroy(struct server *server)
{
	if (server) {
		emulator_stop(server->emulator);
		MHD_stop_daemon(server->daemon);
		free(server);
	}
}

uint16_t server_port(const struct server *server)
{
	return server->port;
}

const char *server_url(const struct server *server)
{
	return server->url;
}

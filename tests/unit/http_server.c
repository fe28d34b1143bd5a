#include "tests/unit/http_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/strbuf.h"

#define CONNECTIONS_MAX 64
#define REQUESTS_MAX    256
#define REQUEST_BYTES   (size_t)(4 * 1024 * 1024)
#define WAIT_MS         10000

struct connection {
	int fd; /* -1: free */
	struct strbuf in;
	const struct reply *held;
};

struct server {
	const struct reply *script;
	size_t count;
	int listener;
	int wake;
	unsigned port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	atomic_bool anything;
	bool stop;       /* lock */
	bool release;    /* lock */
	bool drop;       /* lock */
	size_t accepted; /* lock */
	size_t read;     /* lock */
	struct {
		char *text;
		int64_t at;
	} requests[REQUESTS_MAX]; /* lock; written once, then only read */
	struct connection connections[CONNECTIONS_MAX];
};

static void connection_close(struct connection *c)
{
	if (c->fd >= 0) {
		close(c->fd);
	}
	c->fd = -1;
	c->held = NULL;
	strbuf_finish(&c->in);
}

static void say(struct connection *c, const struct reply *reply)
{
	const char *at = reply->text;
	size_t left = reply->len ? reply->len : strlen(reply->text);
	while (left > 0) {
		ssize_t sent = send(c->fd, at, left, MSG_NOSIGNAL);
		if (sent <= 0) {
			connection_close(c);
			return;
		}
		at += sent;
		left -= (size_t)sent;
	}
	if (reply->after == AFTER_CLOSE) {
		connection_close(c);
	}
}

/* Bytes of the first complete request in the buffer; 0: there is none yet. */
static size_t request_len(const struct strbuf *in)
{
	const char *end = strstr(strbuf_str(in), "\r\n\r\n");
	if (!end) {
		return 0;
	}
	size_t len = (size_t)(end - in->buf) + 4;
	const char *field = strcasestr(in->buf, "\r\nContent-Length:");
	if (field && field < end) {
		len += strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
	}
	return len <= in->len ? len : 0;
}

static const struct reply *record(struct server *server, const char *text, size_t len)
{
	pthread_mutex_lock(&server->lock);
	size_t number = server->read;
	if (number < REQUESTS_MAX) {
		server->requests[number].text = strndup(text, len);
		server->requests[number].at = clock_now_ms();
		server->read++;
	}
	pthread_cond_broadcast(&server->change);
	pthread_mutex_unlock(&server->lock);
	return &server->script[number < server->count ? number : server->count - 1];
}

static void serve(struct server *server, struct connection *c)
{
	char chunk[4096];
	ssize_t got = recv(c->fd, chunk, sizeof(chunk), 0);
	if (got <= 0) {
		connection_close(c);
		return;
	}
	strbuf_add(&c->in, chunk, (size_t)got);
	size_t len;
	while (c->fd >= 0 && (len = server->anything ? c->in.len : request_len(&c->in)) > 0) {
		const struct reply *reply = record(server, c->in.buf, len);
		memmove(c->in.buf, c->in.buf + len, c->in.len - len + 1);
		c->in.len -= len;
		if (reply->after == AFTER_HOLD) {
			c->held = reply;
		} else {
			say(c, reply);
		}
	}
}

static void welcome(struct server *server)
{
	int fd = accept(server->listener, NULL, NULL);
	pthread_mutex_lock(&server->lock);
	server->accepted++;
	pthread_mutex_unlock(&server->lock);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		if (server->connections[i].fd < 0) {
			server->connections[i].fd = fd;
			strbuf_init(&server->connections[i].in, REQUEST_BYTES);
			return;
		}
	}
	close(fd);
}

static void obey(struct server *server, bool *ret_stop)
{
	eventfd_t ignored;
	eventfd_read(server->wake, &ignored);
	pthread_mutex_lock(&server->lock);
	bool release = server->release;
	bool drop = server->drop;
	server->release = false;
	server->drop = false;
	*ret_stop = server->stop;
	pthread_mutex_unlock(&server->lock);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &server->connections[i];
		if (drop) {
			connection_close(c);
		} else if (release && c->held) {
			const struct reply *held = c->held;
			c->held = NULL;
			say(c, held);
		}
	}
}

static void *run(void *arg)
{
	struct server *server = arg;
	struct pollfd fds[CONNECTIONS_MAX + 2];
	bool stop = false;

	while (!stop) {
		fds[0] = (struct pollfd){ .fd = server->wake, .events = POLLIN };
		fds[1] = (struct pollfd){ .fd = server->listener, .events = POLLIN };
		for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
			fds[i + 2] = (struct pollfd){ .fd = server->connections[i].fd,
				.events = POLLIN };
		}
		poll(fds, CONNECTIONS_MAX + 2, -1);
		for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
			if (fds[i + 2].revents && server->connections[i].fd >= 0) {
				serve(server, &server->connections[i]);
			}
		}
		if (fds[1].revents) {
			welcome(server);
		}
		if (fds[0].revents) {
			obey(server, &stop);
		}
	}
	return NULL;
}

struct server *server_start(const struct reply *script, size_t count)
{
	struct server *server = calloc(1, sizeof(*server));
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);

	if (!server) {
		abort();
	}
	server->script = script;
	server->count = count;
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		server->connections[i].fd = -1;
	}
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&server->change, &monotonic);
	pthread_condattr_destroy(&monotonic);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->wake = eventfd(0, EFD_CLOEXEC);
	server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (server->wake < 0 || server->listener < 0 ||
		bind(server->listener, (struct sockaddr *)&address, len) < 0 ||
		listen(server->listener, 64) < 0 ||
		getsockname(server->listener, (struct sockaddr *)&address, &len) < 0 ||
		pthread_create(&server->thread, NULL, run, server) != 0) {
		abort();
	}
	server->port = ntohs(address.sin_port);
	return server;
}

static void tell(struct server *server, bool *flag)
{
	pthread_mutex_lock(&server->lock);
	*flag = true;
	pthread_mutex_unlock(&server->lock);
	eventfd_write(server->wake, 1);
}

void server_release(struct server *server)
{
	tell(server, &server->release);
}

void server_drop(struct server *server)
{
	tell(server, &server->drop);
}

void server_take_anything(struct server *server)
{
	server->anything = true;
}

void server_stop(struct server *server)
{
	tell(server, &server->stop);
	pthread_join(server->thread, NULL);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		connection_close(&server->connections[i]);
	}
	for (size_t i = 0; i < server->read; i++) {
		free(server->requests[i].text);
	}
	close(server->listener);
	close(server->wake);
	pthread_cond_destroy(&server->change);
	pthread_mutex_destroy(&server->lock);
	free(server);
}

unsigned server_port(const struct server *server)
{
	return server->port;
}

bool server_wait(struct server *server, size_t count)
{
	int64_t until = clock_now_ms() + WAIT_MS;
	struct timespec ts = { .tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000 };
	int err = 0;

	pthread_mutex_lock(&server->lock);
	while (server->read < count && !err) {
		err = pthread_cond_timedwait(&server->change, &server->lock, &ts);
	}
	bool reached = server->read >= count;
	pthread_mutex_unlock(&server->lock);
	return reached;
}

size_t server_requests(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	size_t count = server->read;
	pthread_mutex_unlock(&server->lock);
	return count;
}

size_t server_connections(struct server *server)
{
	pthread_mutex_lock(&server->lock);
	size_t count = server->accepted;
	pthread_mutex_unlock(&server->lock);
	return count;
}

const char *server_request(struct server *server, size_t number)
{
	pthread_mutex_lock(&server->lock);
	const char *text = number < server->read ? server->requests[number].text : "";
	pthread_mutex_unlock(&server->lock);
	return text;
}

int64_t server_request_at(struct server *server, size_t number)
{
	pthread_mutex_lock(&server->lock);
	int64_t at = number < server->read ? server->requests[number].at : 0;
	pthread_mutex_unlock(&server->lock);
	return at;
}

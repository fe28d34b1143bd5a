/* Uploads: what is sent where, what is not, and how they end. */
#include "tests/unit/http_bench.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strbuf.h"

#define LONG_MS 10000
#define EMPTY   "Content-Length: 0\r\n\r\n"
#define MANY    (size_t)3000001

static const struct http_field fields[] = { { "key", "staging/a b.zip" }, { "x-amz-date", "2026" },
	{ "policy", "eyJ9==\r\nX: y" } };

/* A file in memory of `size` letters. */
static int file_of(size_t size)
{
	int fd = memfd_create("upload", MFD_CLOEXEC);
	char *text = malloc(size + 1);
	assert_true(fd >= 0 && text);
	for (size_t i = 0; i < size; i++) {
		text[i] = (char)('a' + i * i % 23);
	}
	assert_int_equal(write(fd, text, size), size);
	free(text);
	return fd;
}

static void assert_content(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (text[i] != (char)('a' + i * i % 23)) {
			fail_msg("another byte at %zu", i);
		}
	}
}

/* Another origin than the API's: to be freed. */
static char *url_at(const struct server *storage, const char *rest)
{
	char *url = NULL;
	assert_true(asprintf(&url, "http://127.0.0.1:%u%s", server_port(storage), rest) > 0);
	return url;
}

static int upload(struct bench *bench, enum http_method method, const char *url,
	const struct http_upload *what, struct http_answer *ret_answer)
{
	struct http_request request = {
		.method = method, .target = url, .upload = what, .deadline = bench_deadline(LONG_MS)
	};
	return http_perform(bench->http, &request, ret_answer);
}

/* The headers of a request, and where its body starts. */
static const char *split(const char *text, struct strbuf *head)
{
	const char *end = strstr(text, "\r\n\r\n");
	assert_non_null(end);
	strbuf_add(head, text, (size_t)(end + 2 - text));
	return end + 4;
}

/* Nothing that is the API's alone, and nothing that asks the storage to wait. */
static void assert_foreign(const char *head)
{
	assert_non_null(strstr(head, "\r\nUser-Agent: connectfs/" CONNECTFS_VERSION "\r\n"));
	assert_null(strcasestr(head, "Authorization"));
	assert_null(strcasestr(head, "Expect"));
	assert_null(strcasestr(head, "chunked"));
}

static const struct reply api[] = { { OK("Content-Length: 2\r\n\r\n{}") } };

static void test_form(void **state)
{
	static const struct reply script[] = { { "HTTP/1.1 204 No Content\r\n\r\n" } };
	struct bench bench;
	struct server *storage = server_start(script, COUNT(script));
	cleanup(free) char *url = url_at(storage, "/bucket/");
	cleanup(fd) int fd = file_of(MANY);
	struct http_upload what = { .fd = fd,
		.size = MANY,
		.fields = fields,
		.field_count = COUNT(fields),
		.file_name = "a \"b\".zip" };
	cleanup(http_answer) struct http_answer answer = { 0 };

	bench_start(&bench, api, COUNT(api), NULL, 2);
	/* whoever has read the file before leaves it where that was */
	assert_int_equal(lseek(fd, 0, SEEK_END), MANY);
	assert_int_equal(upload(&bench, HTTP_POST, url, &what, &answer), 0);
	assert_int_equal(answer.status, 204);
	assert_int_equal(server_requests(bench.server), 0);

	const char *text = server_request(storage, 0);
	assert_ptr_equal(strstr(text, "POST /bucket/ HTTP/1.1\r\n"), text);
	cleanup(strbuf) struct strbuf headers = STRBUF_INIT(4096);
	const char *body = split(text, &headers);
	const char *head = strbuf_str(&headers);
	assert_foreign(head);
	const char *type = "\r\nContent-Type: multipart/form-data; boundary=";
	const char *boundary = strstr(head, type);
	assert_non_null(boundary);
	boundary += strlen(type);
	cleanup(strbuf) struct strbuf wanted = STRBUF_INIT(4096);
	size_t boundary_len = strcspn(boundary, "\r");
	for (size_t i = 0; i < COUNT(fields); i++) {
		strbuf_addf(&wanted,
			"--%.*s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n",
			(int)boundary_len, boundary, fields[i].name, fields[i].value);
	}
	strbuf_addf(&wanted,
		"--%.*s\r\nContent-Disposition: form-data; name=\"file\"; "
		"filename=\"a %%22b%%22.zip\"\r\nContent-Type: application/octet-stream\r\n\r\n",
		(int)boundary_len, boundary);
	assert_memory_equal(body, strbuf_str(&wanted), wanted.len);
	body += wanted.len;
	assert_content(body, MANY);
	strbuf_reset(&wanted);
	strbuf_addf(&wanted, "\r\n--%.*s--\r\n", (int)boundary_len, boundary);
	assert_string_equal(body + MANY, strbuf_str(&wanted));
	bench_stop(&bench);
	server_stop(storage);
}

static void test_put(void **state)
{
	static const struct reply script[] = { { "HTTP/1.1 201 Created\r\n" EMPTY } };
	struct bench bench;
	struct server *storage = server_start(script, COUNT(script));
	cleanup(free) char *url = url_at(storage, "/c/a.zip?sig=a%2Fb&se=2026");
	cleanup(fd) int fd = file_of(MANY);
	struct http_upload what = { .fd = fd, .size = MANY, .header = "x-ms-blob-type: BlockBlob" };
	bench_start(&bench, api, COUNT(api), NULL, 2);
	for (size_t i = 0; i < 2; i++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		assert_int_equal(upload(&bench, HTTP_PUT, url, &what, &answer), 0);
		const char *text = server_request(storage, i);
		assert_ptr_equal(strstr(text, "PUT /c/a.zip?sig=a%2Fb&se=2026 HTTP/1.1\r\n"), text);
		cleanup(strbuf) struct strbuf headers = STRBUF_INIT(4096);
		const char *body = split(text, &headers);
		const char *head = strbuf_str(&headers);
		assert_foreign(head);
		assert_non_null(strstr(head, "\r\nContent-Length: 3000001\r\n"));
		assert_null(strcasestr(head, "Content-Type"));
		assert_int_equal(strstr(head, "\r\nx-ms-blob-type: BlockBlob\r\n") != NULL, i == 0);
		assert_int_equal(strlen(body), MANY);
		assert_content(body, MANY);
		what.header = NULL;
	}
	/* nothing else goes there */
	assert_int_equal(server_connections(storage), 2);
	bench_stop(&bench);
	server_stop(storage);
}

static void test_answers(void **state)
{
	static const struct {
		const char *reply;
		int err;
	} rows[] = {
		{ "HTTP/1.1 401 U\r\n" EMPTY, -EACCES },
		{ "HTTP/1.1 403 F\r\nContent-Length: 7\r\n\r\n<Error>", -EACCES },
		{ "HTTP/1.1 413 F\r\n" EMPTY, -EFBIG },
		{ "HTTP/1.1 503 S\r\n" EMPTY, -EIO },
		{ "HTTP/1.1 307 T\r\nLocation: /elsewhere\r\n" EMPTY, -EPROTO },
		{ "HTTP/1.1 303 S\r\nLocation: /elsewhere\r\n" EMPTY, -EPROTO },
	};
	cleanup(fd) int fd = file_of(1000);
	struct http_upload what = { .fd = fd, .size = 1000, .file_name = "a.zip" };
	for (size_t i = 0; i < 2 * COUNT(rows); i++) {
		struct reply script[] = { { rows[i / 2].reply } };
		struct bench bench;
		struct server *storage = server_start(script, COUNT(script));
		cleanup(free) char *url = url_at(storage, "/");
		cleanup(http_answer) struct http_answer answer = { 0 };
		bench_start(&bench, api, COUNT(api), NULL, 2);
		int err = upload(&bench, i % 2 ? HTTP_POST : HTTP_PUT, url, &what, &answer);
		if (err != rows[i / 2].err || server_requests(storage) != 1) {
			fail_msg("row %zu: %d, %zu requests", i / 2, err, server_requests(storage));
		}
		assert_int_equal(server_requests(bench.server), 0);
		bench_stop(&bench);
		server_stop(storage);
	}
}

static void test_addresses_are_checked(void **state)
{
	static const struct {
		const char *url;
		int err;
	} rows[] = {
		{ "/connect/v1", -EINVAL },
		{ "ftp://127.0.0.1/", -EINVAL },
		{ "http://user:pass@127.0.0.1/", -EINVAL },
		{ "http://storage.example/", -EPROTO },
		{ "https://127.0.0.1:1/", -ECONNREFUSED },
	};
	struct bench bench;
	cleanup(fd) int fd = file_of(10);
	struct http_upload what = { .fd = fd, .size = 10, .file_name = "a.zip" };
	bench_start(&bench, api, COUNT(api), NULL, 2);
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		int err = upload(&bench, HTTP_POST, rows[i].url, &what, &answer);
		if (err != rows[i].err) {
			fail_msg("%s: %d", rows[i].url, err);
		}
	}
	assert_int_equal(server_connections(bench.server), 0);
	bench_stop(&bench);
}

static void test_a_file_that_has_shrunk(void **state)
{
	static const struct reply script[] = { { OK(EMPTY) } };
	struct bench bench;
	struct server *storage = server_start(script, COUNT(script));
	cleanup(free) char *url = url_at(storage, "/");
	cleanup(fd) int fd = file_of(1000);
	struct http_upload what = { .fd = fd, .size = 1001, .file_name = "a.zip" };
	bench_start(&bench, api, COUNT(api), NULL, 2);
	for (int i = 0; i < 2; i++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		assert_int_equal(
			upload(&bench, i ? HTTP_POST : HTTP_PUT, url, &what, &answer), -EIO);
	}
	assert_int_equal(server_requests(storage), 0);
	bench_stop(&bench);
	server_stop(storage);
}

static void test_a_connection_that_breaks(void **state)
{
	static const struct reply script[] = { { "", .after = AFTER_CLOSE } };
	struct bench bench;
	struct server *storage = server_start(script, COUNT(script));
	cleanup(free) char *url = url_at(storage, "/");
	cleanup(fd) int fd = file_of(1000);
	struct http_upload what = { .fd = fd, .size = 1000, .file_name = "a.zip" };
	cleanup(http_answer) struct http_answer answer = { 0 };
	bench_start(&bench, api, COUNT(api), NULL, 2);
	assert_int_equal(upload(&bench, HTTP_POST, url, &what, &answer), -EIO);
	assert_int_equal(server_requests(storage), 1);
	assert_int_equal(answer.attempts, 1);
	bench_stop(&bench);
	server_stop(storage);
}

/* A storage that takes connections and never reads. */
static int deaf_listener(char *url, size_t size)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
		    listen(fd, 8) == 0 && getsockname(fd, (struct sockaddr *)&address, &len) == 0);
	snprintf(url, size, "http://127.0.0.1:%u/", ntohs(address.sin_port));
	return fd;
}

static void test_cancel(void **state)
{
	char url[64];
	cleanup(fd) int listener = deaf_listener(url, sizeof(url));
	struct bench bench;
	/* more than all buffers hold */
	const size_t size = (size_t)64 << 20;
	cleanup(fd) int fd = memfd_create("upload", MFD_CLOEXEC);
	struct http_upload what = { .fd = fd, .size = size, .file_name = "a.zip" };
	struct arrival arrival;
	struct http_call *call = NULL;

	assert_true(listener >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	bench_start(&bench, api, COUNT(api), NULL, 2);
	arrival_init(&arrival);
	struct http_request request = { .method = HTTP_POST,
		.target = url,
		.upload = &what,
		.deadline = bench_deadline(LONG_MS),
		.done = arrival_done,
		.arg = &arrival };
	assert_int_equal(http_submit(bench.http, &request, &call), 0);
	int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	char first;
	assert_int_equal(recv(connection, &first, 1, 0), 1);
	int64_t before = clock_now_ms();
	http_cancel(bench.http, call);
	assert_true(arrival_wait(&arrival));
	assert_int_equal(arrival.answer.err, -ECANCELED);
	assert_true(clock_now_ms() - before < 2000);
	arrival_finish(&arrival);

	cleanup(http_answer) struct http_answer late = { 0 };
	request.done = NULL;
	request.deadline = bench_deadline(1200);
	assert_int_equal(http_perform(bench.http, &request, &late), -ETIMEDOUT);
	bench_stop(&bench);
	close(connection);
}

/* Two uploads take none of the API's places, and a third one waits. */
static void fill_places(unsigned max_connections)
{
	static const struct reply script[] = { { OK(EMPTY), .after = AFTER_HOLD } };
	struct bench bench;
	struct server *storage = server_start(script, COUNT(script));
	cleanup(free) char *url = url_at(storage, "/");
	cleanup(fd) int fd = file_of(1000);
	struct http_upload what = { .fd = fd, .size = 1000, .file_name = "a.zip" };
	struct arrival arrivals[3];

	bench_start(&bench, api, COUNT(api), NULL, max_connections);
	for (size_t i = 0; i < COUNT(arrivals); i++) {
		arrival_init(&arrivals[i]);
		struct http_request request = { .method = HTTP_POST,
			.target = url,
			.upload = &what,
			.deadline = bench_deadline(LONG_MS),
			.done = arrival_done,
			.arg = &arrivals[i] };
		assert_int_equal(http_submit(bench.http, &request, NULL), 0);
	}
	assert_true(server_wait(storage, 2));
	for (int i = 0; i < 5; i++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		assert_int_equal(bench_do(&bench, HTTP_GET, "/t", LONG_MS, &answer), 0);
	}
	assert_int_equal(server_requests(storage), 2);
	server_release(storage);
	assert_true(server_wait(storage, 3));
	server_release(storage);
	for (size_t i = 0; i < COUNT(arrivals); i++) {
		assert_true(arrival_wait(&arrivals[i]));
		assert_int_equal(arrivals[i].answer.err, 0);
		arrival_finish(&arrivals[i]);
	}
	bench_stop(&bench);
	server_stop(storage);
}

static void test_places_of_their_own(void **state)
{
	fill_places(2);
	fill_places(8);
}

/* Other credentials are none of the storage's business. */
static void test_401_reads_no_credentials(void **state)
{
	static const struct reply script[] = { { "HTTP/1.1 401 U\r\n" EMPTY }, { OK(EMPTY) } };
	char path[] = "/tmp/connectfs-upload-XXXXXX";
	cleanup(fd) int token = mkstemp(path);
	struct auth_options options = { .file = path };
	struct auth *auth = NULL;
	struct bench bench;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
	cleanup(http_answer) struct http_answer answer = { 0 };
	struct server *storage = server_start(script, COUNT(script));
	cleanup(free) char *url = url_at(storage, "/");
	cleanup(fd) int fd = file_of(10);
	struct http_upload what = { .fd = fd, .size = 10, .file_name = "a.zip" };

	assert_int_equal(pwrite(token, "{\"token\":\"old-token\"}", 21, 0), 21);
	assert_int_equal(auth_create(&options, &auth, &why), 0);
	assert_int_equal(pwrite(token, "{\"token\":\"new-token\"}", 21, 0), 21);
	bench_start(&bench, api, COUNT(api), auth, 2);
	assert_int_equal(upload(&bench, HTTP_POST, url, &what, &answer), -EACCES);
	assert_int_equal(server_requests(storage), 1);
	bench_stop(&bench);
	server_stop(storage);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_form),
		cmocka_unit_test(test_put),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_addresses_are_checked),
		cmocka_unit_test(test_a_file_that_has_shrunk),
		cmocka_unit_test(test_a_connection_that_breaks),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_places_of_their_own),
		cmocka_unit_test(test_401_reads_no_credentials),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Several requests at once: sharing, cancelling, places, the end of the engine. */
#include "tests/unit/http_bench.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LONG_MS 10000
#define EMPTY   "Content-Length: 0\r\n\r\n"
#define GOOD \
	{ \
		OK("Content-Length: 2\r\n\r\n{}"), 0, AFTER_KEEP \
	}
#define HELD \
	{ \
		OK("Content-Length: 2\r\n\r\n{}"), 0, AFTER_HOLD \
	}

static struct http_call *submit(struct bench *bench, enum http_method method, const char *target,
	int64_t ms, bool background, struct arrival *arrival)
{
	struct http_call *call = NULL;
	struct http_request request = { .method = method,
		.target = target,
		.deadline = bench_deadline(ms),
		.background = background,
		.done = arrival_done,
		.arg = arrival };
	arrival_init(arrival);
	http_submit(bench->http, &request, &call);
	assert_non_null(call);
	return call;
}

/* Until the engine has seen everything that was submitted: its thread answers in order. */
static void settle(struct bench *bench)
{
	cleanup(http_answer) struct http_answer answer = { 0 };
	bench_do(bench, HTTP_GET, "no target", LONG_MS, &answer);
}

static void test_same_gets_share(void **state)
{
	static const struct reply script[] = { HELD };
	struct bench bench;
	struct arrival arrivals[5];
	struct arrival other;

	bench_start(&bench, script, COUNT(script), NULL, 4);
	for (size_t i = 0; i < COUNT(arrivals); i++) {
		submit(&bench, HTTP_GET, "/same?x=1", LONG_MS, i == 0, &arrivals[i]);
	}
	submit(&bench, HTTP_GET, "/same?x=2", LONG_MS, false, &other);
	assert_true(server_wait(bench.server, 2));
	settle(&bench);
	server_release(bench.server);
	for (size_t i = 0; i < COUNT(arrivals); i++) {
		assert_true(arrival_wait(&arrivals[i]));
		assert_string_equal(strbuf_str(&arrivals[i].answer.body), "{}");
		assert_arrival(&arrivals[i], 0);
	}
	assert_arrival(&other, 0);
	assert_int_equal(server_requests(bench.server), 2);

	/* What came later than the answer is asked anew. */
	submit(&bench, HTTP_GET, "/same?x=1", LONG_MS, false, &other);
	assert_true(server_wait(bench.server, 3));
	server_release(bench.server);
	assert_arrival(&other, 0);
	bench_stop(&bench);
}

static void test_writes_do_not_share(void **state)
{
	static const struct reply script[] = { HELD };
	struct bench bench;
	struct arrival arrivals[2];

	bench_start(&bench, script, COUNT(script), NULL, 4);
	submit(&bench, HTTP_PUT, "/same", LONG_MS, false, &arrivals[0]);
	submit(&bench, HTTP_PUT, "/same", LONG_MS, false, &arrivals[1]);
	assert_true(server_wait(bench.server, 2));
	server_release(bench.server);
	assert_arrival(&arrivals[0], 0);
	assert_arrival(&arrivals[1], 0);
	bench_stop(&bench);
}

/* A GET from before a write may bring what was true before it. */
static void test_a_read_behind_a_write_is_a_new_one(void **state)
{
	static const struct reply script[] = { HELD, GOOD, HELD };
	struct bench bench;
	struct arrival before;
	struct arrival behind;
	cleanup(http_answer) struct http_answer write = { 0 };

	bench_start(&bench, script, COUNT(script), NULL, 4);
	submit(&bench, HTTP_GET, "/same", LONG_MS, false, &before);
	assert_true(server_wait(bench.server, 1));
	assert_int_equal(bench_do(&bench, HTTP_PUT, "/same", LONG_MS, &write), 0);
	submit(&bench, HTTP_GET, "/same", LONG_MS, false, &behind);
	assert_true(server_wait(bench.server, 3));
	server_release(bench.server);
	assert_arrival(&before, 0);
	assert_arrival(&behind, 0);
	bench_stop(&bench);
}

static void test_sharers_leave_on_their_own(void **state)
{
	static const struct reply script[] = { HELD };
	struct bench bench;
	struct arrival patient;
	struct arrival hasty;
	struct arrival gone;

	bench_start(&bench, script, COUNT(script), NULL, 4);
	struct http_call *call = submit(&bench, HTTP_GET, "/same", LONG_MS, false, &gone);
	submit(&bench, HTTP_GET, "/same", 100, false, &hasty);
	submit(&bench, HTTP_GET, "/same", LONG_MS, false, &patient);
	assert_true(server_wait(bench.server, 1));
	http_cancel(bench.http, call);
	assert_arrival(&gone, -ECANCELED);
	assert_arrival(&hasty, -ETIMEDOUT);
	assert_int_equal(arrival_times(&patient), 0);
	server_release(bench.server);
	assert_arrival(&patient, 0);
	assert_int_equal(server_requests(bench.server), 1);
	bench_stop(&bench);
}

static void test_cancel(void **state)
{
	static const struct reply script[] = { HELD };
	struct bench bench;
	struct arrival running;
	struct arrival queued;

	bench_start(&bench, script, COUNT(script), NULL, 1);
	struct http_call *first = submit(&bench, HTTP_POST, "/first", LONG_MS, false, &running);
	assert_true(server_wait(bench.server, 1));
	struct http_call *second = submit(&bench, HTTP_POST, "/second", LONG_MS, false, &queued);
	http_cancel(bench.http, second);
	assert_true(arrival_wait(&queued));
	assert_false(queued.answer.maybe_done);
	assert_arrival(&queued, -ECANCELED);
	http_cancel(bench.http, first);
	assert_true(arrival_wait(&running));
	assert_true(running.answer.maybe_done);
	assert_arrival(&running, -ECANCELED);

	/* The place is free again. */
	struct arrival third;
	submit(&bench, HTTP_GET, "/third", LONG_MS, false, &third);
	assert_true(server_wait(bench.server, 2));
	server_release(bench.server);
	assert_arrival(&third, 0);
	struct http_counters counters;
	http_counters(bench.http, &counters);
	assert_int_equal(counters.errors, 0);
	bench_stop(&bench);
}

static void test_cancel_while_waiting_for_a_retry(void **state)
{
	static const struct reply script[] = {
		{ "HTTP/1.1 503 S\r\nRetry-After: 30\r\n" EMPTY, 0, AFTER_KEEP },
	};
	struct bench bench;
	struct arrival arrival;

	bench_start(&bench, script, COUNT(script), NULL, 1);
	struct http_call *call = submit(&bench, HTTP_GET, "/t", 60000, false, &arrival);
	assert_true(server_wait(bench.server, 1));
	http_cancel(bench.http, call);
	assert_true(arrival_wait(&arrival));
	assert_arrival(&arrival, -ECANCELED);
	bench_stop(&bench);
}

/* A sharer whose own deadline lies before the next attempt does not wait for nothing. */
static void test_sharers_of_a_wait(void **state)
{
	static const struct reply script[] = {
		{ "HTTP/1.1 503 S\r\nRetry-After: 30\r\n" EMPTY, 0, AFTER_HOLD },
	};
	struct bench bench;
	struct arrival patient;
	struct arrival hasty;

	bench_start(&bench, script, COUNT(script), NULL, 1);
	submit(&bench, HTTP_GET, "/t", 60000, false, &patient);
	submit(&bench, HTTP_GET, "/t", 20000, false, &hasty);
	assert_true(server_wait(bench.server, 1));
	settle(&bench);
	server_release(bench.server);
	assert_true(arrival_wait(&hasty));
	assert_arrival(&hasty, -EIO);
	assert_int_equal(arrival_times(&patient), 0);
	bench_stop(&bench);
	assert_arrival(&patient, -ECANCELED);
}

static void test_places(void **state)
{
	static const struct reply script[] = { HELD };
	struct bench bench;
	struct arrival arrivals[5];

	bench_start(&bench, script, COUNT(script), NULL, 3);
	submit(&bench, HTTP_GET, "/1", LONG_MS, false, &arrivals[0]);
	submit(&bench, HTTP_GET, "/2", LONG_MS, false, &arrivals[1]);
	submit(&bench, HTTP_GET, "/3", LONG_MS, false, &arrivals[2]);
	submit(&bench, HTTP_GET, "/4", LONG_MS, false, &arrivals[3]);
	submit(&bench, HTTP_GET, "/5", LONG_MS, false, &arrivals[4]);
	assert_true(server_wait(bench.server, 3));
	settle(&bench);
	assert_int_equal(server_requests(bench.server), 3);
	server_release(bench.server);
	assert_true(server_wait(bench.server, 5));
	server_release(bench.server);
	for (size_t i = 0; i < COUNT(arrivals); i++) {
		assert_arrival(&arrivals[i], 0);
	}
	assert_true(server_connections(bench.server) <= 3);
	bench_stop(&bench);
}

static bool was_asked(struct bench *bench, const char *start)
{
	for (size_t i = 0; i < server_requests(bench->server); i++) {
		if (strncmp(server_request(bench->server, i), start, strlen(start)) == 0) {
			return true;
		}
	}
	return false;
}

static void test_background_waits(void **state)
{
	static const struct reply script[] = { HELD };
	struct bench bench;
	struct arrival back[2];
	struct arrival front[3];

	bench_start(&bench, script, COUNT(script), NULL, 2);
	/* One place stays free for who comes next. */
	submit(&bench, HTTP_GET, "/back0", LONG_MS, true, &back[0]);
	submit(&bench, HTTP_GET, "/back1", LONG_MS, true, &back[1]);
	settle(&bench);
	submit(&bench, HTTP_GET, "/front0", LONG_MS, false, &front[0]);
	assert_true(server_wait(bench.server, 2));
	assert_true(was_asked(&bench, "GET /back0 "));
	assert_true(was_asked(&bench, "GET /front0 "));

	/* Later ones go first, unless they ask for the same. */
	submit(&bench, HTTP_GET, "/front1", LONG_MS, false, &front[1]);
	submit(&bench, HTTP_GET, "/back1", LONG_MS, false, &front[2]);
	settle(&bench);
	server_release(bench.server);
	assert_true(server_wait(bench.server, 4));
	assert_true(was_asked(&bench, "GET /front1 "));
	assert_true(was_asked(&bench, "GET /back1 "));
	server_release(bench.server);
	for (size_t i = 0; i < COUNT(front); i++) {
		assert_arrival(&front[i], 0);
	}
	assert_arrival(&back[0], 0);
	assert_arrival(&back[1], 0);
	assert_int_equal(server_requests(bench.server), 4);
	bench_stop(&bench);
}

static void test_destroy_while_hanging(void **state)
{
	static const struct reply script[] = { HELD };
	struct bench bench;
	struct arrival running;
	struct arrival queued;

	bench_start(&bench, script, COUNT(script), NULL, 1);
	submit(&bench, HTTP_PUT, "/running", 60000, false, &running);
	submit(&bench, HTTP_PUT, "/queued", 60000, false, &queued);
	assert_true(server_wait(bench.server, 1));
	int64_t start = clock_now_ms();
	bench_stop(&bench);
	assert_true(clock_now_ms() - start < 2000);
	assert_true(running.answer.maybe_done);
	assert_false(queued.answer.maybe_done);
	assert_int_equal(arrival_times(&running), 1);
	assert_arrival(&running, -ECANCELED);
	assert_arrival(&queued, -ECANCELED);
}

static void test_destroy_before_the_start(void **state)
{
	struct http_options options = { .url = "http://127.0.0.1:1", .max_connections = 1 };
	struct bench bench = { 0 };
	struct arrival arrival;

	assert_int_equal(auth_create_fixed("key", "a-secret", &bench.auth), 0);
	options.auth = bench.auth;
	assert_int_equal(http_create(&options, &bench.http), 0);
	submit(&bench, HTTP_GET, "/t", LONG_MS, false, &arrival);
	http_destroy(bench.http);
	assert_arrival(&arrival, -ECANCELED);
	auth_destroy(bench.auth);
}

struct chain {
	struct bench *bench;
	struct arrival last;
};

static void submit_next(struct http_answer *answer, void *arg)
{
	struct chain *chain = arg;
	struct http_request request = { .target = "/second",
		.deadline = bench_deadline(LONG_MS),
		.done = arrival_done,
		.arg = &chain->last };
	http_submit(chain->bench->http, &request, NULL);
}

/* `done` may submit, even while the engine ends. */
static void test_submit_from_done(void **state)
{
	static const struct reply script[] = { GOOD, GOOD, HELD };
	struct bench bench;
	struct chain chain = { .bench = &bench };
	struct http_request request = { .target = "/first", .done = submit_next, .arg = &chain };

	bench_start(&bench, script, COUNT(script), NULL, 1);
	arrival_init(&chain.last);
	request.deadline = bench_deadline(LONG_MS);
	http_submit(bench.http, &request, NULL);
	assert_arrival(&chain.last, 0);

	arrival_init(&chain.last);
	http_submit(bench.http, &request, NULL);
	assert_true(server_wait(bench.server, 3));
	bench_stop(&bench);
	assert_arrival(&chain.last, -ECANCELED);
}

static int perform_in_child(struct http *http)
{
	struct http_answer answer = { 0 };
	struct http_request request = { .target = "/t", .deadline = bench_deadline(LONG_MS) };
	int err = http_start(http);
	err = err ? err : http_perform(http, &request, &answer);
	http_answer_finish(&answer);
	http_destroy(http);
	return err;
}

/* The process goes to the background between the two. */
static void test_fork_before_the_start(void **state)
{
	static const char reply[] = OK("Content-Length: 0\r\nConnection: close\r\n\r\n");
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	struct http *http = NULL;
	char url[64];
	char text[4096];
	struct http_options options = { .url = url, .max_connections = 1, .max_answer = 100 };
	int status = -1;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cleanup(fd) int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	assert_int_equal(auth_create_fixed("key", "a-secret", &options.auth), 0);
	assert_int_equal(http_create(&options, &http), 0);
	pid_t pid = fork();
	if (pid == 0) {
		_exit(perform_in_child(http) ? 1 : 0);
	}
	cleanup(fd) int fd = accept(listener, NULL, NULL);
	assert_true(recv(fd, text, sizeof(text), 0) > 0);
	assert_int_equal(send(fd, reply, strlen(reply), MSG_NOSIGNAL), strlen(reply));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	http_destroy(http);
	auth_destroy(options.auth);
}

#define COMMAND \
	"sh -c 'test -e %s || { echo \"{\\\"token\\\":\\\"old-token\\\"}\"; exit; }; echo >>%s; %s; " \
	"echo \"{\\\"token\\\":\\\"new-token\\\"}\"'"

/* Credentials of a command that prints others, after doing `extra`, once `path` exists; each of
 * those runs leaves a byte there. */
static struct auth *command_auth(const char *path, const char *extra)
{
	char command[512];
	struct auth_options options = { .command = command };
	struct auth *auth = NULL;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);

	snprintf(command, sizeof(command), COMMAND, path, path, extra);
	if (auth_create(&options, &auth, &why) < 0) {
		fail_msg("%s", strbuf_str(&why));
	}
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	return auth;
}

static void test_several_401_share_one_reload(void **state)
{
	static const struct reply script[] = {
		{ "HTTP/1.1 401 U\r\n" EMPTY, 0, AFTER_HOLD },
		{ "HTTP/1.1 401 U\r\n" EMPTY, 0, AFTER_HOLD },
		{ "HTTP/1.1 401 U\r\n" EMPTY, 0, AFTER_HOLD },
		GOOD,
	};
	char path[64];
	struct bench bench;
	struct arrival arrivals[3];

	snprintf(path, sizeof(path), "/tmp/connectfs-401-%d", (int)getpid());
	unlink(path);
	bench_start(&bench, script, COUNT(script), command_auth(path, "true"), 3);
	submit(&bench, HTTP_GET, "/1", LONG_MS, false, &arrivals[0]);
	submit(&bench, HTTP_GET, "/2", LONG_MS, false, &arrivals[1]);
	submit(&bench, HTTP_POST, "/3", LONG_MS, false, &arrivals[2]);
	assert_true(server_wait(bench.server, 3));
	server_release(bench.server);
	for (size_t i = 0; i < COUNT(arrivals); i++) {
		assert_arrival(&arrivals[i], 0);
	}
	assert_int_equal(server_requests(bench.server), 6);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	assert_int_equal(ftell(file), 1);
	fclose(file);
	bench_stop(&bench);
	unlink(path);
}

/* A command that takes its time holds up its own request alone, and not the end. */
static void test_a_slow_reload_is_alone(void **state)
{
	static const struct reply script[] = { { "HTTP/1.1 401 U\r\n" EMPTY, 0, AFTER_KEEP },
		GOOD };
	char path[64];
	struct bench bench;
	struct arrival waiting;
	struct arrival hasty;
	cleanup(http_answer) struct http_answer other = { 0 };

	snprintf(path, sizeof(path), "/tmp/connectfs-slow-%d", (int)getpid());
	unlink(path);
	bench_start(&bench, script, COUNT(script), command_auth(path, "sleep 9"), 3);
	submit(&bench, HTTP_GET, "/1", 60000, false, &waiting);
	submit(&bench, HTTP_GET, "/1", 300, false, &hasty);
	assert_true(server_wait(bench.server, 1));
	assert_int_equal(bench_do(&bench, HTTP_GET, "/2", LONG_MS, &other), 0);
	assert_arrival(&hasty, -EACCES);
	assert_int_equal(arrival_times(&waiting), 0);
	int64_t start = clock_now_ms();
	bench_stop(&bench);
	assert_true(clock_now_ms() - start < 3000);
	assert_arrival(&waiting, -ECANCELED);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_gets_share),
		cmocka_unit_test(test_writes_do_not_share),
		cmocka_unit_test(test_a_read_behind_a_write_is_a_new_one),
		cmocka_unit_test(test_sharers_leave_on_their_own),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_cancel_while_waiting_for_a_retry),
		cmocka_unit_test(test_sharers_of_a_wait),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_background_waits),
		cmocka_unit_test(test_destroy_while_hanging),
		cmocka_unit_test(test_destroy_before_the_start),
		cmocka_unit_test(test_submit_from_done),
		cmocka_unit_test(test_fork_before_the_start),
		cmocka_unit_test(test_several_401_share_one_reload),
		cmocka_unit_test(test_a_slow_reload_is_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

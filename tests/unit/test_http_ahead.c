/* What nobody waits for: it leaves connections, and the server's limit, to those who wait. */
#include "base/cleanup.h"
#include "tests/unit/http_bench.h"

#define LONG_MS 20000
#define ANSWER(status, headers) \
	"HTTP/1.1 " status "\r\nContent-Type: application/json\r\n" headers \
	"Content-Length: 2\r\n\r\n{}"
#define LIMIT(left, reset) \
	ANSWER("200 OK", "X-RateLimit-Limit: 40\r\nX-RateLimit-Remaining: " left \
			 "\r\nX-RateLimit-Reset: " reset "\r\n")

static struct http_call *submit(struct bench *bench, const char *target, struct arrival *arrival)
{
	struct http_call *call = NULL;
	struct http_request request = { .method = HTTP_GET,
		.target = target,
		.deadline = bench_deadline(LONG_MS),
		.background = true,
		.done = arrival_done,
		.arg = arrival };
	arrival_init(arrival);
	assert_int_equal(http_submit(bench->http, &request, &call), 0);
	return call;
}

static int ask(struct bench *bench, const char *target)
{
	cleanup(http_answer) struct http_answer answer = { 0 };
	return bench_do(bench, HTTP_GET, target, LONG_MS, &answer);
}

/* A front request whose answer is `reply`, then one in the background, then a front one. */
static void assert_background(const char *reply, int front, int back)
{
	const struct reply script[] = { { reply, 0, AFTER_KEEP },
		{ ANSWER("200 OK", ""), 0, AFTER_KEEP } };
	struct bench bench;
	struct arrival arrival;
	size_t sent = back == 0 ? 3 : 2;
	bench_start(&bench, script, COUNT(script), NULL, 4);
	assert_int_equal(ask(&bench, "/front0"), front);
	submit(&bench, "/back", &arrival);
	assert_arrival(&arrival, back);
	assert_int_equal(ask(&bench, "/front1"), 0);
	assert_int_equal(server_requests(bench.server), sent);
	bench_stop(&bench);
}

static void test_limit(void **state)
{
	/* A quarter of it is kept for those who wait. */
	assert_background(LIMIT("11", "60"), 0, 0);
	assert_background(LIMIT("10", "60"), 0, -EBUSY);
	assert_background(LIMIT("0", "60"), 0, -EBUSY);
	/* Nothing is left, or it begins anew: but nobody says when. */
	assert_background(LIMIT("0", "0"), 0, 0);
	assert_background(LIMIT("0", "soon"), 0, 0);
	assert_background(LIMIT("many", "60"), 0, 0);
	assert_background(ANSWER("200 OK", "X-RateLimit-Remaining: 0\r\n"), 0, 0);
	/* A limit that is not told is none of which a part could be kept. */
	assert_background(
		ANSWER("200 OK", "X-RateLimit-Remaining: 1\r\nX-RateLimit-Reset: 60\r\n"), 0, 0);
	assert_background(ANSWER("200 OK", "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 60\r\n"),
		0, -EBUSY);
}

static void test_asked_to_wait(void **state)
{
	/* Who waits has been told that it would take too long, and may ask anew all the same. */
	assert_background(ANSWER("429 Too Many Requests", "Retry-After: 60\r\n"), -EBUSY, -EBUSY);
	assert_background(ANSWER("503 Service Unavailable", "Retry-After: 60\r\n"), -EIO, -EBUSY);
	assert_background(
		ANSWER("429 Too Many Requests", "X-RateLimit-Reset: 60\r\n"), -EBUSY, -EBUSY);
}

static void test_limit_begins_anew(void **state)
{
	static const struct reply script[] = { { LIMIT("0", "1"), 0, AFTER_KEEP },
		{ LIMIT("39", "1"), 0, AFTER_KEEP } };
	struct bench bench;
	struct arrival back;
	bench_start(&bench, script, COUNT(script), NULL, 4);
	assert_int_equal(ask(&bench, "/front"), 0);
	int64_t answered = clock_now_ms();
	/* A later answer of another limit does not make it less scarce. */
	assert_int_equal(ask(&bench, "/front"), 0);
	int err;
	do {
		submit(&bench, "/back", &back);
		assert_true(arrival_wait(&back));
		err = back.answer.err;
		arrival_finish(&back);
	} while (err == -EBUSY && clock_now_ms() - answered < LONG_MS);
	assert_int_equal(err, 0);
	assert_true(clock_now_ms() - answered >= 990);
	assert_int_equal(server_requests(bench.server), 3);
	bench_stop(&bench);
}

/* What was told to come again later is given up, too. */
static void test_told_in_the_background(void **state)
{
	static const struct reply script[] = {
		{ ANSWER("429 Too Many Requests", "Retry-After: 5\r\n"), 0, AFTER_KEEP }
	};
	struct bench bench;
	struct arrival back;
	bench_start(&bench, script, COUNT(script), NULL, 4);
	int64_t start = clock_now_ms();
	submit(&bench, "/back", &back);
	assert_arrival(&back, -EBUSY);
	assert_true(clock_now_ms() - start < 4000);
	assert_int_equal(server_requests(bench.server), 1);
	bench_stop(&bench);
}

/* Somebody comes to wait for what is queued behind all others, and for what is under way. */
static void test_urged(void **state)
{
	static const struct reply script[] = { { ANSWER("200 OK", ""), 0, AFTER_HOLD },
		{ ANSWER("200 OK", ""), 0, AFTER_HOLD }, { ANSWER("200 OK", ""), 0, AFTER_KEEP } };
	struct bench bench;
	struct arrival back[3];
	struct http_call *calls[3];
	bench_start(&bench, script, COUNT(script), NULL, 2);
	for (size_t i = 0; i < 3; i++) {
		static const char *const targets[] = { "/back0", "/back1", "/back2" };
		calls[i] = submit(&bench, targets[i], &back[i]);
	}
	assert_true(server_wait(bench.server, 1));
	assert_non_null(strstr(server_request(bench.server, 0), "GET /back0 "));
	http_urge(bench.http, calls[2], bench_deadline(LONG_MS));
	assert_true(server_wait(bench.server, 2));
	assert_non_null(strstr(server_request(bench.server, 1), "GET /back2 "));
	/* The deadline is now that of who waits. */
	http_urge(bench.http, calls[0], bench_deadline(200));
	assert_arrival(&back[0], -ETIMEDOUT);
	server_release(bench.server);
	assert_arrival(&back[1], 0);
	assert_arrival(&back[2], 0);
	bench_stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_asked_to_wait),
		cmocka_unit_test(test_limit_begins_anew),
		cmocka_unit_test(test_told_in_the_background),
		cmocka_unit_test(test_urged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

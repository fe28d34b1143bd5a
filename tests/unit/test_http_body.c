/* Bodies: gzip with and without its label, bounds, cut-off answers, sinks. */
#include "tests/unit/http_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "base/cleanup.h"

#define LONG_MS 10000

static struct strbuf pack(const char *bytes, size_t len)
{
	struct strbuf out = STRBUF_INIT(1024 * 1024);
	z_stream z = { 0 };
	assert_int_equal(
		deflateInit2(&z, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(strbuf_reserve(&out, deflateBound(&z, len)), 0);
	z.next_in = (unsigned char *)(uintptr_t)bytes;
	z.avail_in = (unsigned)len;
	z.next_out = (unsigned char *)out.buf;
	z.avail_out = (unsigned)out.size;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out.len = z.total_out;
	deflateEnd(&z);
	return out;
}

/* A 200 with this body; `missing` bytes of it are never sent. */
static struct strbuf reply_of(const char *headers, const char *body, size_t len, size_t missing)
{
	struct strbuf out = STRBUF_INIT(2 * 1024 * 1024);
	strbuf_addf(&out, OK("Content-Length: %zu\r\n%s\r\n"), len, headers);
	strbuf_add(&out, body, len - missing);
	assert_int_equal(out.err, 0);
	return out;
}

static int get(const struct strbuf *reply, enum server_after after, int64_t ms,
	struct http_answer *ret_answer)
{
	struct reply script[] = { { reply->buf, reply->len, after } };
	struct bench bench;
	bench_start(&bench, script, COUNT(script), NULL, 2);
	int err = bench_do(&bench, HTTP_GET, "/t", ms, ret_answer);
	bench_stop(&bench);
	return err;
}

static void test_gzip(void **state)
{
	static const char *const labels[] = { "", "Content-Encoding: gzip\r\n",
		"Content-Encoding: x-gzip\r\n" };
	static char text[BENCH_MAX_ANSWER];
	for (size_t i = 0; i < BENCH_MAX_ANSWER; i++) {
		text[i] = (char)('a' + (i * i / 7) % 26);
	}
	struct strbuf packed = pack(text, BENCH_MAX_ANSWER);
	for (size_t i = 0; i < COUNT(labels); i++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		cleanup(strbuf) struct strbuf reply =
			reply_of(labels[i], packed.buf, packed.len, 0);
		assert_int_equal(get(&reply, AFTER_KEEP, LONG_MS, &answer), 0);
		assert_int_equal(answer.body.len, BENCH_MAX_ANSWER);
		assert_memory_equal(answer.body.buf, text, BENCH_MAX_ANSWER);
	}
	strbuf_finish(&packed);
}

/* Only what does not say so is unpacked by us: one label is one layer. */
static void test_gzip_in_gzip(void **state)
{
	struct strbuf inner = pack("{}", 2);
	struct strbuf outer = pack(inner.buf, inner.len);
	cleanup(http_answer) struct http_answer answer = { 0 };
	cleanup(strbuf) struct strbuf reply =
		reply_of("Content-Encoding: gzip\r\n", outer.buf, outer.len, 0);
	assert_int_equal(get(&reply, AFTER_KEEP, LONG_MS, &answer), 0);
	assert_int_equal(answer.body.len, inner.len);
	assert_memory_equal(answer.body.buf, inner.buf, inner.len);
	strbuf_finish(&inner);
	strbuf_finish(&outer);
}

/* A small answer that unpacks to more than is allowed. */
static void test_gzip_is_bounded(void **state)
{
	static const char *const labels[] = { "", "Content-Encoding: gzip\r\n" };
	static const char text[BENCH_MAX_ANSWER + 1];
	struct strbuf packed = pack(text, BENCH_MAX_ANSWER + 1);
	for (size_t i = 0; i < COUNT(labels); i++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		cleanup(strbuf) struct strbuf reply =
			reply_of(labels[i], packed.buf, packed.len, 0);
		assert_int_equal(get(&reply, AFTER_KEEP, LONG_MS, &answer), -EFBIG);
		assert_int_equal(answer.attempts, 1);
		assert_int_equal(answer.body.len, 0);
	}
	strbuf_finish(&packed);
}

static void test_bad_gzip(void **state)
{
	static const char *const labels[] = { "", "Content-Encoding: gzip\r\n" };
	struct strbuf packed = pack("{\"some\":\"text\"}", 15);
	packed.buf[12] ^= 0x55;
	packed.buf[13] ^= 0x55;
	for (size_t i = 0; i < COUNT(labels); i++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		cleanup(strbuf) struct strbuf reply =
			reply_of(labels[i], packed.buf, packed.len, 0);
		assert_int_equal(get(&reply, AFTER_KEEP, LONG_MS, &answer), -EBADMSG);
		assert_int_equal(answer.attempts, 1);
	}
	strbuf_finish(&packed);
}

/* The connection's end is the body's, and the packed text misses some. */
static void test_gzip_cut_off(void **state)
{
	cleanup(http_answer) struct http_answer answer = { 0 };
	cleanup(strbuf) struct strbuf reply = STRBUF_INIT(4096);
	struct strbuf packed = pack("{\"some\":\"text\"}", 15);

	strbuf_adds(&reply, OK("\r\n"));
	strbuf_add(&reply, packed.buf, packed.len - 6);
	assert_int_equal(get(&reply, AFTER_CLOSE, 300, &answer), -EBADMSG);
	strbuf_finish(&packed);
}

static void test_short_bodies(void **state)
{
	static const struct {
		const char *body;
		size_t len;
	} rows[] = { { "", 0 }, { "1", 1 }, { "\x1f", 1 }, { "\x1f{", 2 }, { "[]", 2 } };
	for (size_t i = 0; i < COUNT(rows); i++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		cleanup(strbuf) struct strbuf reply = reply_of("", rows[i].body, rows[i].len, 0);
		assert_int_equal(get(&reply, AFTER_KEEP, LONG_MS, &answer), 0);
		assert_int_equal(answer.body.len, rows[i].len);
		assert_memory_equal(strbuf_str(&answer.body), rows[i].body, rows[i].len);
	}
}

static void test_size(void **state)
{
	static char text[BENCH_MAX_ANSWER + 1];
	memset(text, 'x', BENCH_MAX_ANSWER + 1);
	for (size_t extra = 0; extra < 2; extra++) {
		cleanup(http_answer) struct http_answer answer = { 0 };
		cleanup(strbuf) struct strbuf reply =
			reply_of("", text, BENCH_MAX_ANSWER + extra, 0);
		assert_int_equal(get(&reply, AFTER_KEEP, LONG_MS, &answer), extra ? -EFBIG : 0);
		assert_int_equal(answer.attempts, 1);
	}
}

static void test_size_of_errors(void **state)
{
	static char text[500000];
	cleanup(strbuf) struct strbuf reply = STRBUF_INIT(1024 * 1024);
	cleanup(http_answer) struct http_answer answer = { 0 };
	memset(text, ' ', 500000);
	text[0] = '{';
	strbuf_adds(&reply, "HTTP/1.1 404 N\r\nContent-Length: 500000\r\n\r\n");
	strbuf_add(&reply, text, 500000);
	assert_int_equal(get(&reply, AFTER_KEEP, LONG_MS, &answer), -ENOENT);
	assert_int_equal(answer.body.len, 64 * 1024);
	assert_true(answer.json);
}

static void test_headers_are_bounded(void **state)
{
	cleanup(strbuf) struct strbuf reply = STRBUF_INIT(1024 * 1024);
	cleanup(http_answer) struct http_answer answer = { 0 };
	strbuf_adds(&reply, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 4000; i++) {
		strbuf_addf(&reply, "X-Filler-%04d: %0100d\r\n", i, i);
	}
	strbuf_adds(&reply, "Content-Length: 0\r\n\r\n");
	assert_int_equal(get(&reply, AFTER_KEEP, LONG_MS, &answer), -EFBIG);
	assert_int_equal(answer.attempts, 1);
}

static void test_cut_off(void **state)
{
	cleanup(strbuf) struct strbuf cut = reply_of("", "{\"a\":1}", 7, 3);
	cleanup(strbuf) struct strbuf whole = reply_of("", "{\"a\":1}", 7, 0);
	struct reply script[] = { { cut.buf, cut.len, AFTER_CLOSE },
		{ cut.buf, cut.len, AFTER_CLOSE }, { whole.buf, whole.len, AFTER_KEEP } };
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };

	/* Repeated until it is whole. */
	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", LONG_MS, &answer), 0);
	assert_string_equal(strbuf_str(&answer.body), "{\"a\":1}");
	assert_int_equal(answer.attempts, 3);
	bench_stop(&bench);

	/* Never whole. */
	cleanup(http_answer) struct http_answer never = { 0 };
	assert_int_equal(get(&cut, AFTER_CLOSE, 400, &never), -EBADMSG);
	assert_int_equal(never.body.len, 0);
	assert_true(never.attempts > 1);

	/* A write is not repeated, and was carried out. */
	cleanup(http_answer) struct http_answer write = { 0 };
	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_PUT, "/t", LONG_MS, &write), -EBADMSG);
	assert_int_equal(write.status, 200);
	assert_int_equal(write.attempts, 1);
	assert_true(write.maybe_done);
	bench_stop(&bench);
}

static void test_status_comes_before_a_cut_body(void **state)
{
	static const struct reply script[] = {
		{ "HTTP/1.1 404 N\r\nContent-Type: application/json\r\n"
		  "Content-Length: 50\r\n\r\n{\"mess",
			0, AFTER_CLOSE },
	};
	struct bench bench;
	cleanup(http_answer) struct http_answer answer = { 0 };
	bench_start(&bench, script, COUNT(script), NULL, 2);
	assert_int_equal(bench_do(&bench, HTTP_GET, "/t", LONG_MS, &answer), -ENOENT);
	assert_int_equal(answer.attempts, 1);
	assert_string_equal(strbuf_str(&answer.body), "{\"mess");
	bench_stop(&bench);
}

struct collector {
	struct strbuf text;
	unsigned restarts;
	int refuse;
};

static int on_data(void *arg, const char *bytes, size_t len)
{
	struct collector *collector = arg;
	if (collector->refuse) {
		return collector->refuse;
	}
	strbuf_add(&collector->text, bytes, len);
	return collector->text.err;
}

static void on_restart(void *arg)
{
	struct collector *collector = arg;
	strbuf_reset(&collector->text);
	collector->restarts++;
}

static int get_into(struct collector *collector, const struct reply *script, size_t count,
	struct http_answer *ret_answer)
{
	static const struct http_sink sink = { .data = on_data, .restart = on_restart };
	struct bench bench;
	struct http_request request = { .target = "/t", .sink = &sink, .arg = collector };
	bench_start(&bench, script, count, NULL, 2);
	request.deadline = bench_deadline(LONG_MS);
	int err = http_perform(bench.http, &request, ret_answer);
	bench_stop(&bench);
	return err;
}

static void test_sink(void **state)
{
	struct strbuf packed = pack("{\"b\":2}", 7);
	cleanup(strbuf) struct strbuf cut = reply_of("", "{\"a\":1}", 7, 3);
	cleanup(strbuf) struct strbuf whole = reply_of("", packed.buf, packed.len, 0);
	struct reply script[] = { { cut.buf, cut.len, AFTER_CLOSE },
		{ "HTTP/1.1 503 S\r\nContent-Length: 4\r\n\r\nbusy", 0, AFTER_KEEP },
		{ "", 0, AFTER_CLOSE }, { whole.buf, whole.len, AFTER_KEEP } };
	struct collector collector = { .text = STRBUF_INIT(1000) };
	cleanup(http_answer) struct http_answer answer = { 0 };

	assert_int_equal(get_into(&collector, script, COUNT(script), &answer), 0);
	assert_string_equal(strbuf_str(&collector.text), "{\"b\":2}");
	assert_int_equal(collector.restarts, 1);
	assert_int_equal(answer.body.len, 0);
	assert_int_equal(answer.attempts, 4);
	strbuf_finish(&collector.text);
	strbuf_finish(&packed);
}

static void test_sink_gets_no_errors(void **state)
{
	static const struct reply script[] = {
		{ "HTTP/1.1 403 F\r\nContent-Length: 2\r\n\r\nno", 0, AFTER_KEEP },
	};
	struct collector collector = { .text = STRBUF_INIT(1000) };
	cleanup(http_answer) struct http_answer answer = { 0 };

	assert_int_equal(get_into(&collector, script, COUNT(script), &answer), -EACCES);
	assert_int_equal(collector.text.len, 0);
	assert_string_equal(strbuf_str(&answer.body), "no");
	strbuf_finish(&collector.text);
}

static void test_sink_is_bounded(void **state)
{
	static char text[BENCH_MAX_ANSWER + 1];
	memset(text, 'x', sizeof(text));
	cleanup(strbuf) struct strbuf reply = reply_of("", text, sizeof(text), 0);
	struct reply script[] = { { reply.buf, reply.len, AFTER_KEEP } };
	struct collector collector = { .text = STRBUF_INIT(2 * sizeof(text)) };
	cleanup(http_answer) struct http_answer answer = { 0 };

	assert_int_equal(get_into(&collector, script, COUNT(script), &answer), -EFBIG);
	assert_true(collector.text.len <= BENCH_MAX_ANSWER);
	assert_int_equal(answer.attempts, 1);
	strbuf_finish(&collector.text);
}

static void test_sink_refuses(void **state)
{
	static const char *const bodies[] = { "{\"a\":1}", "1" };
	for (size_t i = 0; i < COUNT(bodies); i++) {
		cleanup(strbuf) struct strbuf whole = reply_of("", bodies[i], strlen(bodies[i]), 0);
		struct reply script[] = { { whole.buf, whole.len, AFTER_KEEP } };
		struct collector collector = { .text = STRBUF_INIT(1000), .refuse = -ENOSPC };
		cleanup(http_answer) struct http_answer answer = { 0 };

		assert_int_equal(get_into(&collector, script, COUNT(script), &answer), -ENOSPC);
		assert_int_equal(answer.attempts, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_gzip_in_gzip),
		cmocka_unit_test(test_gzip_is_bounded),
		cmocka_unit_test(test_bad_gzip),
		cmocka_unit_test(test_gzip_cut_off),
		cmocka_unit_test(test_short_bodies),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_size_of_errors),
		cmocka_unit_test(test_headers_are_bounded),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_status_comes_before_a_cut_body),
		cmocka_unit_test(test_sink),
		cmocka_unit_test(test_sink_gets_no_errors),
		cmocka_unit_test(test_sink_is_bounded),
		cmocka_unit_test(test_sink_refuses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/auth.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GOOD         "{\"key\":\"ABC\",\"secret\":\"s3cret-value\"}"
#define GOOD_HEADER  "Authorization: Basic QUJDOnMzY3JldC12YWx1ZQ=="

struct place {
	char dir[64];
	char file[96];
};

static int enter(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	if (!place) {
		return -1;
	}
	snprintf(place->dir, sizeof(place->dir), "/tmp/connectfs-auth-XXXXXX");
	if (!mkdtemp(place->dir)) {
		free(place);
		return -1;
	}
	snprintf(place->file, sizeof(place->file), "%s/credentials", place->dir);
	unsetenv("CREDENTIALS_DIRECTORY");
	unsetenv("CONFLUENT_CLOUD_API_KEY");
	unsetenv("CONFLUENT_CLOUD_API_SECRET");
	*state = place;
	return 0;
}

static int leave(void **state)
{
	struct place *place = *state;
	unlink(place->file);
	rmdir(place->dir);
	free(place);
	return 0;
}

static void put(const struct place *place, const char *text, mode_t mode)
{
	unlink(place->file);
	int fd = open(place->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int open_file(const struct place *place, struct auth **ret_auth, struct strbuf *why)
{
	struct auth_options options = { .file = place->file };
	strbuf_reset(why);
	return auth_create(&options, ret_auth, why);
}

static void assert_header(struct auth *auth, const char *wanted)
{
	struct strbuf header = STRBUF_INIT(1024);
	auth_header(auth, &header);
	assert_string_equal(strbuf_str(&header), wanted);
	strbuf_wipe(&header);
}

static void test_file_modes(void **state)
{
	const struct place *place = *state;
	static const struct {
		mode_t mode;
		int err;
	} rows[] = {
		{ 0600, 0 },
		{ 0400, 0 },
		{ 0700, 0 },
		{ 0640, -EACCES },
		{ 0604, -EACCES },
		{ 0620, -EACCES },
		{ 0602, -EACCES },
		{ 0610, -EACCES },
		{ 0601, -EACCES },
		{ 0440, -EACCES },
		{ 0666, -EACCES },
	};
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct auth *auth = NULL;
		put(place, GOOD, rows[i].mode);
		if (open_file(place, &auth, &why) != rows[i].err) {
			fail_msg("mode %04o", (unsigned)rows[i].mode);
		}
		if (rows[i].err) {
			assert_non_null(strstr(strbuf_str(&why), "chmod 600"));
			assert_non_null(strstr(strbuf_str(&why), place->file));
		} else {
			assert_header(auth, GOOD_HEADER);
		}
		auth_destroy(auth);
	}
}

static void test_file_of_the_service_manager(void **state)
{
	const struct place *place = *state;
	struct auth *auth = NULL;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);

	setenv("CREDENTIALS_DIRECTORY", place->dir, 1);
	put(place, GOOD, 0440);
	assert_int_equal(open_file(place, &auth, &why), 0);
	auth_destroy(auth);
	put(place, GOOD, 0444);
	assert_int_equal(open_file(place, &auth, &why), -EACCES);
	put(place, GOOD, 0460);
	assert_int_equal(open_file(place, &auth, &why), -EACCES);

	/* A file beside the directory, whose path merely starts the same. */
	char beside[80];
	snprintf(beside, sizeof(beside), "%s/cred", place->dir);
	assert_int_equal(mkdir(beside, 0700), 0);
	setenv("CREDENTIALS_DIRECTORY", beside, 1);
	put(place, GOOD, 0440);
	assert_int_equal(open_file(place, &auth, &why), -EACCES);
	rmdir(beside);
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void test_file_of_somebody_else(void **state)
{
	const struct place *place = *state;
	struct auth *auth = NULL;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);

	if (geteuid() != 0) {
		skip();
	}
	put(place, GOOD, 0600);
	assert_int_equal(chown(place->file, 12345, (gid_t)-1), 0);
	assert_int_equal(open_file(place, &auth, &why), -EACCES);
	assert_non_null(strstr(strbuf_str(&why), "12345"));
}

static void test_no_file(void **state)
{
	const struct place *place = *state;
	struct auth *auth = NULL;
	struct auth_options directory = { .file = place->dir };
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);

	assert_int_equal(open_file(place, &auth, &why), -ENOENT);
	assert_non_null(strstr(strbuf_str(&why), place->file));
	strbuf_reset(&why);
	assert_int_equal(auth_create(&directory, &auth, &why), -EINVAL);
	/* A FIFO must not be waited for. */
	assert_int_equal(mkfifo(place->file, 0600), 0);
	assert_int_equal(open_file(place, &auth, &why), -EINVAL);
}

static void test_content(void **state)
{
	const struct place *place = *state;
	static const struct {
		const char *text;
		const char *header; /* NULL: refused */
	} rows[] = {
		{ GOOD, GOOD_HEADER },
		{ " {\"secret\":\"s3cret-value\",\n\"key\":\"ABC\",\"note\":[1]}\n", GOOD_HEADER },
		{ "{\"token\":\"abc.def-123\"}", "Authorization: Bearer abc.def-123" },
		{ "", NULL },
		{ "null", NULL },
		{ "[]", NULL },
		{ "\"token\"", NULL },
		{ "{}", NULL },
		{ "{\"key\":\"ABC\"}", NULL },
		{ "{\"secret\":\"s3cret-value\"}", NULL },
		{ "{\"key\":\"\",\"secret\":\"s3cret-value\"}", NULL },
		{ "{\"key\":\"ABC\",\"secret\":\"\"}", NULL },
		{ "{\"token\":\"\"}", NULL },
		{ "{\"key\":5,\"secret\":\"s3cret-value\"}", NULL },
		{ "{\"key\":\"ABC\",\"secret\":null}", NULL },
		{ "{\"token\":[\"s3cret-value\"]}", NULL },
		{ "{\"KEY\":\"ABC\",\"SECRET\":\"s3cret-value\"}", NULL },
		{ "{\"key\":\"A:C\",\"secret\":\"s3cret-value\"}", NULL },
		{ "{\"key\":\"A C\",\"secret\":\"s3cret-value\"}", NULL },
		{ "{\"key\":\"ABC\",\"secret\":\"s3cret-value\\n\"}", NULL },
		{ "{\"token\":\"s3cret-value\\r\\nX-Evil: 1\"}", NULL },
		{ "{\"token\":\"s3cret-valu\xc3\xa9\"}", NULL },
		{ "{\"key\":\"ABC\",\"secret\":\"s3cret-value\",\"token\":\"t\"}", NULL },
		{ GOOD " x", NULL },
		{ GOOD GOOD, NULL },
		{ "{\"key\":\"ABC\",\"secret\":\"s3cret-value", NULL },
	};
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct auth *auth = NULL;
		put(place, rows[i].text, 0600);
		int err = open_file(place, &auth, &why);
		if (err != (rows[i].header ? 0 : -EINVAL)) {
			fail_msg("%s gives %d (%s)", rows[i].text, err, strbuf_str(&why));
		}
		assert_null(strstr(strbuf_str(&why), "s3cret"));
		if (rows[i].header) {
			assert_header(auth, rows[i].header);
		} else {
			assert_true(why.len > 0);
		}
		auth_destroy(auth);
	}
}

static void test_size(void **state)
{
	const struct place *place = *state;
	struct auth *auth = NULL;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);
	static char text[64 * 1024 + 2];
	size_t size = sizeof(text) - 2;

	memset(text, ' ', size + 1);
	text[size + 1] = '\0';
	memcpy(text, GOOD, strlen(GOOD));
	put(place, text, 0600);
	assert_int_equal(open_file(place, &auth, &why), -EFBIG);
	text[size] = '\0';
	put(place, text, 0600);
	assert_int_equal(open_file(place, &auth, &why), 0);
	auth_destroy(auth);
}

static void test_nothing_hides_behind_a_nul(void **state)
{
	const struct place *place = *state;
	static const char text[] = "{\"token\":\"abcdef\0ghi\"}";
	struct auth *auth = NULL;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);

	put(place, "", 0600);
	cleanup(fd) int fd = open(place->file, O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(open_file(place, &auth, &why), -EINVAL);
}

static void test_environment(void **state)
{
	struct auth_options none = { 0 };
	struct auth *auth = NULL;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);

	assert_int_equal(auth_create(&none, &auth, &why), -EACCES);
	assert_non_null(strstr(strbuf_str(&why), "CONFLUENT_CLOUD_API_KEY"));
	setenv("CONFLUENT_CLOUD_API_KEY", "ABC", 1);
	assert_int_equal(auth_create(&none, &auth, &why), -EACCES);
	setenv("CONFLUENT_CLOUD_API_SECRET", "", 1);
	assert_int_equal(auth_create(&none, &auth, &why), -EINVAL);
	setenv("CONFLUENT_CLOUD_API_SECRET", "s3cret-value", 1);
	assert_int_equal(auth_create(&none, &auth, &why), 0);
	assert_header(auth, GOOD_HEADER);
	assert_int_equal(auth_reload(auth, auth_generation(auth)), -EALREADY);
	auth_destroy(auth);
	unsetenv("CONFLUENT_CLOUD_API_KEY");
	unsetenv("CONFLUENT_CLOUD_API_SECRET");
}

static int run_command(
	const char *command, int limit_ms, struct auth **ret_auth, struct strbuf *why)
{
	struct auth_options options = { .command = command, .command_limit_ms = limit_ms };
	strbuf_reset(why);
	return auth_create(&options, ret_auth, why);
}

static void test_commands(void **state)
{
	static const struct {
		const char *command;
		int err;
		const char *why;
	} rows[] = {
		{ "echo '" GOOD "'", 0, "" },
		{ "sh -c 'echo \""
		  "{\\\"key\\\":\\\"ABC\\\",\\\"secret\\\":\\\"s3cret-value\\\"}"
		  "\"'",
			0, "" },
		{ "  printf\t%s   '" GOOD "'  ", 0, "" },
		{ "sh -c \"test $$ && false\"", -EACCES, "exit code 1" },
		{ "sh -c 'echo x; exit 7'", -EACCES, "exit code 7" },
		{ "sh -c 'kill -9 $$'", -EACCES, "signal 9" },
		{ "echo nonsense", -EINVAL, "JSON" },
		{ "true", -EINVAL, "JSON" },
		{ "/nonexistent/program", -ENOENT, "/nonexistent/program" },
		{ "", -EINVAL, "empty" },
		{ "   ", -EINVAL, "empty" },
		{ "echo 'open", -EINVAL, "quote" },
		{ "head -c 70000 /dev/zero", -EFBIG, "more than 65536" },
	};
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct auth *auth = NULL;
		int err = run_command(rows[i].command, 0, &auth, &why);
		if (err != rows[i].err || !strstr(strbuf_str(&why), rows[i].why)) {
			fail_msg("%s gives %d (%s)", rows[i].command, err, strbuf_str(&why));
		}
		if (!err) {
			assert_header(auth, GOOD_HEADER);
		}
		auth_destroy(auth);
	}
}

/* No shell: what would be one's syntax is plain text. */
static void test_command_without_a_shell(void **state)
{
	const struct place *place = *state;
	char command[256];
	struct auth *auth = NULL;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);

	snprintf(command, sizeof(command), "echo '%s' ; touch %s", GOOD, place->file);
	assert_int_equal(run_command(command, 0, &auth, &why), -EINVAL);
	assert_int_equal(access(place->file, F_OK), -1);
}

static void test_command_inherits_nothing(void **state)
{
	const struct place *place = *state;
	struct auth *auth = NULL;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);
	sigset_t all;
	sigset_t old;

	put(place, "x", 0600);
	int fd = open(place->file, O_RDONLY); /* without O_CLOEXEC: on purpose */
	assert_true(fd >= 3);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	char command[512];
	snprintf(command, sizeof(command),
		"sh -c 'test ! -e /proc/self/fd/%d && test ! -s /dev/stdin && "
		"echo \"{\\\"token\\\":\\\"abcdef\\\"}\"'",
		fd);
	int files = run_command(command, 0, &auth, &why);
	auth_destroy(auth);
	auth = NULL;
	/* Not through a shell: some of them set their own mask. */
	int signals =
		run_command("sed -n 's/^SigBlk:.0*$/{\"token\":\"abcdef\"}/p' /proc/self/status", 0,
			&auth, &why);
	auth_destroy(auth);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	close(fd);
	assert_int_equal(files, 0);
	assert_int_equal(signals, 0);
}

static void test_command_that_hangs(void **state)
{
	const struct place *place = *state;
	static const char *const commands[] = {
		"sleep 60",
		"sh -c 'exec >/dev/null; sleep 60'",
		"sh -c 'sleep 60 & sleep 60'",
	};
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);
	for (size_t i = 0; i < COUNT(commands); i++) {
		struct auth *auth = NULL;
		int64_t start = clock_now_ms();
		assert_int_equal(run_command(commands[i], 100, &auth, &why), -ETIMEDOUT);
		assert_true(clock_now_ms() - start >= 100);
		assert_true(clock_now_ms() - start < 5000);
		assert_non_null(strstr(strbuf_str(&why), "0.100 seconds"));
	}

	/* What it started ends with it: a FIFO that a grandchild holds open comes to its end. */
	struct auth *auth = NULL;
	char command[256];
	assert_int_equal(mkfifo(place->file, 0600), 0);
	int fd = open(place->file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	snprintf(command, sizeof(command),
		"sh -c 'sh -c \"sleep 60; echo\" >%s & echo started >%s; sleep 60'", place->file,
		place->file);
	assert_int_equal(run_command(command, 300, &auth, &why), -ETIMEDOUT);
	char text[16];
	ssize_t got = 1;
	int64_t until = clock_now_ms() + 5000;
	while (got != 0 && clock_now_ms() < until) {
		got = read(fd, text, sizeof(text));
	}
	close(fd);
	assert_int_equal(got, 0);
}

static void test_reload(void **state)
{
	const struct place *place = *state;
	struct auth *auth = NULL;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);

	put(place, GOOD, 0600);
	assert_int_equal(open_file(place, &auth, &why), 0);
	unsigned first = auth_generation(auth);
	assert_int_equal(auth_reload(auth, first), -EALREADY);
	unsigned second = auth_generation(auth);
	assert_int_not_equal(first, second);

	put(place, "{\"token\":\"abcdef\"}", 0600);
	/* Someone whose header is older has its answer already: nothing is read. */
	assert_int_equal(auth_reload(auth, first), -EALREADY);
	assert_header(auth, GOOD_HEADER);
	assert_int_equal(auth_reload(auth, second), 0);
	assert_header(auth, "Authorization: Bearer abcdef");
	unsigned third = auth_generation(auth);
	assert_int_equal(auth_reload(auth, first), 0);
	assert_int_equal(auth_reload(auth, second), 0);
	assert_int_equal(auth_generation(auth), third);

	assert_int_equal(auth_reload(auth, third), -EALREADY);
	unsigned fourth = auth_generation(auth);

	put(place, "{\"token\":\"abcdef\"}", 0644);
	log_set_level(LOG_LEVEL_ERROR);
	assert_int_equal(auth_reload(auth, fourth), -EACCES);
	unlink(place->file);
	assert_int_equal(auth_reload(auth, fourth), -ENOENT);
	log_set_level(LOG_LEVEL_INFO);
	assert_header(auth, "Authorization: Bearer abcdef");
	assert_int_equal(auth_generation(auth), fourth);
	auth_destroy(auth);
}

static void *reload_first(void *arg)
{
	struct auth *auth = arg;
	return (void *)(intptr_t)auth_reload(auth, 0);
}

static void test_reloads_are_shared(void **state)
{
	const struct place *place = *state;
	struct auth *auth = NULL;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);
	char command[256];
	pthread_t threads[4];

	/* Each run leaves a line; all runs print the same. */
	snprintf(command, sizeof(command),
		"sh -c 'echo run >>%s; echo \"{\\\"token\\\":\\\"abcdef\\\"}\"'", place->file);
	assert_int_equal(run_command(command, 0, &auth, &why), 0);
	for (size_t i = 0; i < COUNT(threads); i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, reload_first, auth), 0);
	}
	for (size_t i = 0; i < COUNT(threads); i++) {
		void *result;
		pthread_join(threads[i], &result);
		assert_int_equal((intptr_t)result, -EALREADY);
	}
	struct stat st;
	assert_int_equal(stat(place->file, &st), 0);
	assert_int_equal(st.st_size, 2 * strlen("run\n"));
	auth_destroy(auth);
}

static void test_reload_can_be_cancelled(void **state)
{
	const struct place *place = *state;
	struct auth *auth = NULL;
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);
	char command[256];

	snprintf(command, sizeof(command),
		"sh -c 'test ! -e %s || sleep 60; echo \"{\\\"token\\\":\\\"abcdef\\\"}\"'",
		place->file);
	assert_int_equal(run_command(command, 0, &auth, &why), 0);
	put(place, "", 0600);
	cleanup(fd) int fd = eventfd(1, EFD_CLOEXEC);
	int64_t start = clock_now_ms();
	assert_int_equal(auth_reload_until(auth, auth_generation(auth), fd), -ECANCELED);
	assert_true(clock_now_ms() - start < 5000);
	auth_destroy(auth);
}

static void test_fixed(void **state)
{
	struct auth *auth = NULL;
	assert_int_equal(auth_create_fixed("A:B", "x", &auth), -EINVAL);
	assert_int_equal(auth_create_fixed("", "x", &auth), -EINVAL);
	assert_int_equal(auth_create_fixed("ABC", "s3cret-value", &auth), 0);
	assert_header(auth, GOOD_HEADER);
	assert_int_equal(auth_reload(auth, auth_generation(auth)), -EALREADY);
	auth_destroy(auth);
}

static void test_identity(void **state)
{
	struct auth *one = NULL;
	struct auth *same = NULL;
	struct auth *other = NULL;
	char a[33];
	char b[33];

	assert_int_equal(auth_create_fixed("ABC", "first-secret", &one), 0);
	assert_int_equal(auth_create_fixed("ABC", "second-secret", &same), 0);
	assert_int_equal(auth_create_fixed("ABD", "first-secret", &other), 0);
	auth_identity(one, a);
	/* What sha256sum says of "connectfs key ABC": state files outlive versions. */
	assert_string_equal(a, "e79e2a91502a2046e883e35253262c52");
	auth_identity(same, b);
	assert_string_equal(a, b);
	auth_identity(other, b);
	assert_string_not_equal(a, b);
	auth_destroy(one);
	auth_destroy(same);
	auth_destroy(other);
}

/* What log_msg writes to stderr while `auth` lives. */
static void test_hidden_in_the_log(void **state)
{
	const struct place *place = *state;
	struct auth *auth = NULL;
	char text[1024] = "";

	assert_int_equal(auth_create_fixed("ABC", "s3cret-value", &auth), 0);
	int saved = dup(2);
	int fd = open(place->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	dup2(fd, 2);
	log_error("one s3cret-value two QUJDOnMzY3JldC12YWx1ZQ== three");
	dup2(saved, 2);
	close(saved);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	close(fd);
	assert_non_null(strstr(text, "one *** two *** three"));
	auth_destroy(auth);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file_modes),
		TEST(test_file_of_the_service_manager),
		TEST(test_file_of_somebody_else),
		TEST(test_no_file),
		TEST(test_content),
		TEST(test_size),
		TEST(test_nothing_hides_behind_a_nul),
		TEST(test_environment),
		TEST(test_commands),
		TEST(test_command_without_a_shell),
		TEST(test_command_inherits_nothing),
		TEST(test_command_that_hangs),
		TEST(test_reload),
		TEST(test_reloads_are_shared),
		TEST(test_reload_can_be_cancelled),
		TEST(test_fixed),
		TEST(test_identity),
		TEST(test_hidden_in_the_log),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

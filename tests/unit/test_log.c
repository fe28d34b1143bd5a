#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Where stderr went, while it goes into a file. */
static struct {
	FILE *file;
	int stderr_fd;
	char text[1 << 20];
} caught;

static void catch (void)
{
	fflush(stderr);
	caught.file = tmpfile();
	assert_non_null(caught.file);
	caught.stderr_fd = dup(STDERR_FILENO);
	assert_true(dup2(fileno(caught.file), STDERR_FILENO) >= 0);
}

/* What was written since catch. */
static const char *text(void)
{
	fflush(stderr);
	assert_true(dup2(caught.stderr_fd, STDERR_FILENO) >= 0);
	close(caught.stderr_fd);
	rewind(caught.file);
	size_t len = fread(caught.text, 1, sizeof(caught.text) - 1, caught.file);
	caught.text[len] = '\0';
	fclose(caught.file);
	return caught.text;
}

static int setup(void **state)
{
	log_set_level(LOG_LEVEL_INFO);
	log_set_name("connectfs");
	return 0;
}

static void test_lines(void **state)
{
	catch ();
	log_error("one %d", 1);
	log_warn("two %s", "2");
	log_info("three");
	log_debug("four");
	log_info("%s", "");
	assert_string_equal(text(), "connectfs: error: one 1\nconnectfs: warning: two 2\n"
				    "connectfs: three\nconnectfs: \n");
}

static void test_levels(void **state)
{
	log_set_level(LOG_LEVEL_ERROR);
	assert_true(log_enabled(LOG_LEVEL_ERROR));
	assert_false(log_enabled(LOG_LEVEL_WARN));
	catch ();
	log_error("one");
	log_warn("two");
	log_info("three");
	log_set_level(LOG_LEVEL_DEBUG);
	assert_true(log_enabled(LOG_LEVEL_DEBUG));
	log_set_name("other");
	log_debug("four");
	assert_string_equal(text(), "connectfs: error: one\nother: debug: four\n");
}

/* An answer cannot write lines of its own, nor move the cursor of a terminal. */
static void test_escapes(void **state)
{
	static const struct {
		const char *message, *line;
	} rows[] = {
		{ "a\nconnectfs: error: forged", "connectfs: a\\x0aconnectfs: error: forged\n" },
		{ "a\r\tb", "connectfs: a\\x0d\\x09b\n" },
		{ "\033[2J\033]0;title\007", "connectfs: \\x1b[2J\\x1b]0;title\\x07\n" },
		{ "\x01\x1f\x7f ", "connectfs: \\x01\\x1f\\x7f \n" },
		{ "gr\xc3\xbc\xc3\x9f", "connectfs: gr\xc3\xbc\xc3\x9f\n" },
		{ "%s%n%d", "connectfs: %s%n%d\n" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		catch ();
		log_info("%s", rows[i].message);
		assert_string_equal(text(), rows[i].line);
	}
}

static void test_secrets(void **state)
{
	static const struct {
		const char *message, *line;
	} rows[] = {
		{ "hunter22", "connectfs: ***\n" },
		{ "a hunter22 b hunter22hunter22", "connectfs: a *** b ******\n" },
		{ "xhunter22x", "connectfs: x***x\n" },
		{ "hunter2", "connectfs: hunter2\n" },
		{ "Hunter22", "connectfs: Hunter22\n" },
		{ "hunthunter22", "connectfs: hunt***\n" },
		{ "tab\tand\nline", "connectfs: ***\n" },
		{ "abc", "connectfs: abc\n" },
	};
	char *secret = strdup("hunter22");
	log_hide(secret);
	free(secret); /* it has a copy */
	log_hide("tab\tand\nline");
	log_hide("abc"); /* too short: would blot out all kinds of words */
	log_hide("");
	log_hide(NULL);
	for (size_t i = 0; i < COUNT(rows); i++) {
		catch ();
		log_info("%s", rows[i].message);
		assert_string_equal(text(), rows[i].line);
	}
	/* However it comes into the message, and whatever the level. */
	catch ();
	log_error("hunt%s%d", "er", 22);
	assert_string_equal(text(), "connectfs: error: ***\n");
	log_unhide("tab\tand\nline");
	log_unhide("hunter22");
	log_unhide("never was there");
	log_unhide(NULL);
	catch ();
	log_info("hunter22");
	assert_string_equal(text(), "connectfs: hunter22\n");
}

static void test_registrations_count(void **state)
{
	log_hide("hunter22");
	log_hide("hunter22");
	log_unhide("hunter22");
	catch ();
	log_info("hunter22");
	assert_string_equal(text(), "connectfs: ***\n");
	log_unhide("hunter22");
	catch ();
	log_info("hunter22");
	assert_string_equal(text(), "connectfs: hunter22\n");
	log_unhide("hunter22");
}

static void test_long_messages(void **state)
{
	static char message[10000];
	memset(message, '\x01', sizeof(message) - 1);
	catch ();
	log_info("%s", message);
	assert_string_equal(text(), "connectfs: (a message too long to show)\n");
	/* The longest, with each byte escaped. */
	message[8192] = '\0';
	catch ();
	log_info("%s", message);
	assert_int_equal(strlen(text()), strlen("connectfs: \n") + (size_t)8192 * 4);
}

static void *log_some(void *arg)
{
	for (int i = 0; i < 200; i++) {
		log_hide("hunter22");
		log_info("hunter22 %s", (const char *)arg);
		log_unhide("hunter22");
	}
	return NULL;
}

static void test_threads(void **state)
{
	static char words[4][8] = { "one", "two", "three", "four" };
	pthread_t threads[4];
	catch ();
	for (size_t i = 0; i < COUNT(threads); i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, log_some, words[i]), 0);
	}
	for (size_t i = 0; i < COUNT(threads); i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
	const char *all = text();
	assert_null(strstr(all, "hunter22"));
	size_t lines = 0;
	for (const char *at = all; *at; at = strchr(at, '\n') + 1) {
		assert_memory_equal(at, "connectfs: *** ", 15);
		lines++;
	}
	assert_int_equal(lines, 800);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_lines, setup),
		cmocka_unit_test_setup(test_levels, setup),
		cmocka_unit_test_setup(test_escapes, setup),
		cmocka_unit_test_setup(test_secrets, setup),
		cmocka_unit_test_setup(test_registrations_count, setup),
		cmocka_unit_test_setup(test_long_messages, setup),
		cmocka_unit_test_setup(test_threads, setup),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

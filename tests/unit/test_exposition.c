#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "fs/exposition.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char first[] = "# HELP a_total How many.\n# TYPE a_total gauge\n"
			    "a_total{id=\"1\"} 1.0 5000\n\n"
			    "# HELP b Other.\n# TYPE b gauge\n# UNIT b bytes\nb 2 5000\n";
static const char second[] = "# HELP b Other.\n# TYPE b gauge\nb{id=\"2\"} 3\n"
			     "# something else\n"
			     "# HELP a_total How many.\n# TYPE a_total gauge\n"
			     "a_total{id=\"2\"} NaN\n# TYPE c untyped\n";

static void assert_merged(const char *const *texts, size_t count, const char *wanted)
{
	struct exposition *exposition = exposition_create(100000);
	cleanup(strbuf) struct strbuf out = STRBUF_INIT(100000);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(exposition_add(exposition, texts[i], strlen(texts[i])), 0);
	}
	exposition_write(exposition, &out);
	assert_string_equal(strbuf_str(&out), wanted);
	exposition_destroy(exposition);
}

static void test_one_stays_as_it_is(void **state)
{
	const char *const texts[] = { first };
	assert_merged(texts, 1, first);
	assert_merged(NULL, 0, "");
	exposition_destroy(NULL);
}

static void test_each_head_once(void **state)
{
	const char *const texts[] = { first, second };
	assert_merged(texts, 2,
		"# HELP a_total How many.\n# TYPE a_total gauge\n"
		"a_total{id=\"1\"} 1.0 5000\na_total{id=\"2\"} NaN\n\n"
		"# HELP b Other.\n# TYPE b gauge\n# UNIT b bytes\nb 2 5000\nb{id=\"2\"} 3\n\n"
		"# TYPE c untyped\n");
}

static void test_what_it_is_not(void **state)
{
	static const char *const texts[] = { "{}\n", "<html>\n", "a\n", "1a 2\n", "a 1", "\xff 1\n",
		" a 1\n", "a{} 1\nb" };
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct exposition *exposition = exposition_create(1000);
		assert_int_equal(exposition_add(exposition, texts[i], strlen(texts[i])), -EBADMSG);
		exposition_destroy(exposition);
	}
}

static void test_too_large(void **state)
{
	struct exposition *exposition = exposition_create(8);
	assert_int_equal(exposition_add(exposition, "a 1\na 2\na 3\n", 12), -EFBIG);
	exposition_destroy(exposition);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_stays_as_it_is),
		cmocka_unit_test(test_each_head_once),
		cmocka_unit_test(test_what_it_is_not),
		cmocka_unit_test(test_too_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

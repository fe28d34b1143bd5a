#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "fs/folder.h"
#include "fs/name.h"
#include "fs/route.h"

#define WRITE_BITS 0222

static bool is_dir(const struct route *route)
{
	return S_ISDIR(route->mode);
}

static const struct route *parent_of(const struct route *route)
{
	return &routes[route->parent];
}

/* Calls back for every row but the root's. */
static void each(void (*look)(const struct route *route))
{
	for (unsigned id = 1; id < ROUTES; id++) {
		look(&routes[id]);
	}
}

static void look_at_place(const struct route *route)
{
	assert_true(is_dir(parent_of(route)));
	/* A walk upwards ends at the root. */
	unsigned steps = 0;
	for (const struct route *at = route; route_id(at) != ROUTE_ROOT; at = parent_of(at)) {
		assert_in_range(++steps, 1, ROUTES);
	}
	/* A row that was forgotten would be all zero. */
	assert_true(S_ISDIR(route->mode) || S_ISREG(route->mode) || S_ISLNK(route->mode));
	assert_true(route->name != NULL || route->variable != VAR_NONE);
	assert_false(route->name != NULL && route->variable != VAR_NONE);
}

static void test_places(void **state)
{
	assert_int_equal(routes[ROUTE_ROOT].parent, ROUTE_ROOT);
	assert_true(is_dir(&routes[ROUTE_ROOT]));
	assert_null(routes[ROUTE_ROOT].name);
	each(look_at_place);
}

static void look_at_name(const struct route *route)
{
	if (!route->name) {
		/* One variable below a directory. */
		assert_ptr_equal(route_variable_child(parent_of(route)), route);
		return;
	}
	/* First of its name, and reached by it; the same name below another directory is
	 * another row. */
	assert_ptr_equal(route_child(parent_of(route), route->name), route);
	cleanup(free) char *file_name = name_encode(route->name);
	assert_string_equal(file_name, route->name);
}

static void test_names(void **state)
{
	each(look_at_name);
	assert_null(route_child(&routes[ROUTE_ROOT], "no such name"));
	assert_null(route_child(&routes[ROUTE_ROOT], ""));
	assert_null(route_child(&routes[ROUTE_CONNECTOR], "config.json "));
	assert_null(route_child(&routes[ROUTE_CONFIG], "x"));
	assert_null(route_variable_child(&routes[ROUTE_ROOT]));
	assert_ptr_equal(
		route_child(&routes[ROUTE_CONNECTORS], "config.json"), &routes[ROUTE_CONNECTOR]);
	assert_ptr_equal(
		route_child(&routes[ROUTE_CONNECTOR], "config.json"), &routes[ROUTE_CONFIG]);
	/* The root is nobody's child, although it is its own parent. */
	assert_null(route_child(&routes[ROUTE_ROOT], "/"));
}

static void look_at_variables(const struct route *route)
{
	unsigned bound = 0;
	for (const struct route *at = route; route_id(at) != ROUTE_ROOT; at = parent_of(at)) {
		if (at->variable != VAR_NONE) {
			assert_int_equal(bound & 1U << at->variable, 0);
			bound |= 1U << at->variable;
		}
	}
}

static void test_variables(void **state)
{
	each(look_at_variables);
}

static void test_patterns(void **state)
{
	for (unsigned i = 0; i < ROUTES; i++) {
		cleanup(strbuf) struct strbuf one = STRBUF_INIT(1024);
		route_pattern(&routes[i], &one);
		assert_int_equal(one.err, 0);
		assert_int_equal(one.buf[0], '/');
		assert_null(strstr(one.buf, "(null)"));
		for (unsigned j = 0; j < i; j++) {
			cleanup(strbuf) struct strbuf other = STRBUF_INIT(1024);
			route_pattern(&routes[j], &other);
			assert_string_not_equal(one.buf, other.buf);
		}
	}
	cleanup(strbuf) struct strbuf root = STRBUF_INIT(64);
	route_pattern(&routes[ROUTE_ROOT], &root);
	assert_string_equal(root.buf, "/");
	cleanup(strbuf) struct strbuf config = STRBUF_INIT(256);
	route_pattern(&routes[ROUTE_CONFIG], &config);
	assert_string_equal(config.buf,
		"/environments/{environment}/clusters/{cluster}/connectors/{connector}/config.json");
}

static void look_at_operations(const struct route *route)
{
	bool writes = S_ISREG(route->mode) && (route->mode & WRITE_BITS) != 0;
	/* What stands for a folder can be written to make one, if not to change it. */
	const struct folder_kind *folder = parent_of(route)->folder;
	bool makes = folder && route == &routes[folder->main] && !writes;
	bool saves = route->store || (route->save && !makes) || route->ask;
	assert_true(!!route->store + !!route->save + !!route->ask <= 1);
	assert_int_equal(writes, saves);
	if (is_dir(route)) {
		assert_true(!route->render && !route->compose);
		assert_int_equal(route->mode & 0777, 0777);
		return;
	}
	assert_null(route->children);
	assert_null(route_variable_child(route));
	if (S_ISREG(route->mode)) {
		assert_int_equal(route->mode & 0111, 0);
	}
	/* There is a way to what is in it. */
	assert_true(route->render || route->compose || parent_of(route)->children);
	assert_int_equal(!route->document, !route->render);
	assert_false(route->render && route->compose);
}

static bool route_has_variable(const struct route *route)
{
	while (route_id(route) != ROUTE_ROOT && route->name) {
		route = parent_of(route);
	}
	return route_id(route) != ROUTE_ROOT;
}

static void look_at_existence(const struct route *route)
{
	/* Which values a variable takes is said by a document or computed by the directory. */
	if (!route->name) {
		assert_true(route->document || parent_of(route)->children);
	}
	/* A file that shows an item is below the directory of just that kind of item, unless there
	 * is one in all, or one below each of another kind. */
	const struct document_kind *kind = route->document;
	if (S_ISREG(route->mode) && kind && kind->variables == 0 && !route_has_variable(route)) {
		assert_int_equal(route->parent, ROUTE_ROOT);
	} else if (S_ISREG(route->mode) && kind) {
		assert_null(parent_of(route)->name);
		assert_true(parent_of(route)->document == kind ||
			    (kind->single && kind->variables == 3));
	}
	/* A folder's main file shows the same items, and can be saved. */
	if (route_has_folder(route)) {
		const struct route *file = &routes[route->folder->main];
		assert_ptr_equal(parent_of(file), route);
		assert_ptr_equal(file->document, route->document);
		assert_non_null(file->save);
	}
	/* A document's items are below what its URL needs. */
	if (route->children) {
		const struct route *child = route_variable_child(route);
		assert_non_null(child);
		assert_null(child->document);
	}
}

static void test_operations(void **state)
{
	assert_int_equal(routes[ROUTE_CONFIG].mode, S_IFREG | 0666);
	assert_int_equal(routes[ROUTE_STATE].mode, S_IFREG | 0666);
	assert_int_equal(routes[ROUTE_CONTROL_REFRESH].mode & 0777, 0222);
	assert_int_equal(routes[ROUTE_CONTROL].show, SHOW_NEVER);
	each(look_at_operations);
}

static void test_existence(void **state)
{
	each(look_at_existence);
}

/* Files of one directory have faces of their own: these tell their contents apart. Those that are
 * composed keep none, and what is written as a whole has a slot. */
static bool needs_face(const struct route *route)
{
	return route->parent == ROUTE_CONNECTOR && !(route->compose && route->save);
}

static void test_faces(void **state)
{
	for (unsigned i = 1; i < ROUTES; i++) {
		for (unsigned j = 1; j < i; j++) {
			bool both = needs_face(&routes[i]) && needs_face(&routes[j]);
			assert_false(both && routes[i].face == routes[j].face);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_existence),
		cmocka_unit_test(test_faces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fs/options.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS_MAX    16

/* Parses words that are separated by single blanks; "''" is an empty one. */
static int parse(const char *line, struct options *options, struct strbuf *why)
{
	char *argv[WORDS_MAX + 2] = { strdup("connectfs") };
	int argc = 1;
	cleanup(free) char *copy = strdup(line);
	char *rest = copy, *word;
	assert_non_null(copy);
	while ((word = strsep(&rest, " ")) && argc <= WORDS_MAX) {
		if (*word) {
			argv[argc++] = strdup(strcmp(word, "''") == 0 ? "" : word);
		}
	}
	char *given[WORDS_MAX + 2];
	memcpy(given, argv, sizeof(given)); /* getopt reorders argv */
	int err = options_parse(options, argc, argv, why);
	for (int i = 0; i < argc; i++) {
		free(given[i]);
	}
	return err;
}

static void assert_parses(const char *line, struct options *options)
{
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
	int err = parse(line, options, &why);
	if (err < 0 || why.len > 0) {
		fail_msg("%s: %d %s", line, err, strbuf_str(&why));
	}
}

static void test_defaults(void **state)
{
	struct options options;
	assert_parses("/", &options);
	assert_string_equal(options.mountpoint, "/");
	assert_string_equal(options.url, "https://api.confluent.cloud");
	assert_string_equal(options.telemetry_url, "https://api.telemetry.confluent.cloud");
	assert_false(options.demo || options.foreground || options.debug);
	assert_false(options.version || options.help);
	assert_int_equal(options.ttl[TTL_CONNECTORS], 30000);
	assert_int_equal(options.ttl[TTL_STATUS], 5000);
	assert_int_equal(options.ttl[TTL_TOPOLOGY], 300000);
	assert_int_equal(options.ttl[TTL_PLUGINS], 3600000);
	assert_int_equal(options.ttl[TTL_NEGATIVE], 5000);
	assert_int_equal(options.ttl[TTL_METRICS], 60000);
	assert_int_equal(options.metrics_interval, 3600000);
	assert_string_equal(options.metrics_granularity, "PT1M");
	assert_int_equal(options.stale, 600000);
	assert_int_equal(options.settle, 60000);
	assert_int_equal(options.timeout, 30000);
	assert_int_equal(options.timeout_write, 120000);
	assert_int_equal(options.upload_timeout, 1200000);
	assert_int_equal(options.delete_delay, 2000);
	assert_int_equal(options.max_connections, 8);
	assert_int_equal(options.max_delete, 10);
	assert_int_equal(options.max_answer, 64 * 1024 * 1024);
	assert_false(options.no_delete || options.ro || options.insecure_http);
	assert_null(options.credentials);
	assert_null(options.credential_command);
	assert_null(options.secrets);
	assert_null(options.cacert);
	assert_int_equal(options.uid, getuid());
	assert_int_equal(options.gid, getgid());
	assert_int_equal(options.umask, 077);
	assert_false(options.allow_other);
	assert_string_equal(options.fuse_options, "fsname=connectfs,subtype=connectfs");
	options_finish(&options);
	options_finish(&options);
}

static void test_show(void **state)
{
	static const struct {
		const char *list;
		unsigned show;
		bool validate, ro;
	} rows[] = {
		{ "ttl=1", 0, false, false },
		{ "show=tasks", 1U << SHOW_TASKS, false, false },
		{ "show=tasks,offsets,metrics,template,validate",
			1U << SHOW_TASKS | 1U << SHOW_OFFSETS | 1U << SHOW_METRICS |
				1U << SHOW_TEMPLATE | 1U << SHOW_VALIDATE,
			false, false },
		{ "show=tasks\\,validate", 1U << SHOW_TASKS | 1U << SHOW_VALIDATE, false, false },
		{ "show=validate,validate", 1U << SHOW_VALIDATE, false, false },
		{ "validate,show=tasks", 1U << SHOW_TASKS, true, false },
		{ "show=tasks,ro,validate", 1U << SHOW_TASKS, true, true },
		{ "show=tasks -o validate", 1U << SHOW_TASKS, true, false },
		{ "show=tasks,show=metrics", 1U << SHOW_TASKS | 1U << SHOW_METRICS, false, false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct options options;
		cleanup(strbuf) struct strbuf line = STRBUF_INIT(1024);
		strbuf_addf(&line, "/ -o %s", rows[i].list);
		assert_parses(line.buf, &options);
		assert_int_equal(options.show, rows[i].show | 1U << SHOW_ALWAYS);
		assert_int_equal(options.validate, rows[i].validate);
		assert_int_equal(options.ro, rows[i].ro);
		options_finish(&options);
	}
}

static void test_switches(void **state)
{
	static const struct {
		const char *line;
		bool demo, foreground, debug;
	} rows[] = {
		{ "--demo /", true, false, false },
		{ "-f /", false, true, false },
		{ "/ --foreground", false, true, false },
		{ "-d /", false, true, true },
		{ "--debug / --demo", true, true, true },
		{ "-fd /", false, true, true },
		{ "-fo ttl=1 /", false, true, false },
		{ "-f -- /", false, true, false },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct options options;
		assert_parses(rows[i].line, &options);
		assert_string_equal(options.mountpoint, "/");
		assert_int_equal(options.demo, rows[i].demo);
		assert_int_equal(options.foreground, rows[i].foreground);
		assert_int_equal(options.debug, rows[i].debug);
		options_finish(&options);
	}
}

/* They need no mount point, and what stands behind them does not matter. */
static void test_help_and_version(void **state)
{
	static const char *const lines[] = { "-h", "--help", "-h -x", "--help a b c d", "-fh" };
	struct options options;
	for (size_t i = 0; i < COUNT(lines); i++) {
		assert_parses(lines[i], &options);
		assert_true(options.help);
		options_finish(&options);
	}
	assert_parses("-V", &options);
	assert_true(options.version);
	options_finish(&options);
	assert_parses("--version -o nonsense", &options);
	assert_true(options.version);
	options_finish(&options);
}

static void test_values(void **state)
{
	struct options options;
	assert_parses(
		"-o ttl=0,ttl_status=0.2,ttl_topology=1.5,ttl_plugins=.25 "
		"-o ttl_negative=0.0001,stale=86400,settle=3.,timeout=0.001,timeout_write=7,upload_timeout=9 "
		"-o delete_delay=0.0000,max_connections=256,max_delete=0,max_answer=2k "
		"-o ttl_metrics=10,metrics_interval=90,metrics_granularity=PT4H /",
		&options);
	assert_int_equal(options.ttl[TTL_CONNECTORS], 0);
	assert_int_equal(options.ttl[TTL_STATUS], 200);
	assert_int_equal(options.ttl[TTL_TOPOLOGY], 1500);
	assert_int_equal(options.ttl[TTL_PLUGINS], 250);
	/* A time is never cut to none. */
	assert_int_equal(options.ttl[TTL_NEGATIVE], 1);
	assert_int_equal(options.ttl[TTL_METRICS], 10000);
	assert_int_equal(options.metrics_interval, 90000);
	assert_string_equal(options.metrics_granularity, "PT4H");
	assert_int_equal(options.stale, 86400000);
	assert_int_equal(options.settle, 3000);
	assert_int_equal(options.timeout, 1);
	assert_int_equal(options.timeout_write, 7000);
	assert_int_equal(options.upload_timeout, 9000);
	assert_int_equal(options.delete_delay, 0);
	assert_int_equal(options.max_connections, 256);
	assert_int_equal(options.max_delete, 0);
	assert_int_equal(options.max_answer, 2048);
	options_finish(&options);

	assert_parses("-o umask=0022,uid=12,gid=34,no_delete,insecure_http /", &options);
	assert_int_equal(options.umask, 022);
	assert_int_equal(options.uid, 12);
	assert_int_equal(options.gid, 34);
	assert_true(options.no_delete);
	assert_true(options.insecure_http);
	options_finish(&options);

	assert_parses("-o uid=root,gid=root,umask=0,max_answer=1024,max_delete=64 /", &options);
	assert_int_equal(options.uid, 0);
	assert_int_equal(options.gid, 0);
	assert_int_equal(options.umask, 0);
	assert_int_equal(options.max_answer, 1024);
	options_finish(&options);

	assert_parses("-o max_answer=1G,ttl=5 -ottl=6,,ttl=7, /", &options);
	assert_int_equal(options.max_answer, 1 << 30);
	assert_int_equal(options.ttl[TTL_CONNECTORS], 7000);
	options_finish(&options);
}

static void test_texts(void **state)
{
	struct options options;
	cleanup(free) char *here = getcwd(NULL, 0);
	cleanup(strbuf) struct strbuf wanted = STRBUF_INIT(4096);
	assert_parses("-o credentials=/a/b=c,secrets=s.json,cacert=../ca.pem "
		      "-o credential_command=get\\,it\\\\\\x=1 --url https://other/ /",
		&options);
	assert_string_equal(options.credentials, "/a/b=c");
	assert_string_equal(options.credential_command, "get,it\\\\x=1");
	strbuf_addf(&wanted, "%s/s.json", here);
	assert_string_equal(options.secrets, wanted.buf);
	strbuf_reset(&wanted);
	strbuf_addf(&wanted, "%s/../ca.pem", here);
	assert_string_equal(options.cacert, wanted.buf);
	assert_string_equal(options.url, "https://other/");
	options_finish(&options);
}

static void test_mount_point(void **state)
{
	struct options options;
	char dir[] = "/tmp/connectfs-XXXXXX";
	cleanup(free) char *before = getcwd(NULL, 0);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(mkdir("m", 0700), 0);
	cleanup(free) char *here = realpath(".", NULL);
	assert_parses("m/../m/.", &options);
	assert_memory_equal(options.mountpoint, here, strlen(here));
	assert_string_equal(options.mountpoint + strlen(here), "/m");
	options_finish(&options);
	/* That there is none is for the mount to say. */
	assert_parses("none", &options);
	assert_memory_equal(options.mountpoint, here, strlen(here));
	assert_string_equal(options.mountpoint + strlen(here), "/none");
	options_finish(&options);
	assert_int_equal(rmdir("m"), 0);
	assert_int_equal(chdir(before), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* As mount(8) and its helpers call it. */
static void test_source(void **state)
{
	static const struct {
		const char *line, *url, *fuse;
	} rows[] = {
		{ "connectfs /", "https://api.confluent.cloud",
			"fsname=connectfs,subtype=connectfs" },
		{ "connectfs# /", "https://api.confluent.cloud",
			"fsname=connectfs#,subtype=connectfs" },
		{ "none / -o rw", "https://api.confluent.cloud", "fsname=none,subtype=connectfs" },
		{ "'' / -o dev,suid", "https://api.confluent.cloud",
			"fsname=connectfs,subtype=connectfs,dev,suid" },
		{ "https://example.com:8443/a,b / -o rw,nosuid", "https://example.com:8443/a,b",
			"fsname=https://example.com:8443/a\\,b,subtype=connectfs,nosuid" },
		{ "account / -o fsname=other --url http://h", "http://h",
			"subtype=connectfs,fsname=other" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct options options;
		assert_parses(rows[i].line, &options);
		assert_string_equal(options.mountpoint, "/");
		assert_string_equal(options.url, rows[i].url);
		assert_string_equal(options.fuse_options, rows[i].fuse);
		options_finish(&options);
	}
}

static void test_fuse_options(void **state)
{
	static const struct {
		const char *list, *fuse;
	} rows[] = {
		{ "allow_other",
			"fsname=connectfs,subtype=connectfs,allow_other,default_permissions" },
		{ "default_permissions,allow_other,default_permissions",
			"fsname=connectfs,subtype=connectfs,allow_other,default_permissions" },
		{ "allow_root",
			"fsname=connectfs,subtype=connectfs,default_permissions,allow_root" },
		{ "ro", "fsname=connectfs,subtype=connectfs" },
		{ "ro,rw", "fsname=connectfs,subtype=connectfs" },
		{ "rw,ro", "fsname=connectfs,subtype=connectfs" },
		{ "nosuid,nodev,noexec,noatime,sync,dirsync",
			"fsname=connectfs,subtype=connectfs,nosuid,nodev,noexec,noatime,sync,dirsync" },
		{ "auto_unmount,max_read=65536,fsname=a\\,b\\\\c,subtype=x",
			"auto_unmount,max_read=65536,fsname=a\\,b\\\\c,subtype=x" },
		{ "_netdev,noauto,nofail,user,users,owner,group,user=joe,comment=a=b,defaults,"
		  "x-systemd.automount,x-gvfs-name=a,X-mount.mkdir,relatime,lazytime",
			"fsname=connectfs,subtype=connectfs" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct options options;
		cleanup(strbuf) struct strbuf line = STRBUF_INIT(1024);
		strbuf_addf(&line, "/ -o %s", rows[i].list);
		assert_parses(line.buf, &options);
		assert_string_equal(options.fuse_options, rows[i].fuse);
		options_finish(&options);
	}
}

static const struct {
	const char *line, *why;
} refused[] = {
	{ "", "the mount point is missing" },
	{ "-f", "the mount point is missing" },
	{ "''", "the mount point is missing" },
	{ "connectfs ''", "the mount point is missing" },
	{ "a b c", "c: one mount point only" },
	{ "a/b c", "a/b: one mount point only" },
	{ "--demo --url http://h /", "--demo: has a server of its own, and no URL" },
	{ "--demo http://h /", "--demo: has a server of its own, and no URL" },
	{ "--demo --telemetry-url http://h /", "--demo: has a server of its own, and no URL" },
	{ "-o metrics_interval=59 /", "metrics_interval=59: not from 60 to 1000000000" },
	{ "-o metrics_granularity=1m /", "metrics_granularity=1m: not one of PT1M PT5M PT15M "
					 "PT30M PT1H PT4H PT6H PT12H P1D ALL" },
	{ "--url http://h http://h /", "two URLs: one by --url, one as the source" },
	{ "/ --nonsense", "--nonsense: no such option" },
	{ "/ -x", "-x: no such option" },
	{ "/ -fx", "-x: no such option" },
	{ "-xf /", "-x: no such option" },
	{ "--demo=1 /", "--demo=1: takes no value" },
	{ "/ -o", "-o: needs a value" },
	{ "/ --url", "--url: needs a value" },
	{ "/ -o nonsense", "nonsense: no such option" },
	{ "/ -o password=hunter2", "password: no such option" },
	{ "/ -o =1", ": no such option" },
	{ "/ -o TTL=1", "TTL: no such option" },
	{ "/ -o ttl", "ttl: needs a value" },
	{ "/ -o ttl=", "ttl=: not a number of seconds" },
	{ "/ -o ttl=abc", "ttl=abc: not a number of seconds" },
	{ "/ -o ttl=-1", "ttl=-1: not a number of seconds" },
	{ "/ -o ttl=+1", "ttl=+1: not a number of seconds" },
	{ "/ -o ttl=.", "ttl=.: not a number of seconds" },
	{ "/ -o ttl=1s", "ttl=1s: not a number of seconds" },
	{ "/ -o ttl=1e3", "ttl=1e3: not a number of seconds" },
	{ "/ -o ttl=1.2.3", "ttl=1.2.3: not a number of seconds" },
	{ "/ -o ttl=0x1", "ttl=0x1: not a number of seconds" },
	{ "/ -o ttl=inf", "ttl=inf: not a number of seconds" },
	{ "/ -o ttl=1000000001", "ttl=1000000001: not from 0 to 1000000000" },
	{ "/ -o ttl=99999999999999999999999999",
		"ttl=99999999999999999999999999: not from 0 to 1000000000" },
	{ "/ -o timeout=0", "timeout=0: not from 0.001 to 86400" },
	{ "/ -o timeout_write=86401", "timeout_write=86401: not from 0.001 to 86400" },
	{ "/ -o max_connections=0", "max_connections=0: not from 1 to 256" },
	{ "/ -o max_connections=257", "max_connections=257: not from 1 to 256" },
	{ "/ -o max_connections=1.5", "max_connections=1.5: not a whole number" },
	{ "/ -o max_delete=65", "max_delete=65: not from 0 to 64" },
	{ "/ -o max_delete=x", "max_delete=x: not a whole number" },
	{ "/ -o max_delete=-1", "max_delete=-1: not a whole number" },
	{ "/ -o max_delete=4294967296", "max_delete=4294967296: not from 0 to 64" },
	{ "/ -o max_answer=64Q", "max_answer=64Q: not a number of bytes (K, M or G may follow)" },
	{ "/ -o max_answer=1KB", "max_answer=1KB: not a number of bytes (K, M or G may follow)" },
	{ "/ -o max_answer=M", "max_answer=M: not a number of bytes (K, M or G may follow)" },
	{ "/ -o max_answer=1023", "max_answer=1023: not from 1024 to 1073741824" },
	{ "/ -o max_answer=2G", "max_answer=2G: not from 1024 to 1073741824" },
	{ "/ -o max_answer=9999999999G", "max_answer=9999999999G: not from 1024 to 1073741824" },
	{ "/ -o umask=", "umask=: not an octal number up to 777" },
	{ "/ -o umask=8", "umask=8: not an octal number up to 777" },
	{ "/ -o umask=1000", "umask=1000: not an octal number up to 777" },
	{ "/ -o umask=00000000000000000000000022",
		"umask=00000000000000000000000022: not an octal number up to 777" },
	{ "/ -o uid=", "uid=: no such user" },
	{ "/ -o uid=no-such-user-here", "uid=no-such-user-here: no such user" },
	{ "/ -o uid=4294967295", "uid=4294967295: no such user" },
	{ "/ -o uid=99999999999999999999", "uid=99999999999999999999: no such user" },
	{ "/ -o uid=-1", "uid=-1: no such user" },
	{ "/ -o gid=no-such-group-here", "gid=no-such-group-here: no such group" },
	{ "/ -o secrets=", "secrets=: needs a value" },
	{ "/ -o credential_command", "credential_command: needs a value" },
	{ "/ -o ro=1", "ro: takes no value" },
	{ "/ -o no_delete=", "no_delete: takes no value" },
	{ "/ -o fsname", "fsname: needs a value" },
	{ "/ -o nosuid=1", "nosuid: takes no value" },
	{ "/ -o default_permissions=1", "default_permissions: no such option" },
	{ "/ -o kernel_cache", "kernel_cache: no such option" },
	{ "/ -o ttl=1,ttl_status=x,nonsense", "ttl_status=x: not a number of seconds" },
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < COUNT(refused); i++) {
		struct options options;
		cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
		assert_int_equal(parse(refused[i].line, &options, &why), -EINVAL);
		assert_string_equal(strbuf_str(&why), refused[i].why);
		options_finish(&options);
	}
}

static void test_too_long(void **state)
{
	struct options options;
	cleanup(strbuf) struct strbuf line = STRBUF_INIT(1 << 20);
	cleanup(strbuf) struct strbuf why = STRBUF_INIT(1024);
	strbuf_adds(&line, "/ -o ");
	for (int i = 0; i < 20000; i++) {
		strbuf_adds(&line, "nosuid,");
	}
	assert_int_equal(parse(line.buf, &options, &why), -EINVAL);
	assert_string_equal(why.buf, "-o: too long");
	options_finish(&options);
}

/* Metrics are where the rest is, unless that is told. */
static void test_where_metrics_are(void **state)
{
	static const struct {
		const char *line, *url;
	} rows[] = {
		{ "--url http://h /", "http://h" },
		{ "http://h /", "http://h" },
		{ "--telemetry-url http://t /", "http://t" },
		{ "--url http://h --telemetry-url http://t /", "http://t" },
		{ "--telemetry-url http://t http://h /", "http://t" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct options options;
		assert_parses(rows[i].line, &options);
		assert_string_equal(options.telemetry_url, rows[i].url);
		options_finish(&options);
	}
}

static void test_help_text(void **state)
{
	static const char *const words[] = { "--demo", "--url URL", "--telemetry-url URL",
		"-o OPTION", "-f, --foreground", "-d, --debug", "-V, --version", "-h, --help",
		"ttl=", "ttl_status=", "ttl_topology=", "ttl_plugins=", "ttl_negative=",
		"ttl_metrics=", "metrics_interval=", "metrics_granularity=", "stale=", "settle=",
		"timeout=", "timeout_write=", "upload_timeout=", "max_connections=", "max_answer=",
		"delete_delay=", "max_delete=", "no_delete", "\n  ro ",
		"credentials=", "credential_command=", "secrets=", "cacert=", "insecure_http",
		"uid=", "gid=", "umask=", "allow_other", "default_permissions", "fsname=" };
	const char *help = options_help();
	for (size_t i = 0; i < COUNT(words); i++) {
		if (!strstr(help, words[i])) {
			fail_msg("%s", words[i]);
		}
	}
	for (const char *line = help; *line; line = strchr(line, '\n') + 1) {
		size_t len = strcspn(line, "\n");
		assert_int_equal(line[len], '\n');
		assert_in_range(len, 0, 80);
		assert_null(memchr(line, '\t', len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_mount_point),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_fuse_options),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_where_metrics_are),
		cmocka_unit_test(test_help_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

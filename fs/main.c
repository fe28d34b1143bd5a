/* connectfs: Kafka connectors as a directory tree. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/auth.h"
#include "api/http.h"
#include "api/url.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "fs/channel.h"
#include "fs/control.h"
#include "fs/demo.h"
#include "fs/fs.h"
#include "fs/journal.h"
#include "fs/ops.h"
#include "fs/options.h"
#include "fs/secrets.h"

#define WHY_BYTES   4096
#define NUDGE_NS    50000000
#define LARGE_BYTES (128 << 10)

/* Of an address, 60 requests of metrics a minute are answered. These are 58 at most, and who asks
 * for one thing after the other waits two seconds for each. */
static const struct rate telemetry_rate = { .every = 2000, .burst = 28 };

struct program {
	struct options options;
	struct demo demo;
	struct auth *auth;
	struct http *http, *telemetry;
	struct fs *fs;
	struct fuse_session *session;
	struct strbuf why;
	int ready; /* the pipe to the waiting parent; -1: none */
	pthread_t main_thread, signal_thread;
	pthread_mutex_t lock;
	bool ended; /* lock; the session's loop is over */
};

static void nothing(int signal)
{
	(void)signal;
}

/* Ends the session's loop: its main thread may be between a look at the flag and its sleep, so it
 * is nudged until it has noticed. */
static void end_session(struct program *program)
{
	struct timespec pause = { .tv_nsec = NUDGE_NS };
	bool ended = false;
	fuse_session_exit(program->session);
	while (!ended) {
		pthread_kill(program->main_thread, SIGUSR1);
		nanosleep(&pause, NULL);
		pthread_mutex_lock(&program->lock);
		ended = program->ended;
		pthread_mutex_unlock(&program->lock);
	}
}

/* Those that the thread of signals waits for, blocked everywhere. */
static sigset_t awaited_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGUSR2);
	return set;
}

static void *signal_thread(void *arg)
{
	struct program *program = arg;
	sigset_t set = awaited_signals();
	for (;;) {
		int signal;
		if (sigwait(&set, &signal) != 0) {
			continue;
		}
		if (signal == SIGUSR2) {
			return NULL;
		}
		if (signal == SIGHUP) {
			auth_reload(program->auth, auth_generation(program->auth));
			fs_lock(program->fs);
			control_drop_caches(program->fs);
			fs_unlock(program->fs);
			log_info("caches dropped");
			continue;
		}
		end_session(program);
		return NULL;
	}
}

static void block_signals(void)
{
	struct sigaction action = { .sa_handler = nothing };
	sigset_t set = awaited_signals();
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGUSR1, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Secrets are in this process's memory: no core file, and nobody else may look. */
static void protect_memory(void)
{
	struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

/* One heap for all threads, which come and go: what one has freed serves the others. What is large
 * goes back to the system as soon as it is freed. */
static void tune_memory(void)
{
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
	mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
}

static int check_mountpoint(struct program *program)
{
	struct stat stat_buf;
	const char *path = program->options.mountpoint;
	if (stat(path, &stat_buf) < 0) {
		int err = -errno;
		strbuf_addf(&program->why, "%s: %s", path, strerror(-err));
		return err;
	}
	if (!S_ISDIR(stat_buf.st_mode)) {
		strbuf_addf(&program->why, "%s: not a directory", path);
		return -ENOTDIR;
	}
	char *real = realpath(path, NULL);
	if (!real) {
		return -errno;
	}
	free(program->options.mountpoint);
	program->options.mountpoint = real;
	cleanup(file) FILE *mounts = fopen("/proc/self/mounts", "re");
	char line[8192];
	struct strbuf mine = STRBUF_INIT(8192);
	strbuf_addf(&mine, " %s fuse.connectfs ", real);
	bool busy = false;
	while (mounts && !busy && fgets(line, sizeof(line), mounts)) {
		busy = strstr(line, strbuf_str(&mine)) != NULL;
	}
	strbuf_finish(&mine);
	if (busy) {
		strbuf_addf(&program->why, "%s: connectfs is mounted there already", real);
		return -EBUSY;
	}
	return 0;
}

static int read_credentials(struct program *program)
{
	struct options *options = &program->options;
	if (options->demo) {
		return auth_create_fixed(DEMO_KEY, DEMO_SECRET, &program->auth);
	}
	struct auth_options from = { .file = options->credentials,
		.command = options->credential_command };
	return auth_create(&from, &program->auth, &program->why);
}

/* Brings the URL of an option into its one form. */
static int check_url(struct program *program, const char *option, char **url)
{
	char *checked = NULL;
	strbuf_addf(&program->why, "%s: ", option);
	int err = url_check_origin(*url, program->options.insecure_http, &checked, &program->why);
	if (err == 0) {
		free(*url);
		*url = checked;
		strbuf_reset(&program->why);
	}
	return err;
}

static int start_engine(
	struct program *program, const char *url, struct rate rate, struct http **ret_http)
{
	const struct options *options = &program->options;
	struct http_options http = { .url = url,
		.cacert = options->cacert,
		.insecure_http = options->insecure_http,
		.max_connections = options->max_connections,
		.max_answer = options->max_answer,
		.rate = rate,
		.auth = program->auth };
	int err = http_create(&http, ret_http);
	return err < 0 ? err : http_start(*ret_http);
}

/* Both APIs are the emulator's. */
static int use_demo(struct program *program)
{
	struct options *options = &program->options;
	free(options->url);
	free(options->telemetry_url);
	options->url = steal(program->demo.url);
	options->telemetry_url = strdup(options->url);
	return options->telemetry_url ? 0 : -ENOMEM;
}

static int start_client(struct program *program)
{
	struct options *options = &program->options;
	int err = 0;
	if (options->demo) {
		err = demo_start(&program->demo, options->foreground, &program->why);
		if (err < 0) {
			return err;
		}
		err = use_demo(program);
	}
	err = err < 0 ? err : check_url(program, "--url", &options->url);
	err = err < 0 ? err : check_url(program, "--telemetry-url", &options->telemetry_url);
	if (err == 0) {
		err = start_engine(program, options->url, (struct rate){ 0 }, &program->http);
	}
	if (err == 0) {
		err = start_engine(
			program, options->telemetry_url, telemetry_rate, &program->telemetry);
	}
	return err;
}

static int start_fs(struct program *program)
{
	struct options *options = &program->options;
	int err =
		fs_create(options, program->auth, program->http, program->telemetry, &program->fs);
	if (err == 0 && options->secrets) {
		err = secrets_load(options->secrets, &program->fs->secrets, &program->why);
		journal_hide(program->fs->journal, program->fs->secrets);
	}
	return err < 0 ? err : fs_check(program->fs, &program->why);
}

static int mount_session(struct program *program)
{
	struct options *options = &program->options;
	char *argv[] = { (char *)"connectfs", (char *)"-o", options->fuse_options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	int err = 0;
	program->session = fuse_session_new(&args, &ops, sizeof(ops), program->fs);
	if (!program->session) {
		strbuf_adds(&program->why, "FUSE does not take these options");
		err = -EINVAL;
	} else if (fuse_session_mount(program->session, options->mountpoint) != 0) {
		strbuf_addf(&program->why, "%s: cannot be mounted", options->mountpoint);
		err = -EIO;
	} else {
		err = channel_set_up(program->session);
	}
	fuse_opt_free_args(&args);
	return err;
}

/* To the waiting parent: 0, or 1 after the reason was printed. */
static void report(struct program *program, char status)
{
	if (program->ready >= 0) {
		ssize_t written = write(program->ready, &status, 1);
		(void)written;
		close(program->ready);
		program->ready = -1;
	}
}

/* In the background, messages go to the system's log from here on. */
static void detach(struct program *program)
{
	if (program->ready < 0) {
		return;
	}
	report(program, 0);
	log_to_syslog();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		close(null);
	}
}

static int serve(struct program *program)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int err = fs_start(program->fs, program->session);
	program->main_thread = pthread_self();
	if (err == 0) {
		err = -pthread_create(&program->signal_thread, NULL, signal_thread, program);
	}
	if (err == 0) {
		detach(program);
		log_info("%s is mounted on %s", program->options.url, program->options.mountpoint);
		fuse_session_loop_mt(program->session, config);
		pthread_mutex_lock(&program->lock);
		program->ended = true;
		pthread_mutex_unlock(&program->lock);
		pthread_kill(program->signal_thread, SIGUSR2);
		pthread_join(program->signal_thread, NULL);
	}
	fuse_loop_cfg_destroy(config);
	fuse_session_unmount(program->session);
	fs_stop(program->fs);
	return err;
}

static void finish(struct program *program)
{
	http_destroy(program->http);
	http_destroy(program->telemetry);
	fs_destroy(program->fs);
	if (program->session) {
		fuse_session_destroy(program->session);
	}
	demo_stop(&program->demo);
	auth_destroy(program->auth);
	options_finish(&program->options);
	strbuf_finish(&program->why);
}

static int run(struct program *program)
{
	block_signals();
	int err = start_client(program);
	if (err == 0) {
		err = start_fs(program);
	}
	if (err == 0) {
		err = mount_session(program);
	}
	if (err == 0) {
		err = serve(program);
	}
	if (err < 0) {
		log_error("%s", program->why.len ? strbuf_str(&program->why) : strerror(-err));
		report(program, 1);
	}
	return err < 0 ? 1 : 0;
}

/* The parent's part: waits until the mount answers. */
static int await(struct program *program, int from)
{
	char status = 1;
	struct stat stat_buf;
	ssize_t len = read(from, &status, 1);
	if (len == 1 && status == 0 && stat(program->options.mountpoint, &stat_buf) < 0) {
		status = 1;
	}
	return len == 1 ? status : 1;
}

/* -1: this is the child, or stays in the foreground; else the status to exit with. */
static int go_to_background(struct program *program)
{
	int ends[2];
	if (program->options.foreground) {
		return -1;
	}
	if (pipe2(ends, O_CLOEXEC) < 0) {
		return 1;
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		program->ready = ends[1];
		setsid();
		return chdir("/") < 0 ? 1 : -1;
	}
	close(ends[1]);
	int status = pid < 0 ? 1 : await(program, ends[0]);
	close(ends[0]);
	return status;
}

int main(int argc, char **argv)
{
	struct program program = {
		.why = STRBUF_INIT(WHY_BYTES), .ready = -1, .lock = PTHREAD_MUTEX_INITIALIZER
	};
	int err = options_parse(&program.options, argc, argv, &program.why);
	if (err < 0) {
		log_error("%s", strbuf_str(&program.why));
		finish(&program);
		return 2;
	}
	if (program.options.help || program.options.version) {
		fputs(program.options.help ? options_help() : "connectfs " CONNECTFS_VERSION "\n",
			stdout);
		finish(&program);
		return 0;
	}
	log_set_level(program.options.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	protect_memory();
	tune_memory();
	err = check_mountpoint(&program);
	if (err == 0) {
		err = read_credentials(&program);
	}
	if (err < 0) {
		log_error("%s", program.why.len ? strbuf_str(&program.why) : strerror(-err));
		finish(&program);
		return 1;
	}
	int status = go_to_background(&program);
	if (status < 0) {
		status = run(&program);
	}
	finish(&program);
	return status;
}

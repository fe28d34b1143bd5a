#include "fs/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/auth.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "fs/bases.h"
#include "fs/by_id.h"
#include "fs/folder.h"
#include "fs/hash.h"
#include "fs/journal.h"
#include "fs/node.h"
#include "fs/notify.h"
#include "fs/ops.h"
#include "fs/question.h"
#include "fs/removal.h"
#include "fs/route.h"
#include "fs/save.h"
#include "fs/secrets.h"
#include "fs/texts.h"
#include "fs/times.h"
#include "fs/topology.h"
#include "fs/tree.h"
#include "fs/user_dir.h"

#define SAVE_TIMES_MS 5000
#define PATH_BYTES    4096

/* Where the times are kept: one file an account. NULL: nowhere. To be freed. */
static char *state_path(const struct fs *fs)
{
	struct strbuf path = STRBUF_INIT(PATH_BYTES);
	char identity[33];
	if (fs->options->demo || user_dir("XDG_STATE_HOME", ".local/state", &path) < 0) {
		return NULL;
	}
	auth_identity(fs->auth, identity);
	uint64_t where =
		hash_mix(hash_bytes(HASH_START, fs->options->url, strlen(fs->options->url)));
	strbuf_addf(&path, "/%s-%08x", identity, (unsigned)where);
	return strbuf_detach(&path, NULL);
}

int fs_create(const struct options *options, struct auth *auth, struct http *http,
	struct http *telemetry, struct fs **ret_fs)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	pthread_condattr_t attr;
	if (!fs) {
		return -ENOMEM;
	}
	fs->options = options;
	fs->auth = auth;
	fs->http = http;
	fs->telemetry = telemetry;
	fs->started_at = clock_wall_ms();
	pthread_mutex_init(&fs->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&fs->changed, &attr);
	pthread_condattr_destroy(&attr);
	fs->root = node_create(fs, NULL, "");
	fs->times = times_create();
	fs->texts = texts_create();
	fs->journal = journal_create();
	if (!fs->root || !fs->times || !fs->texts || !fs->journal ||
		notifier_create(fs, &fs->notifier) < 0) {
		fs_destroy(fs);
		return -ENOMEM;
	}
	fs->root->route = &routes[ROUTE_ROOT];
	*ret_fs = fs;
	return 0;
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		close(fds[i]);
	}
	free(fds);
}

void fs_destroy(struct fs *fs)
{
	if (!fs) {
		return;
	}
	handles_destroy(fs);
	folders_destroy(fs);
	bases_destroy(fs);
	by_id_destroy(fs);
	documents_destroy(fs);
	looks_drop(fs);
	questions_destroy(fs);
	touched_destroy(fs);
	notifier_destroy(fs->notifier);
	nodes_destroy(fs);
	close_all(fs->closing, fs->closing_count);
	times_destroy(fs->times);
	texts_destroy(fs->texts);
	journal_destroy(fs->journal);
	secrets_destroy(fs->secrets);
	pthread_cond_destroy(&fs->changed);
	pthread_mutex_destroy(&fs->lock);
	free(fs->state_path);
	free(fs);
}

int64_t fs_moment(struct fs *fs)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t moment = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	fs->last_moment = moment > fs->last_moment ? moment : fs->last_moment + 1;
	return fs->last_moment;
}

bool fs_wait(struct fs *fs, int64_t ms)
{
	if (ms < 0) {
		return pthread_cond_wait(&fs->changed, &fs->lock) == 0;
	}
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	int64_t nanoseconds = until.tv_nsec + ms % 1000 * 1000000;
	until.tv_sec += ms / 1000 + nanoseconds / 1000000000;
	until.tv_nsec = nanoseconds % 1000000000;
	return pthread_cond_timedwait(&fs->changed, &fs->lock, &until) == 0;
}

int fs_check(struct fs *fs, struct strbuf *ret_why)
{
	fs_lock(fs);
	struct document *document = document_get(fs, &document_environments, NULL, NULL);
	struct check check = { 0 };
	fs->check = &check;
	if (document) {
		document_refresh(document, false);
	}
	while (document && document->fetching) {
		fs_wait(fs, -1);
	}
	int err = document ? document->failure : -ENOMEM;
	long status = err < 0 ? check.status : 0;
	fs->check = NULL;
	fs_unlock(fs);
	if (status == 401) {
		strbuf_adds(ret_why,
			"the API refuses these credentials (401); the key must be a Cloud API key, made "
			"with --resource cloud");
		return err;
	}
	if (status == 403) {
		log_warn("this key may not list environments; reach them by their ids");
		return 0;
	}
	if (err < 0) {
		strbuf_addf(ret_why, "%s: %s", fs->options->url, strerror(-err));
		if (status) {
			strbuf_addf(ret_why, " (status %ld)", status);
		} else if (check.trouble[0]) {
			strbuf_addf(ret_why, " (%s)", check.trouble);
		}
	}
	return err;
}

void fs_close_later(struct fs *fs, int fd)
{
	int *more = reallocarray(fs->closing, fs->closing_count + 1, sizeof(*more));
	if (more) {
		fs->closing = more;
		fs->closing[fs->closing_count++] = fd;
		fs_wake(fs);
	} else {
		close(fd);
	}
}

static int64_t sooner(int64_t a, int64_t b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

static void save_times(struct fs *fs)
{
	int err = fs->state_path ? times_save(fs->times, fs->state_path) : 0;
	if (err < 0 && !fs->times_unsaved) {
		log_warn("%s: the times of files cannot be kept: %s", fs->state_path,
			strerror(-err));
	}
	fs->times_unsaved = err < 0;
}

/* Under the lock, which it gives up meanwhile: closes what may take its time. */
static void close_pending(struct fs *fs)
{
	int *closing = steal(fs->closing);
	size_t count = fs->closing_count;
	fs->closing_count = 0;
	fs_unlock(fs);
	close_all(closing, count);
	fs_lock(fs);
}

/* Keeps the time: what is due in folders, and who has waited for long enough. */
static void *clock_thread(void *arg)
{
	struct fs *fs = arg;
	int64_t save_at = clock_now_ms() + SAVE_TIMES_MS;
	fs_lock(fs);
	while (!fs->stopping) {
		int64_t now = clock_now_ms();
		int64_t wait = sooner(folders_tick(fs, now), ops_watch(fs));
		wait = sooner(wait, questions_tick(fs, now));
		if (fs->closing) {
			close_pending(fs);
		} else if (now >= save_at) {
			fs_unlock(fs);
			save_times(fs);
			save_at = clock_now_ms() + SAVE_TIMES_MS;
			fs_lock(fs);
		} else if (!fs->stopping) {
			fs_wait(fs, sooner(wait, save_at - now));
		}
	}
	fs_unlock(fs);
	return NULL;
}

int fs_start(struct fs *fs, struct fuse_session *session)
{
	fs->session = session;
	fs->state_path = state_path(fs);
	if (fs->state_path) {
		times_load(fs->times, fs->state_path);
	}
	int err = notifier_start(fs->notifier);
	if (err == 0) {
		err = -pthread_create(&fs->clock_thread, NULL, clock_thread, fs);
		fs->clock_started = err == 0;
	}
	return err;
}

void fs_stop(struct fs *fs)
{
	fs_lock(fs);
	fs->ending = true;
	fs_wake(fs);
	fs_unlock(fs);
	saves_flush(fs);
	removals_flush(fs);
	fs_lock(fs);
	fs->stopping = true;
	fs_wake(fs);
	fs_unlock(fs);
	if (fs->clock_started) {
		pthread_join(fs->clock_thread, NULL);
	}
	notifier_stop(fs->notifier);
	fs_lock(fs);
	while (fs->waiting) {
		op_finish(fs->waiting, -EINTR);
	}
	fs_unlock(fs);
	save_times(fs);
}

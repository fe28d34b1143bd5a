#include "fs/notify.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "fs/channel.h"
#include "fs/fs.h"
#include "fs/node.h"
#include "fs/ops.h"

#define SOME 64 /* names that are copied at a time */

struct notice {
	struct notice *next, *prev;
	fuse_ino_t dir;
	char *name;          /* NULL: many names, or a barrier */
	struct node **nodes; /* counted, by the fs's lock: their names; NULL: a barrier */
	size_t count;        /* of nodes */
	struct op *op;       /* the fs's lock; who waits for the barrier; NULL: nobody any more */
};

struct notifier {
	struct fs *fs;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct notice *notices; /* lock */
	bool stopping;          /* lock */
	bool started;
	pthread_t thread;
};

int notifier_create(struct fs *fs, struct notifier **ret_notifier)
{
	struct notifier *notifier = calloc(1, sizeof(*notifier));
	if (!notifier) {
		return -ENOMEM;
	}
	notifier->fs = fs;
	pthread_mutex_init(&notifier->lock, NULL);
	pthread_cond_init(&notifier->changed, NULL);
	*ret_notifier = notifier;
	return 0;
}

/* Of one that still has nodes: under the fs's lock. */
static void notice_free(struct notice *notice)
{
	while (notice->count > 0) {
		node_unref(notice->nodes[--notice->count]);
	}
	free(notice->nodes);
	free(notice->name);
	free(notice);
}

static void end_barrier(struct fs *fs, struct notice *notice)
{
	fs_lock(fs);
	if (notice->op) {
		op_finish(notice->op, 0);
	}
	fs_unlock(fs);
}

static void tell(const struct notifier *notifier, fuse_ino_t dir, const char *name)
{
	fuse_lowlevel_notify_inval_entry(notifier->fs->session, dir, name, strlen(name));
}

/* A node's name may change, and the last reference to it end, only under the fs's lock, which is
 * not to be held while the kernel is told. */
static void tell_nodes(const struct notifier *notifier, struct notice *notice)
{
	struct fs *fs = notifier->fs;
	while (notice->count > 0) {
		fuse_ino_t dirs[SOME];
		char *names[SOME];
		size_t some = 0;
		fs_lock(fs);
		while (some < SOME && notice->count > 0) {
			struct node *node = notice->nodes[--notice->count];
			dirs[some] = ops_ino(fs, node->parent);
			names[some++] = strdup(node->name);
			node_unref(node);
		}
		fs_unlock(fs);
		for (size_t i = 0; i < some; i++) {
			if (names[i]) {
				tell(notifier, dirs[i], names[i]);
			}
			free(names[i]);
		}
	}
}

static void *notifier_thread(void *arg)
{
	struct notifier *notifier = arg;
	pthread_mutex_lock(&notifier->lock);
	while (!notifier->stopping) {
		struct notice *notice = notifier->notices;
		if (!notice) {
			pthread_cond_wait(&notifier->changed, &notifier->lock);
			continue;
		}
		DL_DELETE(notifier->notices, notice);
		pthread_mutex_unlock(&notifier->lock);
		if (notice->name) {
			tell(notifier, notice->dir, notice->name);
		} else if (notice->nodes) {
			tell_nodes(notifier, notice);
		} else {
			end_barrier(notifier->fs, notice);
		}
		notice_free(notice);
		pthread_mutex_lock(&notifier->lock);
	}
	pthread_mutex_unlock(&notifier->lock);
	return NULL;
}

int notifier_start(struct notifier *notifier)
{
	int err = pthread_create(&notifier->thread, NULL, notifier_thread, notifier);
	notifier->started = err == 0;
	return -err;
}

void notifier_stop(struct notifier *notifier)
{
	pthread_mutex_lock(&notifier->lock);
	notifier->stopping = true;
	pthread_cond_signal(&notifier->changed);
	pthread_mutex_unlock(&notifier->lock);
	if (notifier->started) {
		pthread_join(notifier->thread, NULL);
		notifier->started = false;
	}
}

void notifier_destroy(struct notifier *notifier)
{
	struct notice *notice, *next;
	if (!notifier) {
		return;
	}
	DL_FOREACH_SAFE (notifier->notices, notice, next) {
		DL_DELETE(notifier->notices, notice);
		notice_free(notice);
	}
	pthread_cond_destroy(&notifier->changed);
	pthread_mutex_destroy(&notifier->lock);
	free(notifier);
}

static void queue(struct notifier *notifier, struct notice *notice)
{
	pthread_mutex_lock(&notifier->lock);
	DL_APPEND(notifier->notices, notice);
	pthread_cond_signal(&notifier->changed);
	pthread_mutex_unlock(&notifier->lock);
}

void notify_entry(struct fs *fs, const struct node *dir, const char *name)
{
	struct notice *notice = calloc(1, sizeof(*notice));
	if (!notice) {
		return;
	}
	notice->dir = ops_ino(fs, dir);
	notice->name = strdup(name);
	if (!notice->name) {
		free(notice);
		return;
	}
	queue(fs->notifier, notice);
}

void notify_all(struct fs *fs)
{
	struct notice *notice = calloc(1, sizeof(*notice));
	struct node **nodes = calloc(fs->nodes.count + 1, sizeof(struct node *));
	if (!notice || !nodes) {
		free(notice);
		free(nodes);
		return;
	}
	notice->nodes = nodes;
	for (struct node *node = node_next(fs, NULL); node; node = node_next(fs, node)) {
		if (node->current && node->parent) {
			nodes[notice->count++] = node_ref(node);
		}
	}
	queue(fs->notifier, notice);
}

void notify_listing(const struct fs *fs, const struct node *dir)
{
	if (fs->session) {
		/* The kernel waits for who reads a page of it, who may wait for us. */
		channel_hand_over();
		fuse_lowlevel_notify_inval_inode(fs->session, ops_ino(fs, dir), 0, 0);
	}
}

void notify_text(const struct fs *fs, const struct node *node, const char *text, size_t len)
{
	struct fuse_bufvec bufs = FUSE_BUFVEC_INIT(len);
	bufs.buf[0].mem = (char *)(uintptr_t)text;
	fuse_lowlevel_notify_store(fs->session, ops_ino(fs, node), 0, &bufs, 0);
}

int notify_barrier(struct op *op)
{
	struct notice *notice = calloc(1, sizeof(*notice));
	if (!notice) {
		return -ENOMEM;
	}
	notice->op = op;
	op->waits_in = &notice->op;
	queue(op->fs->notifier, notice);
	return OP_WAIT;
}

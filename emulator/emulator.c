#include "emulator/emulator.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "emulator/mem.h"

/* How often a hanging request looks whether its client is still there. */
#define HANG_LOOK_MS 50

void emulator_init(struct emulator *emulator)
{
	*emulator = (struct emulator){
		.rate = { .limit = 1000, .window_ms = 1000 },
		.metrics_rate = { .limit = 60, .window_ms = 60000 },
		.export_limit = 80,
	};
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&emulator->lock, NULL);
	pthread_cond_init(&emulator->changed, &attr);
	pthread_condattr_destroy(&attr);
	emulator_set_key(emulator, "DEMOKEY", "demo-secret");
	unsigned long long number = 0;
	if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
		number = (unsigned long long)clock_wall_ms();
	}
	snprintf(emulator->id_prefix, sizeof(emulator->id_prefix), "%016llx", number);
	account_init(&emulator->account);
	faults_init(&emulator->faults);
	journal_init(&emulator->journal);
}

static void drop_denied(regex_t *denied, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		regfree(&denied[i]);
	}
	free(denied);
}

void emulator_finish(struct emulator *emulator)
{
	account_finish(&emulator->account);
	faults_finish(&emulator->faults);
	journal_finish(&emulator->journal);
	drop_denied(emulator->denied, emulator->denied_count);
	mem_wipe(emulator->key);
	mem_wipe(emulator->secret);
	pthread_cond_destroy(&emulator->changed);
	pthread_mutex_destroy(&emulator->lock);
}

static void replace(char **where, const char *text)
{
	if (text) {
		char *copy = mem_dup(text);
		mem_wipe(*where);
		*where = copy;
	}
}

void emulator_set_key(struct emulator *emulator, const char *key, const char *secret)
{
	replace(&emulator->key, key);
	replace(&emulator->secret, secret);
}

int emulator_set_denied(struct emulator *emulator, const cJSON *patterns)
{
	size_t size = cJSON_IsArray(patterns) ? (size_t)cJSON_GetArraySize(patterns) : 0;
	regex_t *denied = mem_alloc(size * sizeof(*denied));
	size_t count = 0;
	const cJSON *item;
	cJSON_ArrayForEach(item, patterns)
	{
		const char *pattern = cJSON_GetStringValue(item);
		if (!pattern || regcomp(&denied[count], pattern, REG_EXTENDED | REG_NOSUB) != 0) {
			drop_denied(denied, count);
			return -EINVAL;
		}
		count++;
	}
	drop_denied(emulator->denied, emulator->denied_count);
	emulator->denied = denied;
	emulator->denied_count = count;
	return 0;
}

bool emulator_denies(const struct emulator *emulator, const char *path)
{
	for (size_t i = 0; i < emulator->denied_count; i++) {
		if (regexec(&emulator->denied[i], path, 0, NULL, 0) == 0) {
			return true;
		}
	}
	return false;
}

void emulator_stop(struct emulator *emulator)
{
	pthread_mutex_lock(&emulator->lock);
	emulator->stopping = true;
	pthread_cond_broadcast(&emulator->changed);
	pthread_mutex_unlock(&emulator->lock);
}

static struct timespec timespec_of(int64_t ms)
{
	return (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
}

bool emulator_wait(struct emulator *emulator, int64_t ms)
{
	if (ms <= 0) {
		return true;
	}
	/* One more: the clock has left out a part of a millisecond. */
	struct timespec until = timespec_of(clock_now_ms() + ms + 1);
	pthread_mutex_lock(&emulator->lock);
	while (!emulator->stopping &&
		pthread_cond_timedwait(&emulator->changed, &emulator->lock, &until) == 0) {
	}
	bool stopping = emulator->stopping;
	pthread_mutex_unlock(&emulator->lock);
	return !stopping;
}

void emulator_hang(struct emulator *emulator, const struct request *request, uint64_t epoch)
{
	pthread_mutex_lock(&emulator->lock);
	while (!emulator->stopping && emulator->faults.epoch == epoch && !request_gone(request)) {
		struct timespec until = timespec_of(clock_now_ms() + HANG_LOOK_MS);
		pthread_cond_timedwait(&emulator->changed, &emulator->lock, &until);
	}
	pthread_mutex_unlock(&emulator->lock);
}

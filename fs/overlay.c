#include "fs/overlay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fs/connectors.h"
#include "fs/fs.h"

#define SUPERSEDED_MAX 8
#define STATE_BYTES    32

struct overlay {
	int64_t until;
	bool created;
	enum part_kind kind;                     /* of what was saved */
	struct part *saved;                      /* NULL: nothing was */
	struct part *superseded[SUPERSEDED_MAX]; /* what earlier answers may still say */
	unsigned superseded_count;
	char state[STATE_BYTES]; /* "" : not paused, not resumed */
	char state_before[STATE_BYTES];
};

struct removed {
	struct removed *next;
	int64_t until;
	char *name;
	char *id;
};

void overlay_destroy(struct overlay *overlay)
{
	if (overlay) {
		part_unref(overlay->saved);
		for (unsigned i = 0; i < overlay->superseded_count; i++) {
			part_unref(overlay->superseded[i]);
		}
		free(overlay);
	}
}

static void removed_free(struct removed *removed)
{
	free(removed->name);
	free(removed->id);
	free(removed);
}

void removed_destroy(struct document *document)
{
	while (document->removed) {
		struct removed *removed = document->removed;
		document->removed = removed->next;
		removed_free(removed);
	}
}

static struct overlay *overlay_of(struct item *item)
{
	if (!item->overlay) {
		item->overlay = calloc(1, sizeof(*item->overlay));
	}
	if (item->overlay) {
		item->overlay->until = clock_now_ms() + item->document->fs->options->settle;
	}
	return item->overlay;
}

static bool holds(const struct item *item, int64_t now)
{
	return item->overlay && now < item->overlay->until;
}

bool overlay_is_created(const struct item *item, int64_t now)
{
	return holds(item, now) && item->overlay->created;
}

void overlay_is_known(struct item *item)
{
	if (item->overlay) {
		item->overlay->created = false;
	}
}

/* Whether the API itself says that an answer is from before the save. Its times are whole seconds:
 * what changed in the same one is taken for somebody else's later change. */
static bool is_older(const struct part *part, const struct part *saved)
{
	struct timespec its, ours;
	return json_time(json_get(part_json(part), "metadata/updated_at"), &its) &&
	       json_time(json_get(part_json(saved), "metadata/updated_at"), &ours) &&
	       (its.tv_sec < ours.tv_sec ||
		       (its.tv_sec == ours.tv_sec && its.tv_nsec < ours.tv_nsec));
}

/* Whether an answer's part is one that this mount's own save has overtaken. */
static bool is_overtaken(
	struct item *item, enum part_kind kind, const struct part *part, int64_t now)
{
	struct overlay *overlay = item->overlay;
	if (!holds(item, now) || !overlay->saved || overlay->kind != kind) {
		return false;
	}
	bool agrees = item_same_part(kind, overlay->saved, part);
	for (unsigned i = 0; i < overlay->superseded_count && !agrees; i++) {
		if (item_same_part(kind, overlay->superseded[i], part)) {
			return true;
		}
	}
	if (!agrees && is_older(part, overlay->saved)) {
		return true;
	}
	/* It agrees, or it is somebody else's newer one. */
	part_unref(steal(overlay->saved));
	return false;
}

static bool state_is_overtaken(struct item *item, const struct part *status, int64_t now)
{
	struct overlay *overlay = item->overlay;
	if (!holds(item, now) || !overlay->state[0]) {
		return false;
	}
	if (json_is(json_get(part_json(status), "connector/state"), overlay->state_before)) {
		return true;
	}
	overlay->state[0] = '\0';
	return false;
}

void overlay_take(struct item *item, enum part_kind kind, struct part *part, int64_t at)
{
	int64_t now = clock_now_ms();
	if (is_overtaken(item, kind, part, now) ||
		(kind == PART_STATUS && state_is_overtaken(item, part, now))) {
		part_unref(part);
		part = NULL;
	}
	item_set_part(item, kind, part, at);
	const struct overlay *overlay = item->overlay;
	if (overlay && !overlay->saved && !overlay->state[0] && !overlay->created) {
		overlay_destroy(steal(item->overlay));
	}
}

void overlay_saved(struct item *item, enum part_kind kind, struct part *part)
{
	struct overlay *overlay = overlay_of(item);
	struct part *before = item->parts[kind];
	if (overlay && before) {
		if (overlay->superseded_count == SUPERSEDED_MAX) {
			part_unref(overlay->superseded[0]);
			memmove(overlay->superseded, overlay->superseded + 1,
				(SUPERSEDED_MAX - 1) * sizeof(struct part *));
			overlay->superseded_count--;
		}
		overlay->superseded[overlay->superseded_count++] = part_ref(before);
	}
	if (overlay) {
		part_unref(overlay->saved);
		overlay->saved = part_ref(part);
		overlay->kind = kind;
	}
	item_set_part(item, kind, part, fs_moment(item->document->fs));
}

/* A name that was removed is used again: only the old one's own id still tells it apart. */
static void forget_removed(struct document *document, const char *name)
{
	for (struct removed **at = &document->removed; *at;) {
		struct removed *removed = *at;
		if (strcmp(removed->name, name) == 0 && !removed->id[0]) {
			*at = removed->next;
			removed_free(removed);
		} else {
			at = &removed->next;
		}
	}
}

int overlay_created(struct item *item)
{
	struct overlay *overlay = overlay_of(item);
	forget_removed(item->document, item->name);
	if (!overlay) {
		return -ENOMEM;
	}
	overlay->created = true;
	return 0;
}

void overlay_state(struct item *item, const char *before, const char *after)
{
	struct overlay *overlay = overlay_of(item);
	if (overlay) {
		snprintf(overlay->state, sizeof(overlay->state), "%s", after);
		snprintf(overlay->state_before, sizeof(overlay->state_before), "%s", before);
	}
}

void overlay_removed(struct item *item, const char *id)
{
	struct document *document = item->document;
	struct removed *removed = calloc(1, sizeof(*removed));
	if (removed) {
		removed->name = strdup(item->name);
		removed->id = strdup(id);
		removed->until = clock_now_ms() + document->fs->options->settle;
		if (removed->name && removed->id) {
			removed->next = document->removed;
			document->removed = removed;
		} else {
			removed_free(removed);
		}
	}
	document_remove(item);
}

bool overlay_is_removed(
	struct document *document, const char *name, const struct part *shown, int64_t now)
{
	for (struct removed **at = &document->removed; *at;) {
		struct removed *removed = *at;
		if (now >= removed->until) {
			*at = removed->next;
			removed_free(removed);
			continue;
		}
		if (strcmp(removed->name, name) == 0) {
			struct json_slice id = json_get(part_json(shown), "id");
			if (!id.text || !removed->id[0] || json_is(id, removed->id)) {
				return true;
			}
		}
		at = &removed->next;
	}
	return false;
}

#include "emulator/faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "emulator/json.h"
#include "emulator/mem.h"

struct action {
	const char *key;
	enum fault_action action;
};

/* Those that may also be a detail of another action come last. */
static const struct action actions[] = {
	{ "drop", FAULT_DROP },
	{ "truncate", FAULT_TRUNCATE },
	{ "garbage", FAULT_GARBAGE },
	{ "hang", FAULT_HANG },
	{ "trickle_ms", FAULT_TRICKLE },
	{ "redirect", FAULT_REDIRECT },
	{ "unanswered", FAULT_UNANSWERED },
	{ "body_only", FAULT_BODY_ONLY },
	{ "gzip_unlabelled", FAULT_GZIP_UNLABELLED },
	{ "change", FAULT_CHANGE },
	{ "status", FAULT_STATUS },
	{ "delay_ms", FAULT_DELAY },
};

void faults_init(struct faults *faults)
{
	*faults = (struct faults){ .epoch = 1 };
}

static void fault_free(struct fault *fault)
{
	if (fault->has_path) {
		regfree(&fault->path);
	}
	if (fault->has_query) {
		regfree(&fault->query);
	}
	cJSON_Delete(fault->spec);
	free(fault);
}

void faults_clear(struct faults *faults)
{
	struct fault *fault;
	struct fault *next;
	DL_FOREACH_SAFE (faults->list, fault, next) {
		DL_DELETE(faults->list, fault);
		fault_free(fault);
	}
	faults->epoch++;
}

void faults_finish(struct faults *faults)
{
	faults_clear(faults);
}

static int compile(const cJSON *spec, const char *key, regex_t *regex, struct strbuf *why)
{
	const cJSON *item = json_get(spec, key);
	if (!item) {
		return 0;
	}
	const char *pattern = cJSON_GetStringValue(item);
	int error = pattern ? regcomp(regex, pattern, REG_EXTENDED | REG_NOSUB) : REG_BADPAT;
	if (error) {
		strbuf_addf(why, "%s is no extended regular expression", key);
		return -EINVAL;
	}
	return 1;
}

static enum fault_action find_action(const cJSON *spec)
{
	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		const cJSON *item = json_get(spec, actions[i].key);
		if (item && !cJSON_IsFalse(item) && !cJSON_IsNull(item)) {
			return actions[i].action;
		}
	}
	return FAULT_NONE;
}

/* What the chosen action needs to be of a certain type; NULL if all is well. */
static const char *find_mistake(const cJSON *spec, enum fault_action action)
{
	long long status = json_get_int(spec, "status", action == FAULT_STATUS ? 0 : 302);
	const char *unanswered = json_get_string(spec, "unanswered");
	const cJSON *change = json_get(spec, "change");
	switch (action) {
	case FAULT_NONE:
		return "there is no action in it";
	case FAULT_STATUS:
	case FAULT_REDIRECT:
		if (status < 200 || status > 599) {
			return "status is no number from 200 to 599";
		}
		return action == FAULT_REDIRECT && !json_get_string(spec, "redirect")
			       ? "redirect is no string"
			       : NULL;
	case FAULT_TRUNCATE:
		return json_get_int(spec, "truncate", -1) < 0 ? "truncate is no number" : NULL;
	case FAULT_TRICKLE:
		return json_get_int(spec, "trickle_ms", -1) < 0 ? "trickle_ms is no number" : NULL;
	case FAULT_DELAY:
		return json_get_int(spec, "delay_ms", -1) < 0 ? "delay_ms is no number" : NULL;
	case FAULT_UNANSWERED:
		return unanswered && (!strcmp(unanswered, "drop") || !strcmp(unanswered, "hang"))
			       ? NULL
			       : "unanswered is neither drop nor hang";
	case FAULT_BODY_ONLY:
		return json_get_string(spec, "body_only") ? NULL : "body_only is no string";
	case FAULT_CHANGE:
		return json_get_string(change, "plugin") ||
				       (json_get_string(change, "cluster") &&
					       json_get_string(change, "connector"))
			       ? NULL
			       : "change names no plugin, and no cluster and connector";
	default:
		return NULL;
	}
}

int faults_add(struct faults *faults, const cJSON *spec, struct strbuf *why, uint64_t *ret_id)
{
	enum fault_action action = find_action(spec);
	const char *mistake = find_mistake(spec, action);
	if (mistake) {
		strbuf_adds(why, mistake);
		return -EINVAL;
	}
	struct fault *fault = mem_alloc(sizeof(*fault));
	int path = compile(spec, "path", &fault->path, why);
	fault->has_path = path > 0;
	int query = compile(spec, "query", &fault->query, why);
	fault->has_query = query > 0;
	if (path < 0 || query < 0) {
		fault_free(fault);
		return -EINVAL;
	}
	fault->action = action;
	fault->spec = cJSON_Duplicate(spec, true);
	fault->skip = json_get_int(spec, "skip", 0);
	fault->times = json_get_int(spec, "times", 1);
	fault->id = ++faults->ids;
	DL_APPEND(faults->list, fault);
	*ret_id = fault->id;
	return 0;
}

void faults_write(const struct faults *faults, struct strbuf *out)
{
	const struct fault *fault;
	json_begin(out, '[');
	DL_FOREACH (faults->list, fault) {
		cleanup(json) cJSON *shown = cJSON_Duplicate(fault->spec, true);
		cJSON_AddNumberToObject(shown, "id", (double)fault->id);
		cJSON_AddNumberToObject(shown, "hits", (double)fault->hits);
		cJSON_AddBoolToObject(shown, "active", fault->times != 0);
		cleanup(free) char *text = cJSON_PrintUnformatted(shown);
		json_raw(out, text ? text : "null");
	}
	json_end(out, ']');
}

static bool fault_matches(const struct fault *fault, const struct request *request)
{
	const char *method = json_get_string(fault->spec, "method");
	if (fault->times == 0 || (method && strcmp(method, request->method) != 0)) {
		return false;
	}
	if (fault->has_path && regexec(&fault->path, request->path, 0, NULL, 0) != 0) {
		return false;
	}
	return !fault->has_query || regexec(&fault->query, request->query, 0, NULL, 0) == 0;
}

struct effect faults_match(struct faults *faults, const struct request *request)
{
	struct fault *fault;
	DL_FOREACH (faults->list, fault) {
		if (!fault_matches(fault, request)) {
			continue;
		}
		if (fault->skip > 0) {
			fault->skip--;
			continue;
		}
		fault->hits++;
		fault->times -= fault->times > 0;
		return (struct effect){
			.action = fault->action,
			.spec = cJSON_Duplicate(fault->spec, true),
			.epoch = faults->epoch,
		};
	}
	return EFFECT_NONE;
}

void effect_finish(struct effect *effect)
{
	cJSON_Delete(effect->spec);
	effect->spec = NULL;
}

long long effect_delay(const struct effect *effect)
{
	return json_get_int(effect->spec, "delay_ms", 0);
}

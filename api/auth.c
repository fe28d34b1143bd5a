#include "api/auth.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "api/auth_source.h"
#include "base/cleanup.h"
#include "base/log.h"

#define COMMAND_LIMIT_MS 10000
#define IDENTITY_BYTES   16

/* Either a key with its secret, or a token. All of it owned, wiped when freed. */
struct secrets {
	char *key;
	char *secret;
	char *token;
	char *header; /* the whole "Authorization: …" */
};

struct auth {
	char *file;    /* owned or NULL */
	char *command; /* owned or NULL */
	bool fixed;
	int command_limit_ms;
	pthread_mutex_t reading; /* held while a source is read; taken before `lock` */
	pthread_mutex_t lock;
	struct secrets now;  /* lock */
	unsigned generation; /* lock; counts the times they were read */
	unsigned changed;    /* lock; the generation that brought others */
};

static void wipe_string(char **string)
{
	if (*string) {
		explicit_bzero(*string, strlen(*string));
		free(*string);
		*string = NULL;
	}
}

static const char *encoded_part(const struct secrets *s)
{
	const char *blank = s->header ? strrchr(s->header, ' ') : NULL;
	return blank ? blank + 1 : NULL;
}

static void secrets_hide(const struct secrets *s)
{
	log_hide(s->key);
	log_hide(s->secret);
	log_hide(encoded_part(s));
}

static void secrets_finish(struct secrets *s)
{
	wipe_string(&s->key);
	wipe_string(&s->secret);
	wipe_string(&s->token);
	wipe_string(&s->header);
}

static void secrets_forget(struct secrets *s)
{
	log_unhide(s->key);
	log_unhide(s->secret);
	log_unhide(encoded_part(s));
	secrets_finish(s);
}

static int make_header(struct secrets *s)
{
	size_t raw_len = s->token ? strlen(s->token) : strlen(s->key) + 1 + strlen(s->secret);
	struct strbuf raw = STRBUF_INIT(raw_len);
	struct strbuf header = STRBUF_INIT(64 + 2 * raw_len);

	/* Both at once: a buffer that grows leaves copies behind. */
	strbuf_reserve(&raw, raw.max);
	strbuf_reserve(&header, header.max);
	if (!raw.err && !header.err && s->token) {
		strbuf_adds(&header, "Authorization: Bearer ");
		strbuf_adds(&header, s->token);
	} else if (!raw.err && !header.err) {
		strbuf_adds(&raw, s->key);
		strbuf_addc(&raw, ':');
		strbuf_adds(&raw, s->secret);
		strbuf_adds(&header, "Authorization: Basic ");
		int len = EVP_EncodeBlock((unsigned char *)header.buf + header.len,
			(const unsigned char *)raw.buf, (int)raw.len);
		header.len += (size_t)len;
	}
	int err = raw.err ? raw.err : header.err;
	strbuf_wipe(&raw);
	if (err < 0) {
		strbuf_wipe(&header);
		return err;
	}
	s->header = strbuf_detach(&header, NULL);
	return s->header ? 0 : -ENOMEM;
}

static const char *check_value(const char *value, bool is_key)
{
	if (value[0] == '\0') {
		return "is empty";
	}
	for (const char *s = value; *s; s++) {
		if (*s <= ' ' || *s > '~' || (is_key && *s == ':')) {
			return "holds a character that cannot be sent";
		}
	}
	return NULL;
}

/* Takes a copy of one member into *ret. 1: it is there, 0: it is not, -EINVAL: it is no good. */
static int take_member(const cJSON *json, const char *name, char **ret, struct strbuf *ret_why)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);
	if (!item) {
		return 0;
	}
	const char *why = cJSON_IsString(item) ? check_value(item->valuestring, name[0] == 'k')
					       : "is no string";
	if (why) {
		strbuf_addf(ret_why, "the \"%s\" of the credentials %s", name, why);
		return -EINVAL;
	}
	*ret = strdup(item->valuestring);
	return *ret ? 1 : -ENOMEM;
}

static int take_members(const cJSON *json, struct secrets *s, struct strbuf *ret_why)
{
	int key = take_member(json, "key", &s->key, ret_why);
	int secret = key < 0 ? key : take_member(json, "secret", &s->secret, ret_why);
	int token = secret < 0 ? secret : take_member(json, "token", &s->token, ret_why);
	if (token < 0) {
		return token;
	}
	if ((token && (key || secret)) || (!token && !(key && secret))) {
		strbuf_adds(ret_why,
			"the credentials must be either {\"key\": ..., \"secret\": ...} "
			"or {\"token\": ...}");
		return -EINVAL;
	}
	return 0;
}

static void wipe_json(cJSON *json)
{
	if (cJSON_IsObject(json)) {
		cJSON *item;
		cJSON_ArrayForEach(item, json)
		{
			if (cJSON_IsString(item)) {
				explicit_bzero(item->valuestring, strlen(item->valuestring));
			}
		}
	}
	cJSON_Delete(json);
}

static int parse_json(const struct strbuf *text, struct secrets *s, struct strbuf *ret_why)
{
	/* With the NUL, so that whatever follows the object is refused. */
	cJSON *json = cJSON_ParseWithLengthOpts(strbuf_str(text), text->len + 1, NULL, 1);
	int err;
	if (strlen(strbuf_str(text)) == text->len && cJSON_IsObject(json)) {
		err = take_members(json, s, ret_why);
	} else {
		strbuf_adds(ret_why, "the credentials are no JSON object");
		err = -EINVAL;
	}
	wipe_json(json);
	return err;
}

static int from_environment(struct secrets *s, struct strbuf *ret_why)
{
	const char *key = getenv("CONFLUENT_CLOUD_API_KEY");
	const char *secret = getenv("CONFLUENT_CLOUD_API_SECRET");
	if (!key || !secret) {
		strbuf_adds(ret_why, "there are no credentials: give a file or a command, or set "
				     "CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET");
		return -EACCES;
	}
	const char *why_key = check_value(key, true);
	const char *why_secret = check_value(secret, false);
	if (why_key || why_secret) {
		strbuf_addf(ret_why, "CONFLUENT_CLOUD_API_%s %s", why_key ? "KEY" : "SECRET",
			why_key ? why_key : why_secret);
		return -EINVAL;
	}
	s->key = strdup(key);
	s->secret = strdup(secret);
	return s->key && s->secret ? 0 : -ENOMEM;
}

static int read_text(
	const struct auth *auth, int cancel_fd, struct secrets *s, struct strbuf *ret_why)
{
	struct strbuf text = STRBUF_INIT(AUTH_SOURCE_MAX_BYTES);
	int err = strbuf_reserve(&text, text.max);
	if (!err && auth->file) {
		err = auth_read_file(auth->file, &text, ret_why);
	} else if (!err) {
		err = auth_read_command(
			auth->command, auth->command_limit_ms, cancel_fd, &text, ret_why);
	}
	if (!err) {
		err = parse_json(&text, s, ret_why);
		if (err == -EINVAL && auth->file) {
			strbuf_addf(ret_why, " (%s)", auth->file);
		}
	}
	strbuf_wipe(&text);
	return err;
}

/* Reads the source into `s`, which is empty after a failure. */
static int read_source(
	const struct auth *auth, int cancel_fd, struct secrets *s, struct strbuf *ret_why)
{
	int err = auth->file || auth->command ? read_text(auth, cancel_fd, s, ret_why)
					      : from_environment(s, ret_why);
	if (!err) {
		err = make_header(s);
	}
	if (err) {
		secrets_finish(s);
		if (ret_why->len == 0) {
			strbuf_addf(ret_why, "the credentials cannot be read: %s", strerror(-err));
		}
		return err;
	}
	secrets_hide(s);
	return 0;
}

static struct auth *auth_new(void)
{
	struct auth *auth = calloc(1, sizeof(*auth));
	if (auth) {
		pthread_mutex_init(&auth->reading, NULL);
		pthread_mutex_init(&auth->lock, NULL);
		auth->command_limit_ms = COMMAND_LIMIT_MS;
	}
	return auth;
}

int auth_create(const struct auth_options *options, struct auth **ret_auth, struct strbuf *ret_why)
{
	struct auth *auth = auth_new();
	if (!auth) {
		strbuf_adds(ret_why, "out of memory");
		return -ENOMEM;
	}
	int err = 0;
	if (options->command_limit_ms > 0) {
		auth->command_limit_ms = options->command_limit_ms;
	}
	if (options->file) {
		auth->file = strdup(options->file);
		err = auth->file ? 0 : -ENOMEM;
	} else if (options->command) {
		auth->command = strdup(options->command);
		err = auth->command ? 0 : -ENOMEM;
	}
	if (!err) {
		err = read_source(auth, -1, &auth->now, ret_why);
	}
	if (err < 0) {
		auth_destroy(auth);
		return err;
	}
	*ret_auth = auth;
	return 0;
}

int auth_create_fixed(const char *key, const char *secret, struct auth **ret_auth)
{
	if (check_value(key, true) || check_value(secret, false)) {
		return -EINVAL;
	}
	struct auth *auth = auth_new();
	if (!auth) {
		return -ENOMEM;
	}
	auth->fixed = true;
	auth->now.key = strdup(key);
	auth->now.secret = strdup(secret);
	if (!auth->now.key || !auth->now.secret || make_header(&auth->now) < 0) {
		auth_destroy(auth);
		return -ENOMEM;
	}
	secrets_hide(&auth->now);
	*ret_auth = auth;
	return 0;
}

void auth_destroy(struct auth *auth)
{
	if (!auth) {
		return;
	}
	secrets_forget(&auth->now);
	pthread_mutex_destroy(&auth->lock);
	pthread_mutex_destroy(&auth->reading);
	free(auth->file);
	free(auth->command);
	free(auth);
}

unsigned auth_header(struct auth *auth, struct strbuf *out)
{
	pthread_mutex_lock(&auth->lock);
	/* Room for all of it first: a buffer that grows leaves copies behind. */
	if (strbuf_reserve(out, strlen(auth->now.header)) == 0) {
		strbuf_adds(out, auth->now.header);
	}
	unsigned generation = auth->generation;
	pthread_mutex_unlock(&auth->lock);
	return generation;
}

/* Takes the new ones over, or drops them where they are the same. */
static void take_over(struct auth *auth, struct secrets *fresh)
{
	pthread_mutex_lock(&auth->lock);
	auth->generation++;
	if (strcmp(fresh->header, auth->now.header) != 0) {
		struct secrets old = auth->now;
		auth->now = *fresh;
		*fresh = old;
		auth->changed = auth->generation;
	}
	pthread_mutex_unlock(&auth->lock);
	secrets_forget(fresh);
}

static bool was_read_since(struct auth *auth, unsigned generation, bool *ret_others)
{
	pthread_mutex_lock(&auth->lock);
	bool read = auth->generation != generation;
	*ret_others = (int)(auth->changed - generation) > 0;
	pthread_mutex_unlock(&auth->lock);
	return read;
}

int auth_reload_until(struct auth *auth, unsigned generation, int cancel_fd)
{
	bool others = false;
	int err = 0;

	if (auth->fixed) {
		return -EALREADY;
	}
	pthread_mutex_lock(&auth->reading);
	if (!was_read_since(auth, generation, &others)) {
		cleanup(strbuf) struct strbuf why = STRBUF_INIT(4096);
		struct secrets fresh = { 0 };
		err = read_source(auth, cancel_fd, &fresh, &why);
		if (!err) {
			take_over(auth, &fresh);
			was_read_since(auth, generation, &others);
		} else if (err != -ECANCELED) {
			log_warn("the credentials stay as they are: %s", strbuf_str(&why));
		}
	}
	pthread_mutex_unlock(&auth->reading);
	if (err < 0) {
		return err;
	}
	return others ? 0 : -EALREADY;
}

int auth_reload(struct auth *auth, unsigned generation)
{
	return auth_reload_until(auth, generation, -1);
}

unsigned auth_generation(struct auth *auth)
{
	pthread_mutex_lock(&auth->lock);
	unsigned generation = auth->generation;
	pthread_mutex_unlock(&auth->lock);
	return generation;
}

void auth_identity(struct auth *auth, char ret_hex[33])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[EVP_MAX_MD_SIZE] = { 0 };
	struct strbuf text = STRBUF_INIT(2 * AUTH_SOURCE_MAX_BYTES);

	pthread_mutex_lock(&auth->lock);
	bool token = auth->now.token;
	const char *who = token ? auth->now.token : auth->now.key;
	/* The word in front keeps these hashes apart from any other use of the same key. */
	strbuf_reserve(&text, strlen(who) + 32);
	strbuf_addf(&text, "connectfs %s %s", token ? "token" : "key", who);
	pthread_mutex_unlock(&auth->lock);
	if (EVP_Digest(text.buf, text.len, hash, NULL, EVP_sha256(), NULL) != 1) {
		memset(hash, 0, sizeof(hash));
	}
	strbuf_wipe(&text);
	for (size_t i = 0; i < IDENTITY_BYTES; i++) {
		ret_hex[2 * i] = digits[hash[i] >> 4];
		ret_hex[2 * i + 1] = digits[hash[i] & 15];
	}
	ret_hex[(size_t)2 * IDENTITY_BYTES] = '\0';
}

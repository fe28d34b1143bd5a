#include "emulator/uploads.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emulator/account.h"
#include "emulator/json.h"
#include "emulator/mem.h"
#include "emulator/times.h"

#define TEXT_MAX      ((size_t)16 << 10)
#define TAIL_MAX      1024
#define FIRST_MARK    "PK\003\004"
#define LAST_MARK     "PK\005\006"
#define LAST_SIZE     22 /* of what begins with that mark, at least */
#define BUCKET        "emulated-custom-plugins-us-west-2"
#define SECRET_PHRASE "signed by the emulator"

static void hash_text(const char *text, char out[UPLOAD_SHA_SIZE])
{
	struct archive archive;
	struct reception *reception = reception_create();
	reception_add(reception, SECRET_PHRASE, strlen(SECRET_PHRASE));
	reception_add(reception, text, strlen(text));
	reception_finish(reception, &archive);
	reception_destroy(reception);
	memcpy(out, archive.sha256, UPLOAD_SHA_SIZE);
}

static void make_id(uint64_t number, char id[UPLOAD_ID_SIZE])
{
	char seed[32];
	char hex[UPLOAD_SHA_SIZE];
	snprintf(seed, sizeof(seed), "upload %" PRIu64, number);
	hash_text(seed, hex);
	snprintf(id, UPLOAD_ID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
		hex + 20);
}

/* The conditions of a form, as S3 has them. */
static char *make_policy(const cJSON *form, int64_t expires_ms)
{
	char text[TIME_SIZE];
	cleanup(strbuf) struct strbuf policy = STRBUF_INIT(TEXT_MAX);
	time_write(expires_ms / 1000, text);
	json_begin(&policy, '{');
	json_field(&policy, "expiration", text);
	json_key(&policy, "conditions");
	json_begin(&policy, '[');
	const cJSON *field;
	cJSON_ArrayForEach(field, form)
	{
		json_begin(&policy, '{');
		json_field(&policy, field->string, field->valuestring);
		json_end(&policy, '}');
	}
	strbuf_addf(&policy, ",[\"content-length-range\",1,%" PRIu64 "]", UPLOAD_MAX);
	json_end(&policy, ']');
	json_end(&policy, '}');
	char *encoded = mem_alloc(4 * ((policy.len + 2) / 3) + 1);
	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)strbuf_str(&policy),
		(int)policy.len);
	return encoded;
}

static void make_form(struct upload *upload)
{
	char key[256];
	char date[TIME_SIZE];
	char hash[UPLOAD_SHA_SIZE];
	time_t now = time(NULL);
	struct tm tm;
	gmtime_r(&now, &tm);
	strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(key, sizeof(key), "custom-plugin/" ACCOUNT_ORGANIZATION "/%s/plugin.%s",
		upload->id, strcmp(upload->format, "JAR") == 0 ? "jar" : "zip");
	upload->form = cJSON_CreateObject();
	cJSON_AddStringToObject(upload->form, "bucket", BUCKET);
	cJSON_AddStringToObject(upload->form, "key", key);
	cJSON_AddStringToObject(upload->form, "x-amz-algorithm", "AWS4-HMAC-SHA256");
	snprintf(key, sizeof(key), "ASIAEMULATED/%.8s/us-west-2/s3/aws4_request", date);
	cJSON_AddStringToObject(upload->form, "x-amz-credential", key);
	cJSON_AddStringToObject(upload->form, "x-amz-date", date);
	hash_text(upload->id, hash);
	cJSON_AddStringToObject(upload->form, "x-amz-security-token", hash);
	cleanup(free) char *policy = make_policy(upload->form, upload->expires_ms);
	hash_text(policy, hash);
	cJSON_AddStringToObject(upload->form, "policy", policy);
	cJSON_AddStringToObject(upload->form, "x-amz-signature", hash);
	upload->path = mem_dup("/");
}

static void make_path(struct upload *upload)
{
	char path[512];
	char expiry[TIME_SIZE];
	char hash[UPLOAD_SHA_SIZE];
	time_write(upload->expires_ms / 1000, expiry);
	hash_text(upload->id, hash);
	const char *suffix = strcmp(upload->format, "JAR") == 0 ? "jar" : "zip";
	if (strcmp(upload->cloud, "AZURE") == 0) {
		snprintf(path, sizeof(path),
			"/azure/%s/plugin.%s?sv=2021-08-06&se=%s&sr=b&sp=w&sig=%s", upload->id,
			suffix, expiry, hash);
	} else {
		snprintf(path, sizeof(path),
			"/gcp/%s/plugin.%s?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Expires=%" PRId64
			"&X-Goog-SignedHeaders=host&X-Goog-Signature=%s",
			upload->id, suffix, (upload->expires_ms - clock_wall_ms() + 999) / 1000,
			hash);
	}
	upload->path = mem_dup(path);
}

struct upload *upload_create(
	struct account *account, const char *cloud, const char *format, const char *environment)
{
	struct upload *upload = mem_alloc(sizeof(*upload));
	make_id(++account->upload_ids, upload->id);
	upload->cloud = strcmp(cloud, "AZURE") == 0 ? "AZURE"
			: strcmp(cloud, "GCP") == 0 ? "GCP"
						    : "AWS";
	upload->format = strcmp(format, "JAR") == 0 ? "JAR" : "ZIP";
	upload->environment = environment ? mem_dup(environment) : NULL;
	upload->expires_ms = clock_wall_ms() + account->upload_expiry_ms;
	if (strcmp(upload->cloud, "AWS") == 0) {
		make_form(upload);
	} else {
		make_path(upload);
	}
	DL_APPEND(account->uploads, upload);
	return upload;
}

void upload_destroy(struct upload *upload)
{
	free(upload->environment);
	free(upload->path);
	cJSON_Delete(upload->form);
	free(upload);
}

struct upload *upload_find(const struct account *account, const char *id)
{
	struct upload *upload;
	DL_FOREACH (account->uploads, upload) {
		if (strcmp(upload->id, id) == 0) {
			return upload;
		}
	}
	return NULL;
}

bool upload_is_expired(const struct upload *upload)
{
	return clock_wall_ms() >= upload->expires_ms;
}

struct reception {
	EVP_MD_CTX *hash; /* owned */
	uint64_t size;
	char head[4];
	char tail[TAIL_MAX]; /* the last bytes */
	size_t tail_len;
};

struct reception *reception_create(void)
{
	struct reception *reception = mem_alloc(sizeof(*reception));
	reception->hash = EVP_MD_CTX_new();
	EVP_DigestInit_ex(reception->hash, EVP_sha256(), NULL);
	return reception;
}

void reception_destroy(struct reception *reception)
{
	if (reception) {
		EVP_MD_CTX_free(reception->hash);
		free(reception);
	}
}

static void keep_tail(struct reception *reception, const char *data, size_t len)
{
	if (len >= TAIL_MAX) {
		memcpy(reception->tail, data + (len - TAIL_MAX), TAIL_MAX);
		reception->tail_len = TAIL_MAX;
		return;
	}
	size_t kept = reception->tail_len;
	kept = kept + len > TAIL_MAX ? TAIL_MAX - len : kept;
	memmove(reception->tail, reception->tail + reception->tail_len - kept, kept);
	memcpy(reception->tail + kept, data, len);
	reception->tail_len = kept + len;
}

void reception_add(struct reception *reception, const void *data, size_t len)
{
	EVP_DigestUpdate(reception->hash, data, len);
	for (size_t i = 0; reception->size + i < sizeof(reception->head) && i < len; i++) {
		reception->head[reception->size + i] = ((const char *)data)[i];
	}
	keep_tail(reception, data, len);
	reception->size += len;
}

/* A local file header at the start, and the directory's end near the end. */
static bool is_zip(const struct reception *reception)
{
	return reception->tail_len >= LAST_SIZE &&
	       memcmp(reception->head, FIRST_MARK, sizeof(reception->head)) == 0 &&
	       memmem(reception->tail, reception->tail_len - LAST_SIZE + 4, LAST_MARK, 4) != NULL;
}

void reception_finish(struct reception *reception, struct archive *ret_archive)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;
	EVP_DigestFinal_ex(reception->hash, digest, &len);
	*ret_archive = (struct archive){ .size = reception->size, .is_zip = is_zip(reception) };
	for (unsigned i = 0; i < len && 2 * i + 2 < UPLOAD_SHA_SIZE; i++) {
		snprintf(ret_archive->sha256 + 2 * (size_t)i, 3, "%02x", digest[i]);
	}
}

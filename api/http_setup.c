#include <errno.h>
#include <string.h>

#include "api/auth.h"
#include "api/http_priv.h"

#define URL_MAX_BYTES      (size_t)(128 * 1024)
#define HEADER_MAX_BYTES   (size_t)(128 * 1024)
#define CONNECT_TIMEOUT_MS 10000L
#define KEEPALIVE_IDLE_S   30L
#define KEEPALIVE_STEP_S   15L

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_flight *flight = arg;
	struct http_body *in = &flight->in;
	size_t len = size * count;

	if (!in->begun) {
		struct curl_header *header;
		long status = 0;
		curl_easy_getinfo(flight->easy, CURLINFO_RESPONSE_CODE, &status);
		bool good = status >= 200 && status <= 299;
		bool labelled = curl_easy_header(flight->easy, "Content-Encoding", 0, CURLH_HEADER,
					-1, &header) == CURLHE_OK;
		http_body_begin(
			in, good, labelled, good ? flight->http->max_answer : HTTP_ERROR_MAX_BYTES);
	}
	size_t before = in->total;
	int err = http_body_add(in, bytes, len);
	flight->http->bytes += in->total - before;
	return err < 0 ? 0 : len;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_flight *flight = arg;
	size_t len = size * count;
	flight->header_bytes += len;
	if (flight->header_bytes > HTTP_HEADERS_MAX_BYTES) {
		flight->in.err = -EFBIG;
		return 0;
	}
	/* libcurl takes headers that end with the connection for complete ones. */
	if (len >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
		flight->headed = false;
	} else if (len > 0 && (bytes[0] == '\r' || bytes[0] == '\n')) {
		flight->headed = true;
	}
	return len;
}

/* Called each time the request is about to be sent. libcurl would silently send it again when a
 * kept connection turns out to be dead, and cannot know whether the first one was carried out. */
static int on_issue(void *arg, char *remote_ip, char *local_ip, int remote_port, int local_port)
{
	struct http_flight *flight = arg;

	if (flight->issued && !http_attempt_may_repeat(flight) &&
		http_attempt_may_have_arrived(flight)) {
		flight->resent = true;
		return CURL_PREREQFUNC_ABORT;
	}
	if (flight->issued) {
		flight->sent++;
	} else {
		curl_easy_getinfo(flight->easy, CURLINFO_REQUEST_SIZE, &flight->sent_before);
	}
	flight->issued = true;
	flight->http->requests++;
	return CURL_PREREQFUNC_OK;
}

bool http_add_header(struct http_flight *flight, const char *line)
{
	struct curl_slist *list = curl_slist_append(flight->headers, line);
	if (list) {
		flight->headers = list;
	}
	return list;
}

static bool add_headers(struct http_flight *flight)
{
	struct strbuf signature = STRBUF_INIT(HEADER_MAX_BYTES);
	flight->generation = auth_header(flight->http->auth, &signature);
	bool ok = !signature.err && http_add_header(flight, strbuf_str(&signature));
	strbuf_wipe(&signature);

	struct strbuf accept = STRBUF_INIT(HEADER_MAX_BYTES);
	strbuf_addf(&accept, "Accept: %s", flight->accept);
	ok = ok && !accept.err && http_add_header(flight, strbuf_str(&accept)) &&
	     http_add_header(flight, "Expect:");
	strbuf_finish(&accept);
	/* Without a value it takes away the one that libcurl would add to an empty body. */
	return ok && http_add_header(flight,
			     flight->body ? "Content-Type: application/json" : "Content-Type:");
}

static bool set_url(struct http_flight *flight)
{
	if (flight->url) {
		return curl_easy_setopt(flight->easy, CURLOPT_URL, flight->url) == CURLE_OK;
	}
	struct strbuf url = STRBUF_INIT(URL_MAX_BYTES);
	strbuf_adds(&url, flight->http->url);
	strbuf_adds(&url, flight->target);
	bool ok = !url.err && curl_easy_setopt(flight->easy, CURLOPT_URL, url.buf) == CURLE_OK;
	strbuf_finish(&url);
	return ok;
}

static bool set_method(struct http_flight *flight)
{
	CURL *easy = flight->easy;
	if (flight->method == HTTP_GET) {
		return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	}
	if (flight->body || flight->method != HTTP_DELETE) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)flight->body_len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, flight->body ? flight->body : "");
	}
	return curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, http_method_name(flight->method)) ==
	       CURLE_OK;
}

static bool set_connection(const struct http_flight *flight)
{
	const struct http *http = flight->http;
	CURL *easy = flight->easy;
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Leaves a resolver thread that hangs alone instead of waiting for it. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_STEP_S);
	/* The library of HTTP/2 keeps the frames that it sent last, and wipes nothing: what may
	 * hold a secret goes over a connection of its own. */
	bool shared = http->tls && !flight->secret;
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
		(long)(shared ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
	/* Without TLS there is nothing to wait for: each request would queue behind the first. */
	curl_easy_setopt(easy, CURLOPT_PIPEWAIT, shared ? 1L : 0L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_SHARE, http->share);
	if (http->authorities.data &&
		curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &http->authorities) != CURLE_OK) {
		return false;
	}
	return true;
}

/* A request of the API stays with the scheme of its URL; an upload's was checked. */
static bool set_protocols(const struct http_flight *flight)
{
	const char *protocols = flight->upload      ? "http,https"
				: flight->http->tls ? "https"
						    : "http";
	return curl_easy_setopt(flight->easy, CURLOPT_PROTOCOLS_STR, protocols) == CURLE_OK;
}

static bool set_request(struct http_flight *flight)
{
	CURL *easy = flight->easy;
	curl_easy_setopt(easy, CURLOPT_PRIVATE, flight);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, flight);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, flight);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_issue);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, flight);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, flight->error);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	/* Our headers are for the server, not for a proxy's CONNECT. */
	curl_easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, flight->headers);
	return curl_easy_setopt(easy, CURLOPT_USERAGENT, "connectfs/" CONNECTFS_VERSION) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip") == CURLE_OK;
}

int http_setup(struct http_flight *flight)
{
	flight->easy = curl_easy_init();
	int err = -ENOMEM;
	if (flight->easy && set_url(flight) && set_connection(flight) && set_protocols(flight)) {
		err = flight->upload                              ? http_upload_setup(flight)
		      : add_headers(flight) && set_method(flight) ? 0
								  : -ENOMEM;
	}
	if (err == 0 && !set_request(flight)) {
		err = -ENOMEM;
	}
	if (err < 0) {
		http_setup_undo(flight);
	}
	return err;
}

void http_setup_undo(struct http_flight *flight)
{
	curl_easy_cleanup(flight->easy);
	flight->easy = NULL;
	http_upload_undo(flight);
	for (struct curl_slist *header = flight->headers; header; header = header->next) {
		explicit_bzero(header->data, strlen(header->data));
	}
	curl_slist_free_all(flight->headers);
	flight->headers = NULL;
}

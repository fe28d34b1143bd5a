#include <errno.h>
#include <unistd.h>

#include "api/http_priv.h"
#include "api/url.h"

#define BUFFER_BYTES 262144L

static size_t on_read(char *bytes, size_t size, size_t count, void *arg)
{
	struct http_flight *flight = arg;
	const struct http_upload *upload = flight->upload;
	uint64_t left = upload->size - flight->uploaded;
	size_t want = left < size * count ? (size_t)left : size * count;
	ssize_t got;

	if (want == 0) {
		return 0;
	}
	do {
		got = pread(upload->fd, bytes, want, (off_t)flight->uploaded);
	} while (got < 0 && errno == EINTR);
	if (got <= 0) {
		/* It has become shorter, or cannot be read. */
		flight->in.err = -EIO;
		return CURL_READFUNC_ABORT;
	}
	flight->uploaded += (uint64_t)got;
	return (size_t)got;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct http_flight *flight = arg;
	if (origin != SEEK_SET || offset < 0) {
		return CURL_SEEKFUNC_FAIL;
	}
	flight->uploaded = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static bool add_field(curl_mime *form, const struct http_field *field)
{
	curl_mimepart *part = curl_mime_addpart(form);
	return part && curl_mime_name(part, field->name) == CURLE_OK &&
	       curl_mime_data(part, field->value, CURL_ZERO_TERMINATED) == CURLE_OK;
}

/* The storage ignores whatever field comes after the file. */
static bool set_form(struct http_flight *flight)
{
	const struct http_upload *upload = flight->upload;
	flight->form = curl_mime_init(flight->easy);
	for (size_t i = 0; flight->form && i < upload->field_count; i++) {
		if (!add_field(flight->form, &upload->fields[i])) {
			return false;
		}
	}
	curl_mimepart *file = flight->form ? curl_mime_addpart(flight->form) : NULL;
	return file && curl_mime_name(file, "file") == CURLE_OK &&
	       curl_mime_filename(file, upload->file_name) == CURLE_OK &&
	       curl_mime_type(file, "application/octet-stream") == CURLE_OK &&
	       curl_mime_data_cb(file, (curl_off_t)upload->size, on_read, on_seek, NULL, flight) ==
		       CURLE_OK &&
	       curl_easy_setopt(flight->easy, CURLOPT_MIMEPOST, flight->form) == CURLE_OK;
}

static bool set_body(struct http_flight *flight)
{
	CURL *easy = flight->easy;
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, flight);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, flight);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)flight->upload->size);
	return !flight->upload->header || http_add_header(flight, flight->upload->header);
}

int http_upload_setup(struct http_flight *flight)
{
	int err = url_check_upload(flight->url);
	if (err < 0) {
		return err;
	}
	flight->uploaded = 0;
	curl_easy_setopt(flight->easy, CURLOPT_UPLOAD_BUFFERSIZE, BUFFER_BYTES);
	/* Nothing else goes there. */
	curl_easy_setopt(flight->easy, CURLOPT_FORBID_REUSE, 1L);
	bool ok = http_add_header(flight, "Expect:") &&
		  (flight->method == HTTP_POST ? set_form(flight) : set_body(flight));
	return ok ? 0 : -ENOMEM;
}

void http_upload_undo(struct http_flight *flight)
{
	curl_mime_free(flight->form);
	flight->form = NULL;
}

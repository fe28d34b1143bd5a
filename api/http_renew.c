#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/auth.h"
#include "api/http_priv.h"

int http_renew_init(struct http_renewal *renewal)
{
	renewal->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return renewal->cancel_fd < 0 ? -errno : 0;
}

void http_renew_finish(struct http_renewal *renewal)
{
	if (renewal->running) {
		eventfd_write(renewal->cancel_fd, 1);
		pthread_join(renewal->thread, NULL);
		renewal->running = false;
	}
	if (renewal->cancel_fd >= 0) {
		close(renewal->cancel_fd);
	}
	renewal->cancel_fd = -1;
}

static void *renew(void *arg)
{
	struct http *http = arg;
	struct http_renewal *renewal = &http->renewal;
	renewal->result = auth_reload_until(http->auth, renewal->generation, renewal->cancel_fd);
	atomic_store(&renewal->finished, true);
	curl_multi_wakeup(http->multi);
	return NULL;
}

static void settle(struct http *http)
{
	struct http_renewal *renewal = &http->renewal;
	struct http_flight *flight;

	for (flight = http->flights; flight; flight = flight->next) {
		if (flight->state != HTTP_UNSIGNED || flight->generation != renewal->generation) {
			continue;
		}
		if (renewal->result < 0) {
			http_flight_end(flight, flight->last_err);
			continue;
		}
		free(flight->url);
		flight->url = NULL;
		flight->redirects = 0;
		flight->renewed = true;
		flight->last_err = 0;
		flight->state = HTTP_QUEUED;
	}
}

static void start(struct http *http)
{
	struct http_renewal *renewal = &http->renewal;
	struct http_flight *flight;

	for (flight = http->flights; flight; flight = flight->next) {
		if (flight->state != HTTP_UNSIGNED) {
			continue;
		}
		renewal->generation = flight->generation;
		atomic_store(&renewal->finished, false);
		if (pthread_create(&renewal->thread, NULL, renew, http) == 0) {
			renewal->running = true;
			return;
		}
		http_flight_end(flight, flight->last_err);
	}
}

void http_renew_step(struct http *http)
{
	struct http_renewal *renewal = &http->renewal;

	if (renewal->running && atomic_load(&renewal->finished)) {
		pthread_join(renewal->thread, NULL);
		renewal->running = false;
		settle(http);
	}
	if (!renewal->running) {
		start(http);
	}
}

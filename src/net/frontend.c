/* A running frontend: the object its listeners, acceptors and the operator share. */
#include "net/frontend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "net/net_internal.h"

int frontend_create(const struct config_proxy *config, unsigned workers, uint32_t maxconn_default,
	struct frontend **ret_frontend)
{
	CHECK(workers > 0);
	struct frontend *frontend = calloc(1, sizeof(*frontend));
	struct traffic_counters *counters = traffic_counters_create(workers);
	if (!frontend || !counters) {
		free(frontend);
		free(counters);
		return -ENOMEM;
	}
	frontend->config = config;
	frontend->workers = workers;
	frontend->counters = counters;
	frontend->maxconn = config->maxconn ? config->maxconn : maxconn_default;
	frontend->state = FRONTEND_OPEN;
	*ret_frontend = frontend;
	return 0;
}

void frontend_destroy(struct frontend *frontend)
{
	if (!frontend)
		return;
	listener_destroy_all(frontend);
	free(frontend->counters);
	free(frontend);
}

void frontend_counters(const struct frontend *frontend, struct traffic_counters *ret_total)
{
	memset(ret_total, 0, sizeof(*ret_total));
	for (unsigned i = 0; i < frontend->workers; i++)
		traffic_counters_add(ret_total, &frontend->counters[i]);
}

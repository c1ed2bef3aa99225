/* Whether there is a wire engine, and how large. */

#include "worker/instance_wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "relay/wire_hub.h"

enum { CONNECTIONS_MAX_DEFAULT = 32768 };

static bool is_wire(const char *engine)
{
	return engine != NULL && strcmp(engine, "wire") == 0;
}

bool instance_wire_is_wanted(const struct config *config)
{
	bool is_wanted = config->global.has_wire_interfaces || is_wire(config->global.relay);
	for (const struct config_proxy *proxy = config->proxies; proxy != NULL; proxy = proxy->next)
		is_wanted = is_wanted || is_wire(proxy->relay);
	return is_wanted;
}

static unsigned entries_wanted(const struct instance *instance)
{
	uint64_t entries = (uint64_t)instance->limits.maxconn * 3 / 2 + 1;
	if (instance->config->global.wire_connections != 0)
		return instance->config->global.wire_connections;
	return entries < CONNECTIONS_MAX_DEFAULT ? (unsigned)entries : CONNECTIONS_MAX_DEFAULT;
}

/* Packets that are spliced pass connection tracking by, whose entries for them then stay as
 * they are until they expire. */
static void tracking_warn(void)
{
	char line[32];
	FILE *file = fopen("/proc/sys/net/netfilter/nf_conntrack_count", "re");
	if (file == NULL)
		return;
	if (fgets(line, sizeof(line), file) != NULL && strtoul(line, NULL, 10) > 0)
		log_event(LOG_LEVEL_WARNING,
			"relay wire: connections are tracked here (nf_conntrack): exempt the ports of this proxy ('notrack'), or entries of spliced connections stay until they expire.");
	fclose(file);
}

void instance_wire_create(struct instance *instance)
{
	struct wire_hub_options options = {
		.entries_max = entries_wanted(instance),
		.interfaces = instance->config->global.wire_interfaces,
		.has_peer_redirect = instance->config->global.has_wire_peer,
	};
	if (!instance_wire_is_wanted(instance->config))
		return;
	instance->wire_parked_max = options.entries_max / 3 + 1;
	if (wire_hub_create(&options, &instance->wire, instance->wire_refusal) != 0)
		log_event(LOG_LEVEL_WARNING, "relay wire: %s. Connections are left to the next engine.",
			instance->wire_refusal);
	else
		tracking_warn();
}

int instance_wire_start(struct instance *instance)
{
	if (instance->wire == NULL)
		return 0;
	int error = wire_hub_start(instance->wire, instance->control_loop);
	if (error != 0)
		log_event(LOG_LEVEL_ALERT, "relay wire: cannot be started: %s", strerror(-error));
	return error;
}

void instance_wire_stop(struct instance *instance)
{
	if (instance->wire != NULL)
		wire_hub_stop(instance->wire);
}

void instance_wire_destroy(struct instance *instance)
{
	wire_hub_destroy(instance->wire);
	instance->wire = NULL;
}

/* Drawing the parameters of a run, and their names. */

#include "sim_params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

struct sim_params sim_params;

#define ROW(name)                                        \
	{                                                \
#name, offsetof(struct sim_params, name) \
	}
static const struct {
	const char *name;
	size_t offset;
} rows[] = {
	ROW(workers),
	ROW(servers),
	ROW(backups),
	ROW(engine),
	ROW(is_splice_usable),
	ROW(balance),
	ROW(hash_type),
	ROW(minconn),
	ROW(slowstart_ms),
	ROW(buffer_bytes),
	ROW(pipe_bytes),
	ROW(pipes_max),
	ROW(wake_bytes),
	ROW(held_buffers),
	ROW(burst),
	ROW(maxconn_global),
	ROW(maxconn_frontend),
	ROW(maxconn_bind),
	ROW(maxconn_server),
	ROW(maxqueue),
	ROW(retries),
	ROW(redispatch_every),
	ROW(is_redispatch_last),
	ROW(connect_ms),
	ROW(client_ms),
	ROW(server_ms),
	ROW(client_fin_ms),
	ROW(server_fin_ms),
	ROW(tunnel_ms),
	ROW(queue_ms),
	ROW(has_abortonclose),
	ROW(has_nolinger),
	ROW(has_contstats),
	ROW(is_backendless),
	ROW(clients),
	ROW(spread_ms),
	ROW(stop_ms),
	ROW(stream_bytes),
	ROW(sndbuf_bytes),
	ROW(rcvbuf_bytes),
	ROW(segment_bytes),
	ROW(delay_ms),
	ROW(is_stop_reset),
	ROW(refuse),
	ROW(never_answer),
	ROW(peer_reset),
	ROW(peer_close),
	ROW(peer_silent),
	ROW(slow_reader),
	ROW(never_reader),
	ROW(half_closer),
	ROW(drought_ms),
	ROW(fault_accept),
	ROW(fault_socket),
	ROW(fault_connect),
	ROW(fault_watch),
	ROW(fault_pipe),
	ROW(fault_memory),
	ROW(fault_eintr),
	ROW(spurious),
	ROW(jitter),
	ROW(storm),
	ROW(operator_action),
	ROW(kill),
};
_Static_assert(
	ARRAY_LENGTH(rows) * sizeof(unsigned) == sizeof(struct sim_params), "every parameter has its row");

static unsigned *value_at(size_t offset)
{
	return (unsigned *)(void *)((char *)&sim_params + offset);
}

bool sim_params_override(const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	if (equals == NULL)
		return false;
	size_t len = (size_t)(equals - assignment);
	char *end = NULL;
	unsigned long value = strtoul(equals + 1, &end, 10);
	if (end == equals + 1 || *end != '\0')
		return false;
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		if (strlen(rows[i].name) == len && strncmp(rows[i].name, assignment, len) == 0) {
			*value_at(rows[i].offset) = (unsigned)value;
			return true;
		}
	}
	return false;
}

void sim_params_trace(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		SIM_TRACE("param %s=%u", rows[i].name, *value_at(rows[i].offset));
}

void sim_params_names_print(void)
{
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		printf("  %s\n", rows[i].name);
}

/* `often` per mille of the runs have a value of 1..most, the others 0. */
static unsigned sometimes(unsigned often, unsigned most)
{
	return sim_chance(often) ? 1 + sim_below(most) : 0;
}

/* Any size up to 2^bits, small ones as likely as large ones. */
static unsigned scaled(unsigned bits_low, unsigned bits_high)
{
	unsigned bits = sim_between(bits_low, bits_high);
	return (1u << bits) + sim_below(1u << bits);
}

static void draw_limits(struct sim_params *params)
{
	params->maxconn_global = sometimes(200, params->clients);
	params->maxconn_frontend = sometimes(200, params->clients);
	params->maxconn_bind = sometimes(200, params->clients);
	params->maxconn_server = sometimes(400, 3);
	params->maxqueue = sometimes(150, 3);
	params->burst = sim_between(1, 8);
	params->retries = sim_below(4);
	params->redispatch_every = sometimes(300, 3);
	params->is_redispatch_last = sim_chance(300);
}

static void draw_times(struct sim_params *params)
{
	params->is_stop_reset = sim_chance(40);
	if (params->is_stop_reset)
		return; /* no time-outs at all: the peers end it */
	params->connect_ms = sim_between(50, 4000);
	params->client_ms = sim_between(200, 20000);
	params->server_ms = sim_between(200, 20000);
	params->client_fin_ms = sometimes(400, 4000);
	params->server_fin_ms = sometimes(400, 4000);
	params->tunnel_ms = sometimes(200, 20000);
	params->queue_ms = sometimes(500, 4000);
}

static void draw_relay(struct sim_params *params)
{
	bool is_bulk = sim_chance(40);
	params->engine = sim_below(3);
	params->is_splice_usable = !sim_chance(60);
	params->buffer_bytes = is_bulk ? 128 * 1024 : scaled(4, 12);
	params->pipe_bytes = scaled(6, 14);
	params->pipes_max = sim_below(6);
	params->wake_bytes = params->pipe_bytes % 2 == 0 ? params->pipe_bytes / 8 : 0;
	params->held_buffers = sim_between(1, 5);
	params->stream_bytes = is_bulk ? 1024 * 1024 : scaled(2, 14);
	params->sndbuf_bytes = is_bulk ? 256 * 1024 : scaled(4, 12);
	params->rcvbuf_bytes = is_bulk ? 256 * 1024 : scaled(4, 12);
	params->segment_bytes = is_bulk ? 96 * 1024 : scaled(3, 11);
	params->delay_ms = sim_chance(300) ? 0 : sim_between(1, 60);
}

static void draw_peers(struct sim_params *params)
{
	params->refuse = sometimes(300, 800);
	params->never_answer = sometimes(200, 600);
	params->peer_reset = sometimes(500, 500);
	params->peer_close = sometimes(400, 500);
	params->peer_silent = sometimes(200, 500);
	params->slow_reader = sometimes(400, 600);
	params->never_reader = sometimes(300, 400);
	params->half_closer = sim_below(1000);
}

static void draw_faults(struct sim_params *params)
{
	params->drought_ms = sometimes(100, 3000);
	params->fault_accept = sometimes(200, 400);
	params->fault_socket = sometimes(150, 300);
	params->fault_connect = sometimes(150, 300);
	params->fault_watch = sometimes(100, 200);
	params->fault_pipe = sometimes(200, 700);
	params->fault_memory = sometimes(200, 300);
	params->fault_eintr = sometimes(300, 200);
	params->spurious = sometimes(500, 200);
	params->jitter = sometimes(700, 700);
	params->storm = sometimes(200, 20);
	params->operator_action = sometimes(300, 30);
	params->kill = sometimes(200, 10);
}

void sim_params_draw(void)
{
	struct sim_params *params = &sim_params;
	memset(params, 0, sizeof(*params));
	params->workers = sim_between(1, 2);
	params->servers = sim_between(1, 3);
	params->backups = sometimes(150, params->servers);
	params->balance = sim_below(CONFIG_BALANCE_RANDOM + 1);
	params->clients = sim_between(1, 10);
	params->spread_ms = sim_chance(400) ? 0 : sim_below(3000);
	params->stop_ms = sim_between(3000, 40000);
	params->has_abortonclose = sim_chance(200);
	params->has_nolinger = sim_chance(60);
	params->has_contstats = sim_chance(100);
	params->is_backendless = sim_chance(5);
	draw_limits(params);
	draw_times(params);
	draw_relay(params);
	draw_peers(params);
	draw_faults(params);
	params->hash_type = sim_below(CONFIG_HASH_MAGLEV + 1);
	params->minconn = sometimes(200, 2);
	params->slowstart_ms = sometimes(200, 2000);
}

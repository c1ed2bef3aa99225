/* Slow starts: a server that is back comes to its full weight and limit evenly over
 * a time.  Shares are reckoned anew every so often, by whoever chooses or ticks. */
#include "backend/backend_internal.h"
#include "base/clock.h"

enum {
	STEPS = 20, /* of a slow start, unless they would be shorter or longer than: */
	STEP_MIN_MS = 10,
	STEP_MAX_MS = 1000,
};

static uint32_t step_ms_of(const struct config_server *config)
{
	uint32_t step_ms = config->slowstart_ms / STEPS;
	if (step_ms < STEP_MIN_MS)
		return STEP_MIN_MS;
	return step_ms < STEP_MAX_MS ? step_ms : STEP_MAX_MS;
}

static uint64_t began_read(const struct server *server)
{
	return __atomic_load_n(&server->slowstart_ms, __ATOMIC_RELAXED);
}

static void began_write(struct server *server, uint64_t value_ms)
{
	__atomic_store_n(&server->slowstart_ms, value_ms, __ATOMIC_RELAXED);
}

/* A clock at 0 would look like no slow start: it began in the next millisecond. */
void server_slowstart_begin_locked(struct server *server)
{
	struct backend_private *private = backend_private(server->backend);
	uint64_t now_ms = clock_monotonic_ms();
	if (server->config->slowstart_ms == 0)
		return;
	private->slowstarts += began_read(server) == 0;
	began_write(server, now_ms ? now_ms : 1);
	private->slowstart_next_ms = now_ms;
}

void server_slowstart_end_locked(struct server *server)
{
	if (began_read(server) == 0)
		return;
	backend_private(server->backend)->slowstarts--;
	began_write(server, 0);
}

uint32_t server_slowstart_part(const struct server *server, uint32_t full)
{
	uint64_t began_ms = began_read(server);
	if (began_ms == 0 || full == 0)
		return full;
	uint64_t now_ms = clock_monotonic_ms();
	uint64_t passed_ms = now_ms > began_ms ? now_ms - began_ms : 0;
	if (passed_ms >= server->config->slowstart_ms)
		return full;
	uint32_t part = (uint32_t)(full * passed_ms / server->config->slowstart_ms);
	return part ? part : 1;
}

unsigned server_throttle_percent(const struct server *server)
{
	return server_slowstart_part(server, 100);
}

static bool is_over(const struct server *server, uint64_t now_ms)
{
	uint64_t began_ms = began_read(server);
	return now_ms > began_ms && now_ms - began_ms >= server->config->slowstart_ms;
}

void backend_slowstart_step_locked(struct backend *backend)
{
	struct backend_private *private = backend_private(backend);
	if (private->slowstarts == 0)
		return;
	uint64_t now_ms = clock_monotonic_ms();
	if (now_ms < private->slowstart_next_ms)
		return;
	uint32_t step_ms = STEP_MAX_MS;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		struct server *server = &backend->servers[i];
		if (began_read(server) == 0)
			continue;
		uint32_t own_ms = step_ms_of(server->config);
		step_ms = own_ms < step_ms ? own_ms : step_ms;
		if (is_over(server, now_ms))
			server_slowstart_end_locked(server);
	}
	private->slowstart_next_ms = now_ms + step_ms;
	backend_members_update_locked(backend);
}

uint32_t backend_tick_ms(const struct backend *backend)
{
	uint32_t tick_ms = 0;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		const struct config_server *config = backend->servers[i].config;
		uint32_t own_ms = config->slowstart_ms ? step_ms_of(config) : 0;
		if (own_ms > 0 && (tick_ms == 0 || own_ms < tick_ms))
			tick_ms = own_ms;
	}
	return tick_ms;
}

void backend_tick(struct backend *backend)
{
	backend_lock(backend);
	backend_settle_locked(backend);
	backend_unlock(backend);
}

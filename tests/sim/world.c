/* Building, disturbing and taking down the proxy under test. */

#include "world.h"

#include <netinet/in.h>
#include <string.h>

#include "loop_fake.h"
#include "net_fake.h"
#include "session/session_internal.h"
#include "sim_params.h"

struct world world;

static void address_set(struct address *address, unsigned port)
{
	memset(address, 0, sizeof(*address));
	address->v4.sin_family = AF_INET;
	address->v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	address->v4.sin_port = htons((uint16_t)port);
	address->len = sizeof(address->v4);
}

static void timeouts_set(struct config_timeouts *timeouts)
{
	*timeouts = (struct config_timeouts){
		.connect_ms = sim_params.connect_ms,
		.client_ms = sim_params.client_ms,
		.server_ms = sim_params.server_ms,
		.client_fin_ms = sim_params.client_fin_ms,
		.server_fin_ms = sim_params.server_fin_ms,
		.tunnel_ms = sim_params.tunnel_ms,
		.queue_ms = sim_params.queue_ms,
	};
}

static void servers_configure(void)
{
	static const char *const names[WORLD_SERVERS_MAX] = {"one", "two", "three"};
	unsigned count = sim_params.servers < WORLD_SERVERS_MAX ? sim_params.servers : WORLD_SERVERS_MAX;
	for (unsigned i = 0; i < count; i++) {
		struct config_server *server = &world.server_configs[i];
		server->name = names[i];
		server->weight = 1 + sim_below(3);
		server->maxconn = sim_params.maxconn_server;
		server->maxqueue = sim_params.maxqueue;
		server->minconn = sim_params.minconn;
		server->slowstart_ms = sim_params.slowstart_ms;
		server->is_backup = i >= count - sim_params.backups;
		server->next = i + 1 < count ? server + 1 : NULL;
		address_set(&server->address, NET_SERVER_PORT + i);
	}
	world.backend_config.servers = world.server_configs;
	world.backend_config.servers_count = count;
}

static void configure(void)
{
	static const char *const engines[] = {"auto", "copy", "splice"};
	struct config_proxy *frontend = &world.frontend_config, *backend = &world.backend_config;
	world.global.maxaccept = sim_params.burst;
	world.global.relay = engines[sim_params.engine % ARRAY_LENGTH(engines)];
	world.bind = (struct config_bind){
		.text = "sim", .maxconn = sim_params.maxconn_bind, .inherited_fd = -1, .congestion = "reno"};
	address_set(&world.bind.address, 8000);
	frontend->name = "in";
	frontend->roles = CONFIG_ROLE_FRONTEND;
	frontend->binds = &world.bind;
	frontend->maxconn = sim_params.maxconn_frontend;
	frontend->has_nolinger = sim_params.has_nolinger;
	frontend->has_contstats = sim_params.has_contstats;
	timeouts_set(&frontend->timeouts);
	backend->name = "out";
	backend->roles = CONFIG_ROLE_BACKEND;
	backend->balance = (enum config_balance)(sim_params.balance % (CONFIG_BALANCE_RANDOM + 1));
	backend->hash.type = (enum config_hash_type)(sim_params.hash_type % (CONFIG_HASH_MAGLEV + 1));
	backend->fullconn = 6;
	backend->random_draws = 2;
	backend->retries = sim_params.retries;
	backend->redispatch_interval = sim_params.is_redispatch_last ? -1 : (int)sim_params.redispatch_every;
	backend->has_abortonclose = sim_params.has_abortonclose;
	backend->has_allbackups = sim_chance(500);
	timeouts_set(&backend->timeouts);
	servers_configure();
}

static void on_accept(void *context, struct listener *listener, int fd, const struct address *peer)
{
	struct world_worker *worker = context;
	session_open(&worker->table, listener, fd, peer);
}

static void worker_start(unsigned index)
{
	struct world_worker *worker = &world.workers[index];
	worker->loop = loop_create();
	worker->table = (struct session_table){
		.loop = worker->loop,
		.global = &world.global,
		.limits = &world.limits,
		.worker = index,
		.next_id = 1 + index,
		.ids_step = sim_params.workers,
	};
	worker->table.relay_worker.options = (struct relay_worker_options){
		.buffer_bytes = sim_params.buffer_bytes,
		.pipe_bytes = sim_params.pipe_bytes,
		.pipes_max = sim_params.pipes_max,
		.wake_bytes = sim_params.wake_bytes,
		.held_bytes_max = (uint64_t)sim_params.buffer_bytes * sim_params.held_buffers,
	};
	SIM_CHECK(session_table_init(&worker->table) == 0, "session_table_init failed");
	const struct acceptor_options options = {
		.loop = worker->loop,
		.limits = &world.limits,
		.worker = index,
		.burst_max = sim_params.burst,
		.on_accept = on_accept,
		.context = worker,
	};
	SIM_CHECK(acceptor_create(&options, world.frontend->listeners, &worker->acceptor) == 0,
		"acceptor_create failed");
	acceptor_start(worker->acceptor);
}

void world_start(void)
{
	char reason[256] = "";
	memset(&world, 0, sizeof(world));
	configure();
	world.limits.maxconn = sim_params.maxconn_global;
	world.workers_count = sim_params.workers < WORLD_WORKERS_MAX ? sim_params.workers : WORLD_WORKERS_MAX;
	SIM_CHECK(frontend_create(&world.frontend_config, world.workers_count, 0, &world.frontend) == 0,
		"frontend_create failed");
	SIM_CHECK(backend_create(&world.backend_config, world.workers_count, &world.backend) == 0,
		"backend_create failed");
	world.frontend->default_backend = sim_params.is_backendless ? NULL : world.backend;
	SIM_CHECK(listener_open_all(world.frontend, &world.global, reason, sizeof(reason)) == 0,
		"listener_open_all: %s", reason);
	net_pair_find = world_pair_find;
	for (unsigned i = 0; i < world.workers_count; i++)
		worker_start(i);
}

bool world_run(void)
{
	if (sim_params.slowstart_ms > 0)
		backend_tick(world.backend);
	bool was_busy = false;
	unsigned first = sim_below(world.workers_count);
	for (unsigned i = 0; i < world.workers_count; i++) {
		struct loop *loop = world.workers[(first + i) % world.workers_count].loop;
		if (loop_fake_is_idle(loop) && !sim_chance(20))
			continue;
		loop_run_once(loop, 0);
		was_busy = true;
	}
	return was_busy;
}

uint64_t world_timer_us(void)
{
	uint64_t first_us = SIM_NEVER;
	for (unsigned i = 0; i < world.workers_count; i++) {
		uint64_t timer_us = loop_fake_timer_us(world.workers[i].loop);
		if (timer_us < first_us)
			first_us = timer_us;
	}
	return first_us;
}

unsigned world_sessions(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < world.workers_count; i++) {
		const struct list *sessions = &world.workers[i].table.sessions;
		for (const struct list *node = sessions->next; node != sessions; node = node->next)
			count++;
	}
	return count;
}

static bool is_joined(const struct session *session, int fd)
{
	return session->client_fd == fd || session->server_fd == fd;
}

int world_pair_find(int fd)
{
	for (unsigned i = 0; i < world.workers_count; i++) {
		struct list *sessions = &world.workers[i].table.sessions;
		for (struct list *node = sessions->next; node != sessions; node = node->next) {
			const struct session *session = container_of(node, struct session, node);
			if (is_joined(session, fd))
				return session->client_fd == fd ? session->server_fd : session->client_fd;
		}
	}
	return -1;
}

/* --- the operator --- */

static void kill_one(void)
{
	struct session_table *table = &world.workers[sim_below(world.workers_count)].table;
	struct session *session = session_table_next(table, sim_below((uint32_t)table->next_id));
	if (session == NULL)
		return;
	SIM_TRACE("operator kills session %llu", (unsigned long long)session->id);
	world.kills++;
	session_kill(session, sim_chance(500) ? CLOSE_KILLED : CLOSE_SERVER_DOWN);
}

static void server_change(void)
{
	struct server *server = &world.backend->servers[sim_below(world.backend->servers_count)];
	uint32_t value = sim_below(4);
	switch (sim_below(4)) {
	case 0:
		SIM_TRACE("operator: server %u admin %u", server->index, value % 3);
		server_set_admin(server, (enum server_admin)(value % 3));
		return;
	case 1:
		SIM_TRACE("operator: server %u weight %u", server->index, value);
		server_set_weight(server, value);
		return;
	case 2:
		SIM_TRACE("operator: server %u maxconn %u", server->index, value);
		server_set_maxconn(server, value);
		return;
	default:
		SIM_TRACE("operator: server %u up %u", server->index, value % 2);
		server_set_up(server, value % 2);
		return;
	}
}

static void frontend_change(void)
{
	uint32_t value = sim_below(4);
	SIM_TRACE("operator: frontend, maxconn %u", value);
	if (sim_chance(500))
		__atomic_store_n(&world.frontend->state, value < 2 ? FRONTEND_PAUSED : FRONTEND_OPEN,
			__ATOMIC_SEQ_CST);
	else if (sim_chance(500))
		__atomic_store_n(&world.frontend->maxconn, value, __ATOMIC_RELAXED);
	else
		__atomic_store_n(&world.limits.maxconn, value, __ATOMIC_RELAXED);
	acceptor_wake_all(&world.limits);
}

void world_disturb(void)
{
	if (sim_chance(sim_params.kill))
		kill_one();
	if (sim_chance(sim_params.kill / 2) && sim_chance(50))
		world_kill_all();
	if (!sim_chance(sim_params.operator_action))
		return;
	world.changes++;
	if (sim_chance(700))
		server_change();
	else
		frontend_change();
}

void world_settle(void)
{
	for (unsigned i = 0; i < world.backend->servers_count; i++) {
		server_set_admin(&world.backend->servers[i], SERVER_READY);
		server_set_up(&world.backend->servers[i], true);
		server_set_weight(&world.backend->servers[i], 1);
	}
	__atomic_store_n(&world.frontend->state, FRONTEND_OPEN, __ATOMIC_SEQ_CST);
	acceptor_wake_all(&world.limits);
}

void world_kill_all(void)
{
	SIM_TRACE("operator ends all sessions");
	for (unsigned i = 0; i < world.workers_count; i++) {
		world.kills++;
		session_table_kill_all(&world.workers[i].table, CLOSE_SHUTDOWN);
	}
}

/* --- the end --- */

void world_end(void)
{
	for (unsigned i = 0; i < world.workers_count; i++)
		acceptor_stop(world.workers[i].acceptor);
	for (unsigned pass = 0; pass < 4; pass++) {
		for (unsigned i = 0; i < world.workers_count; i++)
			loop_run_once(world.workers[i].loop, 0);
	}
	for (unsigned i = 0; i < world.workers_count; i++) {
		acceptor_destroy(world.workers[i].acceptor);
		session_table_release(&world.workers[i].table);
		SIM_CHECK(loop_fake_timer_us(world.workers[i].loop) == SIM_NEVER, "a timer is left armed");
		loop_destroy(world.workers[i].loop);
	}
	backend_destroy(world.backend);
	frontend_destroy(world.frontend);
}

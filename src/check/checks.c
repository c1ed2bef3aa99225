/* Making the checks of all servers, starting and ending them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "check/check_internal.h"

static unsigned runs_of(const struct config_server *server)
{
	return (unsigned)server->check.is_on + (unsigned)server->agent.is_on;
}

unsigned checks_count(const struct config *config)
{
	unsigned count = 0;
	for (const struct config_proxy *proxy = config->proxies; proxy != NULL; proxy = proxy->next) {
		bool is_run = (proxy->roles & CONFIG_ROLE_BACKEND) && !proxy->is_disabled;
		for (const struct config_server *server = proxy->servers; is_run && server != NULL;
			server = server->next)
			count += runs_of(server);
	}
	return count;
}

/* --- targets --- */

/* Without 'timeout check' the interval bounds the whole. */
static void times_set(struct probe_target *target, const struct config_proxy *proxy, uint32_t inter_ms)
{
	uint32_t connect_ms = proxy->timeouts.connect_ms;
	target->connect_ms = inter_ms;
	target->exchange_ms = proxy->timeouts.check_ms;
	if (target->exchange_ms != 0 && connect_ms != 0 && connect_ms < inter_ms)
		target->connect_ms = connect_ms;
}

/* given: another address than the server's, if there is one; port 0: the server's. */
static struct address address_choose(const struct server *server, const struct address *given, unsigned port)
{
	struct address own;
	server_address(server, &own);
	struct address address = given->len > 0 ? *given : own;
	if (address.any.sa_family == AF_UNIX)
		return address;
	address_set_port(&address, port != 0 ? (uint16_t)port : address_port(&own));
	return address;
}

/* A server's name may have got another address since the last time. */
void check_target_follow(struct check_run *run)
{
	const struct server *server = run->check->server;
	const struct config_check *check = &server->config->check;
	const struct config_agent *agent = &server->config->agent;
	if (run == &run->check->run)
		run->target.address = address_choose(server, &check->address, check->port);
	else
		run->target.address = address_choose(
			server, agent->address.len > 0 ? &agent->address : &check->address, agent->port);
}

static unsigned proxy_version(const struct config_server *config)
{
	const struct config_check *check = &config->check;
	bool is_elsewhere = check->port != 0 || check->address.len > 0;
	bool is_sent = config->send_proxy.has_v1 || config->send_proxy.has_v2;
	if (!check->has_send_proxy && (is_elsewhere || !is_sent))
		return 0;
	return config->send_proxy.has_v2 ? 2 : 1;
}

static void health_target(struct check *check)
{
	const struct config_server *config = check->server->config;
	const struct config_proxy *proxy = check->server->backend->config;
	struct probe_target *target = &check->run.target;
	*target = (struct probe_target){
		.steps = proxy->check.steps,
		.script = proxy->check.name != NULL ? proxy->check.name : "tcp-check",
		.source = &config->source,
		.proxy_version = proxy_version(config),
		.has_linger = proxy->check.kind != CONFIG_CHECK_TCP,
	};
	times_set(target, proxy, config->check.inter_ms);
}

static void agent_target(struct check *check)
{
	const struct config_server *config = check->server->config;
	const struct config_agent *agent = &config->agent;
	check->line = (struct config_check_step){.kind = CONFIG_STEP_EXPECT,
		.match = CONFIG_MATCH_LINE,
		.received_min = -1,
		.ok = CHECK_L7_OK,
		.error = CHECK_L7_INVALID,
		.timeout = CHECK_L7_TIMEOUT};
	if (agent->greeting != NULL)
		check->greeting = (struct config_check_step){.next = &check->line,
			.kind = CONFIG_STEP_SEND,
			.bytes = (const uint8_t *)agent->greeting,
			.len = strlen(agent->greeting)};
	check->agent.target = (struct probe_target){
		.steps = agent->greeting != NULL ? &check->greeting : &check->line,
		.script = "agent-check",
		.source = &config->source,
		.has_linger = true,
	};
	times_set(&check->agent.target, check->server->backend->config, agent->inter_ms);
}

/* --- life --- */

static void run_init(struct check_run *run, struct check *check, bool is_configured)
{
	run->check = check;
	run->is_configured = run->is_enabled = is_configured;
	run->last.status = CHECK_INITIAL;
}

static void check_add(struct checks *checks, struct server *server)
{
	const struct config_server *config = server->config;
	struct check *check = &checks->list[checks->count++];
	check->checks = checks;
	check->server = server;
	check->is_up = true;
	run_init(&check->run, check, config->check.is_on);
	run_init(&check->agent, check, config->agent.is_on);
	health_init(&check->run.health, config->check.rise, config->check.fall);
	health_init(&check->agent.health, 1, 1);
	health_target(check);
	if (config->agent.is_on)
		agent_target(check);
	check_prepare(check);
	server->check = check;
	if (config->check.is_on)
		server_set_up(server, true);
}

int checks_create(
	struct backend *first, const struct config *config, struct loop *loop, struct checks **ret_checks)
{
	/* At most one a run, for a server has one check. */
	size_t size = sizeof(struct checks) + checks_count(config) * sizeof(struct check);
	struct checks *checks = calloc(1, size);
	if (checks == NULL)
		return -ENOMEM;
	checks->loop = loop;
	checks->global = &config->global;
	checks->chance = clock_monotonic_us();
	for (struct backend *backend = first; backend != NULL; backend = backend->next) {
		backend->on_server_errors = check_on_server_errors;
		for (unsigned i = 0; i < backend->servers_count; i++) {
			if (runs_of(backend->servers[i].config) > 0)
				check_add(checks, &backend->servers[i]);
		}
	}
	*ret_checks = checks;
	return 0;
}

static uint32_t first_delay_ms(const struct checks *checks, unsigned index, uint32_t inter_ms)
{
	uint32_t bound_ms = checks->global->spread_checks_max_ms;
	uint32_t spread_ms = bound_ms != 0 && bound_ms < inter_ms ? bound_ms : inter_ms;
	return (uint32_t)((uint64_t)spread_ms * index / checks->count);
}

void checks_start(struct checks *checks)
{
	for (unsigned i = 0; i < checks->count; i++) {
		struct check *check = &checks->list[i];
		const struct config_server *config = check->server->config;
		if (check->run.is_configured)
			check_schedule(&check->run, first_delay_ms(checks, i, config->check.inter_ms));
		if (check->agent.is_configured)
			check_schedule(&check->agent, first_delay_ms(checks, i, config->agent.inter_ms));
	}
}

void checks_destroy(struct checks *checks)
{
	for (unsigned i = 0; checks != NULL && i < checks->count; i++) {
		struct check *check = &checks->list[i];
		check_stop(&check->run);
		check_stop(&check->agent);
		CHECK(!check->is_posted);
		check->server->check = NULL;
		check->server->backend->on_server_errors = NULL;
	}
	free(checks);
}

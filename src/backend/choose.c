/* Which server gets a session. */
#include "backend/backend_internal.h"
#include "backend/hash_key.h"
#include "base/check.h"

bool backend_wants_local(const struct backend *backend)
{
	const struct config_proxy *config = backend->config;
	return config->balance == CONFIG_BALANCE_HASH &&
		(config->hash.key == CONFIG_HASH_DST || config->hash.key == CONFIG_HASH_DST_PORT);
}

struct choice choice_make(const struct backend *backend, const struct choose_request *request)
{
	CHECK(!request->stick || request->stick->backend == backend);
	return (struct choice){
		.ticket = CHOICE_NEW,
		.hash = backend->balancer->is_keyed ? hash_key_number(backend->config, request) : 0,
		.avoid = request->avoid,
		.stick = request->stick,
	};
}

enum verdict { VERDICT_TAKE, VERDICT_ASIDE, VERDICT_AVOID, VERDICT_FULL };

static enum verdict judge(const struct server *server, const struct choice *choice)
{
	if (!server_has_slot(server))
		return server_has_fixed_limit(server) ? VERDICT_FULL : VERDICT_ASIDE;
	if (!server_is_open(server, choice) || !server_is_within_bound(server))
		return VERDICT_ASIDE;
	return server == choice->avoid ? VERDICT_AVOID : VERDICT_TAKE;
}

/* Asks the balancer until a candidate will do.  Those that will not today are set
 * aside in [0, *ret_aside). */
static struct server *candidates_walk(
	struct backend *backend, const struct choice *choice, unsigned *aside, unsigned *ret_aside)
{
	const struct balancer *balancer = backend->balancer;
	struct server *avoided = NULL;
	*ret_aside = 0;
	for (struct server *server = balancer->pick(backend); server; server = balancer->pick(backend)) {
		enum verdict verdict = judge(server, choice);
		if (verdict == VERDICT_TAKE)
			return server;
		balancer->remove(backend, server);
		if (verdict == VERDICT_FULL) {
			/* Until it is touched, which a slot that came back meanwhile has done. */
			server->is_benched = true;
			continue;
		}
		if (verdict == VERDICT_AVOID)
			avoided = server;
		aside[(*ret_aside)++] = server->index;
	}
	return avoided;
}

static struct server *candidate_choose(struct backend *backend, const struct choice *choice)
{
	const struct balancer *balancer = backend->balancer;
	unsigned *aside = backend_private(backend)->aside;
	unsigned aside_count;
	struct server *server = candidates_walk(backend, choice, aside, &aside_count);
	for (unsigned i = 0; i < aside_count; i++)
		balancer->add(backend, &backend->servers[aside[i]]);
	if (server && balancer->take)
		balancer->take(backend, server);
	return server;
}

static enum choose_answer stick_choose(
	struct choice *choice, struct server **ret_server, struct server **ret_wanted)
{
	struct server *server = choice->stick;
	if (!server_is_usable(server))
		return CHOOSE_NONE;
	if (!server_is_open(server, choice)) {
		*ret_wanted = server;
		return CHOOSE_FULL;
	}
	*ret_server = server;
	return CHOSEN;
}

static enum choose_answer balance(struct backend *backend, struct choice *choice, struct server **ret_server,
	struct server **ret_wanted)
{
	struct server *server;
	if (backend_private(backend)->members == 0)
		return CHOOSE_NONE;
	if (backend->balancer->look_up)
		server = backend->balancer->look_up(backend, choice, ret_wanted);
	else
		server = candidate_choose(backend, choice);
	if (!server)
		return CHOOSE_FULL;
	CHECK(server_is_open(server, choice) && server_is_usable(server));
	*ret_server = server;
	return CHOSEN;
}

enum choose_answer backend_choose_locked(struct backend *backend, struct choice *choice,
	struct server **ret_server, struct server **ret_wanted)
{
	/* Too many wait for it: any other will do. */
	if (choice->stick && server_is_usable(choice->stick) && !server_is_open(choice->stick, choice) &&
		!server_has_queue_room(choice->stick))
		choice->stick = NULL;
	enum choose_answer answer = choice->stick ? stick_choose(choice, ret_server, ret_wanted)
						  : balance(backend, choice, ret_server, ret_wanted);
	if (answer == CHOSEN)
		server_slot_take_locked(*ret_server);
	return answer;
}

enum choose_answer backend_choose(
	struct backend *backend, const struct choose_request *request, struct server **ret_server)
{
	struct choice choice = choice_make(backend, request);
	struct server *wanted = NULL;
	backend_lock(backend);
	/* A slot that came free and is not handed on yet belongs to who waits already. */
	backend_settle_locked(backend);
	enum choose_answer answer = backend_choose_locked(backend, &choice, ret_server, &wanted);
	backend_unlock(backend);
	return answer;
}

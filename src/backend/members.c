/* Who takes part in the balance: the usable servers of the tier in force, primaries
 * or backups, each with its share. */
#include "backend/backend_internal.h"

/* A slow start does not show in tables that are static. */
static uint32_t share_of(const struct server *server)
{
	uint32_t full = server->weight * SERVER_WEIGHT_SCALE;
	if (balancer_is_static(server->backend->config))
		return full;
	return server_slowstart_part(server, full);
}

static bool is_joined(const struct server *server)
{
	return server->is_member && !server->is_benched && server->backend->balancer->add;
}

static void member_set(struct server *server, bool is_member)
{
	struct backend *backend = server->backend;
	bool was_joined = is_joined(server);
	uint32_t share = share_of(server);
	__atomic_store_n(&server->share, share, __ATOMIC_RELAXED);
	if (was_joined && !is_member)
		backend->balancer->remove(backend, server);
	if (!server->is_member)
		server->is_benched = false;
	bool is_new = is_member && !server->is_member;
	server->is_member = is_member;
	if (is_new && backend->balancer->add)
		backend->balancer->add(backend, server);
	else if (was_joined && is_member && backend->balancer->update)
		backend->balancer->update(backend, server);
}

/* Sets one server right; returns whether anything changed. */
static bool member_update(struct server *server, bool is_member)
{
	if (!server_is_usable(server))
		server_waiters_move_locked(server);
	if (server->is_member == is_member && server->share == share_of(server))
		return false;
	member_set(server, is_member);
	return true;
}

void backend_members_update_locked(struct backend *backend)
{
	struct backend_private *private = backend_private(backend);
	bool is_backup_turn = backend_usable_count(backend, false) == 0;
	bool takes_one = is_backup_turn && !backend->config->has_allbackups;
	bool has_changed = false;
	private->members = 0;
	private->members_share = 0;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		struct server *server = &backend->servers[i];
		bool is_member = server_is_usable(server) && server->config->is_backup == is_backup_turn &&
			!(takes_one && private->members > 0);
		has_changed |= member_update(server, is_member);
		private->members += is_member;
		private->members_share += is_member ? server->share : 0;
	}
	if (has_changed && backend->balancer->on_members)
		backend->balancer->on_members(backend);
}

/* The model of the kernel's TCP: connections, their buffers, what arrives when. */

#include "net_internal.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "loop_fake.h"
#include "sim_params.h"

struct net_totals net_totals;
struct net_connection net_connections[NET_CONNECTIONS_MAX];
unsigned net_connections_count;
bool net_has_faults;
int (*net_pair_find)(int fd);

static struct net_fd fds[NET_FDS_MAX];
static bool is_draining;

/* --- descriptors --- */

struct net_fd *net_fd_of(int fd)
{
	if (fd < NET_FD_BASE || fd >= NET_FD_BASE + NET_FDS_MAX)
		return NULL;
	struct net_fd *entry = &fds[fd - NET_FD_BASE];
	return entry->kind == FD_FREE ? NULL : entry;
}

int net_fd_open(enum fd_kind kind)
{
	for (int i = 0; i < NET_FDS_MAX; i++) {
		if (fds[i].kind != FD_FREE)
			continue;
		memset(&fds[i], 0, offsetof(struct net_fd, parts));
		fds[i].parts_count = fds[i].backlog_count = 0;
		fds[i].kind = kind;
		return NET_FD_BASE + i;
	}
	sim_fail("the proxy has %d descriptors open", NET_FDS_MAX);
}

void net_fd_free(int fd)
{
	net_fd_of(fd)->kind = FD_FREE;
	loop_fake_forget(fd);
}

unsigned net_fds_open(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < NET_FDS_MAX; i++)
		count += fds[i].kind != FD_FREE;
	return count;
}

struct net_connection *net_connection_of(int fd)
{
	struct net_fd *entry = net_fd_of(fd);
	return entry != NULL && entry->kind == FD_CONNECTION ? entry->connection : NULL;
}

/* --- connections --- */

void net_start(void)
{
	SIM_CHECK(net_fds_open() == 0, "descriptors are left from the run before");
	net_connections_count = 0;
	memset(&net_totals, 0, sizeof(net_totals));
	is_draining = false;
	peers_start();
	net_has_faults = false;
}

static struct net_connection *connection_new(enum net_role role, unsigned port)
{
	SIM_CHECK(net_connections_count < NET_CONNECTIONS_MAX, "more than %d connections were made",
		NET_CONNECTIONS_MAX);
	struct net_connection *connection = &net_connections[net_connections_count];
	memset(connection, 0, sizeof(*connection));
	connection->id = net_connections_count++;
	connection->role = role;
	connection->port = port;
	connection->fd = -1;
	connection->in_us = connection->out_us = connection->peer_us = SIM_NEVER;
	connection->opened_us = connection->active_us = sim_now_us;
	return connection;
}

char net_content(const struct net_connection *source, uint64_t position)
{
	uint64_t word = hash_mix(((uint64_t)source->id + 1) << 40 ^ (position >> 3));
	return (char)(word >> (position % 8 * 8));
}

static struct net_fd *listener_fd(unsigned index)
{
	for (unsigned i = 0; i < NET_FDS_MAX; i++) {
		if (fds[i].kind == FD_LISTENER && index-- == 0)
			return &fds[i];
	}
	return NULL;
}

unsigned net_listeners_count(void)
{
	unsigned count = 0;
	while (listener_fd(count) != NULL)
		count++;
	return count;
}

bool net_backlog_is_empty(void)
{
	for (unsigned i = 0; i < NET_FDS_MAX; i++) {
		if (fds[i].kind == FD_LISTENER && fds[i].backlog_count > 0)
			return false;
	}
	return true;
}

bool net_client_connect(unsigned listener)
{
	struct net_fd *entry = listener_fd(listener);
	if (entry == NULL || entry->backlog_count == BACKLOG_MAX)
		return false;
	struct net_connection *connection = connection_new(NET_CLIENT, listener);
	connection->state = NET_BACKLOG;
	connection->was_open = true;
	entry->backlog[entry->backlog_count++] = connection;
	peer_draw(connection);
	connection->peer_us = sim_now_us + net_delay_us();
	SIM_TRACE("client %u connects; writes %llu, reads until %lld, ending %d", connection->id,
		(unsigned long long)connection->peer.write_total, (long long)connection->peer.reads_until,
		connection->peer.ending);
	return true;
}

struct net_connection *net_backlog_take(struct net_fd *listener)
{
	struct net_connection *connection = listener->backlog[0];
	listener->backlog_count--;
	memmove(listener->backlog, listener->backlog + 1,
		listener->backlog_count * sizeof(listener->backlog[0]));
	connection->state = connection->is_reset_arrived ? NET_DEAD : NET_OPEN;
	connection->opened_us = connection->active_us = sim_now_us;
	return connection;
}

int net_server_connect(int fd, unsigned port)
{
	struct net_connection *connection = connection_new(NET_SERVER, port);
	struct net_fd *entry = net_fd_of(fd);
	entry->kind = FD_CONNECTION;
	entry->connection = connection;
	connection->fd = fd;
	connection->state = NET_CONNECTING;
	bool must_answer = peers_are_stopped() && sim_params.is_stop_reset;
	if (!must_answer && sim_chance(sim_params.never_answer)) {
		SIM_TRACE("server connection %u fd %d: will not be answered", connection->id, fd);
		return 0;
	}
	if (sim_chance(sim_params.refuse))
		connection->state = NET_REFUSING;
	connection->in_us = sim_now_us + net_delay_us();
	SIM_TRACE("server connection %u fd %d to server %u%s", connection->id, fd, port,
		connection->state == NET_REFUSING ? " will be refused" : "");
	return 0;
}

/* What the kernel does when the last descriptor goes: unread bytes, or lingering
 * switched off, make it a reset; else a FIN follows what is still to be sent. */
void net_connection_close(struct net_connection *connection)
{
	bool was_live = connection->state == NET_OPEN;
	bool has_unread = connection->in.taken < connection->in.arrived;
	connection->fd = -1;
	connection->state = NET_GONE;
	if (!was_live)
		return;
	if (has_unread || connection->is_lingering_off) {
		connection->was_aborted = true;
		connection->out.is_fin_sent = connection->out.is_fin_arrived;
	} else {
		connection->out.is_fin_sent = true;
	}
	SIM_TRACE("close of %u: %s, %llu unsent", connection->id,
		connection->was_aborted ? "reset" : "orderly",
		(unsigned long long)(connection->out.written - connection->out.arrived));
	net_sooner(&connection->out_us, sim_now_us + net_delay_us());
}

/* --- what the proxy may do now --- */

uint32_t net_readable(const struct net_connection *connection)
{
	return (uint32_t)(connection->in.arrived - connection->in.taken);
}

uint32_t net_room(const struct net_connection *connection)
{
	uint64_t queued = connection->out.written - connection->out.arrived;
	return queued < sim_params.sndbuf_bytes ? (uint32_t)(sim_params.sndbuf_bytes - queued) : 0;
}

void net_taken(struct net_connection *connection, uint32_t len)
{
	connection->in.taken += len;
	connection->active_us = sim_now_us;
	net_sooner(&connection->peer_us, sim_now_us + net_delay_us()); /* the window opens */
}

void net_sent(struct net_connection *connection, uint32_t len)
{
	connection->out.written += len;
	connection->active_us = sim_now_us;
	net_sooner(&connection->out_us, sim_now_us + net_delay_us());
}

int net_read_end(struct net_connection *connection)
{
	if (connection->error != 0) {
		errno = connection->error;
		connection->error = 0;
		return -1;
	}
	if (connection->state == NET_DEAD || connection->in.is_fin_arrived) {
		connection->in.is_fin_taken = true;
		return 0;
	}
	errno = connection->state == NET_OPEN ? EAGAIN : ENOTCONN;
	return -1;
}

int net_write_error(struct net_connection *connection)
{
	int error = connection->error;
	connection->error = 0;
	if (error != 0)
		return error;
	if (connection->state == NET_DEAD || connection->out.is_fin_sent)
		return EPIPE;
	return connection->state == NET_OPEN ? 0 : EAGAIN;
}

static bool is_writable(const struct net_connection *connection)
{
	return 3 * (uint64_t)net_room(connection) >= sim_params.sndbuf_bytes;
}

/* SO_RCVLOWAT; a full buffer is enough in any case. */
static bool has_enough(const struct net_connection *connection)
{
	uint32_t half = sim_params.rcvbuf_bytes / 2;
	return net_readable(connection) >= (connection->wake_bytes < half ? connection->wake_bytes : half);
}

unsigned net_poll_quietly(int fd)
{
	const struct net_fd *entry = net_fd_of(fd);
	if (entry == NULL)
		return 0;
	if (entry->kind == FD_LISTENER)
		return entry->backlog_count > 0 ? LOOP_READABLE : 0;
	const struct net_connection *connection = entry->connection;
	if (entry->kind != FD_CONNECTION || connection->state == NET_CONNECTING ||
		connection->state == NET_REFUSING)
		return 0;
	unsigned events = 0;
	if (connection->state == NET_DEAD || (connection->in.is_fin_arrived && connection->out.is_fin_sent))
		events |= LOOP_FAILED | LOOP_PEER_CLOSED | LOOP_READABLE;
	if (connection->error != 0)
		events |= LOOP_FAILED | LOOP_READABLE | LOOP_WRITABLE;
	if (connection->in.is_fin_arrived)
		events |= LOOP_PEER_CLOSED | LOOP_READABLE;
	if (net_readable(connection) > 0 && has_enough(connection))
		events |= LOOP_READABLE;
	if (connection->state == NET_DEAD || connection->out.is_fin_sent || is_writable(connection))
		events |= LOOP_WRITABLE;
	return events;
}

unsigned net_poll(int fd)
{
	unsigned events = net_poll_quietly(fd);
	struct net_connection *connection = net_connection_of(fd);
	if (connection != NULL && !(events & LOOP_WRITABLE))
		connection->has_nospace = true;
	return events;
}

/* --- what arrives --- */

static void reset_arrive(struct net_connection *connection)
{
	bool was_fin = connection->in.is_fin_arrived;
	connection->is_reset_arrived = true;
	connection->reset_us = sim_now_us;
	if (connection->state == NET_GONE)
		return;
	SIM_TRACE("reset by the peer of %u arrives", connection->id);
	connection->error = was_fin ? EPIPE : ECONNRESET;
	if (connection->state == NET_OPEN)
		connection->state = NET_DEAD;
	connection->out_us = SIM_NEVER; /* what was to be sent is dropped */
	loop_fake_wake(connection->fd);
}

static void connect_answer(struct net_connection *connection)
{
	if (connection->state == NET_REFUSING) {
		connection->state = NET_DEAD;
		connection->error = ECONNREFUSED;
	} else {
		connection->state = NET_OPEN;
		connection->was_open = true;
		connection->active_us = sim_now_us;
		peer_draw(connection);
		connection->peer_us = sim_now_us + net_delay_us();
	}
	SIM_TRACE("connection %u is %s", connection->id, connection->error ? "refused" : "established");
	loop_fake_wake(connection->fd);
}

static uint32_t segment(uint64_t available)
{
	uint64_t len = 1 + sim_below(sim_params.segment_bytes);
	return (uint32_t)(len < available ? len : available);
}

/* To a closed socket nothing can be delivered: the kernel answers with a reset. */
static void refuse_data(struct net_connection *connection)
{
	connection->in_us = SIM_NEVER;
	if (connection->was_aborted)
		return;
	connection->was_aborted = true;
	net_sooner(&connection->out_us, sim_now_us + net_delay_us());
}

static void in_step(struct net_connection *connection)
{
	struct net_flow *flow = &connection->in;
	connection->in_us = SIM_NEVER;
	if (connection->state == NET_CONNECTING || connection->state == NET_REFUSING) {
		connect_answer(connection);
		return;
	}
	if (connection->state == NET_DEAD || connection->is_reset_arrived)
		return;
	if (connection->state == NET_GONE && flow->arrived < flow->written) {
		refuse_data(connection);
		return;
	}
	if (flow->arrived < flow->written) {
		flow->arrived += segment(flow->written - flow->arrived);
		connection->arrived_us = sim_now_us;
		SIM_TRACE("%llu bytes have arrived from the peer of %u", (unsigned long long)flow->arrived,
			connection->id);
	} else if (connection->is_reset_sent) {
		reset_arrive(connection);
		return;
	} else if (flow->is_fin_sent && !flow->is_fin_arrived) {
		flow->is_fin_arrived = true;
		SIM_TRACE("end of the peer of %u arrives", connection->id);
	} else {
		return;
	}
	if (flow->is_fin_arrived || has_enough(connection))
		loop_fake_wake(connection->fd);
	connection->in_us = sim_now_us + net_delay_us();
}

static void room_made(struct net_connection *connection)
{
	if (connection->fd < 0 || !connection->has_nospace || !is_writable(connection))
		return;
	connection->has_nospace = false;
	loop_fake_wake(connection->fd);
}

static void abort_arrive(struct net_connection *connection)
{
	connection->is_abort_arrived = true;
	SIM_TRACE("our reset reaches the peer of %u", connection->id);
	net_sooner(&connection->peer_us, sim_now_us + net_delay_us());
}

static void out_step(struct net_connection *connection)
{
	struct net_flow *flow = &connection->out;
	connection->out_us = SIM_NEVER;
	if (connection->state == NET_DEAD || connection->is_abort_arrived || connection->is_reset_arrived)
		return;
	if (connection->was_aborted) {
		abort_arrive(connection);
		return;
	}
	uint64_t unread = flow->arrived - flow->taken;
	uint64_t window = is_draining              ? UINT32_MAX
		: unread < sim_params.rcvbuf_bytes ? sim_params.rcvbuf_bytes - unread
						   : 0;
	if (flow->arrived < flow->written) {
		if (connection->peer.is_closed) {
			peer_reset(connection); /* it is not there any more */
			return;
		}
		if (window == 0)
			return; /* opens when the peer reads */
		uint64_t unsent = flow->written - flow->arrived;
		flow->arrived += segment(unsent < window ? unsent : window);
		room_made(connection);
	} else if (flow->is_fin_sent && !flow->is_fin_arrived) {
		flow->is_fin_arrived = true;
		SIM_TRACE("our end reaches the peer of %u", connection->id);
	} else {
		return;
	}
	net_sooner(&connection->peer_us, sim_now_us + net_delay_us());
	connection->out_us = sim_now_us + net_delay_us();
}

/* --- time --- */

static uint64_t connection_next_us(const struct net_connection *connection)
{
	uint64_t next_us = connection->in_us < connection->out_us ? connection->in_us : connection->out_us;
	return connection->peer_us < next_us ? connection->peer_us : next_us;
}

static void connection_step(struct net_connection *connection)
{
	uint64_t next_us = connection_next_us(connection);
	net_totals.events++;
	if (connection->in_us == next_us)
		in_step(connection);
	else if (connection->out_us == next_us)
		out_step(connection);
	else
		peer_act(connection);
}

static struct net_connection *connection_first(void)
{
	struct net_connection *first = NULL;
	uint64_t first_us = SIM_NEVER;
	for (unsigned i = 0; i < net_connections_count; i++) {
		uint64_t next_us = connection_next_us(&net_connections[i]);
		if (next_us < first_us) {
			first_us = next_us;
			first = &net_connections[i];
		}
	}
	return first;
}

uint64_t net_next_us(void)
{
	const struct net_connection *first = connection_first();
	return first == NULL ? SIM_NEVER : connection_next_us(first);
}

void net_run_due(void)
{
	struct net_connection *connection = connection_first();
	while (connection != NULL && connection_next_us(connection) <= sim_now_us) {
		connection_step(connection);
		connection = connection_first();
	}
}

void net_jitter(int fd)
{
	if (net_connections_count == 0 || !sim_chance(sim_params.jitter))
		return;
	struct net_connection *connection = net_connection_of(fd);
	if (connection == NULL || sim_chance(300))
		connection = &net_connections[sim_below(net_connections_count)];
	if (connection_next_us(connection) != SIM_NEVER)
		connection_step(connection);
}

void net_peers_drain(void)
{
	is_draining = true;
	for (unsigned i = 0; i < net_connections_count; i++)
		net_connections[i].out_us = sim_now_us;
	while (net_next_us() != SIM_NEVER) {
		if (net_next_us() > sim_now_us)
			sim_now_us = net_next_us();
		net_run_due();
	}
}

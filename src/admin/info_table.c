/* Reads the values of `show info`. */
#include "admin/info_table.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "bpf/sockmap.h"
#include "relay/engine.h"
#include "relay/wire_hub.h"
#include "worker/instance_sockmap.h"

#define INFO_GETTER(name) static void get_##name(const struct admin *admin, struct stat_value *value)

INFO_GETTER(name)
{
	(void)admin;
	stat_set_string(value, "spliced");
}

INFO_GETTER(version)
{
	(void)admin;
	stat_set_string(value, SPLICED_VERSION);
}

INFO_GETTER(release_date)
{
	(void)admin;
	stat_set_string(value, "unreleased");
}

INFO_GETTER(loop)
{
	stat_set_string(value, admin->instance->loop_name);
}

INFO_GETTER(threads)
{
	stat_set_number(value, STAT_U32, admin->instance->workers_count);
}

INFO_GETTER(one)
{
	(void)admin;
	stat_set_number(value, STAT_U32, 1);
}

INFO_GETTER(zero)
{
	(void)admin;
	stat_set_number(value, STAT_U32, 0);
}

INFO_GETTER(pid)
{
	(void)admin;
	stat_set_number(value, STAT_U32, (uint64_t)getpid());
}

static uint64_t uptime_seconds(const struct admin *admin)
{
	uint64_t now_ms = clock_monotonic_ms();
	return now_ms > admin->instance->started_ms ? (now_ms - admin->instance->started_ms) / 1000 : 0;
}

INFO_GETTER(uptime)
{
	unsigned long long seconds = uptime_seconds(admin);
	char text[64];
	snprintf(text, sizeof(text), "%llud %lluh%02llum%02llus", seconds / 86400, seconds / 3600 % 24,
		seconds / 60 % 60, seconds % 60);
	stat_set_string(value, text);
}

INFO_GETTER(uptime_seconds)
{
	stat_set_number(value, STAT_U32, uptime_seconds(admin));
}

INFO_GETTER(start_time)
{
	stat_set_number(value, STAT_U64, admin->instance->started_wall_us / 1000000);
}

INFO_GETTER(fd_limit)
{
	stat_set_number(value, STAT_U32, admin->instance->fd_limit);
}

INFO_GETTER(maxconn)
{
	stat_set_number(value, STAT_U32, stat_gauge(&admin->instance->limits.maxconn));
}

INFO_GETTER(maxconn_hard)
{
	stat_set_number(value, STAT_U32, admin->maxconn_initial);
}

INFO_GETTER(conn_now)
{
	stat_set_number(value, STAT_U32, stat_gauge(&admin->instance->limits.conn_cur));
}

INFO_GETTER(conn_max)
{
	stat_set_number(value, STAT_U32, stat_gauge(&admin->instance->limits.conn_max));
}

INFO_GETTER(conn_total)
{
	stat_set_number(value, STAT_U64, stat_wall_read(&admin->instance->limits.conn_total));
}

static uint64_t sessions_sum(const struct admin *admin)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < admin->instance->workers_count; i++)
		sum += counter_read(&admin->instance->workers[i].sessions.sessions_ever);
	return sum;
}

INFO_GETTER(sessions_total)
{
	stat_set_number(value, STAT_U64, sessions_sum(admin));
}

INFO_GETTER(pipes_max)
{
	stat_set_number(value, STAT_U32, admin->instance->pipes_max);
}

INFO_GETTER(pipes_used)
{
	struct worker_facts facts;
	sampler_facts(&admin->sampler, &facts);
	stat_set_number(value, STAT_U32, facts.pipes_used);
}

INFO_GETTER(pipes_free)
{
	struct worker_facts facts;
	sampler_facts(&admin->sampler, &facts);
	uint32_t spare = facts.pipes_made > facts.pipes_used ? facts.pipes_made - facts.pipes_used : 0;
	stat_set_number(value, STAT_U32, spare);
}

INFO_GETTER(rate)
{
	uint32_t rate = rate_meter_read(&admin->instance->limits.rate, loop_now_ms(admin->loop));
	stat_set_number(value, STAT_U32, rate);
}

INFO_GETTER(rate_max)
{
	stat_set_number(value, STAT_U32, stat_gauge(&admin->instance->limits.rate_max));
}

INFO_GETTER(idle)
{
	stat_set_number(value, STAT_U32, admin->sampler.idle_percent);
}

INFO_GETTER(node)
{
	char host[128] = "-";
	if (admin->global->node) {
		stat_set_string(value, admin->global->node);
		return;
	}
	(void)gethostname(host, sizeof(host) - 1);
	stat_set_string(value, host);
}

INFO_GETTER(description)
{
	if (admin->global->description)
		stat_set_string(value, admin->global->description);
}

INFO_GETTER(stopping)
{
	stat_set_number(value, STAT_U32, admin->instance->state != INSTANCE_RUNNING);
}

static unsigned listeners_open(const struct admin *admin)
{
	unsigned count = 0;
	for (const struct frontend *frontend = admin->instance->frontends; frontend;
		frontend = frontend->next) {
		enum frontend_state state = __atomic_load_n(&frontend->state, __ATOMIC_RELAXED);
		if (state == FRONTEND_STOPPED)
			continue;
		for (const struct listener *listener = frontend->listeners; listener;
			listener = listener->next)
			count++;
	}
	return count;
}

INFO_GETTER(listeners)
{
	stat_set_number(value, STAT_U32, listeners_open(admin));
}

INFO_GETTER(jobs)
{
	uint32_t jobs = listeners_open(admin) + stat_gauge(&admin->instance->limits.conn_cur);
	stat_set_number(value, STAT_U32, jobs);
}

static void log_totals_get(const struct admin *admin, struct log_totals *ret_totals)
{
	*ret_totals = (struct log_totals){0};
	if (admin->instance->log_sender)
		log_sender_totals(admin->instance->log_sender, ret_totals);
}

INFO_GETTER(loop_lag)
{
	stat_set_number(value, STAT_U64, admin->sampler.loop_lag_us);
}

INFO_GETTER(headroom)
{
	unsigned busy = admin->sampler.loop_busy_percent;
	stat_set_number(value, STAT_U32, busy < 100 ? 100 - busy : 0);
}

INFO_GETTER(loop_busy)
{
	stat_set_number(value, STAT_U32, admin->sampler.loop_busy_percent);
}

INFO_GETTER(source_ports_missed)
{
	const struct instance *instance = admin->instance;
	uint64_t sum = 0;
	for (unsigned i = 0; i < instance->workers_count; i++)
		sum += counter_read(&instance->workers[i].sessions.source_ports_missed);
	stat_set_number(value, STAT_U64, sum);
}

INFO_GETTER(logs_dropped)
{
	struct log_totals totals;
	log_totals_get(admin, &totals);
	stat_set_number(value, STAT_U64, totals.dropped + totals.send_errors);
}

INFO_GETTER(logs_sent)
{
	struct log_totals totals;
	log_totals_get(admin, &totals);
	stat_set_number(value, STAT_U64, totals.lines);
}

static uint64_t engine_bytes(const struct admin *admin, const char *name)
{
	uint64_t bytes = 0;
	for (unsigned engine = 0; relay_engines[engine]; engine++) {
		if (name && relay_engines[engine] != relay_engine_find(name))
			continue;
		for (unsigned i = 0; i < admin->instance->workers_count; i++)
			bytes += counter_read(
				&admin->instance->workers[i].sessions.relay_worker.engines[engine].bytes);
	}
	return bytes;
}

INFO_GETTER(bytes_out)
{
	stat_set_number(value, STAT_U64, engine_bytes(admin, NULL));
}

INFO_GETTER(bytes_spliced)
{
	stat_set_number(value, STAT_U64, engine_bytes(admin, "splice"));
}

INFO_GETTER(wire_entries)
{
	const struct wire_hub *wire = admin->instance->wire;
	stat_set_number(value, STAT_U64, wire != NULL ? wire_hub_entries_used(wire) : 0);
}

INFO_GETTER(wire_entries_max)
{
	const struct wire_hub *wire = admin->instance->wire;
	stat_set_number(value, STAT_U64, wire != NULL ? wire_hub_entries_max(wire) : 0);
}

INFO_GETTER(sockmap_pairs)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < admin->instance->workers_count; i++)
		sum += counter_read(&admin->instance->workers[i].sessions.relay_worker.sockmap_pairs);
	stat_set_number(value, STAT_U64, sum);
}

INFO_GETTER(sockmap_pairs_max)
{
	const struct sockmap_table *table = instance_sockmap_table(admin->instance, 0);
	uint64_t pairs = table != NULL ? sockmap_table_pairs_max(table) : 0;
	stat_set_number(value, STAT_U64, pairs * admin->instance->workers_count);
}

INFO_GETTER(wire_false_resets)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < admin->instance->workers_count; i++)
		sum += counter_read(&admin->instance->workers[i].sessions.relay_worker.wire_false_resets);
	stat_set_number(value, STAT_U64, sum);
}

INFO_GETTER(bytes_rate)
{
	stat_set_number(value, STAT_U64, admin->sampler.bytes_out_rate);
}

INFO_GETTER(held_bytes)
{
	struct worker_facts facts;
	sampler_facts(&admin->sampler, &facts);
	stat_set_number(value, STAT_U64, facts.held_bytes);
}

INFO_GETTER(held_bytes_max)
{
	stat_set_number(value, STAT_U64, admin->instance->held_bytes_max);
}

INFO_GETTER(lean_reads)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < admin->instance->workers_count; i++)
		sum += counter_read(&admin->instance->workers[i].sessions.relay_worker.lean_reads);
	stat_set_number(value, STAT_U64, sum);
}

INFO_GETTER(exhausted)
{
	stat_set_number(value, STAT_U64, stat_wall_read(&admin->instance->limits.exhausted));
}

INFO_GETTER(sessions_refused)
{
	struct worker_facts facts;
	sampler_facts(&admin->sampler, &facts);
	stat_set_number(value, STAT_U64, facts.sessions_refused);
}

INFO_GETTER(stats_maxconn)
{
	stat_set_number(value, STAT_U32, admin->global->stats_maxconn);
}

INFO_GETTER(buffer_bytes)
{
	stat_set_number(value, STAT_U32, admin->global->buffer_bytes);
}

INFO_GETTER(pipe_bytes)
{
	stat_set_number(value, STAT_U32, admin->global->pipe_bytes);
}

/* clang-format off */
const struct info_field info_fields[] = {
	{"Name", "POS", NULL, "Name of the program.", get_name},
	{"Version", "POS", NULL, "Its version.", get_version},
	{"Release_date", "POS", NULL, "When this version was released.", get_release_date},
	{"Nbthread", "CGS", "nbthread", "Worker threads.", get_threads},
	{"Nbproc", "CGS", "nbproc", "Worker processes, always 1.", get_one},
	{"Process_num", "KGP", "relative_process_id", "Number of this process, always 1.", get_one},
	{"Pid", "SGP", NULL, "Process id.", get_pid},
	{"Uptime", "MDP", NULL, "Time since the start.", get_uptime},
	{"Uptime_sec", "MDP", "uptime_seconds", "Seconds since the start.", get_uptime_seconds},
	{"Memmax_MB", "CLP", NULL, "Limit of memory, 0 for none.", get_zero},
	{"Ulimit-n", "CLP", "max_fds", "Limit of open descriptors.", get_fd_limit},
	{"Maxsock", "CLP", "max_sockets", "Limit of open sockets: that of descriptors.", get_fd_limit},
	{"Maxconn", "CLP", "max_connections", "Limit of client connections in force.", get_maxconn},
	{"Hard_maxconn", "CLP", "hard_max_connections", "Limit of client connections at the start.", get_maxconn_hard},
	{"CurrConns", "MGP", "current_connections", "Client connections now.", get_conn_now},
	{"CumConns", "MCP", "connections_total", "Client connections accepted.", get_conn_total},
	{"CumReq", "MCP", "requests_total", "Sessions carried.", get_sessions_total},
	{"Maxpipes", "CLP", "max_pipes", "Limit of pipes for splicing.", get_pipes_max},
	{"PipesUsed", "MGP", "pipes_used_total", "Pipes in use, at most a second ago.", get_pipes_used},
	{"PipesFree", "MGP", "pipes_free_total", "Pipes kept for the next use, at most a second ago.", get_pipes_free},
	{"ConnRate", "MRP", "current_connection_rate", "Client connections in the last second.", get_rate},
	{"ConnRateLimit", "CLP", "limit_connection_rate", "Limit of connections in a second, 0 for none.", get_zero},
	{"MaxConnRate", "MMP", "max_connection_rate", "Most client connections in one second.", get_rate_max},
	{"SessRate", "MRP", "current_session_rate", "Sessions in the last second.", get_rate},
	{"SessRateLimit", "CLP", "limit_session_rate", "Limit of sessions in a second, 0 for none.", get_zero},
	{"MaxSessRate", "MMP", "max_session_rate", "Most sessions in one second.", get_rate_max},
	{"Tasks", "MGP", "current_tasks", "Things the loops look after: the sessions.", get_conn_now},
	{"Run_queue", "MGP", "current_run_queue", "Work left over for later, always 0: a pass does what it finds.", get_zero},
	{"Idle_pct", "MaP", "idle_time_percent", "Share of the last second in which the threads used no CPU.", get_idle},
	{"node", "COS", NULL, "Name of this node.", get_node},
	{"description", "COS", NULL, "Description of this node.", get_description},
	{"Stopping", "MGP", "stopping", "1 while the process stops.", get_stopping},
	{"Jobs", "MGP", "jobs", "Client connections and listeners.", get_jobs},
	{"Unstoppable Jobs", "MGP", "unstoppable_jobs", "Jobs a soft stop does not wait for, always 0.", get_zero},
	{"Listeners", "MGP", "listeners", "Addresses that are listened at.", get_listeners},
	{"DroppedLogs", "MCP", "dropped_logs_total", "Log lines lost: a full ring, or a target that did not take them.", get_logs_dropped},
	{"BusyPolling", "MGP", "busy_polling_enabled", "1 with busy polling, always 0.", get_zero},
	{"TotalBytesOut", "MCP", "bytes_out_total", "Bytes handed on, both ways.", get_bytes_out},
	{"TotalSplicdedBytesOut", "MCP", "spliced_bytes_out_total", "Of these, bytes that went through a pipe in the kernel.", get_bytes_spliced},
	{"BytesOutRate", "MRP", "bytes_out_rate", "Bytes handed on in the last second.", get_bytes_rate},
	{"Start_time_sec", "MDP", "start_time_seconds", "When the process started, in seconds of 1970.", get_start_time},
	{"MaxConnReached", "MMP", "connections_reached_max", "Most client connections at once.", get_conn_max, true},
	{"RelayHeldBytes", "MGP", "relay_held_bytes", "Bytes in the copy engine's buffers, at most a second ago.", get_held_bytes, true},
	{"RelayHeldBytesMax", "CLP", "relay_held_bytes_limit", "Limit of those bytes.", get_held_bytes_max, true},
	{"RelayLeanReads", "MCP", "relay_lean_reads_total", "Reads made with no room left to keep what the receiver might refuse.", get_lean_reads, true},
	{"Loop", "COS", NULL, "What tells the worker threads' loops what is ready: epoll or uring.", get_loop, true},
	{"LoopLag_us", "MaP", "loop_lag_microseconds", "Mean time in the last second between something being ready and its turn, in the busiest thread.", get_loop_lag, true},
	{"LoopBusy_pct", "MaP", "loop_busy_percent", "Share of the last second that the busiest thread's loop was at work.", get_loop_busy, true},
	{"Headroom_pct", "MaP", "headroom_percent", "Share of the last second that the busiest thread's loop had nothing to do: of the signals tried the one that told best how far latency's knee was (docs/measuring.md).", get_headroom, true},
	{"RelayBufferBytes", "CLP", "relay_buffer_bytes", "Size of one read of the copy engine.", get_buffer_bytes, true},
	{"RelayPipeBytes", "CLP", "relay_pipe_bytes", "Size that is asked for each pipe.", get_pipe_bytes, true},
	{"WireConnections", "MGP", "wire_connections", "Connections in the table of the wire engine, those that linger included.", get_wire_entries, true},
	{"WireConnectionsMax", "CLP", "wire_connections_limit", "Places in that table; 0 without the engine.", get_wire_entries_max, true},
	{"WireFalseResets", "MCP", "wire_false_resets_total", "Resets of connections on the wire that the receiver did not believe.", get_wire_false_resets, true},
	{"SockmapConnections", "MGP", "sockmap_connections", "Connections in the tables of the sockmap engine.", get_sockmap_pairs, true},
	{"SockmapConnectionsMax", "CLP", "sockmap_connections_limit", "Places in those tables; 0 without the engine.", get_sockmap_pairs_max, true},
	{"AcceptExhausted", "MCP", "accept_exhausted_total", "Times accepting paused for want of descriptors or memory.", get_exhausted, true},
	{"SourcePortsMissed", "MCP", "source_ports_missed_total", "Connections to servers, retries included, for which no source port was free.", get_source_ports_missed, true},
	{"SessionsRefused", "MCP", "sessions_refused_total", "Sessions for which there was no memory.", get_sessions_refused, true},
	{"LogLines", "MCP", "log_lines_total", "Log lines sent.", get_logs_sent, true},
	{"StatsMaxconn", "CLP", NULL, "Clients that the runtime socket serves at once.", get_stats_maxconn, true},
};
/* clang-format on */

const size_t info_fields_count = ARRAY_LENGTH(info_fields);

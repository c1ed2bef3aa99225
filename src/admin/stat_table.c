/* The table of `show stat` columns. */
#include "admin/stat_table.h"

#include "admin/stat_check.h"
#include "admin/stat_getters.h"

#define COUNTER(field) offsetof(struct traffic_counters, field)

enum {
	BS = STAT_BACKEND | STAT_SERVER,
	FB = STAT_FRONTEND | STAT_BACKEND,
	FBS = FB | STAT_SERVER,
	LF = STAT_LISTENER | STAT_FRONTEND,
	LFB = LF | STAT_BACKEND,
	LS = STAT_LISTENER | STAT_SERVER,
	ALL = LFB | STAT_SERVER,
};

/* clang-format off */
const struct stat_column stat_columns[] = {
	{"pxname", "KNS", ALL, STAT_FROM_FUNCTION, STAT_STRING, NULL, false, "Name of the frontend, backend or listen section.", .get = stat_get_proxy_name},
	{"svname", "KNS", ALL, STAT_FROM_FUNCTION, STAT_STRING, NULL, false, "FRONTEND, BACKEND, or the name of the server or listener.", .get = stat_get_object_name},
	{"qcur", "MGP", BS, STAT_FROM_FUNCTION, STAT_U32, "current_queue", false, "Sessions waiting for a free slot now.", .get = stat_get_queue_now},
	{"qmax", "MMP", BS, STAT_FROM_FUNCTION, STAT_U32, "max_queue", false, "Most sessions that ever waited at once.", .get = stat_get_queue_max},
	{"scur", "MGP", ALL, STAT_FROM_FUNCTION, STAT_U32, "current_sessions", false, "Sessions now.", .get = stat_get_sessions_now},
	{"smax", "MMP", FBS, STAT_FROM_FUNCTION, STAT_U32, "max_sessions", false, "Most sessions there ever were at once.", .get = stat_get_sessions_max},
	{"slim", "CLP", ALL, STAT_FROM_FUNCTION, STAT_U32, "limit_sessions", false, "Limit of sessions: maxconn, for a backend fullconn.", .get = stat_get_sessions_limit},
	{"stot", "MCP", ALL, STAT_FROM_COUNTER, STAT_U64, "sessions_total", false, "Sessions since the start.", .offset = COUNTER(sessions)},
	{"bin", "MCP", ALL, STAT_FROM_COUNTER, STAT_U64, "bytes_in_total", false, "Bytes from clients towards servers.", .offset = COUNTER(bytes_in)},
	{"bout", "MCP", ALL, STAT_FROM_COUNTER, STAT_U64, "bytes_out_total", false, "Bytes from servers towards clients.", .offset = COUNTER(bytes_out)},
	{"dreq", "MCP", LFB, STAT_FROM_COUNTER, STAT_U64, "requests_denied_total", false, "Connections rejected by 'tcp-request content'.", .offset = COUNTER(denied_requests)},
	{"dresp", "MCP", ALL, STAT_FROM_ZERO, STAT_U64, "responses_denied_total", false, "Responses denied by content rules, which do not exist here: 0."},
	{"ereq", "MCP", LF, STAT_FROM_ZERO, STAT_U64, "request_errors_total", false, "Errors in requests; plain TCP has no requests: 0."},
	{"econ", "MCP", BS, STAT_FROM_COUNTER, STAT_U64, "connection_errors_total", false, "Attempts to connect to a server that failed.", .offset = COUNTER(connect_errors)},
	{"eresp", "MCP", BS, STAT_FROM_COUNTER, STAT_U64, "response_errors_total", false, "Sessions in which the server broke off during the transfer.", .offset = COUNTER(response_errors)},
	{"wretr", "MCP", BS, STAT_FROM_COUNTER, STAT_U64, "retry_warnings_total", false, "Connection attempts that were repeated.", .offset = COUNTER(retries)},
	{"wredis", "MCP", BS, STAT_FROM_COUNTER, STAT_U64, "redispatch_warnings_total", false, "Attempts that moved on to another server.", .offset = COUNTER(redispatches)},
	{"status", "SGP", ALL, STAT_FROM_FUNCTION, STAT_STRING, "status", false, "OPEN, FULL, PAUSED or STOP for frontends and listeners; UP or DOWN for backends; UP, DOWN, MAINT, DRAIN, NOLB (a check says that no new sessions are wanted) or no check for servers, with how far a change has come, as in UP 2/3.", .get = stat_get_status},
	{"weight", "MaP", BS, STAT_FROM_FUNCTION, STAT_U32, "weight", false, "Weight in force; for a backend the sum over its usable servers.", .get = stat_get_weight},
	{"act", "MGP", BS, STAT_FROM_FUNCTION, STAT_U32, "active_servers", false, "Usable active servers; for a server 1 when it is not a backup.", .get = stat_get_active},
	{"bck", "MGP", BS, STAT_FROM_FUNCTION, STAT_U32, "backup_servers", false, "Usable backup servers; for a server 1 when it is a backup.", .get = stat_get_backup},
	{"chkfail", "MCP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U64, "check_failures_total", false, "Health checks that failed while the server was up.", .get = stat_get_check_failed},
	{"chkdown", "MCP", BS, STAT_FROM_FUNCTION, STAT_U64, "check_up_down_total", false, "Times it went from up to down; of servers with checks only.", .get = stat_get_down_count},
	{"lastchg", "MAP", BS, STAT_FROM_FUNCTION, STAT_U32, "check_last_change_seconds", false, "Seconds since the last change between up and down.", .get = stat_get_last_change},
	{"downtime", "MCP", BS, STAT_FROM_FUNCTION, STAT_U32, "downtime_seconds_total", false, "Seconds spent down.", .get = stat_get_downtime},
	{"qlimit", "CLS", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U32, "queue_limit", false, "Limit of the server's queue (maxqueue).", .get = stat_get_queue_limit},
	{"pid", "KGP", ALL, STAT_FROM_FUNCTION, STAT_U32, NULL, false, "Number of the process, always 1.", .get = stat_get_process},
	{"iid", "KGS", ALL, STAT_FROM_FUNCTION, STAT_U32, NULL, false, "Number of the proxy.", .get = stat_get_proxy_id},
	{"sid", "KGS", ALL, STAT_FROM_FUNCTION, STAT_U32, NULL, false, "Number of the server or listener in its proxy, else 0.", .get = stat_get_object_id},
	{"throttle", "MaP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U32, "current_throttle", false, "How far a slow start has come, in percent; nothing when none is under way.", .get = stat_get_throttle},
	{"lbtot", "MCP", BS, STAT_FROM_COUNTER, STAT_U64, "loadbalanced_total", false, "Times a server was chosen.", .offset = COUNTER(balanced)},
	{"tracked", "CNS", STAT_SERVER, STAT_FROM_FUNCTION, STAT_STRING, NULL, false, "Server whose state is followed (track).", .get = stat_get_tracked},
	{"type", "CGS", ALL, STAT_FROM_FUNCTION, STAT_U32, NULL, false, "0 frontend, 1 backend, 2 server, 3 listener.", .get = stat_get_type},
	{"rate", "MRP", FBS, STAT_FROM_FUNCTION, STAT_U32, "current_session_rate", false, "Sessions in the last second.", .get = stat_get_rate},
	{"rate_lim", "CLP", STAT_FRONTEND, STAT_FROM_FUNCTION, STAT_U32, "limit_session_rate", false, "Limit of new sessions in a second, 0 for none.", .get = stat_get_rate_limit},
	{"rate_max", "MMP", FBS, STAT_FROM_FUNCTION, STAT_U32, "max_session_rate", false, "Most sessions in one second.", .get = stat_get_rate_max},
	{"check_status", "MOP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_STRING, "check_status", false, "Result of the last health check, with an asterisk in front while one is under way: INI, L4OK, L4TOUT, L4CON, L6OK, L6TOUT, L6RSP, L7OK, L7OKC, L7TOUT, L7RSP, L7STS, SOCKERR, or HANA for what observe has seen.", .get = stat_get_check_status},
	{"check_code", "MOP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U32, "check_code", false, "Status of HTTP in the answer to the last health check.", .get = stat_get_check_code},
	{"check_duration", "MDP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U64, "check_duration_seconds", true, "Milliseconds that the last health check took.", .get = stat_get_check_duration},
	{"hrsp_1xx", "MCP", FBS, STAT_FROM_NOTHING, STAT_U64, NULL, false, "HTTP responses of this class."},
	{"hrsp_2xx", "MCP", FBS, STAT_FROM_NOTHING, STAT_U64, NULL, false, "HTTP responses of this class."},
	{"hrsp_3xx", "MCP", FBS, STAT_FROM_NOTHING, STAT_U64, NULL, false, "HTTP responses of this class."},
	{"hrsp_4xx", "MCP", FBS, STAT_FROM_NOTHING, STAT_U64, NULL, false, "HTTP responses of this class."},
	{"hrsp_5xx", "MCP", FBS, STAT_FROM_NOTHING, STAT_U64, NULL, false, "HTTP responses of this class."},
	{"hrsp_other", "MCP", FBS, STAT_FROM_NOTHING, STAT_U64, NULL, false, "HTTP responses of this class."},
	{"hanafail", "MCP", STAT_SERVER, STAT_FROM_NOTHING, STAT_STRING, NULL, false, "Failed health checks in detail."},
	{"req_rate", "MRP", STAT_FRONTEND, STAT_FROM_ZERO, STAT_U32, NULL, false, "HTTP requests in the last second: 0."},
	{"req_rate_max", "MMP", STAT_FRONTEND, STAT_FROM_ZERO, STAT_U32, NULL, false, "Most HTTP requests in one second: 0."},
	{"req_tot", "MCP", STAT_FRONTEND, STAT_FROM_ZERO, STAT_U64, NULL, false, "HTTP requests: 0."},
	{"cli_abrt", "MCP", BS, STAT_FROM_COUNTER, STAT_U64, "client_aborts_total", false, "Sessions that the client broke off during the transfer.", .offset = COUNTER(client_aborts)},
	{"srv_abrt", "MCP", BS, STAT_FROM_COUNTER, STAT_U64, "server_aborts_total", false, "Sessions that the server broke off during the transfer.", .offset = COUNTER(server_aborts)},
	{"comp_in", "MCP", FB, STAT_FROM_ZERO, STAT_U64, NULL, false, "Bytes given to HTTP compression: 0."},
	{"comp_out", "MCP", FB, STAT_FROM_ZERO, STAT_U64, NULL, false, "Bytes from HTTP compression: 0."},
	{"comp_byp", "MCP", FB, STAT_FROM_ZERO, STAT_U64, NULL, false, "Bytes that bypassed HTTP compression: 0."},
	{"comp_rsp", "MCP", FB, STAT_FROM_ZERO, STAT_U64, NULL, false, "Compressed HTTP responses: 0."},
	{"lastsess", "MAP", BS, STAT_FROM_FUNCTION, STAT_S32, "last_session_seconds", false, "Seconds since the last session went to a server, -1 before the first.", .get = stat_get_last_session},
	{"last_chk", "MOP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_STRING, NULL, false, "What the last health check has met, in words.", .get = stat_get_check_text},
	{"last_agt", "MOP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_STRING, NULL, false, "What the agent has answered last.", .get = stat_get_agent_text},
	{"qtime", "MaP", BS, STAT_FROM_FUNCTION, STAT_U32, "queue_time_average_seconds", true, "Mean time in the queue, in milliseconds, since the counters were last cleared.", .get = stat_get_queue_time},
	{"ctime", "MaP", BS, STAT_FROM_FUNCTION, STAT_U32, "connect_time_average_seconds", true, "Mean time to connect, in milliseconds, since the counters were last cleared.", .get = stat_get_connect_time},
	{"rtime", "MaP", BS, STAT_FROM_ZERO, STAT_U32, "response_time_average_seconds", true, "Mean HTTP response time: 0."},
	{"ttime", "MaP", BS, STAT_FROM_FUNCTION, STAT_U32, "total_time_average_seconds", true, "Mean length of a session, in milliseconds, since the counters were last cleared.", .get = stat_get_total_time},
	{"agent_status", "MOP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_STRING, NULL, false, "Result of the last question to the agent: L7OK, L7STS for down, stopped or fail.", .get = stat_get_agent_status},
	{"agent_code", "MOP", STAT_SERVER, STAT_FROM_NOTHING, STAT_U32, NULL, false, "Code of the last agent check."},
	{"agent_duration", "MDP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U64, NULL, true, "Milliseconds that the last agent check took.", .get = stat_get_agent_duration},
	{"check_desc", "MOP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_STRING, NULL, false, "What check_status means.", .get = stat_get_check_sentence},
	{"agent_desc", "MOP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_STRING, NULL, false, "What agent_status means.", .get = stat_get_agent_sentence},
	{"check_rise", "CGP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U32, NULL, false, "Good checks until a server is up.", .get = stat_get_check_rise},
	{"check_fall", "CGP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U32, NULL, false, "Bad checks until a server is down.", .get = stat_get_check_fall},
	{"check_health", "MGP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U32, NULL, false, "Place between down (0) and up (rise + fall - 1).", .get = stat_get_check_health},
	{"agent_rise", "CGP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U32, NULL, false, "Good agent checks until a server is up.", .get = stat_get_agent_rise},
	{"agent_fall", "CGP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U32, NULL, false, "Bad agent checks until a server is down.", .get = stat_get_agent_fall},
	{"agent_health", "MGP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U32, NULL, false, "Place between down and up, by the agent.", .get = stat_get_agent_health},
	{"addr", "CGS", LS, STAT_FROM_FUNCTION, STAT_STRING, NULL, false, "Address and port.", .get = stat_get_address},
	{"cookie", "CNS", BS, STAT_FROM_NOTHING, STAT_STRING, NULL, false, "HTTP cookie."},
	{"mode", "CGS", ALL, STAT_FROM_FUNCTION, STAT_STRING, NULL, false, "Always tcp.", .get = stat_get_mode},
	{"algo", "CGS", STAT_BACKEND, STAT_FROM_FUNCTION, STAT_STRING, NULL, false, "How servers are chosen.", .get = stat_get_algorithm},
	{"conn_rate", "MRP", STAT_FRONTEND, STAT_FROM_FUNCTION, STAT_U32, "current_connection_rate", false, "Connections in the last second.", .get = stat_get_rate},
	{"conn_rate_max", "MMP", STAT_FRONTEND, STAT_FROM_FUNCTION, STAT_U32, "connections_rate_max", false, "Most connections in one second.", .get = stat_get_rate_max},
	{"conn_tot", "MCP", STAT_FRONTEND, STAT_FROM_COUNTER, STAT_U64, "connections_total", false, "Connections accepted.", .offset = COUNTER(connections)},
	{"intercepted", "MCP", STAT_FRONTEND, STAT_FROM_NOTHING, STAT_U64, NULL, false, "Requests answered by the proxy itself."},
	{"dcon", "MCP", LF, STAT_FROM_COUNTER, STAT_U64, "denied_connections_total", false, "Connections turned away: by 'tcp-request connection', or not trusted by 'accept-proxy'.", .offset = COUNTER(refused_connections)},
	{"dses", "MCP", LF, STAT_FROM_COUNTER, STAT_U64, "denied_sessions_total", false, "Connections rejected by 'tcp-request session'.", .offset = COUNTER(denied_sessions)},
	{"wrew", "MCP", ALL, STAT_FROM_ZERO, STAT_U64, NULL, false, "Failed HTTP header rewrites: 0."},
	{"connect", "MCP", BS, STAT_FROM_COUNTER, STAT_U64, "connection_attempts_total", false, "Connections that were attempted to servers.", .offset = COUNTER(connections)},
	{"reuse", "MCP", BS, STAT_FROM_ZERO, STAT_U64, "connection_reuses_total", false, "Server connections used again; each session has its own: 0."},
	{"cache_lookups", "MCP", FB, STAT_FROM_NOTHING, STAT_U64, NULL, false, "HTTP cache look-ups."},
	{"cache_hits", "MCP", FB, STAT_FROM_NOTHING, STAT_U64, NULL, false, "HTTP cache hits."},
	{"srv_icur", "MGP", STAT_SERVER, STAT_FROM_ZERO, STAT_U32, NULL, false, "Idle connections kept for a server: 0."},
	{"src_ilim", "CLP", STAT_SERVER, STAT_FROM_NOTHING, STAT_U32, NULL, false, "Limit of idle connections."},
	{"qtime_max", "MMP", BS, STAT_FROM_MAXIMUM, STAT_U32, "max_queue_time_seconds", true, "Longest time in the queue, in milliseconds.", .offset = COUNTER(queue_ms_max)},
	{"ctime_max", "MMP", BS, STAT_FROM_MAXIMUM, STAT_U32, "max_connect_time_seconds", true, "Longest time to connect, in milliseconds.", .offset = COUNTER(connect_ms_max)},
	{"rtime_max", "MMP", BS, STAT_FROM_ZERO, STAT_U32, "max_response_time_seconds", true, "Longest HTTP response time: 0."},
	{"ttime_max", "MMP", BS, STAT_FROM_MAXIMUM, STAT_U32, "max_total_time_seconds", true, "Longest session, in milliseconds.", .offset = COUNTER(session_ms_max)},
	{"eint", "MCP", ALL, STAT_FROM_ZERO, STAT_U64, "internal_errors_total", false, "Errors of the proxy's own: 0."},
	{"idle_conn_cur", "MGP", STAT_SERVER, STAT_FROM_ZERO, STAT_U32, NULL, false, "Idle connections to a server: 0."},
	{"safe_conn_cur", "MGP", STAT_SERVER, STAT_FROM_ZERO, STAT_U32, NULL, false, "Idle connections that could be shared: 0."},
	{"used_conn_cur", "MGP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U32, "used_connections_current", false, "Connections to the server in use.", .get = stat_get_sessions_now},
	{"need_conn_est", "MGP", STAT_SERVER, STAT_FROM_FUNCTION, STAT_U32, "need_connections_current", false, "Connections the server is expected to need.", .get = stat_get_sessions_now},
	{"uweight", "MaP", BS, STAT_FROM_FUNCTION, STAT_U32, "uweight", false, "Weight as the operator set it; for a backend the sum over its usable servers.", .get = stat_get_user_weight},
	{"agg_server_status", "MGP", STAT_BACKEND, STAT_FROM_ZERO, STAT_U32, NULL, false, "Place of a value that exists on the metrics page only."},
	{"agg_server_check_status", "MGP", STAT_BACKEND, STAT_FROM_ZERO, STAT_U32, NULL, false, "Place of a value that exists on the metrics page only."},
	{"agg_check_status", "MGP", STAT_BACKEND, STAT_FROM_ZERO, STAT_U32, NULL, false, "Place of a value that exists on the metrics page only."},
};
/* clang-format on */

const size_t stat_columns_count = ARRAY_LENGTH(stat_columns);

void stat_column_read(const struct stat_column *column, const struct stat_object *object, uint64_t now_ms,
	struct stat_value *ret_value)
{
	ret_value->type = STAT_NONE;
	if (!(column->kinds & object->kind))
		return;
	switch (column->source) {
	case STAT_FROM_FUNCTION:
		column->get(object, now_ms, ret_value);
		return;
	case STAT_FROM_COUNTER:
		stat_set_number(ret_value, column->type, stat_object_counter(object, column->offset));
		return;
	case STAT_FROM_MAXIMUM:
		stat_set_number(ret_value, column->type, stat_object_maximum(object, column->offset));
		return;
	case STAT_FROM_ZERO:
		stat_set_number(ret_value, column->type, 0);
		return;
	case STAT_FROM_NOTHING:
		return;
	}
}

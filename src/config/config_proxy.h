/* Frontends, backends and listens as the configuration gives them, with their
 * bind addresses and servers. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config_check.h"
#include "config/config_resolvers.h"
#include "config/config_rule.h"
#include "config/config_types.h"

struct config_bind {
	struct config_bind *next;
	const char *text; /* as written, this address only */
	const char *name; /* NULL: none */
	struct address address; /* kind fd: len == 0 and inherited_fd set */
	int inherited_fd; /* -1: none, or by the name in text */
	unsigned id;
	unsigned backlog; /* 0: the frontend's */
	unsigned maxconn; /* 0: the frontend's */
	unsigned mss; /* 0: not set */
	unsigned tcp_user_timeout_ms;
	unsigned shards; /* listening sockets; 0: one per thread (default); 1: one in all */
	unsigned defer_accept_s; /* 0: off */
	const char *interface;
	const char *congestion; /* NULL: the system's */
	bool has_tfo, is_transparent, is_v4v6, is_v6only;
	struct config_accept_proxy accept_proxy;
	int nice; /* accepted for compatibility, no effect */
	int unix_mode, unix_uid, unix_gid; /* -1: unchanged */
	struct config_place place;
};

struct config_server {
	struct config_server *next;
	const char *name;
	const char *address_text;
	struct address
		address; /* at start; server_address() knows it now.  Port 0 and is_port_mapped: the client's port + port_offset */
	bool is_port_mapped;
	int port_offset;
	unsigned id;
	unsigned weight; /* 0..256, default 1 */
	unsigned maxconn; /* 0: no limit */
	unsigned minconn; /* parsed with maxconn; 0: none */
	unsigned maxqueue; /* 0: no limit */
	unsigned tcp_user_timeout_ms;
	const char *congestion; /* NULL: the system's */
	bool is_backup, is_disabled, has_tfo;
	uint32_t slowstart_ms; /* 0: none */
	bool has_shutdown_on_down; /* on-marked-down shutdown-sessions */
	bool has_backup_shutdown_on_up; /* on-marked-up shutdown-backup-sessions */
	const char *track; /* "[backend/]server"; NULL: none.  Resolved by validate: */
	const struct config_server *tracked;
	struct config_source_address source;
	struct config_naming naming;
	struct config_send_proxy send_proxy;
	struct config_check check;
	struct config_agent agent;
	struct config_place place;
};

enum config_balance {
	CONFIG_BALANCE_ROUNDROBIN,
	CONFIG_BALANCE_STATIC_RR,
	CONFIG_BALANCE_LEASTCONN,
	CONFIG_BALANCE_FIRST,
	CONFIG_BALANCE_SOURCE,
	CONFIG_BALANCE_HASH,
	CONFIG_BALANCE_RANDOM,
};

/* How balance source and hash come from a key to a server: the key's bytes become a
 * number, which the avalanche may stir, and the number finds a server. */
enum config_hash_key { CONFIG_HASH_SRC, CONFIG_HASH_SRC_PORT, CONFIG_HASH_DST, CONFIG_HASH_DST_PORT };
enum config_hash_function { CONFIG_HASH_SDBM, CONFIG_HASH_DJB2, CONFIG_HASH_WT6, CONFIG_HASH_CRC32 };
enum config_hash_type { CONFIG_HASH_MAP_BASED, CONFIG_HASH_CONSISTENT, CONFIG_HASH_MAGLEV };

struct config_hash {
	enum config_hash_key key; /* of balance hash; balance source takes the client's address */
	enum config_hash_type type;
	enum config_hash_function function; /* not for balance source, as in HAProxy */
	bool has_avalanche;
	unsigned balance_factor; /* percent of the average load, 0: no bound */
	const struct rule_expression *expression; /* instead of the key; NULL: none */
};

enum config_role { CONFIG_ROLE_FRONTEND = 1, CONFIG_ROLE_BACKEND = 2 }; /* listen: both */

struct config_proxy {
	struct config_proxy *next;
	const char *name;
	unsigned roles;
	unsigned id;
	unsigned index; /* in the list of proxies, from 0 */
	const char *description;
	bool is_disabled;

	struct config_timeouts timeouts;
	struct config_log *logs;
	const char *log_format; /* NULL: the default short line; option tcplog sets CONFIG_LOG_FORMAT_TCP */
	const char *log_tag;
	bool has_dontlognull, has_logasap, has_log_separate_errors, has_contstats;
	bool has_socket_stats, has_dontlog_normal;

	const char *relay; /* engine name or "auto"; NULL: not written, the other side's or global's counts */
	bool has_splice_auto, has_splice_request, has_splice_response;
	struct config_keepalive client_keepalive, server_keepalive;
	bool has_nolinger, has_abortonclose;
	bool has_smart_accept, has_smart_connect;

	struct config_rules rules;

	/* frontend */
	struct config_bind *binds;
	unsigned maxconn; /* 0: global's */
	unsigned backlog; /* 0: maxconn */
	unsigned rate_limit_sessions; /* per second, 0: none */
	const char *default_backend_name;
	struct config_proxy *default_backend; /* a listen's is itself unless it names another */

	/* backend */
	enum config_balance balance;
	unsigned random_draws; /* random(n), default 2 */
	struct config_hash hash;
	struct config_server *servers;
	unsigned servers_count;
	unsigned retries; /* default 3 */
	int redispatch_interval; /* 0: off; N: every Nth retry; -N: the Nth before the last (-1 = last only) */
	bool has_allbackups;
	unsigned fullconn;
	struct config_source_address source;
	struct config_check_plan check;
	struct config_place place;
};

#define CONFIG_LOG_FORMAT_TCP "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"

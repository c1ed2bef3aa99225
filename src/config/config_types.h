/* Small parts of the configuration that several sections share: places in
 * files, log targets, time-outs, keepalive, source addresses, stats sockets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/network.h"

struct config_place {
	const char *file;
	unsigned line;
};

enum config_log_kind { CONFIG_LOG_FD, CONFIG_LOG_UDP, CONFIG_LOG_UNIX };
enum config_log_format {
	CONFIG_LOG_RFC3164,
	CONFIG_LOG_RFC5424,
	CONFIG_LOG_RAW,
	CONFIG_LOG_SHORT,
	CONFIG_LOG_LOCAL,
	CONFIG_LOG_PRIORITY,
	CONFIG_LOG_TIMED,
	CONFIG_LOG_ISO,
};

struct config_log {
	struct config_log *next;
	enum config_log_kind kind;
	int fd; /* stdout 1, stderr 2, fd@N */
	struct address address; /* UDP, UNIX */
	int facility; /* 0..23; local0 = 16 */
	int level_max, level_min; /* syslog severities: drop above max; raise to min */
	enum config_log_format format;
	unsigned length_max; /* bytes of one line, default 1024 */
	struct config_place place;
};

/* Milliseconds; 0 = none given and none wanted. */
struct config_timeouts {
	uint32_t connect_ms, client_ms, server_ms, client_fin_ms, server_fin_ms;
	uint32_t tunnel_ms, queue_ms, check_ms, client_hs_ms;
};

struct config_keepalive { /* option clitcpka / srvtcpka */
	bool is_on;
	unsigned count, idle_s, interval_s; /* 0: the kernel's */
};

enum config_runtime_level { CONFIG_LEVEL_USER, CONFIG_LEVEL_OPERATOR, CONFIG_LEVEL_ADMIN };

struct config_stats_socket {
	struct config_stats_socket *next;
	struct address address;
	int mode; /* file mode, -1: umask decides */
	int uid, gid; /* -1: unchanged */
	enum config_runtime_level level;
	bool expose_fd_listeners;
	struct config_place place;
};

/* accept-proxy: who may say whose a connection is. */
struct config_accept_proxy {
	bool is_on;
	bool is_any_trusted, is_unix_trusted; /* everybody; who may open the unix socket */
	const struct network *trusted; /* [trusted_count] */
	unsigned trusted_count;
};

struct config_send_proxy { /* send-proxy, send-proxy-v2 and proxy-v2-options */
	bool has_v1, has_v2; /* v2 where both are */
	bool has_authority, has_crc32c, has_unique_id; /* in v2 */
};

/* usesrc: whose address the server sees. */
enum config_usesrc {
	CONFIG_USESRC_NONE,
	CONFIG_USESRC_CLIENT,
	CONFIG_USESRC_CLIENT_IP,
	CONFIG_USESRC_ADDRESS,
};

struct config_source_address {
	bool is_set;
	enum config_usesrc usesrc;
	struct address usesrc_address; /* of CONFIG_USESRC_ADDRESS; port 0: the kernel chooses */
	struct address address;
	uint16_t port_first, port_last; /* 0: the kernel chooses */
	const char *interface;
};

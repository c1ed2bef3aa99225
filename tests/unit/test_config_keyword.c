/* Every row: filled in for the manual, exercised by one configuration, with the
 * values it must leave in the structs. */
#include "config/keyword.h"

#include <unistd.h>

#include "config_fixtures.h"

/* Has each keyword and parameter at least once. */
static const char everything[] =
	"global\n"
	" presetenv NEW_ONE first\n presetenv NEW_ONE second\n setenv OTHER 127.0.0.1\n unsetenv UNUSED\n"
	" chroot /var/empty\n daemon\n description \"two words\" and more\n uid 12\n gid 34\n user root\n group root\n"
	" grace 2s\n hard-stop-after 1m\n hard-stop-spread 30s\n master-worker\n node here\n pidfile /run/x.pid\n quiet\n set-dumpable\n"
	" cpu-map 1 0-1\n cpu-map auto:1/1-2 3 5\n cpu-map 1/odd 7\n"
	" loop epoll\n maxconn 4000\n nbthread 4\n wire-interfaces eth0 eth1\n wire-connections 500\n wire-peer\n sockmap-connections 300\n ulimit-n 9000\n"
	" maxpipes 50\n relay-tuning buffer-size 64k pipe-size 128k memory-max 1g wake-bytes 96k ring-size 1m\n tune.maxaccept -1\n"
	" tune.rcvbuf.client 1k\n tune.rcvbuf.server 2k\n tune.sndbuf.client 3k\n tune.sndbuf.server 4k\n"
	" metrics bind 127.0.0.1:9101 haproxy-names\n stats maxconn 7\n stats timeout 3s\n"
	" stats socket /run/a.sock mode 660 user root group root level admin expose-fd listeners\n"
	" stats socket 127.0.0.1:9102 uid 1 gid 2\n"
	" log \"$OTHER\" len 200 format rfc5424 local3 notice err\n log-send-hostname me\n log-tag tagged\n"
	" relay splice\n spread-checks 5\n max-spread-checks 9s\n"
	"defaults base\n"
	" mode tcp\n maxconn 300\n backlog 40\n fullconn 50\n retries 5\n balance random(4)\n rate-limit sessions 60\n"
	" timeout check 1s\n timeout client 2s\n timeout client-fin 3s\n timeout client-hs 4s\n timeout connect 5s\n"
	" timeout queue 6s\n timeout server 7s\n timeout server-fin 8s\n timeout tunnel 9s\n"
	" option abortonclose\n option allbackups\n option clitcpka\n option contstats\n option dontlog-normal\n"
	" option dontlognull\n option log-separate-errors\n option logasap\n option nolinger\n option redispatch 2\n"
	" option socket-stats\n option splice-auto\n option splice-request\n option splice-response\n option srvtcpka\n"
	" option tcp-smart-accept\n option tcp-smart-connect\n option tcpka\n option tcplog\n"
	" clitcpka-cnt 2\n clitcpka-idle 3\n clitcpka-intvl 4s\n srvtcpka-cnt 5\n srvtcpka-idle 6\n srvtcpka-intvl 7\n"
	" log global\n log stderr format raw daemon\n log-tag defaulted\n relay copy\n source 127.0.0.2:1000-2000 usesrc clientip interface lo\n"
	" default-server weight 9 tfo backup disabled\n"
	" hash-type maglev wt6 avalanche\n hash-balance-factor 150\n"
	"frontend front from base\n"
	" bind 127.0.0.1:8000-8001,[::1]:8000 name web backlog 11 maxconn 12 mss 1300 tcp-ut 4s tfo defer-accept"
	" interface lo cc reno nice -5 shards 2 transparent v6only\n"
	" bind /run/f.sock mode 600 uid 3 gid 4\n bind /run/g.sock user root group root\n bind fd@9 id 77 v4v6\n"
	" bind abns@name shards by-thread accept-proxy trusted unix\n"
	" description of the front\n id 5\n log-format \"%ci %cp\"\n use_backend back\n default_backend both\n"
	" acl here dst_port 8000\n tcp-request connection accept if here\n tcp-request session accept if here\n"
	" tcp-request inspect-delay 3s\n tcp-request content accept if here\n"
	"backend back from base\n use-server two if { src_port 1 }\n"
	" server one 127.0.0.1:1 id 8 maxconn 90 minconn 9 maxqueue 91 tcp-ut 3s cc cubic weight 256 no-backup no-tfo enabled send-proxy no-send-proxy-v2"
	" slowstart 4s on-marked-down shutdown-sessions on-marked-up shutdown-backup-sessions\n"
	" server two 127.0.0.1:+5 no-send-proxy send-proxy-v2 proxy-v2-options crc32c source 127.0.0.9:77 interface lo usesrc 192.0.2.7:8 track one\n server three [::1] interface lo\n"
	"listen both from base\n"
	" server named db.test:7 resolvers names resolve-prefer ipv4 init-addr last,192.0.2.9\n"
	" server unnamed db.test:7 init-addr none resolvers names\n"
	" bind :8100\n enabled\n no option tcplog\n no log\n no option redispatch\n no option tcpka\n"
	"defaults plain\n"
	" disabled\n"
	"backend checked from plain\n"
	" enabled\n max-ejected 25\n option log-health-checks\n option tcp-check\n tcp-check connect port 81 linger\n tcp-check comment words\n"
	" tcp-check send a\\ b\\r\\n\n tcp-check send-binary 00fF\n tcp-check expect min-recv 4 ! rstring ^x comment why\n"
	" http-check disable-on-404\n http-check expect status 200,300-302\n http-check send meth GET uri /up hdr Host h body b\n"
	" option httpchk HEAD /x HTTP/1.1\n option ldap-check\n option mysql-check user m\n option pgsql-check user p\n"
	" option redis-check\n option smtpchk EHLO d\n option ssl-hello-chk\n option tcp-check\n"
	" default-server check agent-check agent-port 7 check-send-proxy\n"
	" server one 127.0.0.1:1 addr 127.0.0.2 port 82 inter 3s fastinter 1s downinter 4s rise 5 fall 6 observe layer4"
	" error-limit 7 on-error mark-down eject-time 9s eject-max-time 8m agent-inter 8s agent-addr 127.0.0.3 agent-send hi\\n\n"
	" server two 127.0.0.1:2 no-check no-agent-check no-check-send-proxy\n"
	"listen off from plain\n bind :8101\n"
	"resolvers names\n accepted_payload_size 4096\n hold nx 1s\n hold obsolete 2s\n hold other 3s\n hold refused 4s\n"
	" hold timeout 5s\n hold valid 6s\n nameserver one 192.0.2.1\n nameserver two [2001:db8::1]:5353\n"
	" parse-resolv-conf\n resolve_retries 7\n timeout resolve 8s\n timeout retry 9s\n";

/* Rows that 'everything' cannot have: they warn, or refuse what others say. */
static const char *const elsewhere[] = {
	"nosplice", "resetenv", "tune.bufsize", "tune.pipesize", "zero-warning"};

static bool is_elsewhere(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(elsewhere); i++) {
		if (strcmp(elsewhere[i], name) == 0)
			return true;
	}
	return false;
}

/* The name stands in the text, followed by a blank or the line's end. */
static bool is_mentioned(const char *name)
{
	size_t len = strlen(name);

	for (const char *at = everything; (at = strstr(at, name)) != NULL; at++) {
		if (at[-1] == ' ' && (at[len] == ' ' || at[len] == '\n'))
			return true;
	}
	return false;
}

static void every_row_is_filled_in(void **state)
{
	(void)state;
	for (const struct keyword_table *const *table = keyword_tables; *table != NULL; table++) {
		for (size_t i = 0; i < (*table)->count; i++) {
			const struct keyword *row = &(*table)->rows[i];
			size_t len;

			assert_non_null(row->name);
			assert_non_null(row->sentence);
			len = strlen(row->sentence);
			if (row->sections == 0 || len < 20 || row->sentence[len - 1] != '.')
				fail_msg("the row '%s' is incomplete", row->name);
			if ((row->type == KEYWORD_HANDLER) != (row->parse != NULL))
				fail_msg("the row '%s' has a wrong type", row->name);
			if ((row->type == KEYWORD_COUNT || row->type == KEYWORD_SIZE) && row->max == 0)
				fail_msg("the row '%s' has no range", row->name);
			if (row->type != KEYWORD_HANDLER &&
				(row->type == KEYWORD_FLAG) != (row->arguments == NULL))
				fail_msg("the row '%s' has wrong arguments", row->name);
			if (!is_elsewhere(row->name) && !is_mentioned(row->name))
				fail_msg("no test has the keyword '%s'", row->name);
		}
	}
}

static void check_global(const struct config_global *global)
{
	assert_string_equal(global->chroot, "/var/empty");
	assert_true(global->is_daemon && global->is_quiet && global->is_dumpable);
	assert_string_equal(global->description, "two words and more");
	assert_int_equal(global->uid, 0);
	assert_int_equal(global->gid, 0);
	assert_int_equal(global->grace_ms, 2000);
	assert_int_equal(global->hard_stop_after_ms, 60000);
	assert_string_equal(global->node, "here");
	assert_string_equal(global->pidfile, "/run/x.pid");
	assert_int_equal(global->maxconn, 4000);
	assert_string_equal(global->loop, "epoll");
	assert_int_equal(global->nbthread, 4);
	assert_true(global->has_wire_interfaces);
	assert_string_equal(global->wire_interfaces[0], "eth0");
	assert_string_equal(global->wire_interfaces[1], "eth1");
	assert_null(global->wire_interfaces[2]);
	assert_int_equal(global->wire_connections, 500);
	assert_int_equal(global->sockmap_connections, 300);
	assert_true(global->has_wire_peer);
	assert_int_equal(global->ulimit_n, 9000);
	assert_int_equal(global->maxpipes, 50);
	assert_int_equal(global->buffer_bytes, 65536);
	assert_int_equal(global->pipe_bytes, 131072);
	assert_int_equal(global->held_bytes_max, 1073741824);
	assert_int_equal(global->wake_bytes, 98304);
	assert_int_equal(global->ring_bytes, 1048576);
	assert_int_equal(global->maxaccept, 100000);
	assert_int_equal(global->client_rcvbuf, 1024);
	assert_int_equal(global->server_rcvbuf, 2048);
	assert_int_equal(global->client_sndbuf, 3072);
	assert_int_equal(global->server_sndbuf, 4096);
	assert_true(global->has_metrics && global->has_haproxy_names);
	assert_int_equal(address_port(&global->metrics_address), 9101);
	assert_int_equal(global->stats_maxconn, 7);
	assert_int_equal(global->stats_timeout_ms, 3000);
	assert_string_equal(global->log_send_hostname, "me");
	assert_string_equal(global->log_tag, "tagged");
	assert_string_equal(global->relay, "splice");
	assert_true(global->is_master);
	assert_int_equal(global->hard_stop_spread_ms, 30000);
}

static void check_stats_sockets(const struct config_stats_socket *first)
{
	const struct config_stats_socket *second = first->next;

	assert_string_equal(first->address.local.sun_path, "/run/a.sock");
	assert_int_equal(first->mode, 0660);
	assert_int_equal(first->uid, 0);
	assert_int_equal(first->gid, 0);
	assert_int_equal(first->level, CONFIG_LEVEL_ADMIN);
	assert_true(first->expose_fd_listeners);
	assert_int_equal(address_port(&second->address), 9102);
	assert_int_equal(second->mode, -1);
	assert_int_equal(second->uid, 1);
	assert_int_equal(second->gid, 2);
	assert_int_equal(second->level, CONFIG_LEVEL_OPERATOR);
	assert_int_equal(second->place.line, 43);
	assert_null(second->next);
}

/* The entries in order: all threads, threads 1 and 2 one by one, the odd ones. */
static void check_cpu_maps(const struct config_cpu_map *map)
{
	assert_int_equal(map->thread_first, 1);
	assert_int_equal(map->thread_last, CONFIG_THREADS_MAX);
	assert_int_equal(map->cpus[0], 3);
	assert_false(map->is_auto);
	map = map->next;
	assert_int_equal(map->thread_first, 1);
	assert_int_equal(map->thread_last, 1);
	assert_int_equal(map->cpus[0], 1 << 3);
	assert_true(map->is_auto);
	map = map->next;
	assert_int_equal(map->thread_first, 2);
	assert_int_equal(map->cpus[0], 1 << 5);
	map = map->next;
	assert_int_equal(map->thread_first, 1);
	assert_int_equal(map->thread_last, 1);
	assert_int_equal(map->cpus[0], 1 << 7);
	assert_int_equal(map->next->thread_first, 3);
}

/* What a proxy has from 'defaults base'. */
static void check_base(const struct config_proxy *proxy)
{
	const struct config_timeouts timeouts = {5000, 2000, 7000, 3000, 8000, 9000, 6000, 1000, 4000};

	assert_memory_equal(&proxy->timeouts, &timeouts, sizeof(timeouts));
	assert_int_equal(proxy->maxconn, 300);
	assert_int_equal(proxy->backlog, 40);
	assert_int_equal(proxy->fullconn, 50);
	assert_int_equal(proxy->retries, 5);
	assert_int_equal(proxy->balance, CONFIG_BALANCE_RANDOM);
	assert_int_equal(proxy->random_draws, 4);
	assert_int_equal(proxy->hash.type, CONFIG_HASH_MAGLEV);
	assert_int_equal(proxy->hash.function, CONFIG_HASH_WT6);
	assert_true(proxy->hash.has_avalanche);
	assert_int_equal(proxy->hash.balance_factor, 150);
	assert_int_equal(proxy->rate_limit_sessions, 60);
	assert_int_equal(proxy->redispatch_interval, 2);
	assert_true(proxy->has_abortonclose && proxy->has_allbackups && proxy->has_contstats);
	assert_true(proxy->has_dontlog_normal && proxy->has_dontlognull && proxy->has_log_separate_errors);
	assert_true(proxy->has_logasap && proxy->has_nolinger && proxy->has_socket_stats);
	assert_true(proxy->has_splice_auto && proxy->has_splice_request && proxy->has_splice_response);
	assert_true(proxy->has_smart_accept && proxy->has_smart_connect);
	assert_string_equal(proxy->relay, "copy");
	assert_string_equal(proxy->log_tag, "defaulted");
	assert_true(proxy->client_keepalive.is_on && proxy->server_keepalive.is_on);
	assert_int_equal(proxy->client_keepalive.count, 2);
	assert_int_equal(proxy->client_keepalive.idle_s, 3);
	assert_int_equal(proxy->client_keepalive.interval_s, 4);
	assert_int_equal(proxy->server_keepalive.count, 5);
	assert_int_equal(proxy->server_keepalive.idle_s, 6);
	assert_int_equal(proxy->server_keepalive.interval_s, 7);
}

/* stderr of the defaults, then the global target. */
static void check_logs(const struct config_log *log)
{
	assert_int_equal(log->kind, CONFIG_LOG_FD);
	assert_int_equal(log->fd, 2);
	assert_int_equal(log->format, CONFIG_LOG_RAW);
	assert_int_equal(log->facility, 3);
	assert_int_equal(log->level_max, 7);
	assert_int_equal(log->level_min, 0);
	assert_int_equal(log->length_max, 1024);
	log = log->next;
	assert_int_equal(log->kind, CONFIG_LOG_UDP);
	assert_int_equal(address_port(&log->address), 514);
	assert_int_equal(log->format, CONFIG_LOG_RFC5424);
	assert_int_equal(log->facility, 19);
	assert_int_equal(log->level_max, 5);
	assert_int_equal(log->level_min, 3);
	assert_int_equal(log->length_max, 200);
	assert_null(log->next);
}

static void check_binds(const struct config_bind *bind)
{
	static const char *const texts[] = {"127.0.0.1:8000", "127.0.0.1:8001", "[::1]:8000", "/run/f.sock",
		"/run/g.sock", "fd@9", "abns@name"};
	static const unsigned ids[] = {1, 2, 3, 4, 5, 77, 6};

	assert_string_equal(bind->name, "web");
	assert_int_equal(bind->backlog, 11);
	assert_int_equal(bind->maxconn, 12);
	assert_int_equal(bind->mss, 1300);
	assert_int_equal(bind->tcp_user_timeout_ms, 4000);
	assert_string_equal(bind->congestion, "reno");
	assert_int_equal(bind->shards, 2);
	assert_int_equal(bind->defer_accept_s, 1);
	assert_string_equal(bind->interface, "lo");
	assert_true(bind->has_tfo && bind->is_transparent && bind->is_v6only);
	assert_int_equal(bind->nice, -5);
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++, bind = bind->next) {
		assert_string_equal(bind->text, texts[i]);
		assert_int_equal(bind->id, ids[i]);
		assert_int_equal(bind->inherited_fd, i == 5 ? 9 : -1);
		assert_int_equal(bind->address.len == 0, i == 5);
		assert_int_equal(bind->unix_mode, i == 3 ? 0600 : -1);
		assert_int_equal(bind->unix_uid, i == 3 ? 3 : i == 4 ? 0 : -1);
	}
	assert_null(bind);
}

static void check_servers(const struct config_server *server)
{
	assert_int_equal(server->id, 8);
	assert_int_equal(server->maxconn, 90);
	assert_int_equal(server->minconn, 9);
	assert_int_equal(server->maxqueue, 91);
	assert_int_equal(server->slowstart_ms, 4000);
	assert_true(server->has_shutdown_on_down && server->has_backup_shutdown_on_up);
	assert_null(server->tracked);
	assert_ptr_equal(server->next->tracked, server);
	assert_false(server->next->has_shutdown_on_down || server->next->has_backup_shutdown_on_up);
	assert_int_equal(server->tcp_user_timeout_ms, 3000);
	assert_string_equal(server->congestion, "cubic");
	assert_int_equal(server->weight, 256);
	assert_false(server->is_backup || server->has_tfo || server->is_disabled || server->is_port_mapped);
	assert_true(server->send_proxy.has_v1 && !server->send_proxy.has_v2);
	assert_true(server->source.is_set);
	assert_int_equal(server->source.port_first, 1000);
	assert_int_equal(server->source.port_last, 2000);
	assert_int_equal(server->source.usesrc, CONFIG_USESRC_CLIENT_IP);
	assert_string_equal(server->source.interface, "lo");
	server = server->next;
	assert_string_equal(server->name, "two");
	assert_int_equal(server->id, 1);
	assert_int_equal(server->weight, 9);
	assert_true(server->is_backup && server->has_tfo && server->is_disabled && server->is_port_mapped);
	assert_true(server->send_proxy.has_v2 && server->send_proxy.has_crc32c && !server->send_proxy.has_v1);
	assert_int_equal(server->port_offset, 5);
	assert_int_equal(server->source.port_first, 77);
	assert_int_equal(server->source.usesrc, CONFIG_USESRC_ADDRESS);
	assert_int_equal(address_port(&server->source.usesrc_address), 8);
	assert_string_equal(server->source.interface, "lo");
	server = server->next;
	assert_true(server->is_port_mapped);
	assert_int_equal(server->port_offset, 0);
	assert_int_equal(server->source.address.any.sa_family, AF_INET6);
	assert_string_equal(server->source.interface, "lo");
}

static void check_resolvers(const struct config_resolvers *resolvers)
{
	assert_string_equal(resolvers->name, "names");
	assert_int_equal(resolvers->payload_bytes, 4096);
	assert_int_equal(resolvers->hold_nx_ms, 1000);
	assert_int_equal(resolvers->hold_obsolete_ms, 2000);
	assert_int_equal(resolvers->hold_other_ms, 3000);
	assert_int_equal(resolvers->hold_refused_ms, 4000);
	assert_int_equal(resolvers->hold_timeout_ms, 5000);
	assert_int_equal(resolvers->hold_valid_ms, 6000);
	assert_int_equal(resolvers->tries, 7);
	assert_int_equal(resolvers->resolve_ms, 8000);
	assert_int_equal(resolvers->retry_ms, 9000);
	assert_int_equal(address_port(&resolvers->nameservers->address), 53);
	assert_string_equal(resolvers->nameservers->next->name, "two");
	assert_int_equal(address_port(&resolvers->nameservers->next->address), 5353);
}

static void check_named_servers(const struct config *config, const struct config_server *server)
{
	assert_ptr_equal(server->naming.resolvers, config->resolvers);
	assert_string_equal(server->naming.host, "db.test");
	assert_true(server->naming.is_ipv4_preferred && !server->naming.is_unresolved);
	assert_int_equal(ntohl(server->address.v4.sin_addr.s_addr), 0xc0000209);
	assert_int_equal(address_port(&server->address), 7);
	server = server->next;
	assert_true(server->naming.is_unresolved && !server->naming.is_ipv4_preferred);
	assert_int_equal(address_port(&server->address), 7);
}

static void check_steps(const struct config_check_step *step)
{
	assert_int_equal(step->kind, CONFIG_STEP_CONNECT);
	assert_true(step->port == 81 && step->has_linger && step->is_plain && step->number == 1);
	step = step->next;
	assert_int_equal(step->kind, CONFIG_STEP_COMMENT);
	assert_string_equal(step->comment, "words");
	step = step->next;
	assert_int_equal(step->len, 5);
	assert_memory_equal(step->bytes, "a b\r\n", 5);
	step = step->next;
	assert_int_equal(step->len, 2);
	assert_memory_equal(step->bytes, "\0\xff", 2);
	step = step->next;
	assert_true(step->is_negated && step->received_min == 4 && step->match == CONFIG_MATCH_PATTERN);
	assert_string_equal(step->comment, "why");
	assert_int_equal(step->error, CHECK_L7_INVALID);
	assert_null(step->next);
}

static void check_checks(const struct config_proxy *proxy)
{
	const struct config_check_plan *plan = &proxy->check;
	const struct config_check *check = &proxy->servers->check;
	const struct config_agent *agent = &proxy->servers->agent;
	check_steps(plan->steps);
	assert_true(plan->has_disable_on_404 && plan->has_log && plan->kind == CONFIG_CHECK_TCP);
	assert_string_equal(plan->name, "tcp-check");
	assert_int_equal(plan->ejected_percent_max, 25);
	assert_true(check->eject_ms == 9000 && check->eject_max_ms == 480000);
	assert_string_equal(plan->method, "HEAD");
	assert_string_equal(plan->uri, "/x");
	assert_string_equal(plan->version, "HTTP/1.1");
	assert_int_equal(plan->http_expects->ranges_count, 2);
	assert_int_equal(plan->http_expects->ranges[1].last, 302);
	assert_string_equal(plan->headers->value, "h");
	assert_true(check->is_on && check->is_observing && check->has_send_proxy && agent->is_on);
	assert_int_equal(check->port, 82);
	assert_int_equal(check->inter_ms, 3000);
	assert_int_equal(check->fastinter_ms, 1000);
	assert_int_equal(check->downinter_ms, 4000);
	assert_true(check->rise == 5 && check->fall == 6 && check->errors_max == 7);
	assert_int_equal(check->on_error, CONFIG_ON_ERROR_MARK_DOWN);
	assert_int_equal(check->address.v4.sin_addr.s_addr, htonl(0x7f000002));
	assert_int_equal(agent->address.v4.sin_addr.s_addr, htonl(0x7f000003));
	assert_true(agent->inter_ms == 8000 && agent->port == 7);
	assert_string_equal(agent->greeting, "hi\n");
	check = &proxy->servers->next->check;
	assert_true(
		check->inter_ms == 2000 && check->rise == 2 && check->fall == 3 && check->errors_max == 10);
	assert_false(check->is_on || check->has_send_proxy || proxy->servers->next->agent.is_on);
}

static void every_keyword_has_its_effect(void **state)
{
	struct config_fixture fixture;
	const struct config *config = config_fixture_accept(&fixture, everything);
	const struct config_proxy *front = config_proxy_find(config, "front", CONFIG_ROLE_FRONTEND);
	const struct config_proxy *back = config_proxy_find(config, "back", CONFIG_ROLE_BACKEND);
	const struct config_proxy *both = config_proxy_find(config, "both", CONFIG_ROLE_BACKEND);
	const struct config_proxy *off = config_proxy_find(config, "off", CONFIG_ROLE_FRONTEND);

	(void)state;
	check_global(&config->global);
	check_stats_sockets(config->global.stats_sockets);
	check_cpu_maps(config->global.cpu_maps);
	check_base(front);
	check_base(back);
	check_logs(front->logs);
	check_binds(front->binds);
	check_servers(back->servers);
	check_resolvers(config->resolvers);
	check_named_servers(config, both->servers);
	check_checks(config_proxy_find(config, "checked", CONFIG_ROLE_BACKEND));
	assert_int_equal(config->global.spread_checks_percent, 5);
	assert_int_equal(config->global.spread_checks_max_ms, 9000);
	assert_int_equal(back->servers_count, 3);
	assert_string_equal(front->description, "of the front");
	assert_string_equal(front->log_format, "%ci %cp");
	assert_int_equal(front->id, 5);
	assert_ptr_equal(front->rules.use_backends->backend, back);
	assert_ptr_equal(front->default_backend, both);
	assert_ptr_equal(both->default_backend, both);
	assert_null(both->log_format);
	assert_null(both->logs);
	assert_int_equal(both->redispatch_interval, 0);
	assert_false(both->client_keepalive.is_on || both->server_keepalive.is_on || both->is_disabled);
	assert_true(off->is_disabled);
	assert_null(config_proxy_find(config, "front", CONFIG_ROLE_BACKEND));
	config_fixture_release(&fixture);
}

static void the_reference_names_every_row(void **state)
{
	char *page = NULL;
	size_t page_len = 0;
	FILE *out = open_memstream(&page, &page_len);

	(void)state;
	assert_non_null(out);
	config_reference_print(out);
	fclose(out);
	for (const struct keyword_table *const *table = keyword_tables; *table != NULL; table++) {
		for (size_t i = 0; i < (*table)->count; i++) {
			char item[128];

			snprintf(item, sizeof(item), ".It Ic \"%s\"", (*table)->rows[i].name);
			if (strstr(page, item) == NULL)
				fail_msg("the reference lacks '%s'", (*table)->rows[i].name);
		}
	}
	assert_non_null(strstr(page, "http-request"));
	free(page);
}

static void the_way_to_hash_is_as_written(void **state)
{
	const struct {
		const char *lines;
		enum config_balance balance;
		struct config_hash hash;
	} cases[] = {
		{"balance static-rr", CONFIG_BALANCE_STATIC_RR, {.balance_factor = 0}},
		{"balance source", CONFIG_BALANCE_SOURCE, {.balance_factor = 0}},
		{"balance hash src_port", CONFIG_BALANCE_HASH, {.key = CONFIG_HASH_SRC_PORT}},
		{"balance hash dst_port\n hash-type map-based", CONFIG_BALANCE_HASH,
			{.key = CONFIG_HASH_DST_PORT}},
		{"balance hash dst\n hash-type consistent", CONFIG_BALANCE_HASH,
			{CONFIG_HASH_DST, CONFIG_HASH_CONSISTENT, CONFIG_HASH_SDBM, true, 0, NULL}},
		{"hash-type consistent djb2\n balance source", CONFIG_BALANCE_SOURCE,
			{CONFIG_HASH_SRC, CONFIG_HASH_CONSISTENT, CONFIG_HASH_DJB2, false, 0, NULL}},
		{"hash-type maglev\n balance hash src\n hash-balance-factor 100", CONFIG_BALANCE_HASH,
			{CONFIG_HASH_SRC, CONFIG_HASH_MAGLEV, CONFIG_HASH_SDBM, true, 100, NULL}},
		{"hash-type map-based crc32 avalanche\n balance source", CONFIG_BALANCE_SOURCE,
			{CONFIG_HASH_SRC, CONFIG_HASH_MAP_BASED, CONFIG_HASH_CRC32, true, 0, NULL}},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct config_fixture fixture;
		char text[256];
		snprintf(
			text, sizeof(text), "listen l\n bind :1\n server s 1.2.3.4:1\n %s\n", cases[i].lines);
		const struct config_proxy *proxy = config_fixture_accept(&fixture, text)->proxies;
		assert_int_equal(proxy->balance, cases[i].balance);
		assert_int_equal(proxy->hash.key, cases[i].hash.key);
		assert_int_equal(proxy->hash.type, cases[i].hash.type);
		assert_int_equal(proxy->hash.function, cases[i].hash.function);
		assert_int_equal(proxy->hash.has_avalanche, cases[i].hash.has_avalanche);
		assert_int_equal(proxy->hash.balance_factor, cases[i].hash.balance_factor);
		config_fixture_release(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_filled_in),
		cmocka_unit_test(every_keyword_has_its_effect),
		cmocka_unit_test(the_reference_names_every_row),
		cmocka_unit_test(the_way_to_hash_is_as_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

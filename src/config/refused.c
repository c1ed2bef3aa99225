/* HAProxy's words that this version does not have: told apart from mistakes of
 * spelling, so that the answer says which it is.  A name that ends in '*' stands
 * for all that begin so. */
#include <stdio.h>
#include <string.h>

#include "config/keyword.h"

enum refusal {
	REFUSED_HTTP, /* concerns HTTP only */
	REFUSED_YET, /* not supported in this version */
};

static const char *const http_proxy[] = {"appsession", "block", "capture", "compression", "cookie",
	"errorfile", "errorfiles", "errorloc", "errorloc302", "errorloc303", "force-persist",
	"http-after-response", "http-error", "http-request", "http-response", "http-reuse",
	"http-send-name-header", "ignore-persist", "max-keep-alive-queue", "max-session-srv-conns", "monitor",
	"monitor-net", "monitor-uri", "option accept-invalid-http-request",
	"option accept-invalid-http-response", "option checkcache", "option disable-h2-upgrade",
	"option forceclose", "option forwardfor", "option forwarded", "option h1-case-adjust-bogus-client",
	"option h1-case-adjust-bogus-server", "option http-buffer-request", "option http-ignore-probes",
	"option http-keep-alive", "option http-no-delay", "option http-pretend-keepalive",
	"option http-restrict-req-hdr-names", "option http-server-close", "option http-tunnel",
	"option http-use-htx", "option http-use-proxy-header", "option http_proxy", "option httpclose",
	"option httplog", "option httpslog", "option idle-close-on-response", "option originalto",
	"option prefer-last-server", "redirect", "reqadd", "reqallow", "reqdel", "reqdeny", "reqiallow",
	"reqidel", "reqideny", "reqipass", "reqirep", "reqitarpit", "reqpass", "reqrep", "reqtarpit",
	"rspadd", "rspdel", "rspdeny", "rspidel", "rspideny", "rspirep", "rsprep", "stats *",
	"timeout http-keep-alive", "timeout http-request", "timeout tarpit", "unique-id-header",
	"use-fcgi-app", NULL};

static const char *const yet_proxy[] = {"bind-process", "clitimeout", "contimeout", "declare", "default",
	"dispatch", "email-alert", "error-log-format", "external-check", "filter", "grace",
	"http-check comment", "http-check connect", "http-check send-state", "http-check set-var*",
	"http-check unset-var*", "load-server-state-from-file", "log-format-sd", "option external-check",
	"option independent-streams", "option persist", "option spop-check", "option transparent", "persist",
	"retry-on", "server-state-file-name", "server-template", "srvtimeout", "stick", "stick-table",
	"tcp-check send-binary-lf", "tcp-check send-lf", "tcp-check set-var*", "tcp-check unset-var*",
	"tcp-response", "transparent", "unique-id-format", NULL};

static const char *const http_global[] = {"h1-accept-payload-with-any-method", "h1-case-adjust",
	"h1-case-adjust-file", "maxcompcpuusage", "maxcomprate", "maxzlibmem", "tune.comp.maxlevel",
	"tune.h2.*", "tune.http.*", "tune.maxrewrite", "tune.zlib.*", NULL};

static const char *const yet_global[] = {"51degrees-*", "busy-polling", "ca-base", "close-spread-time",
	"cluster-secret", "crt-base", "debug", "default", "default-path", "deviceatlas-*",
	"expose-deprecated-directives", "expose-experimental-directives", "external-check", "fd-hard-limit",
	"httpclient.*", "insecure-fork-wanted", "insecure-setuid-wanted", "issuers-chain-path", "localpeer",
	"lua-*", "maxconnrate", "maxsessrate", "maxsslconn", "maxsslrate", "mworker-max-reloads", "nbproc",
	"no-memory-trimming", "noepoll", "noevports", "nogetaddrinfo", "nokqueue", "nopoll", "noreuseport",
	"numa-cpu-mapping", "pp2-never-send-local", "profiling.*", "server-state-base", "server-state-file",
	"set-var", "set-var-fmt", "ssl-*", "stats bind-process", "strict-limits", "thread-group",
	"thread-groups", "tune.*", "unix-bind", "wurfl-*", NULL};

static const char *const yet_bind[] = {"accept-netscaler-cip", "allow-0rtt", "alpn", "ca-file",
	"ca-ignore-err", "ca-sign-file", "ca-sign-pass", "ca-verify-file", "ciphers", "ciphersuites",
	"crl-file", "crt", "crt-ignore-err", "crt-list", "curves", "ecdhe", "expose-fd", "force-sslv3",
	"force-tlsv10", "force-tlsv11", "force-tlsv12", "force-tlsv13", "generate-certificates", "level",
	"namespace", "no-ca-names", "no-sslv3", "no-tls-tickets", "no-tlsv10", "no-tlsv11", "no-tlsv12",
	"no-tlsv13", "npn", "prefer-client-ciphers", "process", "quic-*", "severity-output", "ssl",
	"ssl-max-ver", "ssl-min-ver", "strict-sni", "thread", "tls-ticket-keys", "verify", NULL};
static const char *const http_bind[] = {"proto", NULL};

static const char *const yet_server[] = {"allow-0rtt", "alpn", "ca-file", "check-alpn", "check-proto",
	"check-sni", "check-ssl", "check-via-socks4", "ciphers", "ciphersuites", "crl-file", "crt",
	"force-sslv3", "force-tlsv10", "force-tlsv11", "force-tlsv12", "force-tlsv13", "log-proto",
	"namespace", "no-check-ssl", "no-send-proxy-v2-ssl", "no-send-proxy-v2-ssl-cn", "no-ssl*", "no-tls*",
	"non-stick", "npn", "resolve-net", "resolve-opts", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn",
	"shard", "sni", "socks4", "ssl", "ssl-max-ver", "ssl-min-ver", "ssl-reuse", "stick", "tls-tickets",
	"verify", "verifyhost", NULL};
static const char *const http_server[] = {"cookie", "max-reuse", "pool-low-conn", "pool-max-conn",
	"pool-purge-delay", "proto", "redir", "ws", NULL};

static const char *const yet_stats_socket[] = {"accept-netscaler-cip", "accept-proxy", "backlog",
	"defer-accept", "id", "interface", "maxconn", "mss", "name", "namespace", "nice", "process", "proto",
	"severity-output", "shards", "ssl", "tcp-ut", "tfo", "thread", "transparent", "v4v6", "v6only", NULL};

static const struct refused_list {
	unsigned sections;
	enum refusal refusal;
	const char *const *names;
	const char *title; /* for the manual */
} lists[] = {
	{IN_DEFAULTS | IN_PROXIES, REFUSED_HTTP, http_proxy, "Proxies, HTTP only"},
	{IN_DEFAULTS | IN_PROXIES, REFUSED_YET, yet_proxy, "Proxies, not supported in this version"},
	{IN_GLOBAL, REFUSED_HTTP, http_global, "Global, HTTP only"},
	{IN_GLOBAL, REFUSED_YET, yet_global, "Global, not supported in this version"},
	{ON_BIND, REFUSED_HTTP, http_bind, "Parameters of bind, HTTP only"},
	{ON_BIND, REFUSED_YET, yet_bind, "Parameters of bind, not supported in this version"},
	{ON_SERVER, REFUSED_HTTP, http_server, "Parameters of server, HTTP only"},
	{ON_SERVER, REFUSED_YET, yet_server, "Parameters of server, not supported in this version"},
	{ON_STATS_SOCKET, REFUSED_YET, yet_stats_socket,
		"Parameters of stats socket, not supported in this version"},
};

static bool is_match(const char *pattern, const char *word)
{
	size_t len = strlen(pattern);

	if (pattern[len - 1] != '*')
		return strcmp(pattern, word) == 0;
	return strncmp(pattern, word, len - 1) == 0;
}

static bool list_has(const char *const *names, const char *word)
{
	for (; *names != NULL; names++) {
		if (is_match(*names, word))
			return true;
	}
	return false;
}

bool refused_report(struct parser *parser, unsigned section, const char *word)
{
	for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
		/* A wildcard must not swallow a mistyped word that the section has. */
		if ((lists[i].sections & section) == 0 || !list_has(lists[i].names, word))
			continue;
		if (strncmp(word, "tune.", 5) == 0 && keyword_nearest(section, word) != NULL)
			return false;
		if (lists[i].refusal == REFUSED_HTTP)
			report_alert(parser, "'%s' is for HTTP, which spliced does not carry (mode tcp only)",
				word);
		else
			report_alert(parser, "'%s' is not supported in this version", word);
		return true;
	}
	return false;
}

void refused_print(FILE *out)
{
	for (size_t i = 0; i < ARRAY_LENGTH(lists); i++) {
		fprintf(out, ".It %s\n", lists[i].title);
		for (const char *const *name = lists[i].names; *name != NULL; name++)
			fprintf(out, ".Ql %s%s\n", *name, name[1] != NULL ? " ," : "");
	}
}

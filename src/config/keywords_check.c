/* The rows of checks that stand in sections: what a backend's checks send and expect,
 * and how all checks are spread over time. */
#include "config/check_rules.h"
#include "config/values.h"

#define SERVER_SIDE .sections = IN_DEFAULTS | IN_SERVER_SIDE

static const struct keyword rows[] = {
	{
		.name = "http-check disable-on-404",
		SERVER_SIDE,
		FLAG_AT(struct config_proxy, check.has_disable_on_404),
		.sentence =
			"A server that is up and answers 'option httpchk' with the status 404 gets no new connections, keeps those it has, and counts as passed under a condition (L7OKC); one that is down stays down.",
	},
	{
		.name = "http-check expect",
		.arguments =
			"[min-recv <bytes>] [comment <text>] [ok-status <status>] [error-status <status>] [tout-status <status>] [!] {status <codes> | rstatus <regex> | string <text> | rstring <regex>}",
		SERVER_SIDE,
		HANDLED_BY(check_rules_parse_http_expect),
		.default_text = "status 200-399",
		.sentence =
			"What the answer to the request of 'option httpchk' must be, or with '!' must not be: its status, as numbers and ranges between commas or as a regular expression, or something in its body. Several such lines must all hold.",
	},
	{
		.name = "http-check send",
		.arguments =
			"[meth <method>] [uri <uri>] [ver <version>] [hdr <name> <value>]... [body <text>]",
		SERVER_SIDE,
		HANDLED_BY(check_rules_parse_http_send),
		.sentence =
			"What the request of 'option httpchk' is, with header fields and a body; 'Connection: close' and 'Content-Length' are added.",
	},
	{
		.name = "max-ejected",
		.arguments = "<percent>",
		SERVER_SIDE,
		COUNT_AT(struct config_proxy, check.ejected_percent_max),
		.max = 100,
		.default_text = "50",
		.sentence =
			"Share of a backend's servers that 'on-error eject' may have out at a time; what would be more stays, so that a failing network does not leave the clients without servers.",
	},
	{
		.name = "max-spread-checks",
		.arguments = "<time>",
		.sections = IN_GLOBAL,
		TIME_AT(struct config_global, spread_checks_max_ms),
		.max = VALUE_TIME_MS_MAX,
		.unit = "ms",
		.default_text = "none",
		.reload = RELOAD_RESTART,
		.sentence =
			"The first checks of all servers are spread evenly over the interval between two of them, and over no more than this time.",
	},
	{
		.name = "option httpchk",
		.arguments = "[<uri> | <method> <uri> [<version>]]",
		SERVER_SIDE,
		HANDLED_BY(check_scripts_parse_http),
		.default_text = "off; then OPTIONS / HTTP/1.0",
		.sentence =
			"Servers are checked by a request of HTTP, also where they serve another protocol on another port; a status from 200 to 399 is a success unless 'http-check expect' says otherwise. HTTP/1.1 needs a Host: 'http-check send hdr Host <name>'.",
	},
	{
		.name = "option ldap-check",
		SERVER_SIDE,
		HANDLED_BY(check_scripts_parse_plain),
		.sentence = "Servers are checked by an anonymous bind of LDAP version 3, which must succeed.",
	},
	{
		.name = "option log-health-checks",
		SERVER_SIDE,
		FLAG_AT(struct config_proxy, check.has_log),
		.may_negate = true,
		.sentence =
			"Logs each change of a check's result and each failed check of a server that is still up, not only when a server goes down or comes back.",
	},
	{
		.name = "option mysql-check",
		.arguments = "[user <name> [post-41]]",
		SERVER_SIDE,
		HANDLED_BY(check_scripts_parse_mysql),
		.sentence =
			"Servers are checked by the greeting of MySQL or MariaDB and, with a user, by logging in without a password and leaving. Without a user the server counts the connection as one that was broken off, and may lock out its source ('max_connect_errors').",
	},
	{
		.name = "option pgsql-check",
		.arguments = "user <name>",
		SERVER_SIDE,
		HANDLED_BY(check_scripts_parse_pgsql),
		.sentence =
			"Servers are checked by beginning a connection of PostgreSQL as this user; that the server asks for a password, or needs none, is a success.",
	},
	{
		.name = "option redis-check",
		SERVER_SIDE,
		HANDLED_BY(check_scripts_parse_plain),
		.sentence = "Servers are checked by PING, which Redis must answer with +PONG.",
	},
	{
		.name = "option smtpchk",
		.arguments = "[{HELO | EHLO} <domain>]",
		SERVER_SIDE,
		HANDLED_BY(check_scripts_parse_smtp),
		.default_text = "off; then HELO localhost",
		.sentence =
			"Servers are checked by waiting for the greeting of SMTP, saying hello and QUIT; each must be answered with a code that begins with 2.",
	},
	{
		.name = "option ssl-hello-chk",
		SERVER_SIDE,
		HANDLED_BY(check_scripts_parse_plain),
		.sentence =
			"Servers are checked by a ClientHello of TLS 1.2; the beginning of a handshake is a success, and so is an alert, which shows that TLS is spoken. HAProxy sends one of SSL 3.0, which servers of today only answer with an alert.",
	},
	{
		.name = "option tcp-check",
		SERVER_SIDE,
		HANDLED_BY(check_scripts_parse_tcp),
		.sentence =
			"Servers are checked by the 'tcp-check' lines, one after the other; without any by a connection alone, as without this option.",
	},
	{
		.name = "spread-checks",
		.arguments = "<percent>",
		.sections = IN_GLOBAL,
		COUNT_AT(struct config_global, spread_checks_percent),
		.max = 50,
		.default_text = "0",
		.reload = RELOAD_RESTART,
		.sentence =
			"Makes each interval between two checks longer or shorter by chance, by up to so much of it.",
	},
	{
		.name = "tcp-check comment",
		.arguments = "<text>",
		SERVER_SIDE,
		HANDLED_BY(check_rules_parse_comment),
		.sentence =
			"What reports say about the steps that follow, when one fails that has no 'comment' itself.",
	},
	{
		.name = "tcp-check connect",
		.arguments =
			"[default] [port <port>] [addr <address>] [send-proxy] [linger] [comment <text>]",
		SERVER_SIDE,
		HANDLED_BY(check_rules_parse_connect),
		.sentence =
			"Opens a connection for the steps that follow, in place of the one before; as a first step it may be left out. 'default' takes over the server line's way to send the PROXY protocol; 'linger' ends the connection in order where otherwise it is reset.",
	},
	{
		.name = "tcp-check expect",
		.arguments =
			"[min-recv <bytes>] [comment <text>] [ok-status <status>] [error-status <status>] [tout-status <status>] [!] {string <text> | rstring <regex> | binary <digits> | rbinary <regex>}",
		SERVER_SIDE,
		HANDLED_BY(check_rules_parse_expect),
		.sentence =
			"Waits until what the server has sent since the last 'send' holds this text, these bytes or a match of this regular expression (PCRE2, within limits; 'rbinary' sees hexadecimal digits, capital letters). With '!' the server must not send it until it closes. 'min-recv' asks for so many bytes, after which the answer is final. At most 16384 bytes are looked at. The statuses are what a success (L4OK, L6OK, L7OK, L7OKC), a failure (L4CON, L6RSP, L7RSP, L7STS, L7OKC) and a time-out (L4TOUT, L6TOUT, L7TOUT) are reported as.",
	},
	{
		.name = "tcp-check send",
		.arguments = "<text> [comment <text>]",
		SERVER_SIDE,
		HANDLED_BY(check_rules_parse_send),
		.sentence = "Sends this text; a line's end is written as \\r\\n.",
	},
	{
		.name = "tcp-check send-binary",
		.arguments = "<digits> [comment <text>]",
		SERVER_SIDE,
		HANDLED_BY(check_rules_parse_send_binary),
		.sentence = "Sends the bytes that these hexadecimal digits say.",
	},
};

const struct keyword_table keywords_check = {rows, ARRAY_LENGTH(rows)};

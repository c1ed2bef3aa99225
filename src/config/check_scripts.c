/* What checks of known protocols send and expect: rows of steps.  And every backend's
 * steps, once all of its lines are read. */
#include "config/check_rules.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"

/* A step as a row: text is what is sent, or the pattern. */
struct script_row {
	enum config_step_kind kind;
	enum config_match match;
	const char *text;
	const char *comment; /* when it fails */
	enum check_status error, ok, timeout;
	bool is_hex; /* SEND: text is hexadecimal digits */
};

#define SEND(what) .kind = CONFIG_STEP_SEND, .text = (what)
#define EXPECT(how, what, failure)                                                        \
	.kind = CONFIG_STEP_EXPECT, .match = (how), .text = (what), .comment = (failure), \
	.error = CHECK_L7_WRONG, .ok = CHECK_L7_OK, .timeout = CHECK_L7_TIMEOUT

static const struct script_row redis_rows[] = {
	{SEND("*1\r\n$4\r\nPING\r\n")},
	{EXPECT(CONFIG_MATCH_PATTERN, "^\\+PONG\r\n", "no +PONG from Redis")},
};

/* A success, perhaps of several lines. */
#define SMTP_FINE "^(?:2[0-9]{2}-[^\n]*\n)*2[0-9]{2}[ \r]"
static const struct script_row smtp_rows[] = {
	{EXPECT(CONFIG_MATCH_PATTERN, SMTP_FINE, "no greeting of an SMTP server")},
	{.kind = CONFIG_STEP_SEND}, /* the hello */
	{EXPECT(CONFIG_MATCH_PATTERN, SMTP_FINE, "the SMTP server refuses the hello")},
	{SEND("QUIT\r\n")},
	{EXPECT(CONFIG_MATCH_PATTERN, "^2[0-9]{2}[- \r]", "the SMTP server refuses QUIT")},
};

/* RFC 4511: an anonymous bind, and its answer with the result 0; lengths of any form. */
#define BER_LENGTH "(?:[0-7].|81..|82.{4}|83.{6}|84.{8})"
static const struct script_row ldap_rows[] = {
	{SEND("300C020101600702010304008000"), .is_hex = true},
	{EXPECT(CONFIG_MATCH_HEX_PATTERN, "^30" BER_LENGTH "02010161" BER_LENGTH "0A0100",
		"no successful answer of LDAP to an anonymous bind")},
};

/* RFC 5246: a hello for TLS 1.2.  An alert shows as well that TLS is spoken. */
static const struct script_row tls_rows[] = {
	{.kind = CONFIG_STEP_SEND,
		.is_hex = true,
		.text = "160301006D01000069030373706C6963656420636865636B7320776865746865"
			"72206120544C5320736572000018C02BC02FC02CC030CCA9CCA8C013C014009C"
			"009D002F003501000028000A00080006001D00170018000B00020100000D0012"
			"001004030804040105030805050106010201"},
	{.kind = CONFIG_STEP_EXPECT,
		.match = CONFIG_MATCH_HEX_PATTERN,
		.text = "^1[56]03",
		.comment = "no answer of a TLS server",
		.error = CHECK_L6_INVALID,
		.ok = CHECK_L6_OK,
		.timeout = CHECK_L6_TIMEOUT},
};

/* The answer to the first message is about authentication, or an error. */
static const struct script_row pgsql_rows[] = {
	{.kind = CONFIG_STEP_SEND}, /* the start-up message */
	{EXPECT(CONFIG_MATCH_HEX_PATTERN, "^52", "PostgreSQL refuses the connection")},
};

/* Packets are three bytes of length, a number, and what they are; the greeting says
 * protocol 9 or 10. */
#define MYSQL_GREETING "^(?:..){3}000[9A]"
static const struct script_row mysql_rows[] = {
	{EXPECT(CONFIG_MATCH_HEX_PATTERN, MYSQL_GREETING, "no greeting of a MySQL server")},
};
static const struct script_row mysql_user_rows[] = {
	{EXPECT(CONFIG_MATCH_HEX_PATTERN, MYSQL_GREETING, "no greeting of a MySQL server")},
	{.kind = CONFIG_STEP_SEND}, /* the user's name, and QUIT */
	/* Behind what may be left of the greeting: number 2, success. */
	{EXPECT(CONFIG_MATCH_HEX_PATTERN, "^(?:..)*?..00000200", "the MySQL server refuses the user")},
};

/* --- rows into steps --- */

/* What one row lacks. */
struct script_bytes {
	const uint8_t *bytes;
	size_t len;
};

static struct script_bytes hex_read(struct parser *parser, const char *digits)
{
	static const char values[] = "0123456789ABCDEF";
	size_t len = strlen(digits) / 2;
	uint8_t *bytes = arena_alloc(parser->arena, len);
	for (size_t i = 0; i < len; i++) {
		const char *high = strchr(values, digits[2 * i]), *low = strchr(values, digits[2 * i + 1]);
		CHECK(high != NULL && low != NULL);
		bytes[i] = (uint8_t)((high - values) * 16 + (low - values));
	}
	return (struct script_bytes){bytes, len};
}

static struct config_check_step *step_make(
	struct parser *parser, const struct script_row *row, const struct script_bytes *given)
{
	struct config_check_step *step = arena_alloc(parser->arena, sizeof(*step));
	*step = (struct config_check_step){.kind = row->kind,
		.text = row->text,
		.comment = row->comment,
		.match = row->match,
		.received_min = -1,
		.ok = row->ok,
		.error = row->error,
		.timeout = row->timeout};
	struct script_bytes bytes = {(const uint8_t *)row->text, row->text != NULL ? strlen(row->text) : 0};
	if (row->text == NULL) {
		CHECK(given != NULL);
		bytes = *given;
	} else if (row->is_hex) {
		bytes = hex_read(parser, row->text);
	}
	step->bytes = bytes.bytes;
	step->len = bytes.len;
	bool has_pattern = row->kind == CONFIG_STEP_EXPECT && row->match != CONFIG_MATCH_HTTP_STATUS;
	if (has_pattern) {
		int result = check_pattern_make(parser, step);
		CHECK(result == 0);
	}
	return step;
}

/* given: of the one row that has no text. */
static void script_set(
	struct parser *parser, const struct script_row *rows, size_t count, const struct script_bytes *given)
{
	struct config_check_plan *plan = &parser->draft->proxy.check;
	struct config_check_step *first = NULL, **end = &first;
	for (size_t i = 0; i < count; i++) {
		*end = step_make(parser, &rows[i], given);
		end = &(*end)->next;
	}
	plan->kind = CONFIG_CHECK_SCRIPT;
	plan->script = first;
}

/* --- the options --- */

static const char *option_name(const struct statement *statement)
{
	return strchr(statement->keyword->name, ' ') + 1;
}

static struct config_check_plan *plan_begin(struct parser *parser, const struct statement *statement)
{
	struct config_check_plan *plan = &parser->draft->proxy.check;
	plan->name = option_name(statement);
	return plan;
}

int check_scripts_parse_tcp(struct parser *parser, const struct statement *statement)
{
	plan_begin(parser, statement)->kind = CONFIG_CHECK_TCP;
	return 0;
}

/* Those without arguments. */
int check_scripts_parse_plain(struct parser *parser, const struct statement *statement)
{
	const char *name = plan_begin(parser, statement)->name;
	if (strcmp(name, "redis-check") == 0)
		script_set(parser, redis_rows, ARRAY_LENGTH(redis_rows), NULL);
	else if (strcmp(name, "ldap-check") == 0)
		script_set(parser, ldap_rows, ARRAY_LENGTH(ldap_rows), NULL);
	else
		script_set(parser, tls_rows, ARRAY_LENGTH(tls_rows), NULL);
	return 0;
}

int check_scripts_parse_smtp(struct parser *parser, const struct statement *statement)
{
	const char *hello = "HELO", *domain = "localhost";
	char line[512];
	if (statement->count == 1)
		return statement_refuse(parser, statement);
	if (statement->count > 1) {
		hello = strcmp(statement->words[0], "EHLO") == 0 ? "EHLO" : "HELO";
		domain = statement->words[1];
	}
	if (domain[0] == '\0' || strlen(domain) > 255 || strpbrk(domain, "\r\n") != NULL)
		return statement_refuse(parser, statement);
	plan_begin(parser, statement);
	struct text text;
	text_init(&text, line, sizeof(line));
	text_printf(&text, "%s %s\r\n", hello, domain);
	const struct script_bytes bytes = {(const uint8_t *)arena_copy(parser->arena, line), text.len};
	script_set(parser, smtp_rows, ARRAY_LENGTH(smtp_rows), &bytes);
	return statement->count > 1 ? 2 : 0;
}

enum { USER_BYTES_MAX = 128 };

/* "user <name>"; NULL after reporting. */
static const char *user_argument(struct parser *parser, const struct statement *statement)
{
	bool is_fine = statement->count >= 2 && strcmp(statement->words[0], "user") == 0 &&
		statement->words[1][0] != '\0' && strlen(statement->words[1]) <= USER_BYTES_MAX;
	if (is_fine)
		return statement->words[1];
	statement_refuse(parser, statement);
	return NULL;
}

/* Length, version 3.0, "user", its name, an end. */
int check_scripts_parse_pgsql(struct parser *parser, const struct statement *statement)
{
	static const uint8_t version[] = {0, 3, 0, 0};
	static const char key[] = "user";
	const char *user = user_argument(parser, statement);
	if (user == NULL)
		return -EINVAL;
	size_t user_len = strlen(user) + 1, len = 4 + sizeof(version) + sizeof(key) + user_len + 1;
	uint8_t *bytes = arena_alloc(parser->arena, len);
	bytes[2] = (uint8_t)(len >> 8);
	bytes[3] = (uint8_t)len;
	memcpy(bytes + 4, version, sizeof(version));
	memcpy(bytes + 8, key, sizeof(key));
	memcpy(bytes + 8 + sizeof(key), user, user_len);
	plan_begin(parser, statement);
	script_set(parser, pgsql_rows, ARRAY_LENGTH(pgsql_rows), &(struct script_bytes){bytes, len});
	return 2;
}

/* A client of protocol 4.1 without a password, then QUIT. */
static struct script_bytes mysql_login(struct parser *parser, const char *user)
{
	static const uint8_t quit[] = {1, 0, 0, 0, 1};
	enum { LONG_PASSWORD = 0x1, PROTOCOL_41 = 0x200, TRANSACTIONS = 0x2000, SECURE = 0x8000, FIXED = 32 };
	const unsigned abilities = LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE;
	size_t user_len = strlen(user) + 1, body = FIXED + user_len + 1, len = 4 + body + sizeof(quit);
	uint8_t *bytes = arena_alloc(parser->arena, len);
	bytes[0] = (uint8_t)body;
	bytes[1] = (uint8_t)(body >> 8);
	bytes[3] = 1; /* the packet's number */
	bytes[4] = (uint8_t)abilities;
	bytes[5] = (uint8_t)(abilities >> 8);
	bytes[11] = 1; /* packets of 16 MiB at most */
	bytes[12] = 33; /* utf8 */
	memcpy(bytes + 4 + FIXED, user, user_len);
	memcpy(bytes + 4 + body, quit, sizeof(quit));
	return (struct script_bytes){bytes, len};
}

int check_scripts_parse_mysql(struct parser *parser, const struct statement *statement)
{
	if (statement->count == 0) {
		plan_begin(parser, statement);
		script_set(parser, mysql_rows, ARRAY_LENGTH(mysql_rows), NULL);
		return 0;
	}
	const char *user = user_argument(parser, statement);
	if (user == NULL)
		return -EINVAL;
	if (statement->count > 2 && strcmp(statement->words[2], "post-41") != 0) {
		report_alert(parser,
			"'option mysql-check' speaks the protocol of MySQL 4.1 and later only, not '%s'",
			statement->words[2]);
		return -EINVAL;
	}
	const struct script_bytes login = mysql_login(parser, user);
	plan_begin(parser, statement);
	script_set(parser, mysql_user_rows, ARRAY_LENGTH(mysql_user_rows), &login);
	return statement->count > 2 ? 3 : 2;
}

/* --- HTTP --- */

int check_scripts_parse_http(struct parser *parser, const struct statement *statement)
{
	struct config_check_plan *plan = plan_begin(parser, statement);
	const char *const *words = statement->words;
	unsigned count = statement->count < 3 ? statement->count : 3;
	plan->kind = CONFIG_CHECK_HTTP;
	plan->method = count > 1 ? arena_copy(parser->arena, words[0]) : NULL;
	plan->uri = count > 0 ? arena_copy(parser->arena, words[count > 1]) : NULL;
	plan->version = count > 2 ? arena_copy(parser->arena, words[2]) : NULL;
	return (int)count;
}

/* The first of them that is there. */
static const char *choose(const char *sent, const char *given, const char *usual)
{
	return sent != NULL ? sent : given != NULL && given[0] != '\0' ? given : usual;
}

static void request_print(const struct config_check_plan *plan, struct text_grow *out)
{
	bool has_connection = false;
	text_grow_printf(out, "%s %s %s\r\n", choose(plan->sent_method, plan->method, "OPTIONS"),
		choose(plan->sent_uri, plan->uri, "/"),
		choose(plan->sent_version, plan->version, "HTTP/1.0"));
	for (const struct config_http_header *header = plan->headers; header != NULL; header = header->next) {
		has_connection |= strcasecmp(header->name, "connection") == 0;
		if (plan->body == NULL || strcasecmp(header->name, "content-length") != 0)
			text_grow_printf(out, "%s: %s\r\n", header->name, header->value);
	}
	if (!has_connection)
		text_grow_add(out, "Connection: close\r\n");
	if (plan->body != NULL)
		text_grow_printf(out, "Content-Length: %zu\r\n", strlen(plan->body));
	text_grow_printf(out, "\r\n%s", plan->body != NULL ? plan->body : "");
}

static const struct config_status_range fine[] = {{200, 399}};

static struct config_check_step *http_steps(struct parser *parser, const struct config_check_plan *plan)
{
	struct text_grow request;
	struct config_check_step *send = arena_alloc(parser->arena, sizeof(*send));
	struct config_check_step *expect = plan->http_expects;
	text_grow_init(&request, 256 * 1024);
	request_print(plan, &request);
	CHECK(!request.is_cut);
	send->kind = CONFIG_STEP_SEND;
	/* The copy may leave this function without return, and then the process ends. */
	send->bytes = (const uint8_t *)arena_copy_bytes(parser->arena, request.start, request.len);
	send->len = request.len;
	text_grow_release(&request);
	if (expect == NULL) {
		expect = arena_alloc(parser->arena, sizeof(*expect));
		*expect = (struct config_check_step){.kind = CONFIG_STEP_EXPECT,
			.text = "200-399",
			.match = CONFIG_MATCH_HTTP_STATUS,
			.received_min = -1,
			.ranges = fine,
			.ranges_count = ARRAY_LENGTH(fine),
			.ok = CHECK_L7_OK,
			.error = CHECK_L7_WRONG,
			.timeout = CHECK_L7_TIMEOUT};
	}
	send->next = expect;
	return send;
}

/* --- when all is read --- */

static void plan_complete(struct parser *parser, struct config_proxy *proxy)
{
	struct config_check_plan *plan = &proxy->check;
	switch (plan->kind) {
	case CONFIG_CHECK_TCP:
		plan->steps = plan->name != NULL ? plan->rules : NULL;
		break;
	case CONFIG_CHECK_HTTP:
		plan->steps = http_steps(parser, plan);
		break;
	case CONFIG_CHECK_SCRIPT:
		plan->steps = plan->script;
		break;
	}
}

static bool is_portless(const struct config_server *server)
{
	return server->is_port_mapped && server->check.port == 0;
}

static void server_complete(
	struct parser *parser, const struct config_proxy *proxy, struct config_server *server)
{
	const struct config_check_step *first = proxy->check.steps;
	bool has_step_port = first != NULL && first->kind == CONFIG_STEP_CONNECT && first->port != 0;
	if (server->check.is_on && server->track != NULL)
		report_alert_at(parser, &server->place,
			"server '%s' follows another one ('track') and cannot have a check of its own",
			server->name);
	if (server->agent.is_on && server->track != NULL)
		report_alert_at(parser, &server->place,
			"server '%s' follows another one ('track') and cannot have an agent", server->name);
	if (server->check.is_on && is_portless(server) && !has_step_port)
		report_alert_at(parser, &server->place,
			"server '%s' has no port of its own: its check needs 'port'", server->name);
	if (server->agent.is_on && server->agent.port == 0)
		report_alert_at(parser, &server->place, "server '%s': 'agent-check' needs 'agent-port'",
			server->name);
	if (server->check.is_observing && !server->check.is_on)
		report_alert_at(parser, &server->place, "server '%s': 'observe' needs 'check'", server->name);
}

/* Lines of the section itself, not those of its defaults. */
static void warn_useless(struct parser *parser, const struct draft *draft)
{
	const struct config_check_plan *plan = &draft->proxy.check;
	const char *name = plan->name != NULL ? plan->name : "";
	bool has_http = draft->http_expects_end != NULL || draft->headers_end != NULL;
	if (draft->rules_end != NULL && strcmp(name, "tcp-check") != 0)
		report_warning_at(parser, &draft->proxy.place,
			"the 'tcp-check' lines of '%s' have no effect without 'option tcp-check'",
			draft->proxy.name);
	if (has_http && strcmp(name, "httpchk") != 0)
		report_warning_at(parser, &draft->proxy.place,
			"the 'http-check' lines of '%s' have no effect without 'option httpchk'",
			draft->proxy.name);
}

void checks_complete(struct parser *parser)
{
	for (struct draft *draft = parser->drafts; draft != NULL; draft = draft->next) {
		struct config_proxy *proxy = &draft->proxy;
		if ((proxy->roles & CONFIG_ROLE_BACKEND) == 0)
			continue;
		plan_complete(parser, proxy);
		warn_useless(parser, draft);
		for (struct config_server *server = proxy->servers; server != NULL; server = server->next)
			server_complete(parser, proxy, server);
	}
}

/* The table of what can be taken from a connection. */
#include <errno.h>
#include <string.h>

#include "base/lookup.h"
#include "rule/fetch.h"

#define TAKE(name)                                                                   \
	static bool take_##name(struct rule_facts *facts, const struct fetch *fetch, \
		const struct fetch_arguments *arguments, struct sample *ret_sample)

TAKE(address)
{
	(void)arguments;
	bool is_source = fetch->name[0] == 's';
	ret_sample->type = SAMPLE_ADDRESS;
	ret_sample->address = is_source ? facts->source : facts->destination;
	return ret_sample->address.family == AF_INET || ret_sample->address.family == AF_INET6;
}

TAKE(port)
{
	(void)arguments;
	const struct endpoint *endpoint = fetch->name[0] == 's' ? &facts->source : &facts->destination;
	sample_set_integer(ret_sample, endpoint->port);
	return endpoint->family == AF_INET || endpoint->family == AF_INET6;
}

TAKE(constant)
{
	(void)facts;
	if (fetch->takes == FETCH_TAKES_NOTHING)
		sample_set_bool(ret_sample, strcmp(fetch->name, "always_true") == 0);
	else if (fetch->type == SAMPLE_TEXT)
		sample_set_text(ret_sample, arguments->text, strlen(arguments->text));
	else if (fetch->type == SAMPLE_BOOL)
		sample_set_bool(ret_sample, arguments->numbers[0]);
	else
		sample_set_integer(ret_sample, arguments->numbers[0]);
	return true;
}

TAKE(listener_id)
{
	(void)fetch, (void)arguments;
	sample_set_integer(ret_sample, facts->listener_id);
	return true;
}

TAKE(name)
{
	(void)arguments;
	const char *name = fetch->name[0] == 's' ? facts->listener_name
		: fetch->name[0] == 'f'          ? facts->frontend_name
						 : facts->backend_name;
	if (name == NULL)
		return false;
	sample_set_text(ret_sample, name, strlen(name));
	return true;
}

TAKE(proxy_header)
{
	(void)arguments;
	const struct tls_span *span =
		strcmp(fetch->name, "fc_pp_authority") == 0 ? &facts->authority : &facts->unique_id;
	sample_set_text(ret_sample, span->bytes, span->len);
	return span->bytes != NULL;
}

TAKE(gauge)
{
	int64_t value = 0;
	if (facts->gauge == NULL || !facts->gauge(facts, fetch->gauge, arguments->reference, &value))
		return false;
	if (fetch->type == SAMPLE_BOOL)
		sample_set_bool(ret_sample, value != 0);
	else
		sample_set_integer(ret_sample, value);
	return true;
}

#define FRONTEND_GAUGE(gauge_)                                                              \
	.arguments = "[<frontend>]", .takes = FETCH_TAKES_FRONTEND, .type = SAMPLE_INTEGER, \
	.gauge = (gauge_), .take = take_gauge
#define BACKEND_GAUGE(gauge_)                                                             \
	.arguments = "[<backend>]", .takes = FETCH_TAKES_BACKEND, .type = SAMPLE_INTEGER, \
	.needs_session = true, .gauge = (gauge_), .take = take_gauge
#define SERVER_GAUGE(gauge_)                                                                      \
	.arguments = "[<backend>/]<server>", .takes = FETCH_TAKES_SERVER, .type = SAMPLE_INTEGER, \
	.needs_session = true, .gauge = (gauge_), .take = take_gauge
#define OF_BYTES(type_, take_) .type = (type_), .needs_bytes = true, .needs_session = true, .take = (take_)

const struct fetch fetches[] = {
	{.name = "always_false", .type = SAMPLE_BOOL, .take = take_constant, .sentence = "False."},
	{.name = "always_true", .type = SAMPLE_BOOL, .take = take_constant, .sentence = "True."},
	{.name = "be_conn",
		BACKEND_GAUGE(RULE_GAUGE_CONNECTIONS),
		.sentence = "Connections that the backend has, those that wait for a server included."},
	{.name = "be_id",
		.type = SAMPLE_INTEGER,
		.needs_session = true,
		.takes = FETCH_TAKES_BACKEND,
		.gauge = RULE_GAUGE_ID,
		.take = take_gauge,
		.arguments = "[<backend>]",
		.sentence = "The backend's number, as 'id' gives it."},
	{.name = "be_name",
		.type = SAMPLE_TEXT,
		.needs_session = true,
		.take = take_name,
		.sentence = "The name of the connection's backend, once it has one."},
	{.name = "be_sess_rate",
		BACKEND_GAUGE(RULE_GAUGE_RATE),
		.sentence = "Connections that came to the backend in the last second."},
	{.name = "bool",
		.arguments = "<bool>",
		.takes = FETCH_TAKES_BOOL,
		.type = SAMPLE_BOOL,
		.take = take_constant,
		.sentence = "That value: true, false, 1 or 0."},
	{.name = "dst",
		.type = SAMPLE_ADDRESS,
		.take = take_address,
		.sentence =
			"The address that the client has connected to; with 'accept-proxy', to the proxy before."},
	{.name = "dst_port",
		.type = SAMPLE_INTEGER,
		.take = take_port,
		.sentence = "The port that the client has connected to."},
	{.name = "fc_pp_authority",
		.type = SAMPLE_TEXT,
		.needs_session = true,
		.take = take_proxy_header,
		.sentence = "The name (authority) that the PROXY header brought."},
	{.name = "fc_pp_unique_id",
		.type = SAMPLE_TEXT,
		.needs_session = true,
		.take = take_proxy_header,
		.sentence = "The unique id that the PROXY header brought."},
	{.name = "fe_conn",
		FRONTEND_GAUGE(RULE_GAUGE_CONNECTIONS),
		.sentence = "Connections that the frontend has, this one included."},
	{.name = "fe_id",
		FRONTEND_GAUGE(RULE_GAUGE_ID),
		.sentence = "The frontend's number, as 'id' gives it."},
	{.name = "fe_name",
		.type = SAMPLE_TEXT,
		.take = take_name,
		.sentence = "The name of the connection's frontend."},
	{.name = "fe_sess_rate",
		FRONTEND_GAUGE(RULE_GAUGE_RATE),
		.sentence = "Connections that the frontend has accepted in the last second."},
	{.name = "int",
		.arguments = "<number>",
		.takes = FETCH_TAKES_NUMBER,
		.type = SAMPLE_INTEGER,
		.take = take_constant,
		.sentence = "That number."},
	{.name = "nbsrv",
		BACKEND_GAUGE(RULE_GAUGE_USABLE_SERVERS),
		.sentence =
			"Servers of the backend that take connections; its backups count when they serve."},
	{.name = "queue",
		BACKEND_GAUGE(RULE_GAUGE_QUEUE),
		.sentence = "Connections that wait for any server of the backend."},
	{.name = "req.len",
		.alias = "req_len",
		OF_BYTES(SAMPLE_INTEGER, fetch_take_len),
		.sentence = "How many bytes of the client are here."},
	{.name = "req.payload",
		.alias = "payload",
		.arguments = "<offset>,<length>",
		.takes = FETCH_TAKES_SPAN,
		OF_BYTES(SAMPLE_TEXT, fetch_take_payload),
		.sentence =
			"So many of the client's bytes, from the offset on; with length 0 all that are here."},
	{.name = "req.payload_lv",
		.alias = "payload_lv",
		.arguments = "<offset>,<bytes>[,<offset>]",
		.takes = FETCH_TAKES_PREFIXED,
		OF_BYTES(SAMPLE_TEXT, fetch_take_payload_lv),
		.sentence =
			"Bytes whose number stands before them, in so many bytes at the first offset, the highest first. They are at the second offset, which with a sign counts from behind the number, where they are without it."},
	{.name = "req.rdp_cookie",
		.alias = "rdp_cookie",
		.arguments = "[<name>]",
		.takes = FETCH_TAKES_NAME,
		OF_BYTES(SAMPLE_TEXT, fetch_take_rdp_cookie),
		.sentence =
			"The value of the cookie, of this name if one is given, in a connection request of the Remote Desktop Protocol."},
	{.name = "req.rdp_cookie_cnt",
		.alias = "rdp_cookie_cnt",
		.arguments = "[<name>]",
		.takes = FETCH_TAKES_NAME,
		OF_BYTES(SAMPLE_INTEGER, fetch_take_rdp_cookie_count),
		.sentence = "1 when there is such a cookie, else 0."},
	{.name = "req.ssl_alpn",
		OF_BYTES(SAMPLE_TEXT, fetch_take_alpn),
		.sentence =
			"The protocols that the TLS ClientHello offers (ALPN), with commas between them."},
	{.name = "req.ssl_ech",
		OF_BYTES(SAMPLE_BOOL, fetch_take_encrypted_hello),
		.sentence =
			"The TLS ClientHello has an encrypted one in it (ECH), or pretends to; its server name is then the public one. Not in HAProxy."},
	{.name = "req.ssl_hello_type",
		.alias = "req_ssl_hello_type",
		OF_BYTES(SAMPLE_INTEGER, fetch_take_hello_type),
		.sentence =
			"The type of the TLS handshake message that the connection begins with; 1 is a ClientHello."},
	{.name = "req.ssl_sni",
		.alias = "req_ssl_sni",
		OF_BYTES(SAMPLE_TEXT, fetch_take_sni),
		.sentence =
			"The server name in the TLS ClientHello, as the client wrote it: compare it with '-i'. There is none in a hello that is malformed or longer than 64 KiB."},
	{.name = "req.ssl_ver",
		.alias = "req_ssl_ver",
		OF_BYTES(SAMPLE_INTEGER, fetch_take_version),
		.sentence =
			"The version that the TLS ClientHello names, 3.3 for TLS 1.2 and all later ones, as in HAProxy."},
	{.name = "req.ssl_ver_max",
		OF_BYTES(SAMPLE_INTEGER, fetch_take_version_max),
		.sentence =
			"The highest version that the TLS ClientHello offers: 3.4 for TLS 1.3. Not in HAProxy."},
	{.name = "so_id",
		.type = SAMPLE_INTEGER,
		.take = take_listener_id,
		.sentence = "The number of the 'bind' address, as its 'id' gives it."},
	{.name = "so_name",
		.type = SAMPLE_TEXT,
		.take = take_name,
		.sentence = "The name of the 'bind' address."},
	{.name = "src",
		.type = SAMPLE_ADDRESS,
		.take = take_address,
		.sentence =
			"The client's address; with 'accept-proxy' the one that the PROXY header names, but in 'tcp-request connection' who has connected."},
	{.name = "src_port", .type = SAMPLE_INTEGER, .take = take_port, .sentence = "The client's port."},
	{.name = "srv_conn",
		SERVER_GAUGE(RULE_GAUGE_CONNECTIONS),
		.sentence = "Connections that the server has."},
	{.name = "srv_is_up",
		.arguments = "[<backend>/]<server>",
		.takes = FETCH_TAKES_SERVER,
		.type = SAMPLE_BOOL,
		.needs_session = true,
		.gauge = RULE_GAUGE_IS_UP,
		.take = take_gauge,
		.sentence = "Whether the server takes connections."},
	{.name = "srv_queue",
		SERVER_GAUGE(RULE_GAUGE_QUEUE),
		.sentence = "Connections that wait for this server in particular."},
	{.name = "srv_sess_rate",
		SERVER_GAUGE(RULE_GAUGE_RATE),
		.sentence = "Connections that were made to the server in the last second."},
	{.name = "srv_weight", SERVER_GAUGE(RULE_GAUGE_WEIGHT), .sentence = "The server's weight in force."},
	{.name = "str",
		.arguments = "<text>",
		.takes = FETCH_TAKES_TEXT,
		.type = SAMPLE_TEXT,
		.take = take_constant,
		.sentence = "That text."},
	{.name = "wait_end",
		OF_BYTES(SAMPLE_BOOL, fetch_take_wait_end),
		.sentence = "True once nothing more is waited for; asking for it waits."},
	{.name = NULL},
};

const struct fetch *fetch_find(const char *name)
{
	for (const struct fetch *fetch = fetches; fetch->name != NULL; fetch++) {
		if (strcmp(fetch->name, name) == 0 ||
			(fetch->alias != NULL && strcmp(fetch->alias, name) == 0))
			return fetch;
	}
	return NULL;
}

const char *fetch_nearest(const char *name)
{
	struct lookup_nearest nearest = lookup_nearest_begin(name);
	for (const struct fetch *fetch = fetches; fetch->name != NULL; fetch++) {
		lookup_nearest_try(&nearest, fetch->name);
		if (fetch->alias != NULL)
			lookup_nearest_try(&nearest, fetch->alias);
	}
	return nearest.name;
}

/* --- arguments --- */

static const struct rule_reference *reference_make(
	struct rule_book *book, enum fetch_takes takes, const char *text)
{
	struct rule_reference *reference = arena_alloc(book->arena, sizeof(*reference));
	reference->kind = takes == FETCH_TAKES_FRONTEND ? RULE_FRONTEND
		: takes == FETCH_TAKES_BACKEND          ? RULE_BACKEND
							: RULE_SERVER;
	reference->proxy = text;
	reference->origin = book->origin;
	reference->proxy_index = reference->server_index = RULE_OWN;
	if (takes == FETCH_TAKES_SERVER) {
		const char *slash = strchr(text, '/');
		reference->server = slash != NULL ? slash + 1 : text;
		reference->proxy =
			slash != NULL ? arena_copy_bytes(book->arena, text, (size_t)(slash - text)) : NULL;
	}
	reference->next = book->references;
	book->references = reference;
	return reference;
}

/* Offsets and lengths; none beyond what is ever looked at. */
static bool numbers_parse(
	const struct fetch *fetch, const struct rule_call *call, struct fetch_arguments *arguments)
{
	bool is_prefixed = fetch->takes == FETCH_TAKES_PREFIXED;
	int64_t len_max = is_prefixed ? 4 : TLS_HELLO_STREAM_BYTES_MAX;
	if (call->count != 2 && !(is_prefixed && call->count == 3))
		return false;
	if (!rule_number_parse(call->arguments[0], 0, TLS_HELLO_STREAM_BYTES_MAX, &arguments->numbers[0]) ||
		!rule_number_parse(call->arguments[1], is_prefixed, len_max, &arguments->numbers[1]))
		return false;
	arguments->is_relative = true;
	if (call->count < 3)
		return true;
	const char *third = call->arguments[2];
	arguments->is_relative = *third == '+' || *third == '-';
	return rule_number_parse(
		third, -TLS_HELLO_STREAM_BYTES_MAX, TLS_HELLO_STREAM_BYTES_MAX, &arguments->numbers[2]);
}

static bool bool_parse(const struct rule_call *call, int64_t *ret_value)
{
	static const char *const words[] = {"false", "true", "0", "1"};
	for (size_t i = 0; call->count == 1 && i < ARRAY_LENGTH(words); i++) {
		if (strcmp(words[i], call->arguments[0]) == 0) {
			*ret_value = (int64_t)i % 2;
			return true;
		}
	}
	return false;
}

static bool parse(struct rule_book *book, const struct fetch *fetch, const struct rule_call *call,
	struct fetch_arguments *arguments)
{
	const char *text = call->count > 0 ? call->arguments[0] : NULL;
	arguments->text = text;
	switch (fetch->takes) {
	case FETCH_TAKES_NOTHING:
		return call->count == 0;
	case FETCH_TAKES_FRONTEND:
	case FETCH_TAKES_BACKEND:
		arguments->reference = reference_make(book, fetch->takes, text);
		return call->count <= 1;
	case FETCH_TAKES_SERVER:
		if (call->count != 1)
			return false;
		arguments->reference = reference_make(book, fetch->takes, text);
		return arguments->reference->server[0] != '\0';
	case FETCH_TAKES_SPAN:
	case FETCH_TAKES_PREFIXED:
		return numbers_parse(fetch, call, arguments);
	case FETCH_TAKES_NAME:
		return call->count <= 1;
	case FETCH_TAKES_TEXT:
		return call->count == 1;
	case FETCH_TAKES_NUMBER:
		return call->count == 1 &&
			rule_number_parse(text, INT64_MIN, INT64_MAX, &arguments->numbers[0]);
	case FETCH_TAKES_BOOL:
		return bool_parse(call, &arguments->numbers[0]);
	}
	return false;
}

int fetch_arguments_parse(struct rule_book *book, const struct fetch *fetch, const struct rule_call *call,
	struct fetch_arguments *ret_arguments, struct text *complaint)
{
	memset(ret_arguments, 0, sizeof(*ret_arguments));
	if (parse(book, fetch, call, ret_arguments))
		return 0;
	if (fetch->arguments == NULL)
		text_printf(complaint, "'%s' takes no arguments", call->name);
	else
		text_printf(complaint, "'%s' takes %s in parentheses", call->name, fetch->arguments);
	return -EINVAL;
}

/* The variables of log formats: one row each, with the function that prints it. */
#include "log/log_internal.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/lookup.h"

static char host_name[256] = "-";

static void print_string(const struct log_render *render, const char *string)
{
	struct text *text = render->text;
	if (render->flags & LOG_FLAG_QUOTE)
		text_add_char(text, '"');
	for (const char *at = string; *at; at++) {
		if ((render->flags & LOG_FLAG_ESCAPE) && strchr("\"\\]", *at))
			text_add_char(text, '\\');
		text_add_char(text, *at);
	}
	if (render->flags & LOG_FLAG_QUOTE)
		text_add_char(text, '"');
}

/* What a line of the log cannot hold is written as '#' and two digits. */
static void print_bytes(const struct log_render *render, const struct log_bytes *bytes)
{
	char printed[3 * UINT8_MAX + 1];
	struct text text;
	text_init(&text, printed, sizeof(printed));
	for (unsigned i = 0; i < bytes->len; i++) {
		uint8_t byte = bytes->bytes[i];
		if (byte > ' ' && byte < 0x7f && byte != '#')
			text_add_char(&text, (char)byte);
		else
			text_printf(&text, "#%02X", byte);
	}
	print_string(render, bytes->bytes != NULL ? printed : "-");
}

static void print_authority(const struct log_render *render)
{
	print_bytes(render, &render->record->authority);
}

static void print_unique_id(const struct log_render *render)
{
	print_bytes(render, &render->record->unique_id);
}

static void print_number(const struct log_render *render, int64_t number)
{
	text_printf(render->text, "%lld", (long long)number);
}

/* For the few numbers that flag X applies to. */
static void print_number_or_hex(const struct log_render *render, uint64_t number)
{
	const char *format = render->flags & LOG_FLAG_HEX ? "%04llX" : "%llu";
	text_printf(render->text, format, (unsigned long long)number);
}

static void print_host(const struct log_render *render, const struct endpoint *endpoint)
{
	char host[ADDRESS_TEXT_MAX];
	if (endpoint->family == AF_UNSPEC) {
		print_string(render, "-");
		return;
	}
	bool is_ip = endpoint->family == AF_INET || endpoint->family == AF_INET6;
	if (is_ip && (render->flags & LOG_FLAG_HEX)) {
		unsigned len = endpoint->family == AF_INET ? 4 : 16;
		for (unsigned i = 0; i < len; i++)
			text_printf(render->text, "%02X", endpoint->ip[i]);
		return;
	}
	endpoint_print_host(endpoint, host, sizeof(host));
	print_string(render, host);
}

static void print_port(const struct log_render *render, const struct endpoint *endpoint)
{
	if (endpoint->family == AF_UNSPEC)
		print_string(render, "-");
	else
		print_number_or_hex(render, endpoint->port);
}

static void print_time(const struct log_render *render, const char *format, bool is_local)
{
	time_t second = (time_t)(render->record->accepted_wall_us / 1000000);
	struct tm parts;
	char printed[64];
	if (is_local)
		localtime_r(&second, &parts);
	else
		gmtime_r(&second, &parts);
	if (strftime(printed, sizeof(printed), format, &parts) > 0)
		text_add(render->text, printed);
}

static unsigned accepted_ms(const struct log_render *render)
{
	return (unsigned)(render->record->accepted_wall_us / 1000 % 1000);
}

static void print_client_ip(const struct log_render *render)
{
	print_host(render, &render->record->client);
}

static void print_client_port(const struct log_render *render)
{
	print_port(render, &render->record->client);
}

static void print_frontend_ip(const struct log_render *render)
{
	print_host(render, &render->record->frontend_local);
}

static void print_frontend_port(const struct log_render *render)
{
	print_port(render, &render->record->frontend_local);
}

static void print_backend_ip(const struct log_render *render)
{
	print_host(render, &render->record->backend_local);
}

static void print_backend_port(const struct log_render *render)
{
	print_port(render, &render->record->backend_local);
}

static void print_server_ip(const struct log_render *render)
{
	print_host(render, &render->record->server);
}

static void print_server_port(const struct log_render *render)
{
	print_port(render, &render->record->server);
}

static void print_frontend(const struct log_render *render)
{
	print_string(render, render->record->frontend);
}

/* Before a backend is chosen the frontend stands in its place. */
static void print_backend(const struct log_render *render)
{
	const struct log_record *record = render->record;
	print_string(render, record->backend ? record->backend : record->frontend);
}

static void print_server(const struct log_render *render)
{
	const char *name = render->record->server_name;
	print_string(render, name ? name : "<NOSRV>");
}

static void print_date(const struct log_render *render)
{
	print_time(render, "%d/%b/%Y:%H:%M:%S", true);
	text_printf(render->text, ".%03u", accepted_ms(render));
}

static void print_date_gmt(const struct log_render *render)
{
	print_time(render, "%d/%b/%Y:%H:%M:%S +0000", false);
}

static void print_date_local(const struct log_render *render)
{
	print_time(render, "%d/%b/%Y:%H:%M:%S %z", true);
}

static void print_timestamp(const struct log_render *render)
{
	print_number_or_hex(render, render->record->accepted_wall_us / 1000000);
}

static void print_milliseconds(const struct log_render *render)
{
	text_printf(render->text, "%03u", accepted_ms(render));
}

static void print_wait(const struct log_render *render)
{
	print_number(render, render->record->wait_ms);
}

static void print_connect(const struct log_render *render)
{
	print_number(render, render->record->connect_ms);
}

static void print_handshake(const struct log_render *render)
{
	print_number(render, render->record->handshake_ms);
}

static void print_early_mark(const struct log_render *render)
{
	if (render->record->is_early)
		text_add_char(render->text, '+');
}

static void print_total(const struct log_render *render)
{
	print_early_mark(render);
	print_number(render, render->record->total_ms);
}

static int64_t reached_ms(int64_t phase_ms)
{
	return phase_ms > 0 ? phase_ms : 0;
}

/* Td: what is left of the total after waiting and connecting. */
static void print_data_time(const struct log_render *render)
{
	const struct log_record *record = render->record;
	print_early_mark(render);
	if (record->connect_ms < 0)
		print_number(render, LOG_TIME_NONE);
	else
		print_number(render,
			record->total_ms - reached_ms(record->wait_ms) - reached_ms(record->connect_ms));
}

static void print_uploaded(const struct log_render *render)
{
	print_early_mark(render);
	text_printf(render->text, "%llu", (unsigned long long)render->record->bytes_in);
}

static void print_read(const struct log_render *render)
{
	print_early_mark(render);
	text_printf(render->text, "%llu", (unsigned long long)render->record->bytes_out);
}

static void print_termination(const struct log_render *render)
{
	text_add_char(render->text, render->record->end_cause);
	text_add_char(render->text, render->record->end_phase);
}

static void print_actconn(const struct log_render *render)
{
	print_number(render, render->record->actconn);
}

static void print_feconn(const struct log_render *render)
{
	print_number(render, render->record->feconn);
}

static void print_beconn(const struct log_render *render)
{
	print_number(render, render->record->beconn);
}

static void print_srvconn(const struct log_render *render)
{
	print_number(render, render->record->srvconn);
}

static void print_retries(const struct log_render *render)
{
	if (render->record->is_redispatched)
		text_add_char(render->text, '+');
	print_number(render, render->record->retries);
}

static void print_server_queue(const struct log_render *render)
{
	print_number(render, render->record->srv_queue);
}

static void print_backend_queue(const struct log_render *render)
{
	print_number(render, render->record->backend_queue);
}

static void print_hostname(const struct log_render *render)
{
	print_string(render, host_name);
}

static void print_pid(const struct log_render *render)
{
	print_number_or_hex(render, (uint64_t)getpid());
}

static void print_id(const struct log_render *render)
{
	print_number_or_hex(render, render->record->id);
}

static void print_line_number(const struct log_render *render)
{
	text_printf(render->text, "%llu", (unsigned long long)render->line_number);
}

static void print_reason(const struct log_render *render)
{
	const char *reason = render->record->end_reason;
	print_string(render, reason ? reason : "-");
}

static void print_engine_in(const struct log_render *render)
{
	const char *engine = render->record->engine_in;
	print_string(render, engine ? engine : "-");
}

static void print_engine_out(const struct log_render *render)
{
	const char *engine = render->record->engine_out;
	print_string(render, engine ? engine : "-");
}

static void print_packets_in(const struct log_render *render)
{
	print_number(render, (int64_t)render->record->packets_in);
}

static void print_packets_out(const struct log_render *render)
{
	print_number(render, (int64_t)render->record->packets_out);
}

static void print_retransmits_in(const struct log_render *render)
{
	print_number(render, (int64_t)render->record->retransmits_in);
}

static void print_retransmits_out(const struct log_render *render)
{
	print_number(render, (int64_t)render->record->retransmits_out);
}

static const struct log_variable variables[] = {
	{"B", print_read},
	{"H", print_hostname},
	{"T", print_date_gmt},
	{"Tc", print_connect},
	{"Td", print_data_time},
	{"Th", print_handshake},
	{"Tl", print_date_local},
	{"Ts", print_timestamp},
	{"Tt", print_total},
	{"Tu", print_total},
	{"Tw", print_wait},
	{"U", print_uploaded},
	{"ac", print_actconn},
	{"b", print_backend},
	{"bc", print_beconn},
	{"bi", print_backend_ip},
	{"bp", print_backend_port},
	{"bq", print_backend_queue},
	{"ci", print_client_ip},
	{"cp", print_client_port},
	{"f", print_frontend},
	{"fc", print_feconn},
	{"fi", print_frontend_ip},
	{"fp", print_frontend_port},
	{"ft", print_frontend},
	{"lc", print_line_number},
	{"ms", print_milliseconds},
	{"pid", print_pid},
	{"rc", print_retries},
	{"rt", print_id},
	{"s", print_server},
	{"sc", print_srvconn},
	{"si", print_server_ip},
	{"sp", print_server_port},
	{"sq", print_server_queue},
	{"t", print_date},
	{"ts", print_termination},
	{"[engine_in]", print_engine_in},
	{"[engine_out]", print_engine_out},
	{"[fc_pp_authority]", print_authority},
	{"[fc_pp_unique_id]", print_unique_id},
	{"[id]", print_id},
	{"[packets_in]", print_packets_in},
	{"[packets_out]", print_packets_out},
	{"[reason]", print_reason},
	{"[retransmits_in]", print_retransmits_in},
	{"[retransmits_out]", print_retransmits_out},
};

static const struct {
	const char *name, *kind;
} foreign_variables[] = {
	{"CC", "HTTP"},
	{"CS", "HTTP"},
	{"HM", "HTTP"},
	{"HP", "HTTP"},
	{"HPO", "HTTP"},
	{"HQ", "HTTP"},
	{"HU", "HTTP"},
	{"HV", "HTTP"},
	{"ST", "HTTP"},
	{"TR", "HTTP"},
	{"Ta", "HTTP"},
	{"Ti", "HTTP"},
	{"Tq", "HTTP"},
	{"Tr", "HTTP"},
	{"hr", "HTTP"},
	{"hrl", "HTTP"},
	{"hs", "HTTP"},
	{"hsl", "HTTP"},
	{"r", "HTTP"},
	{"sslc", "TLS"},
	{"sslv", "TLS"},
	{"tr", "HTTP"},
	{"trg", "HTTP"},
	{"trl", "HTTP"},
	{"tsc", "HTTP"},
};

static bool is_name(const char *name, const char *text, size_t len)
{
	return strlen(name) == len && memcmp(name, text, len) == 0;
}

const struct log_variable *log_variable_find(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
		if (is_name(variables[i].name, text, len))
			return &variables[i];
	}
	return NULL;
}

const char *log_variable_foreign_kind(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_LENGTH(foreign_variables); i++) {
		if (is_name(foreign_variables[i].name, text, len))
			return foreign_variables[i].kind;
	}
	return NULL;
}

const char *log_variable_nearest(const char *text, size_t len)
{
	enum { FARTHEST = 2 };
	char word[32];
	const char *best = NULL;
	unsigned best_distance = FARTHEST + 1;
	if (len >= sizeof(word))
		return NULL;
	memcpy(word, text, len);
	word[len] = '\0';
	for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
		unsigned distance = lookup_distance(word, variables[i].name);
		if (distance < best_distance) {
			best = variables[i].name;
			best_distance = distance;
		}
	}
	return best;
}

void log_variables_prepare(void)
{
	if (gethostname(host_name, sizeof(host_name) - 1) != 0)
		memcpy(host_name, "-", 2);
}

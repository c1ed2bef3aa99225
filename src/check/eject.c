/* Ejection: servers that clients could not connect to are out for a time, which doubles
 * while it does not help, and never too many of a backend at a time. */
#include "base/text.h"
#include "check/check_internal.h"

static bool can_be_spared(const struct backend *backend)
{
	unsigned out = 0;
	for (unsigned i = 0; i < backend->servers_count; i++) {
		const struct check *check = backend->servers[i].check;
		out += check != NULL && check->ejected_until_ms != 0;
	}
	unsigned percent = backend->config->check.ejected_percent_max;
	return (uint64_t)(out + 1) * 100 <= (uint64_t)percent * backend->servers_count;
}

/* Longer when it has not been back for as long as it was out. */
static uint64_t time_ms(const struct check *check, uint64_t now_ms)
{
	const struct config_check *config = &check->server->config->check;
	bool is_again = check->returned_ms != 0 && now_ms - check->returned_ms < check->ejected_ms;
	uint64_t wanted_ms = is_again ? 2 * check->ejected_ms : config->eject_ms;
	return wanted_ms < config->eject_max_ms ? wanted_ms : config->eject_max_ms;
}

bool check_eject(struct check *check, struct probe_result *result)
{
	uint64_t now_ms = loop_now_ms(check->checks->loop);
	struct text text;
	if (!can_be_spared(check->server->backend))
		return false;
	check->ejected_ms = time_ms(check, now_ms);
	check->ejected_until_ms = now_ms + check->ejected_ms;
	text_init(&text, result->text, sizeof(result->text));
	text_printf(&text, "%u connections in a row could not be made, ejected for %llu ms",
		check->server->config->check.errors_max, (unsigned long long)check->ejected_ms);
	return true;
}

void check_eject_end(struct check *check)
{
	if (check->ejected_until_ms == 0)
		return;
	check->ejected_until_ms = 0;
	check->returned_ms = loop_now_ms(check->checks->loop);
}

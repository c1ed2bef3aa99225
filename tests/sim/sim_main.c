/* The simulation's program: runs seeds, one virtual world after the other, and says
 * how to repeat one that fails. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_reasons.h"
#include "checkers.h"
#include "loop_fake.h"
#include "net_fake.h"
#include "sim.h"
#include "sim_params.h"
#include "world.h"

enum {
	OVERRIDES_MAX = 24,
	STEPS_WITHOUT_TIME_MAX = 20000,
	AFTER_STOP_MS = 900 * 1000,
	PATIENCE_MS = 60 * 1000, /* without time-outs, until the operator ends what is left */
	STORM_MS = 20 * 1000,
	LINE_BYTES = 256,
};

struct run {
	uint64_t seed_first, seed_last;
	char *overrides[OVERRIDES_MAX];
	unsigned overrides_count;
	bool is_traced;
};

/* Where one run is. */
struct story {
	uint64_t arrivals_us[64];
	unsigned arrived, steps;
	bool is_stopped;
};

static uint64_t sessions_total, bytes_total, reasons_total[CLOSE_REASONS];

/* --- one seed --- */

static void clients_arrive(struct story *story)
{
	while (!story->is_stopped && story->arrived < sim_params.clients &&
		story->arrivals_us[story->arrived] <= sim_now_us) {
		(void)net_client_connect(sim_below(net_listeners_count()));
		story->arrived++;
	}
}

/* Without time-outs a session may rest for ever: the operator ends what is left. */
static uint64_t patience_us(void)
{
	bool has_timeouts = sim_params.connect_ms > 0 && sim_params.client_ms > 0 && sim_params.server_ms > 0;
	return has_timeouts ? SIM_NEVER : (uint64_t)(sim_params.stop_ms + PATIENCE_MS) * SIM_US_PER_MS;
}

static void stop_when_due(struct story *story)
{
	uint64_t now_ms = sim_now_us / SIM_US_PER_MS;
	if (!story->is_stopped && now_ms >= sim_params.stop_ms) {
		SIM_TRACE("the peers stop");
		story->is_stopped = true;
		net_has_faults = false;
		net_peers_stop();
		world_settle();
	}
	bool is_patience_over = sim_now_us >= patience_us();
	if (story->is_stopped && is_patience_over && world_sessions() > 0)
		world_kill_all();
	SIM_CHECK(now_ms < sim_params.stop_ms + AFTER_STOP_MS,
		"%u sessions are left %d s after all peers stopped", world_sessions(), AFTER_STOP_MS / 1000);
}

static uint64_t next_us(const struct story *story)
{
	uint64_t at_us = net_next_us();
	uint64_t timer_us = world_timer_us();
	if (timer_us < at_us)
		at_us = timer_us;
	if (!story->is_stopped && story->arrived < sim_params.clients &&
		story->arrivals_us[story->arrived] < at_us)
		at_us = story->arrivals_us[story->arrived];
	uint64_t stop_us = (uint64_t)sim_params.stop_ms * SIM_US_PER_MS;
	if (!story->is_stopped && stop_us < at_us)
		at_us = stop_us;
	if (sim_now_us < patience_us() && patience_us() < at_us)
		at_us = patience_us();
	return at_us;
}

static void time_advance(struct story *story)
{
	uint64_t at_us = next_us(story);
	SIM_CHECK(at_us != SIM_NEVER, "%u sessions are left and nothing will ever happen", world_sessions());
	if (sim_chance(sim_params.storm) && net_has_faults)
		at_us += (uint64_t)sim_below(STORM_MS) * SIM_US_PER_MS;
	if (at_us > sim_now_us)
		sim_now_us = at_us;
	story->steps = 0;
}

static bool is_over(const struct story *story)
{
	bool have_all_come = story->is_stopped || story->arrived == sim_params.clients;
	return have_all_come && world_sessions() == 0 && net_backlog_is_empty();
}

static void story_run(struct story *story)
{
	do {
		stop_when_due(story);
		clients_arrive(story);
		net_run_due();
		bool was_busy = world_run();
		checkers_step();
		if (!was_busy) {
			checkers_idle();
			if (is_over(story))
				return;
			time_advance(story);
		}
		if (net_has_faults)
			world_disturb();
		sim_now_us += sim_below(30);
		SIM_CHECK(story->steps++ < STEPS_WITHOUT_TIME_MAX, "the proxy spins");
	} while (!is_over(story));
}

static int time_compare(const void *a, const void *b)
{
	uint64_t first, second;
	memcpy(&first, a, sizeof(first));
	memcpy(&second, b, sizeof(second));
	return first < second ? -1 : first > second;
}

static void seed_run(const struct run *run, uint64_t seed)
{
	struct story story = {0};
	sim_command_set(seed, run->overrides, run->overrides_count);
	sim_now_us = 0;
	sim_random_start(seed);
	sim_trace_start();
	sim_params_draw();
	for (unsigned i = 0; i < run->overrides_count; i++)
		SIM_CHECK(sim_params_override(run->overrides[i]), "cannot set '%s'", run->overrides[i]);
	if (sim_params.clients > ARRAY_LENGTH(story.arrivals_us))
		sim_params.clients = ARRAY_LENGTH(story.arrivals_us);
	if (sim_is_tracing)
		sim_params_trace();
	for (unsigned i = 0; i < sim_params.clients; i++)
		story.arrivals_us[i] = (uint64_t)sim_below(sim_params.spread_ms + 1) * SIM_US_PER_MS;
	qsort(story.arrivals_us, sim_params.clients, sizeof(story.arrivals_us[0]), time_compare);
	net_start();
	checkers_start();
	world_start();
	net_has_faults = true;
	story_run(&story);
	net_has_faults = false;
	for (unsigned i = 0; i < world.workers_count; i++)
		loop_run_once(world.workers[i].loop, 0);
	net_peers_drain();
	checkers_end();
	sessions_total += net_totals.accepted;
	for (unsigned reason = 0; reason < CLOSE_REASONS; reason++)
		reasons_total[reason] += check_totals.closes[reason];
	for (unsigned i = 0; i < net_connections_count; i++)
		bytes_total += net_connections[i].out.written;
	world_end();
	SIM_CHECK(net_fds_open() == 0, "%u descriptors are left open", net_fds_open());
	loop_fake_check_empty();
}

static void seeds_run(const struct run *run)
{
	uint64_t count = run->seed_last - run->seed_first + 1;
	for (uint64_t seed = run->seed_first; seed <= run->seed_last; seed++) {
		seed_run(run, seed);
		uint64_t done = seed - run->seed_first + 1;
		if (done % 1000 == 0 && done < count) {
			printf("%llu of %llu seeds\n", (unsigned long long)done, (unsigned long long)count);
			(void)fflush(stdout);
		}
	}
	for (unsigned reason = 1; reason < CLOSE_REASONS && count > 1; reason++)
		printf("%10llu %s\n", (unsigned long long)reasons_total[reason],
			close_reason_row((enum close_reason)reason)->label);
	printf("%llu seeds passed: %llu sessions, %llu bytes relayed\n", (unsigned long long)count,
		(unsigned long long)sessions_total, (unsigned long long)bytes_total);
}

/* --- what to run --- */

static bool number_parse(const char *text, uint64_t *ret_number, const char **ret_end)
{
	char *end = NULL;
	*ret_number = strtoull(text, &end, 10);
	*ret_end = end;
	return end != text;
}

static bool range_parse(const char *text, struct run *run)
{
	const char *end = NULL;
	if (!number_parse(text, &run->seed_first, &end))
		return false;
	run->seed_last = run->seed_first;
	if (strncmp(end, "..", 2) == 0 && !number_parse(end + 2, &run->seed_last, &end))
		return false;
	return *end == '\0' && run->seed_first <= run->seed_last;
}

static bool override_add(struct run *run, const char *text)
{
	if (run->overrides_count == OVERRIDES_MAX)
		return false;
	run->overrides[run->overrides_count] = strdup(text);
	return run->overrides[run->overrides_count++] != NULL;
}

/* "seed N", "set name=value" and comments, a line each. */
static bool scenario_read(const char *path, struct run *run)
{
	char line[LINE_BYTES];
	bool is_good = true;
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return false;
	while (is_good && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "#\n")] = '\0';
		size_t len = strlen(line);
		while (len > 0 && line[len - 1] == ' ')
			line[--len] = '\0';
		if (strncmp(line, "seed ", 5) == 0)
			is_good = range_parse(line + 5, run);
		else if (strncmp(line, "set ", 4) == 0)
			is_good = override_add(run, line + 4);
		else
			is_good = len == 0;
	}
	(void)fclose(file);
	return is_good;
}

static int usage(void)
{
	puts("sim --seed N | --seeds A..B | --scenario FILE [--set NAME=VALUE]... [--trace]\n"
	     "names that can be set:");
	sim_params_names_print();
	return 1;
}

static bool option_take(const char *name, const char *value, struct run *run)
{
	bool is_seed = strcmp(name, "--seed") == 0;
	run->is_traced |= is_seed;
	if (is_seed || strcmp(name, "--seeds") == 0)
		return range_parse(value, run);
	if (strcmp(name, "--set") == 0)
		return override_add(run, value);
	return strcmp(name, "--scenario") == 0 && scenario_read(value, run);
}

static bool arguments_parse(int count, char **arguments, struct run *run)
{
	for (int i = 1; i < count; i++) {
		if (strcmp(arguments[i], "--trace") == 0) {
			sim_is_loud = run->is_traced = true;
			continue;
		}
		if (i + 1 == count || !option_take(arguments[i], arguments[i + 1], run))
			return false;
		i++;
	}
	return run->seed_last > 0;
}

int main(int count, char **arguments)
{
	struct run run = {0};
	if (!arguments_parse(count, arguments, &run))
		return usage();
	sim_is_tracing = run.is_traced;
	sim_signals_catch();
	seeds_run(&run);
	for (unsigned i = 0; i < run.overrides_count; i++)
		free(run.overrides[i]);
	return 0;
}

/* Every case times every engine times every loop that it runs on times every family:
 * one cmocka test each. */
#include "lib_cases.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/status.h"

struct combination {
	const struct engine_case *row;
	const char *engine, *loop;
	enum family family;
	char name[200];
};

static const char *const family_names[] = {
	[FAMILY_TCP4] = "tcp4",
	[FAMILY_TCP6] = "tcp6",
	[FAMILY_UNIX] = "unix",
};

static bool has_ipv6(void)
{
	FD_AUTO int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	return fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

/* NULL, or why not. */
static const char *refusal_of(const struct combination *combination)
{
	const struct relay_engine *engine = relay_engine_find(combination->engine);
	const char *refusal = loop_backend_unavailable(combination->loop);
	struct kernel_facts facts;

	if (refusal != NULL || engine == NULL)
		return refusal;
	rig_facts(&facts, engine->name);
	return engine->unavailable(&facts);
}

static bool is_in_scope(const struct combination *combination)
{
	unsigned scope = combination->row->scope;

	const struct relay_engine *engine = relay_engine_find(combination->engine);

	/* It carries packets, and nothing of the loop's. */
	if (engine == &relay_engine_wire &&
		(!(scope & CASE_PACKETS_TOO) || combination->family == FAMILY_UNIX ||
			strcmp(combination->loop, "epoll") != 0))
		return false;
	/* It lives on the loop's ring. */
	if (strcmp(combination->engine, "uring") == 0 && strcmp(combination->loop, "uring") != 0)
		return false;
	if ((scope & CASE_TCP_ONLY) && combination->family == FAMILY_UNIX)
		return false;
	if ((scope & CASE_CARRIED_ONLY) && engine == &relay_engine_sockmap &&
		combination->family == FAMILY_UNIX)
		return false;
	return !(scope & CASE_NAMED_ONLY) || relay_engine_find(combination->engine) != NULL;
}

static void combination_run(void **state)
{
	const struct combination *combination = *state;
	struct rig rig;

	if (combination->family == FAMILY_TCP6 && !has_ipv6()) {
		print_message("skipped: no IPv6 on the loopback interface\n");
		skip();
	}
	const char *refusal = refusal_of(combination);
	if (refusal != NULL) {
		print_message("skipped: %s\n", refusal);
		skip();
	}
	rig_open(&rig, combination->engine, combination->loop, combination->family, combination->row->limits);
	combination->row->run(&rig);
	rig_close(&rig);
}

static size_t names_count(const char *const *names)
{
	size_t count = 0;

	while (names[count] != NULL)
		count++;
	return count;
}

/* The combination of that number, counted through like digits. */
static void combination_choose(
	struct combination *combination, const struct engine_case *cases, size_t number)
{
	const char *const *engines = relay_engine_names(), *const *loops = loop_backend_names();
	size_t families_count = ARRAY_LENGTH(family_names);

	combination->family = (enum family)(number % families_count);
	number /= families_count;
	combination->loop = loops[number % names_count(loops)];
	number /= names_count(loops);
	combination->engine = engines[number % names_count(engines)];
	combination->row = &cases[number / names_count(engines)];
	(void)snprintf(combination->name, sizeof(combination->name), "%s on %s, %s: %s", combination->engine,
		combination->loop, family_names[combination->family], combination->row->name);
}

int engine_cases_run(const char *group, const struct engine_case *cases, size_t count)
{
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	size_t made = 0,
	       total = count * ARRAY_LENGTH(family_names) * names_count(relay_engine_names()) *
		names_count(loop_backend_names());
	struct combination *combinations = calloc(total, sizeof(*combinations));
	struct CMUnitTest *tests = calloc(total, sizeof(*tests));

	/* As the daemon does: splice(2) cannot be told not to raise it. */
	if (combinations == NULL || tests == NULL || sigaction(SIGPIPE, &ignore, NULL) != 0)
		abort();
	for (size_t i = 0; i < total; i++) {
		struct combination *combination = &combinations[made];

		combination_choose(combination, cases, i);
		if (!is_in_scope(combination))
			continue;
		tests[made++] = (struct CMUnitTest){
			.name = combination->name,
			.test_func = combination_run,
			.initial_state = combination,
		};
	}
	/* For whoever looks for a mistake: a pattern with * and ?. */
	cmocka_set_test_filter(getenv("CASES"));
	int failed = _cmocka_run_group_tests(group, tests, made, NULL, NULL);
	free(tests);
	free(combinations);
	return failed;
}

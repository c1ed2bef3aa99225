/* Every case times every engine times every family: one cmocka test each. */
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
	const char *engine;
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

static bool is_available(const char *engine)
{
	const struct relay_engine *found = relay_engine_find(engine);
	struct kernel_facts facts;

	kernel_facts_probe(&facts);
	return found == NULL || found->unavailable(&facts) == NULL;
}

static bool is_in_scope(const struct combination *combination)
{
	unsigned scope = combination->row->scope;

	const struct relay_engine *engine = relay_engine_find(combination->engine);

	/* Nothing of these lines ever meets an interface; tests/e2e has a lab for takeovers. */
	if (engine != NULL && engine->takeover != NULL)
		return false;
	if ((scope & CASE_TCP_ONLY) && combination->family == FAMILY_UNIX)
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
	if (!is_available(combination->engine)) {
		print_message("skipped: the kernel does not allow %s\n", combination->engine);
		skip();
	}
	rig_open(&rig, combination->engine, combination->family, combination->row->limits);
	combination->row->run(&rig);
	rig_close(&rig);
}

int engine_cases_run(const char *group, const struct engine_case *cases, size_t count)
{
	const char *const *engines = relay_engine_names();
	const struct sigaction ignore = {.sa_handler = SIG_IGN};
	size_t engines_count = 0, made = 0;

	/* As the daemon does: splice(2) cannot be told not to raise it. */
	if (sigaction(SIGPIPE, &ignore, NULL) != 0)
		abort();
	while (engines[engines_count] != NULL)
		engines_count++;
	size_t total = count * engines_count * ARRAY_LENGTH(family_names);
	struct combination *combinations = calloc(total, sizeof(*combinations));
	struct CMUnitTest *tests = calloc(total, sizeof(*tests));
	if (combinations == NULL || tests == NULL)
		abort();
	for (size_t i = 0; i < total; i++) {
		struct combination *combination = &combinations[made];

		combination->row = &cases[i / (engines_count * ARRAY_LENGTH(family_names))];
		combination->engine = engines[i / ARRAY_LENGTH(family_names) % engines_count];
		combination->family = (enum family)(i % ARRAY_LENGTH(family_names));
		if (!is_in_scope(combination))
			continue;
		(void)snprintf(combination->name, sizeof(combination->name), "%s, %s: %s",
			combination->engine, family_names[combination->family], combination->row->name);
		tests[made++] = (struct CMUnitTest){
			.name = combination->name,
			.test_func = combination_run,
			.initial_state = combination,
		};
	}
	int failed = _cmocka_run_group_tests(group, tests, made, NULL, NULL);
	free(tests);
	free(combinations);
	return failed;
}

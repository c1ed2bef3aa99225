/* Random numbers, trace and the end of a failed run. */

#include "sim.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

enum { TRACE_LINES = 200, TRACE_LINE_BYTES = 160, COMMAND_ARGUMENTS = 64, HANG_SECONDS = 30 };

uint64_t sim_now_us;
bool sim_is_tracing, sim_is_loud;

static uint64_t random_state;
static char trace_lines[TRACE_LINES][TRACE_LINE_BYTES];
static unsigned trace_count;
static char seed_text[32];
static char *command[COMMAND_ARGUMENTS];

void sim_random_start(uint64_t seed)
{
	random_state = hash_mix(seed + 1);
}

uint64_t sim_random(void)
{
	random_state += UINT64_C(0x9e3779b97f4a7c15);
	return hash_mix(random_state);
}

uint32_t sim_below(uint32_t below)
{
	return below == 0 ? 0 : (uint32_t)((sim_random() >> 32) * below >> 32);
}

bool sim_chance(uint32_t per_mille)
{
	return per_mille > 0 && sim_below(1000) < per_mille;
}

uint32_t sim_between(uint32_t low, uint32_t high)
{
	return low + sim_below(high - low + 1);
}

void sim_trace_start(void)
{
	trace_count = 0;
}

void sim_trace(const char *format, ...)
{
	char *line = trace_lines[trace_count++ % TRACE_LINES];
	int len = snprintf(line, TRACE_LINE_BYTES, "%10llu.%03u ",
		(unsigned long long)(sim_now_us / SIM_US_PER_MS), (unsigned)(sim_now_us % SIM_US_PER_MS));
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(line + len, TRACE_LINE_BYTES - (size_t)len, format, arguments);
	va_end(arguments);
	if (sim_is_loud)
		puts(line);
}

void sim_command_set(uint64_t seed, char *const overrides[], unsigned overrides_count)
{
	static char program[] = "sim", seed_flag[] = "--seed", set_flag[] = "--set";
	unsigned count = 0;
	(void)snprintf(seed_text, sizeof(seed_text), "%llu", (unsigned long long)seed);
	command[count++] = program;
	command[count++] = seed_flag;
	command[count++] = seed_text;
	for (unsigned i = 0; i < overrides_count && count + 3 < COMMAND_ARGUMENTS; i++) {
		command[count++] = set_flag;
		command[count++] = overrides[i];
	}
	command[count] = NULL;
	(void)alarm(HANG_SECONDS);
}

static void command_print(void)
{
	for (unsigned i = 0; command[i] != NULL; i++)
		(void)fprintf(stderr, "%s ", command[i]);
	(void)fputc('\n', stderr);
}

static _Noreturn void fail_end(void)
{
	(void)fputs("repeat with: ", stderr);
	command_print();
	(void)fflush(NULL);
	if (!sim_is_tracing) {
		sigset_t all;
		(void)sigemptyset(&all);
		(void)sigprocmask(SIG_SETMASK, &all, NULL);
		(void)execv("/proc/self/exe", command);
	}
	unsigned first = trace_count > TRACE_LINES ? trace_count - TRACE_LINES : 0;
	for (unsigned i = first; i < trace_count && !sim_is_loud; i++)
		(void)fprintf(stderr, "%s\n", trace_lines[i % TRACE_LINES]);
	(void)fflush(NULL);
	_exit(1);
}

void sim_fail(const char *format, ...)
{
	va_list arguments;
	(void)fprintf(stderr, "seed %s failed at %llu ms: ", seed_text,
		(unsigned long long)(sim_now_us / SIM_US_PER_MS));
	va_start(arguments, format);
	(void)vfprintf(stderr, format, arguments);
	va_end(arguments);
	(void)fputc('\n', stderr);
	fail_end();
}

static void on_signal(int number)
{
	sim_fail(number == SIGALRM ? "the run hangs within one step" : "signal %d", number);
}

void sim_signals_catch(void)
{
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	action.sa_flags = SA_NODEFER;
	(void)sigaction(SIGABRT, &action, NULL);
	(void)sigaction(SIGSEGV, &action, NULL);
	(void)sigaction(SIGALRM, &action, NULL);
}

/* The parsers of proc_text.h. */
#include "proc_text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Passes spaces and reads one number at *at, in that base; moves *at behind it. */
static bool number_read(const char **at, int base, uint64_t *ret_value)
{
	const char *start = *at + strspn(*at, " \t");
	char *end;
	if ((*start < '0' || *start > '9') && (base != 16 || *start < 'a' || *start > 'f'))
		return false;
	errno = 0;
	unsigned long long value = strtoull(start, &end, base);
	if (errno != 0)
		return false;
	*at = end;
	*ret_value = value;
	return true;
}

static bool numbers_read(const char **at, uint64_t *ret_values, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!number_read(at, 10, &ret_values[i]))
			return false;
	return true;
}

/* What follows `key` in the line that begins with it; NULL when no line does. */
static const char *line_find(const char *text, const char *key)
{
	size_t key_len = strlen(key);
	while (text != NULL && *text != '\0') {
		if (strncmp(text, key, key_len) == 0)
			return text + key_len;
		text = strchr(text, '\n');
		text = text != NULL ? text + 1 : NULL;
	}
	return NULL;
}

static bool line_number(const char *text, const char *key, uint64_t *ret_value)
{
	const char *at = line_find(text, key);
	return at != NULL && number_read(&at, 10, ret_value);
}

/* A line "Key: 12 kB", in bytes. */
static bool line_bytes(const char *text, const char *key, uint64_t *ret_bytes)
{
	uint64_t kibibytes;
	if (!line_number(text, key, &kibibytes) || kibibytes > UINT64_MAX / 1024)
		return false;
	*ret_bytes = kibibytes * 1024;
	return true;
}

int proc_stat_parse(const char *text, struct proc_stat *ret_stat)
{
	/* Fields 4 to 24 of proc(5), counted behind the name, which may hold anything but ends at the last ')'. */
	enum { AT_USER = 10, AT_SYSTEM = 11, AT_THREADS = 16, AT_RSS = 20, FIELDS = 21 };
	uint64_t values[FIELDS];
	const char *at = strrchr(text, ')');
	if (at == NULL || at[1] != ' ' || at[2] == '\0')
		return -EINVAL;
	char state = at[2];
	at += 3;
	for (size_t i = 0; i < FIELDS; i++) {
		at += strspn(at, " ");
		bool is_negative = *at == '-';
		at += is_negative;
		if (!number_read(&at, 10, &values[i]))
			return -EINVAL;
		if (is_negative)
			values[i] = 0;
	}
	*ret_stat = (struct proc_stat){
		.state = state,
		.user_ticks = values[AT_USER],
		.system_ticks = values[AT_SYSTEM],
		.threads = (uint32_t)values[AT_THREADS],
		.rss_pages = values[AT_RSS],
	};
	return 0;
}

int proc_status_parse(const char *text, struct proc_status *ret_status)
{
	uint64_t tgid, voluntary, involuntary;
	if (!line_number(text, "Tgid:", &tgid) ||
		!line_number(text, "voluntary_ctxt_switches:", &voluntary) ||
		!line_number(text, "nonvoluntary_ctxt_switches:", &involuntary))
		return -EINVAL;
	*ret_status = (struct proc_status){(uint32_t)tgid, voluntary, involuntary};
	return 0;
}

int proc_schedstat_parse(const char *text, struct proc_schedstat *ret_schedstat)
{
	uint64_t values[2];
	if (!numbers_read(&text, values, 2))
		return -EINVAL;
	*ret_schedstat = (struct proc_schedstat){values[0], values[1]};
	return 0;
}

int proc_memory_parse(const char *text, struct proc_memory *ret_memory)
{
	struct proc_memory memory;
	if (!line_bytes(text, "Rss:", &memory.rss_bytes) || !line_bytes(text, "Pss:", &memory.pss_bytes))
		return -EINVAL;
	*ret_memory = memory;
	return 0;
}

/* The numbers behind "cpu" or "cpu7".  Guest time is in user time already; what
 * later kernels append is left alone. */
static bool cpu_ticks_read(const char *at, struct cpu_ticks *ret_ticks)
{
	enum { USER, NICE, SYSTEM, IDLE, IO_WAIT, IRQ, SOFTIRQ, STEAL, FIELDS };
	uint64_t values[FIELDS];
	if (!numbers_read(&at, values, FIELDS))
		return false;
	*ret_ticks = (struct cpu_ticks){
		.user = values[USER] + values[NICE],
		.system = values[SYSTEM],
		.irq = values[IRQ],
		.softirq = values[SOFTIRQ],
		.steal = values[STEAL],
		.idle = values[IDLE] + values[IO_WAIT],
	};
	return true;
}

int machine_stat_parse(const char *text, struct machine_stat *ret_stat)
{
	struct machine_stat stat;
	const char *at = line_find(text, "cpu ");
	if (at == NULL || !cpu_ticks_read(at, &stat.ticks) ||
		!line_number(text, "ctxt ", &stat.context_switches))
		return -EINVAL;
	*ret_stat = stat;
	return 0;
}

int machine_cpus_parse(const char *text, struct cpu_ticks *ret_cpus, size_t cpus_max)
{
	size_t count = 0;
	memset(ret_cpus, 0, cpus_max * sizeof(*ret_cpus));
	for (const char *line = text; line != NULL && *line != '\0';) {
		uint64_t number;
		struct cpu_ticks ticks;
		const char *at = line + 3;
		if (strncmp(line, "cpu", 3) == 0 && *at != ' ') {
			if (!number_read(&at, 10, &number) || !cpu_ticks_read(at, &ticks))
				return -EINVAL;
			if (number < cpus_max) {
				ret_cpus[number] = ticks;
				count = number >= count ? (size_t)number + 1 : count;
			}
		}
		line = strchr(line, '\n');
		line = line != NULL ? line + 1 : NULL;
	}
	return count > 0 ? (int)count : -EINVAL;
}

int softnet_stat_parse(const char *text, struct softnet_stat *ret_softnet)
{
	struct softnet_stat sum = {0};
	if (*text == '\0')
		return -EINVAL;
	while (*text != '\0') {
		uint64_t values[3];
		for (size_t i = 0; i < ARRAY_LENGTH(values); i++)
			if (!number_read(&text, 16, &values[i]))
				return -EINVAL;
		sum.processed += (uint32_t)values[0];
		sum.dropped += (uint32_t)values[1];
		sum.squeezed += (uint32_t)values[2];
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	*ret_softnet = sum;
	return 0;
}

int memory_stat_parse(const char *text, struct memory_stat *ret_memory)
{
	struct memory_stat memory;
	if (!line_bytes(text, "MemAvailable:", &memory.available_bytes) ||
		!line_bytes(text, "Slab:", &memory.slab_bytes))
		return -EINVAL;
	*ret_memory = memory;
	return 0;
}

/* The number behind a word of a line: "TCP: inuse 4 orphan 0 … mem 7". */
static bool word_number(const char *line, const char *word, uint64_t *ret_value)
{
	const char *end = line + strcspn(line, "\n");
	size_t word_len = strlen(word);
	for (const char *at = strstr(line, word); at != NULL && at < end; at = strstr(at + word_len, word)) {
		const char *behind = at + word_len;
		if (at > line && at[-1] == ' ' && *behind == ' ')
			return number_read(&behind, 10, ret_value);
	}
	return false;
}

int socket_stat_parse(const char *text, struct socket_stat *ret_sockets)
{
	struct socket_stat sockets;
	const char *line = line_find(text, "TCP:");
	if (line == NULL || !word_number(line, "inuse", &sockets.tcp_inuse) ||
		!word_number(line, "mem", &sockets.tcp_pages))
		return -EINVAL;
	*ret_sockets = sockets;
	return 0;
}

int socket6_stat_parse(const char *text, uint64_t *ret_tcp_inuse)
{
	const char *line = line_find(text, "TCP6:");
	return line != NULL && word_number(line, "inuse", ret_tcp_inuse) ? 0 : -EINVAL;
}

uint64_t cpu_ticks_total(const struct cpu_ticks *ticks)
{
	return ticks->user + ticks->system + ticks->irq + ticks->softirq + ticks->steal + ticks->idle;
}

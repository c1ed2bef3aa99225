/* The texts of /proc as kernels write them, and as they never should. */
#include "proc_text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define STAT_TAIL \
	" R 449 449 30461 0 -1 4194304 101 0 0 0 37 41 5 6 20 -5 3 0 1488932 3133440 394 18446744073709551615 1 2\n"

static void the_stat_of_a_process_is_read_behind_its_name(void **state)
{
	static const char *const names[] = {"456 (cat)", "456 (a b)", "456 (a) R 1 2)", "456 ()", "456 (\n)"};
	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		char text[256];
		struct proc_stat stat;
		snprintf(text, sizeof(text), "%s" STAT_TAIL, names[i]);
		print_message("  %s\n", names[i]);
		assert_int_equal(proc_stat_parse(text, &stat), 0);
		assert_int_equal(stat.state, 'R');
		assert_int_equal(stat.user_ticks, 37);
		assert_int_equal(stat.system_ticks, 41);
		assert_int_equal(stat.threads, 3);
		assert_int_equal(stat.rss_pages, 394);
	}
}

static void a_broken_stat_is_refused_at_every_length(void **state)
{
	static const char whole[] = "456 (cat)" STAT_TAIL;
	struct proc_stat stat = {.user_ticks = 99};
	(void)state;
	size_t needed = (size_t)(strstr(whole, " 394 ") - whole) + 2;
	for (size_t len = 0; len < needed; len++) {
		char text[256];
		memcpy(text, whole, len);
		text[len] = '\0';
		assert_int_equal(proc_stat_parse(text, &stat), -EINVAL);
	}
	assert_int_equal(proc_stat_parse("1 (x) R a b c", &stat), -EINVAL);
	assert_int_equal(stat.user_ticks, 99);
}

static void the_status_has_switches_of_both_kinds(void **state)
{
	struct proc_status status;
	(void)state;
	assert_int_equal(
		proc_status_parse("Name:\tTgid: 5\nTgid:\t12\nPid:\t13\nvoluntary_ctxt_switches:\t400\n"
				  "nonvoluntary_ctxt_switches:\t3\n",
			&status),
		0);
	assert_int_equal(status.tgid, 12);
	assert_int_equal(status.voluntary_switches, 400);
	assert_int_equal(status.involuntary_switches, 3);
	assert_int_equal(proc_status_parse("Tgid:\t12\nnonvoluntary_ctxt_switches:\t3\n", &status), -EINVAL);
	assert_int_equal(proc_status_parse("", &status), -EINVAL);
}

static void the_schedstat_has_two_times(void **state)
{
	struct proc_schedstat schedstat;
	(void)state;
	assert_int_equal(proc_schedstat_parse("768291554 89961 5\n", &schedstat), 0);
	assert_int_equal(schedstat.run_ns, 768291554);
	assert_int_equal(schedstat.delay_ns, 89961);
	assert_int_equal(proc_schedstat_parse("768291554", &schedstat), -EINVAL);
	assert_int_equal(proc_schedstat_parse("", &schedstat), -EINVAL);
	assert_int_equal(proc_schedstat_parse("99999999999999999999999 1 1\n", &schedstat), -EINVAL);
}

static void the_memory_of_a_process_is_in_bytes(void **state)
{
	struct proc_memory memory;
	(void)state;
	assert_int_equal(proc_memory_parse("55a3ed876000-7fff6b5c6000 ---p 00000000 00:00 0 [rollup]\n"
					   "Rss:                1616 kB\nPss:                 367 kB\n"
					   "Pss_Dirty:           112 kB\n",
				 &memory),
		0);
	assert_int_equal(memory.rss_bytes, 1616 * 1024);
	assert_int_equal(memory.pss_bytes, 367 * 1024);
	/* As of a kernel thread, or of a process that has ended. */
	assert_int_equal(proc_memory_parse("", &memory), -EINVAL);
	assert_int_equal(proc_memory_parse("Rss: 99999999999999999999 kB\nPss: 1 kB\n", &memory), -EINVAL);
}

static const char machine_text[] = "cpu  700 80 300 9000 10 2 120 45 33 22\n"
				   "cpu0 400 40 200 5000 5 1 60 20 0 0\n"
				   "cpu2 300 40 100 4000 5 1 60 25 0 0\n"
				   "intr 103456511 0 0 0\nctxt 87379771\nbtime 1\n";

static void the_machine_has_its_times_and_switches(void **state)
{
	struct machine_stat stat;
	(void)state;
	assert_int_equal(machine_stat_parse(machine_text, &stat), 0);
	assert_int_equal(stat.ticks.user, 780);
	assert_int_equal(stat.ticks.system, 300);
	assert_int_equal(stat.ticks.idle, 9010);
	assert_int_equal(stat.ticks.irq, 2);
	assert_int_equal(stat.ticks.softirq, 120);
	assert_int_equal(stat.ticks.steal, 45);
	assert_int_equal(stat.context_switches, 87379771);
	assert_int_equal(cpu_ticks_total(&stat.ticks), 780 + 300 + 9010 + 2 + 120 + 45);
	assert_int_equal(machine_stat_parse("cpu  1 2 3\nctxt 5\n", &stat), -EINVAL);
	assert_int_equal(machine_stat_parse("cpu  1 2 3 4 5 6 7 8\n", &stat), -EINVAL);
	assert_int_equal(machine_stat_parse("", &stat), -EINVAL);
}

static void each_cpu_stands_at_its_number_and_the_offline_one_is_empty(void **state)
{
	struct cpu_ticks cpus[4] = {{.user = 9}, {.user = 9}, {.user = 9}, {.user = 9}};
	(void)state;
	assert_int_equal(machine_cpus_parse(machine_text, cpus, 4), 3);
	assert_int_equal(cpus[0].user, 440);
	assert_int_equal(cpu_ticks_total(&cpus[1]), 0);
	assert_int_equal(cpus[2].softirq, 60);
	assert_int_equal(cpus[3].user, 0);
	assert_int_equal(machine_cpus_parse(machine_text, cpus, 1), 1);
	assert_int_equal(machine_cpus_parse("cpu  1 2 3 4 5 6 7 8\n", cpus, 4), -EINVAL);
	assert_int_equal(machine_cpus_parse("cpux 1 2\n", cpus, 4), -EINVAL);
}

static void packets_are_summed_modulo_two_to_the_32(void **state)
{
	struct softnet_stat softnet;
	(void)state;
	assert_int_equal(softnet_stat_parse("ffffffff 00000002 00000029 00000000\n"
					    "00000003 00000000 0000001c 00000000\n",
				 &softnet),
		0);
	assert_int_equal(softnet.processed, 2);
	assert_int_equal(softnet.dropped, 2);
	assert_int_equal(softnet.squeezed, 0x29 + 0x1c);
	assert_int_equal(softnet_stat_parse("", &softnet), -EINVAL);
	assert_int_equal(softnet_stat_parse("00000001 00000002\n", &softnet), -EINVAL);
	assert_int_equal(softnet_stat_parse("xyz\n", &softnet), -EINVAL);
}

static void the_memory_of_the_machine_is_in_bytes(void **state)
{
	struct memory_stat memory;
	(void)state;
	assert_int_equal(
		memory_stat_parse(
			"MemTotal: 9 kB\nMemAvailable:   24567 kB\nSlab:  100 kB\nSReclaimable: 7 kB\n",
			&memory),
		0);
	assert_int_equal(memory.available_bytes, 24567 * 1024);
	assert_int_equal(memory.slab_bytes, 100 * 1024);
	assert_int_equal(memory_stat_parse("MemTotal: 9 kB\n", &memory), -EINVAL);
}

static void sockets_of_tcp_are_told_from_the_others(void **state)
{
	struct socket_stat sockets;
	uint64_t inuse;
	(void)state;
	assert_int_equal(socket_stat_parse("sockets: used 14\nTCP: inuse 5 orphan 0 tw 3 alloc 9 mem 47\n"
					   "UDP: inuse 7 mem 8\n",
				 &sockets),
		0);
	assert_int_equal(sockets.tcp_inuse, 5);
	assert_int_equal(sockets.tcp_pages, 47);
	assert_int_equal(socket_stat_parse("TCP: inuse 5 orphan 0\nUDP: inuse 7 mem 8\n", &sockets), -EINVAL);
	assert_int_equal(socket_stat_parse("sockets: used 14\n", &sockets), -EINVAL);
	assert_int_equal(socket6_stat_parse("TCP6: inuse 4\nUDP6: inuse 9\n", &inuse), 0);
	assert_int_equal(inuse, 4);
	assert_int_equal(socket6_stat_parse("UDP6: inuse 9\n", &inuse), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_stat_of_a_process_is_read_behind_its_name),
		cmocka_unit_test(a_broken_stat_is_refused_at_every_length),
		cmocka_unit_test(the_status_has_switches_of_both_kinds),
		cmocka_unit_test(the_schedstat_has_two_times),
		cmocka_unit_test(the_memory_of_a_process_is_in_bytes),
		cmocka_unit_test(the_machine_has_its_times_and_switches),
		cmocka_unit_test(each_cpu_stands_at_its_number_and_the_offline_one_is_empty),
		cmocka_unit_test(packets_are_summed_modulo_two_to_the_32),
		cmocka_unit_test(the_memory_of_the_machine_is_in_bytes),
		cmocka_unit_test(sockets_of_tcp_are_told_from_the_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

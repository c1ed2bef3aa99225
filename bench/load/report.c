/* What a load says at its end; see report.h. */
#include "report.h"

#include "base/check.h"

#include <jansson.h>
#include <stdio.h>

static const struct {
	const char *key;
	double share;
} quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
enum { QUANTILES = sizeof(quantiles) / sizeof(quantiles[0]) };

static double per_s(uint64_t count, const struct report *report)
{
	return report->seconds > 0 ? (double)count / report->seconds : 0;
}

static uint64_t verified_bytes(const struct report *report)
{
	return report->tally.verified + report->tally.peer_verified;
}

static void set(json_t *object, const char *key, json_t *value)
{
	CHECK(json_object_set_new(object, key, value) == 0);
}

static void set_count(json_t *object, const char *key, uint64_t value)
{
	set(object, key, json_integer((json_int_t)value));
}

static json_t *latency_json(const struct histogram *latency)
{
	json_t *object = json_object();
	set(object, "min", json_real((double)latency->lowest / 1e3));
	set(object, "mean", json_real(histogram_mean(latency) / 1e3));
	for (unsigned i = 0; i < QUANTILES; i++)
		set(object, quantiles[i].key,
			json_real((double)histogram_quantile(latency, quantiles[i].share) / 1e3));
	set(object, "max", json_real((double)latency->highest / 1e3));
	set_count(object, "count", latency->count);
	return object;
}

static json_t *errors_json(const struct tally *tally)
{
	json_t *object = json_object();
	for (unsigned kind = 0; kind < LOAD_ERROR_KINDS; kind++)
		set_count(object, tally_error_key((enum load_error)kind), tally->errors[kind]);
	return object;
}

static void print_json(const struct report *report)
{
	const struct tally *tally = &report->tally;
	json_t *object = json_object();
	CHECK(object != NULL);
	set(object, "workload", json_string(report->workload));
	set_count(object, "connections", report->options->connections);
	set_count(object, "threads", report->options->threads);
	set(object, "seconds", json_real(report->seconds));
	set(object, "is_sampled", json_boolean(report->options->is_sampled));
	set_count(object, "bytes", tally->bytes);
	set(object, "bytes_per_s", json_real(per_s(tally->bytes, report)));
	set_count(object, "verified_bytes", verified_bytes(report));
	set_count(object, "messages", tally->messages);
	set(object, "messages_per_s", json_real(per_s(tally->messages, report)));
	set_count(object, "connections_done", tally->connections_done);
	set(object, "connections_per_s", json_real(per_s(tally->connections_done, report)));
	set(object, "rate", json_real(report->options->rate));
	set_count(object, "late_sends", tally->late_sends);
	set_count(object, "unanswered", tally->unanswered);
	set(object, "latency_us", latency_json(report->latency));
	set(object, "errors", errors_json(tally));
	set_count(object, "errors_total", tally_errors(tally));
	set(object, "cpu_s", json_pack("{s:f, s:f}", "user", report->user_s, "system", report->system_s));
	(void)json_dumpf(object, stdout, JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(object);
}

static void print_errors(const struct tally *tally)
{
	uint64_t total = tally_errors(tally);
	printf("%-13s %llu", "errors", (unsigned long long)total);
	const char *before = " (";
	for (unsigned kind = 0; kind < LOAD_ERROR_KINDS; kind++) {
		if (tally->errors[kind] == 0)
			continue;
		printf("%s%s %llu", before, tally_error_text((enum load_error)kind),
			(unsigned long long)tally->errors[kind]);
		before = ", ";
	}
	puts(total > 0 ? ")" : "");
}

static void print_latency(const struct histogram *latency)
{
	printf("%-13s min %.1f  mean %.1f", "latency, us", (double)latency->lowest / 1e3,
		histogram_mean(latency) / 1e3);
	for (unsigned i = 0; i < QUANTILES; i++)
		printf("  %s %.1f", quantiles[i].key,
			(double)histogram_quantile(latency, quantiles[i].share) / 1e3);
	printf("  max %.1f\n", (double)latency->highest / 1e3);
}

static void print_counts(const struct report *report)
{
	const struct tally *tally = &report->tally;
	if (tally->connections_done > 0)
		printf("%-13s %llu, %.0f a second, %llu unanswered\n", "connections",
			(unsigned long long)tally->connections_done, per_s(tally->connections_done, report),
			(unsigned long long)tally->unanswered);
	else if (tally->messages > 0)
		printf("%-13s %llu, %.0f a second\n", "messages", (unsigned long long)tally->messages,
			per_s(tally->messages, report));
	if (report->options->rate > 0)
		printf("%-13s %.1f a second asked for, %llu sent late, %llu unanswered\n", "rate",
			report->options->rate, (unsigned long long)tally->late_sends,
			(unsigned long long)tally->unanswered);
}

static void print_text(const struct report *report)
{
	const struct tally *tally = &report->tally;
	printf("%-13s %s, %u connections, %u threads, %.3f s\n", "load", report->workload,
		report->options->connections, report->options->threads, report->seconds);
	printf("%-13s %llu, %.3f GB/s\n", "bytes", (unsigned long long)tally->bytes,
		per_s(tally->bytes, report) / 1e9);
	printf("%-13s %llu bytes in the whole run%s\n", "verified",
		(unsigned long long)verified_bytes(report),
		report->options->is_sampled ? ", sampled: most bytes were not looked at" : "");
	print_counts(report);
	if (report->latency->count > 0)
		print_latency(report->latency);
	printf("%-13s user %.3f s, system %.3f s\n", "cpu", report->user_s, report->system_s);
	print_errors(tally);
}

void report_print(const struct report *report)
{
	if (report->options->is_json)
		print_json(report);
	else
		print_text(report);
	(void)fflush(stdout);
}

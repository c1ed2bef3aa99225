/* What the burst client prints: text with a histogram, JSON, and a line of CSV
 * for each block. */
#include "burst.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { BAR_WIDTH = 50 };

/* Of the blocks that came back whole. */
struct figures {
	struct burst_statistics statistics;
	struct burst_bin bins[BURST_BINS_MAX];
	size_t bins_count;
};

/* Returns 0 or -ENOMEM. */
static int compute_figures(const struct burst_run *run, struct figures *ret_figures)
{
	uint64_t *latencies = malloc((run->done + 1u) * sizeof(*latencies));
	size_t count = 0;

	if (!latencies)
		return -ENOMEM;
	for (unsigned i = 0; i < run->done; i++)
		if (run->blocks[i].status == BURST_OK)
			latencies[count++] = run->blocks[i].latency_ns;
	burst_statistics_compute(latencies, count, &ret_figures->statistics);
	ret_figures->bins_count = burst_bins_fill(latencies, count, ret_figures->bins);
	free(latencies);
	return 0;
}

static int write_csv(const char *path, const struct burst_run *run)
{
	FILE *file = fopen(path, "we");
	bool is_bad;

	if (!file)
		return -errno;
	fprintf(file, "block,latency_us,status\n");
	for (unsigned i = 0; i < run->done; i++) {
		const struct burst_block *block = &run->blocks[i];

		if (block->status == BURST_OK)
			fprintf(file, "%u,%.3f,ok\n", i, (double)block->latency_ns / 1000.0);
		else
			fprintf(file, "%u,,%s\n", i, burst_status_name(block->status));
	}
	is_bad = ferror(file) != 0;
	if (fclose(file) != 0)
		return -errno;
	return is_bad ? -EIO : 0;
}

static void print_histogram(const struct figures *figures)
{
	uint64_t highest = 1;

	for (size_t i = 0; i < figures->bins_count; i++)
		highest = figures->bins[i].count > highest ? figures->bins[i].count : highest;
	if (figures->bins_count > 0)
		printf("\n        from µs          to µs     blocks\n");
	for (size_t i = 0; i < figures->bins_count; i++) {
		const struct burst_bin *bin = &figures->bins[i];
		size_t width = (size_t)((double)bin->count * BAR_WIDTH / (double)highest + 0.5);

		printf("%15.3f %14.3f %10llu  ", bin->from_us, bin->to_us, (unsigned long long)bin->count);
		for (size_t column = 0; column < width; column++)
			putchar('#');
		putchar('\n');
	}
}

static void print_failures(const struct burst_run *run)
{
	printf("errors: %llu", (unsigned long long)burst_failures(run));
	for (unsigned status = BURST_OK + 1; status < BURST_STATUSES; status++)
		if (run->failures[status] > 0)
			printf(", %s %llu", burst_status_name(status),
				(unsigned long long)run->failures[status]);
	putchar('\n');
	if (run->wrong_bytes > 0)
		printf("wrong bytes: %llu, the first at offset %llu of its block\n",
			(unsigned long long)run->wrong_bytes, (unsigned long long)run->first_wrong_offset);
	if (run->extra_bytes > 0)
		printf("bytes that were never sent: %llu\n", (unsigned long long)run->extra_bytes);
	if (run->reconnects > 0)
		printf("connections made anew after an error: %u\n", run->reconnects);
	if (run->has_given_up)
		printf("given up after %d errors\n", BURST_FAILURES_MAX);
}

static void print_text(
	const struct burst_options *options, const struct burst_run *run, const struct figures *figures)
{
	const struct burst_statistics *statistics = &figures->statistics;

	printf("%s: %zu of %u blocks of %zu bytes came back whole, %s, in %.3f s\n", options->to_text,
		statistics->count, run->done, options->size,
		options->is_verified ? "every byte verified" : "bytes counted but not verified",
		run->elapsed_s);
	if (run->busy_poll_note)
		printf("busy poll: %s\n", run->busy_poll_note);
	if (statistics->count > 0)
		printf("µs: min %.1f  median %.1f  avg %.1f  dev %.1f  p90 %.1f  p99 %.1f  "
		       "max %.1f\n",
			statistics->min_us, statistics->median_us, statistics->average_us,
			statistics->deviation_us, statistics->p90_us, statistics->p99_us, statistics->max_us);
	print_failures(run);
	print_histogram(figures);
}

static json_t *json_of_failures(const struct burst_run *run)
{
	json_t *object = json_object();

	for (unsigned status = BURST_OK + 1; status < BURST_STATUSES; status++)
		json_object_set_new(
			object, burst_status_name(status), json_integer((json_int_t)run->failures[status]));
	return object;
}

static json_t *json_of_latency(const struct burst_statistics *statistics)
{
	return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I}", "min", statistics->min_us, "median",
		statistics->median_us, "mean", statistics->average_us, "deviation", statistics->deviation_us,
		"p90", statistics->p90_us, "p99", statistics->p99_us, "max", statistics->max_us, "count",
		(json_int_t)statistics->count);
}

static json_t *json_of_bins(const struct figures *figures)
{
	json_t *array = json_array();

	for (size_t i = 0; i < figures->bins_count; i++)
		json_array_append_new(array,
			json_pack("{s:f, s:f, s:I}", "from_us", figures->bins[i].from_us, "to_us",
				figures->bins[i].to_us, "count", (json_int_t)figures->bins[i].count));
	return array;
}

static int print_json(
	const struct burst_options *options, const struct burst_run *run, const struct figures *figures)
{
	json_t *object = json_pack("{s:s, s:s, s:I, s:i, s:i, s:i, s:b, s:f}", "workload", "burst", "to",
		options->to_text, "size", (json_int_t)options->size, "blocks", (int)run->done, "warmup",
		(int)options->warmup, "gap_us", (int)options->gap_us, "is_verified",
		(int)options->is_verified, "seconds", run->elapsed_s);
	int status;

	if (!object)
		return -ENOMEM;
	json_object_set_new(object, "verified_bytes", json_integer((json_int_t)run->verified_bytes));
	json_object_set_new(object, "latency_us", json_of_latency(&figures->statistics));
	json_object_set_new(object, "histogram", json_of_bins(figures));
	json_object_set_new(object, "errors", json_of_failures(run));
	json_object_set_new(object, "errors_total", json_integer((json_int_t)burst_failures(run)));
	json_object_set_new(object, "wrong_bytes", json_integer((json_int_t)run->wrong_bytes));
	json_object_set_new(object, "extra_bytes", json_integer((json_int_t)run->extra_bytes));
	json_object_set_new(object, "reconnects", json_integer((json_int_t)run->reconnects));
	json_object_set_new(object, "has_given_up", json_boolean(run->has_given_up));
	json_object_set_new(object, "busy_poll_us", json_integer((json_int_t)options->busy_poll_us));
	json_object_set_new(
		object, "congestion", options->congestion ? json_string(options->congestion) : json_null());
	json_object_set_new(object, "busy_poll_note",
		run->busy_poll_note ? json_string(run->busy_poll_note) : json_null());
	status = json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	json_decref(object);
	putchar('\n');
	return status == 0 ? 0 : -EIO;
}

int burst_report(const struct burst_options *options, const struct burst_run *run)
{
	struct figures figures;
	int error = compute_figures(run, &figures);

	if (error < 0)
		return error;
	if (options->is_json)
		error = print_json(options, run, &figures);
	else
		print_text(options, run, &figures);
	if (error == 0 && options->csv)
		error = write_csv(options->csv, run);
	return error;
}

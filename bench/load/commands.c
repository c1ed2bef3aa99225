/* The load commands of splicebench: flags read, the workload chosen, run. */
#include "../splicebench.h"

#include "messages.h"
#include "options.h"
#include "run.h"

static int load(enum load_command command, const struct workload *workload, int count, char **words)
{
	struct load_options options;
	int status;
	if (!options_read(command, count, words, &options, &status))
		return status;
	return workload == NULL ? run_server(&options) : run_load(&options, workload);
}

int command_serve(int count, char **words)
{
	return load(LOAD_SERVE, NULL, count, words);
}

int command_bulk(int count, char **words)
{
	return load(LOAD_BULK, &workload_bulk, count, words);
}

int command_pingpong(int count, char **words)
{
	return load(LOAD_PINGPONG, &workload_messages, count, words);
}

int command_churn(int count, char **words)
{
	return load(LOAD_CHURN, &workload_churn, count, words);
}

int command_idle(int count, char **words)
{
	return load(LOAD_IDLE, &workload_idle, count, words);
}

int command_dribble(int count, char **words)
{
	return load(LOAD_DRIBBLE, &workload_messages, count, words);
}

int command_incast(int count, char **words)
{
	return load(LOAD_INCAST, &workload_incast, count, words);
}

/* The command that shows the engines: what they carry, what they refused and why. */
#include <string.h>

#include "admin/command.h"
#include "admin/info_table.h"
#include "admin/relay_reasons.h"
#include "relay/engine.h"

static const char *engine_refusal(const struct instance *instance, unsigned engine)
{
	if (instance->workers_count == 0)
		return NULL;
	return instance->workers[0].sessions.relay_worker.engine_refusals[engine];
}

static void engine_print(struct command *command, unsigned engine)
{
	const struct instance *instance = command->admin->instance;
	const char *refusal = engine_refusal(instance, engine);
	struct relay_engine_counters sum = {0};
	for (unsigned i = 0; i < instance->workers_count; i++) {
		const struct relay_engine_counters *part =
			&instance->workers[i].sessions.relay_worker.engines[engine];
		sum.directions_now += counter_read(&part->directions_now);
		sum.directions_ever += counter_read(&part->directions_ever);
		sum.bytes += counter_read(&part->bytes);
		sum.moves_in += counter_read(&part->moves_in);
		sum.refusals += counter_read(&part->refusals);
		sum.packets += counter_read(&part->packets);
		sum.retransmits += counter_read(&part->retransmits);
	}
	text_grow_printf(command->out, "%s %llu %llu %llu %llu %llu %llu %llu %s%s\n",
		relay_engines[engine]->name, (unsigned long long)sum.directions_now,
		(unsigned long long)sum.directions_ever, (unsigned long long)sum.bytes,
		(unsigned long long)sum.moves_in, (unsigned long long)sum.refusals,
		(unsigned long long)sum.packets, (unsigned long long)sum.retransmits,
		refusal ? "unavailable: " : "available", refusal ? refusal : "");
}

/* Only what has happened, so that the answer stays short. */
static void reasons_print(struct command *command, const struct relay_reasons *reasons)
{
	text_grow_printf(command->out, "# %s\n", reasons->title);
	for (unsigned reason = reasons->first; reason < reasons->end; reason++) {
		uint64_t sum = relay_reasons_sum(command->admin->instance, reasons, reason);
		if (sum > 0)
			text_grow_printf(command->out, "%s: %llu (%s)\n", reasons->name(reason),
				(unsigned long long)sum, reasons->words(reason));
	}
}

static void moves_print(struct command *command)
{
	text_grow_add(command->out, "# why directions moved to another engine\n");
	for (unsigned engine = 0; relay_engines[engine]; engine++) {
		for (unsigned reason = MOVE_NO_REASON + 1; reason < MOVE_REASONS; reason++) {
			uint64_t sum = relay_moves_sum(command->admin->instance, engine, reason);
			if (sum > 0)
				text_grow_printf(command->out, "%s/%s: %llu (%s)\n",
					relay_engines[engine]->name, move_reason_name(reason),
					(unsigned long long)sum, move_reason_words(reason));
		}
	}
}

/* A part for each engine in the kernel that serves here. */
static bool is_served(const struct instance *instance, const struct relay_reasons *reasons)
{
	bool is_wire = strncmp(reasons->metric, "wire", 4) == 0;
	return is_wire ? instance->wire != NULL : instance->sockmaps != NULL;
}

COMMAND(show_relay)
{
	text_grow_add(
		command->out, "# engine now ever bytes moves_in refusals packets retransmits availability\n");
	for (unsigned engine = 0; relay_engines[engine]; engine++)
		engine_print(command, engine);
	moves_print(command);
	for (size_t i = 0; i < relay_reasons_count; i++)
		if (is_served(command->admin->instance, &relay_reasons[i]))
			reasons_print(command, &relay_reasons[i]);
	text_grow_add(command->out, "# what the engines hold\n");
	for (size_t i = 0; i < info_fields_count; i++) {
		const char *name = info_fields[i].name;
		struct stat_value value = {.type = STAT_NONE};
		if (strncmp(name, "Relay", 5) != 0 && strncmp(name, "Wire", 4) != 0 &&
			strncmp(name, "Sockmap", 7) != 0 && strncmp(name, "Pipes", 5) != 0 &&
			strcmp(name, "Maxpipes") != 0)
			continue;
		info_fields[i].get(command->admin, &value);
		text_grow_printf(command->out, "%s: ", name);
		stat_print_plain(&value, command->out);
		text_grow_add(command->out, "\n");
	}
	return COMMAND_DONE;
}

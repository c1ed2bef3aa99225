/* The rows that change environment variables for the rest of the configuration. */
#include <errno.h>
#include <string.h>

#include "config/keyword.h"

static bool is_set(struct parser *parser, const char *name)
{
	return environment_get(&parser->environment, name, strlen(name)) != NULL;
}

static int parse_set(struct parser *parser, const struct statement *statement)
{
	bool is_preset = strcmp(statement->keyword->name, "presetenv") == 0;

	if (statement->count < 2 || statement->words[0][0] == '\0')
		return statement_refuse(parser, statement);
	if (!is_preset || !is_set(parser, statement->words[0]))
		environment_set(
			&parser->environment, parser->arena, statement->words[0], statement->words[1]);
	return 2;
}

static int parse_unset(struct parser *parser, const struct statement *statement)
{
	if (statement->count == 0)
		return statement_refuse(parser, statement);
	for (unsigned i = 0; i < statement->count; i++)
		environment_set(&parser->environment, parser->arena, statement->words[i], NULL);
	return (int)statement->count;
}

static int parse_reset(struct parser *parser, const struct statement *statement)
{
	environment_reset(&parser->environment, parser->arena, statement->words, statement->count);
	return (int)statement->count;
}

static const struct keyword rows[] = {
	{
		.name = "presetenv",
		.arguments = "<name> <value>",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_set),
		.sentence =
			"Sets an environment variable, for the rest of the configuration, unless it exists.",
	},
	{
		.name = "resetenv",
		.arguments = "[<name> ...]",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_reset),
		.sentence = "Forgets all environment variables but these, for the rest of the configuration.",
	},
	{
		.name = "setenv",
		.arguments = "<name> <value>",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_set),
		.sentence =
			"Sets an environment variable for the rest of the configuration; the process's own environment is left alone.",
	},
	{
		.name = "unsetenv",
		.arguments = "<name> ...",
		.sections = IN_GLOBAL,
		HANDLED_BY(parse_unset),
		.sentence = "Forgets environment variables for the rest of the configuration.",
	},
};

const struct keyword_table keywords_environment = {rows, ARRAY_LENGTH(rows)};

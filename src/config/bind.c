/* One bind line into one struct config_bind per address and port. */
#include "config/bind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/argument.h"
#include "config/proxy_words.h"

/* What all addresses of a line share while they are expanded. */
struct expansion {
	const struct statement *statement;
	const struct config_bind *common; /* from the parameters */
	unsigned addresses;
};

static int add(struct parser *parser, struct expansion *expansion, const struct config_bind *bind)
{
	struct config_bind *copy;

	if (proxy_words_check_bind(parser, bind) < 0)
		return -EINVAL;
	if (parser->binds_count == BINDS_MAX) {
		report_alert(parser, "more than %u addresses are bound in all", BINDS_MAX);
		return -EINVAL;
	}
	if (expansion->addresses == 1 && expansion->common->id != 0) {
		report_alert(parser, "'id' can be given to a single address only");
		return -EINVAL;
	}
	parser->binds_count++;
	expansion->addresses++;
	copy = arena_alloc(parser->arena, sizeof(*copy));
	*copy = *bind;
	copy->place = parser->place;
	*parser->draft->binds_end = copy;
	parser->draft->binds_end = &copy->next;
	return 0;
}

/* Each port of a range gets its own entry; the text then names that port. */
static int expand_ports(
	struct parser *parser, struct expansion *expansion, const struct address_spec *spec, const char *text)
{
	struct config_bind bind = *expansion->common;

	if (argument_resolve(parser, "bind", spec, spec->port_first, &bind.address) < 0)
		return -EINVAL;
	for (unsigned port = spec->port_first; port <= spec->port_last; port++) {
		bind.text = text;
		if (spec->port_first != spec->port_last) {
			char one[ADDRESS_HOST_MAX + 16];
			size_t host_len = (size_t)(strrchr(text, ':') - text);

			snprintf(one, sizeof(one), "%.*s:%u", (int)host_len, text, port);
			bind.text = arena_copy(parser->arena, one);
		}
		address_set_port(&bind.address, (uint16_t)port);
		if (add(parser, expansion, &bind) < 0)
			return -EINVAL;
	}
	return 0;
}

/* text lives in the arena. */
static int expand(struct parser *parser, struct expansion *expansion, const char *text)
{
	struct config_bind bind = *expansion->common;
	struct address_spec spec;
	const char *reason;

	if (address_parse(text, &spec, &reason) < 0) {
		report_alert(parser, "'bind': the address '%s' is wrong: %s", text, reason);
		return -EINVAL;
	}
	bind.text = text;
	switch (spec.kind) {
	case ADDRESS_FD:
		bind.inherited_fd = spec.fd;
		return add(parser, expansion, &bind);
	case ADDRESS_UNIX:
	case ADDRESS_ABSTRACT:
		if (argument_resolve(parser, "bind", &spec, 0, &bind.address) < 0)
			return -EINVAL;
		return add(parser, expansion, &bind);
	case ADDRESS_IP:
		break;
	}
	if (!spec.has_port || spec.is_port_relative) {
		report_alert(parser, "'bind': the address '%s' has no port", text);
		return -EINVAL;
	}
	return expand_ports(parser, expansion, &spec, text);
}

int bind_parse(struct parser *parser, const struct statement *statement)
{
	struct config_bind common = {.inherited_fd = -1, .unix_mode = -1, .unix_uid = -1, .unix_gid = -1};
	struct expansion expansion = {.statement = statement, .common = &common};
	struct parameters parameters = {.line = ON_BIND, .target = &common};
	char *list, *text;

	if (statement->count == 0 || statement->words[0][0] == '\0')
		return statement_refuse(parser, statement);
	parameters.words = statement->words + 1;
	parameters.count = statement->count - 1;
	if (keyword_run_parameters(parser, &parameters) < 0)
		return -EINVAL;
	if (common.is_v4v6 && common.is_v6only) {
		report_alert(parser, "'v4v6' and 'v6only' contradict each other");
		return -EINVAL;
	}
	list = arena_copy(parser->arena, statement->words[0]);
	while ((text = strsep(&list, ",")) != NULL) {
		if (expand(parser, &expansion, text) < 0)
			return -EINVAL;
	}
	return (int)statement->count;
}

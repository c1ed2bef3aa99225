/* Addresses and names of the system as arguments of keywords. */
#include "config/argument.h"

#include <errno.h>
#include <grp.h>
#include <net/if.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "config/naming.h"
#include "config/values.h"

int argument_resolve(struct parser *parser, const char *what, const struct address_spec *spec, uint16_t port,
	struct address *ret_address)
{
	int result;

	if (parser->options->has_no_lookups && !address_is_written_out(spec)) {
		report_alert(parser, "'%s': the host name '%s' is not looked up here", what, spec->host);
		return -EINVAL;
	}
	result = address_resolve(spec, port, ret_address);
	if (result == 0)
		return 0;
	if (result == -ENOENT)
		report_alert(parser, "'%s': there is no host '%s'%s", what, spec->host,
			spec->family == AF_INET            ? " with an IPv4 address"
				: spec->family == AF_INET6 ? " with an IPv6 address"
							   : "");
	else
		report_alert(
			parser, "'%s': cannot use the address '%s': %s", what, spec->host, strerror(-result));
	return -EINVAL;
}

int argument_address(struct parser *parser, const char *what, const char *text, struct address *ret_address)
{
	struct address_spec spec;
	const char *reason;

	if (address_parse(text, &spec, &reason) < 0) {
		report_alert(parser, "'%s': the address '%s' is wrong: %s", what, text, reason);
		return -EINVAL;
	}
	if (spec.kind == ADDRESS_FD) {
		report_alert(parser, "'%s': an inherited descriptor ('%s') cannot be used here", what, text);
		return -EINVAL;
	}
	if (spec.kind == ADDRESS_IP &&
		(!spec.has_port || spec.is_port_relative || spec.port_first != spec.port_last)) {
		report_alert(parser, "'%s': the address '%s' needs exactly one port", what, text);
		return -EINVAL;
	}
	return argument_resolve(parser, what, &spec, spec.port_first, ret_address);
}

int argument_host(struct parser *parser, const char *what, const char *text, struct address *ret_address)
{
	struct address_spec spec = {.kind = ADDRESS_IP, .family = AF_UNSPEC};
	struct text host;

	text_init(&host, spec.host, sizeof(spec.host));
	text_add(&host, text);
	if (text[0] == '\0' || strchr(text, '/') != NULL || strchr(text, '@') != NULL || text[0] == '*' ||
		host.is_cut) {
		report_alert(parser, "'%s' expects an IP address or a host's name without a port, not '%s'",
			what, text);
		return -EINVAL;
	}
	return argument_resolve(parser, what, &spec, 0, ret_address);
}

/* The address itself: an IP, with or without a port or a range of ports. */
static int source_address(
	struct parser *parser, const struct statement *statement, struct config_source_address *ret_source)
{
	const char *what = statement->keyword->name, *text = statement->words[0], *reason;
	struct address_spec spec;

	if (address_parse(text, &spec, &reason) < 0) {
		report_alert(parser, "'%s': the address '%s' is wrong: %s", what, text, reason);
		return -EINVAL;
	}
	if (spec.kind != ADDRESS_IP || spec.is_port_relative) {
		report_alert(parser,
			"'%s' expects an IP address with a port, a range of ports or none, not '%s'", what,
			text);
		return -EINVAL;
	}
	ret_source->is_set = true;
	ret_source->port_first = spec.port_first;
	ret_source->port_last = spec.port_last;
	return argument_resolve(parser, what, &spec, spec.port_first, &ret_source->address);
}

static int source_interface(struct parser *parser, const char *name, struct config_source_address *source)
{
	if (*name == '\0' || strlen(name) >= IF_NAMESIZE) {
		report_alert(parser, "'interface' expects the name of a network interface");
		return -EINVAL;
	}
	source->interface = arena_copy(parser->arena, name);
	return 0;
}

/* An address that need not be this host's, with one port or none. */
static int usesrc_address(struct parser *parser, const char *text, struct config_source_address *source)
{
	struct address_spec spec;
	const char *reason;

	if (address_parse(text, &spec, &reason) < 0 || spec.kind != ADDRESS_IP || spec.is_port_relative ||
		spec.port_first != spec.port_last) {
		report_alert(parser,
			"'usesrc' expects 'client', 'clientip' or an IP address with a port or none, not '%s'",
			text);
		return -EINVAL;
	}
	source->usesrc = CONFIG_USESRC_ADDRESS;
	return argument_resolve(parser, "usesrc", &spec, spec.port_first, &source->usesrc_address);
}

static int source_usesrc(struct parser *parser, const char *word, struct config_source_address *source)
{
	if (strncmp(word, "hdr_ip(", 7) == 0) {
		report_alert(parser, "'usesrc hdr_ip(...)' is for HTTP only, and spliced relays TCP");
		return -EINVAL;
	}
	if (strcmp(word, "client") == 0)
		source->usesrc = CONFIG_USESRC_CLIENT;
	else if (strcmp(word, "clientip") == 0)
		source->usesrc = CONFIG_USESRC_CLIENT_IP;
	else
		return usesrc_address(parser, word, source);
	return 0;
}

int argument_source(
	struct parser *parser, const struct statement *statement, struct config_source_address *ret_source)
{
	struct config_source_address source = {0};
	unsigned taken = 1;

	if (statement->count == 0)
		return statement_refuse(parser, statement);
	if (source_address(parser, statement, &source) < 0)
		return -EINVAL;
	while (taken < statement->count) {
		const char *word = statement->words[taken];
		const char *value = taken + 1 < statement->count ? statement->words[taken + 1] : "";
		bool is_usesrc = strcmp(word, "usesrc") == 0;

		if (!is_usesrc && strcmp(word, "interface") != 0)
			break;
		if ((is_usesrc ? source_usesrc : source_interface)(parser, value, &source) < 0)
			return -EINVAL;
		taken += 2;
	}
	*ret_source = source;
	return (int)taken;
}

static void member_set(const struct statement *statement, int value)
{
	memcpy((char *)statement->target + statement->keyword->offset, &value, sizeof(value));
}

static const char *first_argument(const struct statement *statement)
{
	return statement->count > 0 ? statement->words[0] : "";
}

int argument_parse_user(struct parser *parser, const struct statement *statement)
{
	const char *name = first_argument(statement);
	const struct passwd *user;

	if (*name == '\0')
		return statement_refuse(parser, statement);
	user = getpwnam(name);
	if (user == NULL) {
		report_alert(parser, "'%s': there is no user '%s'", statement->keyword->name, name);
		return -EINVAL;
	}
	member_set(statement, (int)user->pw_uid);
	return 1;
}

int argument_parse_group(struct parser *parser, const struct statement *statement)
{
	const char *name = first_argument(statement);
	const struct group *group;

	if (*name == '\0')
		return statement_refuse(parser, statement);
	group = getgrnam(name);
	if (group == NULL) {
		report_alert(parser, "'%s': there is no group '%s'", statement->keyword->name, name);
		return -EINVAL;
	}
	member_set(statement, (int)group->gr_gid);
	return 1;
}

int argument_parse_id(struct parser *parser, const struct statement *statement)
{
	uint64_t value;

	if (argument_count(parser, statement, 0, &value) < 0)
		return -EINVAL;
	member_set(statement, (int)value);
	return 1;
}

int argument_parse_mode(struct parser *parser, const struct statement *statement)
{
	const char *word = first_argument(statement);
	size_t len = strlen(word);

	if (len == 0 || len > 4 || strspn(word, "01234567") != len) {
		report_alert(parser, "'%s' expects an octal file mode such as 660, not '%s'",
			statement->keyword->name, word);
		return -EINVAL;
	}
	member_set(statement, (int)strtol(word, NULL, 8));
	return 1;
}

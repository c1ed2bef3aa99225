/* Flags of the commands echo and burst: addresses and refusals. */
#include "usage.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int usage_refuse(const char *command, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "splicebench %s: ", command);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, ". Try 'splicebench %s --help'\n", command);
	return USAGE_STATUS;
}

int usage_refuse_option(const char *command, int found, char **argv)
{
	const char *word = argv[optind - 1];

	if (found == ':')
		return usage_refuse(command, "%s needs a value", word);
	return usage_refuse(command, "unknown flag %s", word);
}

bool usage_parse_address(const char *text, struct address *ret_address, const char **ret_reason)
{
	struct address_spec spec;
	int error = address_parse(text, &spec, ret_reason);

	if (error < 0)
		return false;
	if (spec.kind != ADDRESS_IP || !spec.has_port || spec.is_port_relative ||
		spec.port_first != spec.port_last) {
		*ret_reason = "an IP address with a port is needed";
		return false;
	}
	error = address_resolve(&spec, spec.port_first, ret_address);
	if (error < 0)
		*ret_reason = error == -ENOENT ? "no such host" : "it cannot be used as an address";
	return error == 0;
}

bool usage_parse_listen_address(const char *text, struct address *ret_address, const char **ret_reason)
{
	char with_port[ADDRESS_HOST_MAX + 16];
	size_t len = strlen(text);

	if (len < 2 || len >= sizeof(with_port) || strcmp(text + len - 2, ":0") != 0)
		return usage_parse_address(text, ret_address, ret_reason);
	/* Any port will do for the parser, which knows none without a number. */
	memcpy(with_port, text, len + 1);
	with_port[len - 1] = '1';
	if (!usage_parse_address(with_port, ret_address, ret_reason))
		return false;
	address_set_port(ret_address, 0);
	return true;
}

/* What the configuration says, as plain data.  Everything hangs off one arena
 * and lives until config_destroy(); running objects point into it and never
 * write to it.  Including this header gives all of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"
#include "config/config_global.h"
#include "config/config_proxy.h"
#include "config/config_resolvers.h"
#include "config/config_types.h"

struct config {
	struct config_global global;
	struct config_proxy *proxies; /* frontends, backends, listens; no defaults sections */
	struct config_resolvers *resolvers;
	unsigned warnings; /* of the load that made it */
	void *arena;
};

/* Names the parser checks against but does not know itself. */
struct config_names {
	const char *const *engines; /* NULL-terminated, "auto" first */
};

struct config_options {
	const char *const *paths; /* -f FILE|DIR, in order */
	size_t paths_count;
	const char *listen, *to, *relay; /* quick start; then no paths */
	struct config_names names;
	FILE *errors; /* where messages go; NULL: stderr */
	unsigned errors_max; /* stop after so many alerts; 0: 100 */
	bool has_no_lookups; /* host names are refused instead of looked up (fuzzing) */
};

/* Reads, checks and resolves everything.  Every mistake is reported as
 * "[ALERT]    (pid) : config : [file:line] : sentence." (warnings "[WARNING]"),
 * not only the first.  Has no side effects beyond reading files and looking names up.
 * Returns 0 and *ret_config (caller destroys), or -EINVAL. */
int config_load(const struct config_options *options, struct config **ret_config) MUST_USE;

/* The same from memory, for tests and fuzzing: `name` stands for the file in
 * messages; options->paths and the quick start are not looked at. */
struct config_text {
	const char *name;
	const char *bytes;
	size_t len;
};
int config_load_text(const struct config_text *text, const struct config_options *options,
	struct config **ret_config) MUST_USE;

/* NULL is allowed. */
void config_destroy(struct config *config);

/* Warnings counted by the last successful load. */
unsigned config_warnings(const struct config *config);

struct config_proxy *config_proxy_find(const struct config *config, const char *name, unsigned role);

/* Writes the keyword chapters of spliced.cfg(5), mdoc, from the rows. */
void config_reference_print(FILE *out);

/* The rules of frontends and backends, in order, each with the condition it stands under. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config_types.h"

struct rule_condition;
struct rule_expression;

enum config_rule_action { CONFIG_RULE_ACCEPT, CONFIG_RULE_REJECT, CONFIG_RULE_EXPECT_PROXY };

struct config_rule {
	struct config_rule *next;
	enum config_rule_action action;
	const struct rule_condition *condition; /* NULL: always */
	struct config_place place;
};

/* A piece of a name that is put together for each connection. */
struct config_name_part {
	struct config_name_part *next;
	const char *text; /* NULL: what the expression gives */
	const struct rule_expression *expression;
};

struct config_use_backend {
	struct config_use_backend *next;
	const char *name; /* resolved by validate, unless there are parts: */
	struct config_proxy *backend;
	const struct config_name_part *parts; /* NULL: the name is as it stands */
	const struct rule_condition *condition; /* NULL: always */
	struct config_place place;
};

struct config_use_server {
	struct config_use_server *next;
	const char *name; /* resolved by validate: */
	unsigned server_index;
	const struct rule_condition *condition;
	struct config_place place;
};

struct config_rules {
	struct config_rule *connection, *session; /* of the frontend's side */
	struct config_rule *content;
	struct config_use_backend *use_backends;
	struct config_use_server *use_servers;
	uint32_t inspect_delay_ms; /* 0: nothing is waited for */
	/* Set by validate: connections are to be looked at by this frontend, or backend, before
	 * they go on; and that means at their bytes. */
	bool has_frontend_steps, has_backend_steps, needs_bytes;
};

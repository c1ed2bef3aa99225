/* What can be taken from a connection: one row a name. */
#pragma once

#include "rule/book.h"
#include "rule/sample.h"

/* What may or must stand in the parentheses. */
enum fetch_takes {
	FETCH_TAKES_NOTHING,
	FETCH_TAKES_FRONTEND, /* or nothing: the connection's own */
	FETCH_TAKES_BACKEND, /* or nothing: the connection's own */
	FETCH_TAKES_SERVER, /* "backend/server", "server" */
	FETCH_TAKES_SPAN, /* offset, length */
	FETCH_TAKES_PREFIXED, /* offset of a length, its bytes, offset of what has it */
	FETCH_TAKES_NAME, /* or nothing */
	FETCH_TAKES_TEXT,
	FETCH_TAKES_NUMBER,
	FETCH_TAKES_BOOL,
};

struct fetch_arguments {
	int64_t numbers[3];
	bool is_relative; /* the third number counts from behind the length */
	const char *text; /* NULL: none */
	const struct rule_reference *reference;
};

struct fetch {
	const char *name, *alias; /* alias NULL: none */
	const char *arguments; /* as the manual shows them; NULL: none */
	enum fetch_takes takes;
	enum sample_type type;
	bool needs_bytes; /* of the client */
	bool needs_session; /* cannot be asked while the connection is only just accepted */
	enum rule_gauge gauge; /* of rows that have gauge_take */
	/* False: there is none, now or (see may_change) yet. */
	bool (*take)(struct rule_facts *facts, const struct fetch *fetch,
		const struct fetch_arguments *arguments, struct sample *ret_sample);
	const char *sentence;
};

/* Terminated by a row without name. */
extern const struct fetch fetches[];
const struct fetch *fetch_find(const char *name);
const char *fetch_nearest(const char *name);
/* Reads a call's arguments as the row wants them; -EINVAL with a sentence. */
int fetch_arguments_parse(struct rule_book *book, const struct fetch *fetch, const struct rule_call *call,
	struct fetch_arguments *ret_arguments, struct text *complaint) MUST_USE;

/* fetch_bytes.c: those that look at the client's bytes. */
#define FETCH_TAKE(name)                                                            \
	bool fetch_take_##name(struct rule_facts *facts, const struct fetch *fetch, \
		const struct fetch_arguments *arguments, struct sample *ret_sample)
FETCH_TAKE(len);
FETCH_TAKE(payload);
FETCH_TAKE(payload_lv);
FETCH_TAKE(hello_type);
FETCH_TAKE(sni);
FETCH_TAKE(alpn);
FETCH_TAKE(version);
FETCH_TAKE(version_max);
FETCH_TAKE(encrypted_hello);
FETCH_TAKE(rdp_cookie);
FETCH_TAKE(rdp_cookie_count);
FETCH_TAKE(wait_end);

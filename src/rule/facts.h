/* What rules may ask of a connection.  Filled by who evaluates them; what has to be
 * looked up elsewhere is asked by a callback. */
#pragma once

#include "base/address.h"
#include "proto/tls_hello.h"

enum { RULE_TEXT_BYTES_MAX = 16384 }; /* of a converted text; what would be longer is absent */

/* Room to evaluate in: one thread's. */
struct rule_room {
	char texts[2][RULE_TEXT_BYTES_MAX]; /* converters read one and write the other */
	unsigned turn;
	uint8_t joined[TLS_HELLO_STREAM_BYTES_MAX]; /* a hello that came in several records */
	void *match, *match_limits; /* of the regular expressions */
};
/* NULL without memory. */
struct rule_room *rule_room_create(void);
/* NULL is allowed. */
void rule_room_destroy(struct rule_room *room);
/* The text that is not in use. */
char *rule_room_text(struct rule_room *room);

/* Things with names, in the order of the configuration's proxies and of their servers. */
enum { RULE_OWN = 0xffffffff };
enum rule_kind { RULE_FRONTEND, RULE_BACKEND, RULE_SERVER };

/* A frontend, backend or server that an expression names; resolved by who owns them. */
struct rule_reference {
	struct rule_reference *next; /* all of a configuration section */
	enum rule_kind kind;
	const char *proxy; /* NULL: the connection's own */
	const char *server; /* of kind RULE_SERVER */
	unsigned proxy_index, server_index; /* set when resolved; RULE_OWN: as above */
	const void *origin; /* the book's, when it was read */
};

enum rule_gauge {
	RULE_GAUGE_CONNECTIONS, /* of any kind */
	RULE_GAUGE_RATE, /* sessions in the last second, of any kind */
	RULE_GAUGE_QUEUE, /* of a backend or server */
	RULE_GAUGE_USABLE_SERVERS, /* of a backend */
	RULE_GAUGE_IS_UP, /* of a server */
	RULE_GAUGE_WEIGHT, /* of a server */
	RULE_GAUGE_ID, /* of any kind */
};

struct rule_facts {
	/* family AF_UNSPEC: not known. */
	struct endpoint source, destination;
	unsigned listener_id;
	const char *listener_name, *frontend_name, *backend_name; /* NULL: none */
	struct tls_span authority, unique_id; /* of the PROXY header */

	/* The client's first bytes, as many as are here. */
	const uint8_t *bytes;
	size_t len;
	bool is_final; /* no more bytes will be waited for */

	/* False: there is no such thing now. */
	bool (*gauge)(const struct rule_facts *facts, enum rule_gauge gauge,
		const struct rule_reference *reference, int64_t *ret_value);
	struct rule_room *room;

	/* More of the bytes were asked for than a hello has, or only how many there are. */
	bool is_length_asked;

	/* The bytes as a ClientHello; read when it is first asked for. */
	bool has_hello;
	enum tls_result hello_result;
	struct tls_hello hello;
};

/* Reads the hello unless that was done.  To be forgotten (has_hello) when bytes are added. */
enum tls_result rule_facts_hello(struct rule_facts *facts);

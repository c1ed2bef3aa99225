/* The server's side: listener and connections, each doing what its hello asks. */
#pragma once

#include "worker.h"

/* Accepts what waits, a bounded number at once. */
void peer_accept(struct worker *worker);
/* end is that of a connection from peer_accept(). */
void peer_step(struct worker *worker, struct end *end);
void peer_close_all(struct worker *worker);
enum { PEERS_MAX = 120000 };
size_t peer_bytes(void);

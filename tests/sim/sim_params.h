/* What a seed decides before the run begins: the configuration of the proxy, the
 * world around it and how often what goes wrong.  Each can be overridden by name. */
#pragma once

#include "sim.h"

struct sim_params {
	/* the proxy */
	unsigned workers, servers, backups, engine, is_splice_usable, balance, hash_type;
	unsigned minconn, slowstart_ms;
	unsigned buffer_bytes, pipe_bytes, pipes_max, wake_bytes, held_buffers, burst;
	unsigned maxconn_global, maxconn_frontend, maxconn_bind, maxconn_server, maxqueue;
	unsigned retries, redispatch_every, is_redispatch_last;
	unsigned connect_ms, client_ms, server_ms, client_fin_ms, server_fin_ms, tunnel_ms, queue_ms;
	unsigned has_abortonclose, has_nolinger, has_contstats, is_backendless;
	/* the world */
	unsigned clients, spread_ms, stop_ms, stream_bytes, sndbuf_bytes, rcvbuf_bytes, segment_bytes;
	unsigned delay_ms, is_stop_reset;
	unsigned refuse, never_answer, peer_reset, peer_close, peer_silent, slow_reader, never_reader,
		half_closer;
	/* what goes wrong, per mille of the calls or steps */
	unsigned drought_ms; /* so long every accept finds no descriptor */
	unsigned fault_accept, fault_socket, fault_connect, fault_watch, fault_pipe, fault_memory,
		fault_eintr;
	unsigned spurious, jitter, storm, operator_action, kill;
};

extern struct sim_params sim_params;

/* Fills sim_params from the random numbers. */
void sim_params_draw(void);
/* "name=value"; false when there is no such name or the value is not a number. */
bool sim_params_override(const char *assignment);
void sim_params_trace(void);
void sim_params_names_print(void);

/* Socket options that listeners and server connections share. */
#pragma once

#include "config/config.h"

/* Each returns 0 or -errno; not applicable to unix sockets (then 0 at once). */
int socket_options_keepalive(int fd, const struct config_keepalive *keepalive) MUST_USE;
int socket_options_user_timeout(int fd, unsigned timeout_ms) MUST_USE;
int socket_options_nodelay(int fd) MUST_USE;
/* The handshake's last ACK waits for the first data (options tcp-smart-accept, -connect). */
int socket_options_delay_ack(int fd) MUST_USE;
/* 0 bytes: left to the kernel's auto-tuning. */
int socket_options_buffers(int fd, unsigned rcvbuf_bytes, unsigned sndbuf_bytes) MUST_USE;
/* An urgent byte stays where it was sent: in the stream.  Before the peer can send
 * any: between the report of one and a read, another may come. */
int socket_options_urgent_inline(int fd) MUST_USE;
/* close() then sends RST and forgets what was not delivered. */
void socket_options_abort_on_close(int fd);

enum { WINDOW_SCALE_ANY = 14 }; /* the largest that TCP has (RFC 7323) */
/* Before connect() or on a listening socket: announces at most this window scale.  The window
 * is then at most 65535 << scale, all that such a scale can say.  Returns 0 or -errno. */
int socket_options_window_scale(int fd, unsigned scale_max);

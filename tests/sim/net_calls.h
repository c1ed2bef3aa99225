/* The calls of the proxy that the linker leads into the model (--wrap). */
#pragma once

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

struct net_connection;

int __wrap_socket(int domain, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t len);
int __wrap_listen(int fd, int backlog);
int __wrap_accept4(int fd, struct sockaddr *peer, socklen_t *peer_len, int flags);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
ssize_t __wrap_recv(int fd, void *bytes, size_t size, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t size, int flags);
int __wrap_shutdown(int fd, int how);
int __wrap_close(int fd);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *len);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_pipe2(int ends[2], int flags);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
ssize_t __wrap_splice(
	int from, const off_t *from_offset, int to, const off_t *to_offset, size_t len, unsigned flags);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret_now);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

int __real_close(int fd);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);

/* How many of len bytes the socket takes now. */
uint32_t net_send_some(struct net_connection *connection, uint64_t len);

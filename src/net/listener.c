/* Listening sockets of a frontend's bind lines: opened all or none, with the
 * options that accepted sockets inherit. */
#include "net/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/fd.h"
#include "net/congestion.h"
#include "net/net_internal.h"
#include "net/socket_options.h"

enum { PRIVILEGED_PORTS_END = 1024 };

/* What the opening of one frontend needs to know everywhere, and where its refusal goes. */
struct opening {
	struct frontend *frontend;
	const struct config_global *global;
	char *reason;
	size_t reason_size;
};

/* One option of a listening socket; `is_wanted` rows are set in order. */
struct socket_option {
	bool is_wanted;
	int level, name, value;
	const char *complaint;
};

static int listener_add(struct frontend *frontend, const struct config_bind *config, unsigned position);
static int listener_open(const struct opening *opening, struct listener *listener);

int listener_open_all(
	struct frontend *frontend, const struct config_global *global, char *ret_reason, size_t reason_size)
{
	const struct opening opening = {frontend, global, ret_reason, reason_size};
	unsigned position = 0;
	CHECK(!frontend->listeners);
	for (const struct config_bind *bind = frontend->config->binds; bind; bind = bind->next) {
		int error = listener_add(frontend, bind, ++position);
		if (error)
			snprintf(ret_reason, reason_size, "no memory for the listener [%s]", bind->text);
		if (error) {
			listener_destroy_all(frontend);
			return error;
		}
	}
	for (struct listener *listener = frontend->listeners; listener; listener = listener->next) {
		int error = listener_open(&opening, listener);
		if (error) {
			listener_destroy_all(frontend);
			return error;
		}
	}
	return 0;
}

/* Appends a listener that is not open yet. */
static int listener_add(struct frontend *frontend, const struct config_bind *config, unsigned position)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	if (!listener)
		return -ENOMEM;
	struct listener **place = &frontend->listeners;
	while (*place)
		place = &(*place)->next;
	*place = listener;

	listener->frontend = frontend;
	listener->config = config;
	listener->maxconn = config->maxconn;
	listener->window_scale_max = WINDOW_SCALE_ANY;
	size_t places = frontend->workers + (frontend->bound_before ? frontend->bound_before->count : 0);
	listener->sockets = calloc(places, sizeof(*listener->sockets));
	listener->counters = traffic_counters_create(frontend->workers);
	if (!listener->sockets || !listener->counters)
		return -ENOMEM;
	for (size_t i = 0; i < places; i++)
		listener->sockets[i] = -1;
	if (config->name)
		snprintf(listener->name, sizeof(listener->name), "%s", config->name);
	if (!config->name)
		snprintf(listener->name, sizeof(listener->name), "sock-%u",
			config->id ? config->id : position);
	return 0;
}

/* "cannot bind socket (Permission denied) for [0.0.0.0:80] …"; returns the error. */
static int refuse(
	const struct opening *opening, const struct listener *listener, const char *complaint, int error)
{
	const struct config_bind *config = listener->config;
	const char *hint = "";
	char place[128] = "";
	uint16_t port = config->address.len ? address_port(&config->address) : 0;
	if (error == -EACCES && port > 0 && port < PRIVILEGED_PORTS_END)
		hint = "; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE";
	if (config->place.file)
		snprintf(place, sizeof(place), ", from [%s:%u]", config->place.file, config->place.line);
	snprintf(opening->reason, opening->reason_size, "%s (%s) for [%s]%s%s", complaint, strerror(-error),
		listener->address_text, place, hint);
	return error;
}

static unsigned backlog_of(const struct listener *listener)
{
	const struct frontend *frontend = listener->frontend;
	const unsigned choices[] = {
		listener->config->backlog, frontend->config->backlog, listener->maxconn, frontend->maxconn};
	for (size_t i = 0; i < ARRAY_LENGTH(choices); i++)
		if (choices[i] > 0)
			return choices[i] < INT32_MAX ? choices[i] : INT32_MAX;
	return SOMAXCONN;
}

static int options_apply(
	int fd, const struct socket_option *options, size_t count, const char **ret_complaint)
{
	for (size_t i = 0; i < count; i++) {
		const struct socket_option *option = &options[i];
		if (!option->is_wanted)
			continue;
		if (setsockopt(fd, option->level, option->name, &option->value, sizeof(option->value)) != 0) {
			*ret_complaint = option->complaint;
			return -errno;
		}
	}
	return 0;
}

/* Lets the socket listen on an address that is not this machine's.  IP_TRANSPARENT
 * needs privilege; where a foreign address is all that is wanted, free binding does. */
static int transparent_set(int fd, bool is_v6)
{
	const int on = 1;
	int level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
	bool is_transparent =
		setsockopt(fd, level, is_v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof(on)) == 0;
	bool is_free = setsockopt(fd, level, is_v6 ? IPV6_FREEBIND : IP_FREEBIND, &on, sizeof(on)) == 0;
	return is_transparent || is_free ? 0 : -errno;
}

/* Whose address and port the socket may take. */
static int bind_options_set(int fd, const struct config_bind *config, const char **ret_complaint)
{
	bool is_v6 = config->address.any.sa_family == AF_INET6;
	const struct socket_option options[] = {
		{true, SOL_SOCKET, SO_REUSEADDR, 1, "cannot allow the address to be reused"},
		/* Also when alone: a successor process binds beside us before we close. */
		{true, SOL_SOCKET, SO_REUSEPORT, 1, "cannot share the port between sockets"},
		{is_v6 && config->is_v6only, IPPROTO_IPV6, IPV6_V6ONLY, 1, "cannot set v6only"},
		{is_v6 && config->is_v4v6 && !config->is_v6only, IPPROTO_IPV6, IPV6_V6ONLY, 0,
			"cannot set v4v6"},
	};
	int error = options_apply(fd, options, ARRAY_LENGTH(options), ret_complaint);
	if (error)
		return error;
	const char *device = config->interface;
	if (device &&
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device) + 1) != 0) {
		*ret_complaint = "cannot bind to the interface";
		return -errno;
	}
	*ret_complaint = "cannot make the socket transparent";
	return config->is_transparent ? transparent_set(fd, is_v6) : 0;
}

/* What the connections to come shall have; they inherit it from a TCP socket, and
 * the window's scale is fixed with the first SYN. */
static int connection_options_set(int fd, const struct opening *opening, const struct listener *listener,
	const struct address *address, const char **ret_complaint)
{
	const struct config_bind *config = listener->config;
	const struct config_global *global = opening->global;
	const struct socket_option options[] = {
		{config->mss > 0, IPPROTO_TCP, TCP_MAXSEG, (int)config->mss, "cannot set the MSS"},
		{config->defer_accept_s > 0, IPPROTO_TCP, TCP_DEFER_ACCEPT, (int)config->defer_accept_s,
			"cannot enable defer-accept"},
		{config->has_tfo, IPPROTO_TCP, TCP_FASTOPEN, (int)backlog_of(listener),
			"cannot enable TCP Fast Open"},
	};
	int error = options_apply(fd, options, ARRAY_LENGTH(options), ret_complaint);
	if (error)
		return error;
	*ret_complaint = "cannot use the congestion control";
	error = congestion_set(fd, congestion_choose(config->congestion, address));
	if (error && config->congestion)
		return error;
	*ret_complaint = "cannot set the options of connections";
	error = socket_options_nodelay(fd);
	if (error == 0)
		error = socket_options_urgent_inline(fd);
	if (error == 0 && listener->frontend->config->has_smart_accept)
		error = socket_options_delay_ack(fd);
	if (error == 0)
		error = socket_options_keepalive(fd, &listener->frontend->config->client_keepalive);
	if (error == 0)
		error = socket_options_user_timeout(fd, config->tcp_user_timeout_ms);
	if (error == 0)
		error = socket_options_buffers(fd, global->client_rcvbuf, global->client_sndbuf);
	return error;
}

void listener_window_scale_lower(struct listener *listener, unsigned scale_max)
{
	uint32_t known = __atomic_load_n(&listener->window_scale_max, __ATOMIC_RELAXED);
	do {
		if (scale_max >= known)
			return;
	} while (!__atomic_compare_exchange_n(
		&listener->window_scale_max, &known, scale_max, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	for (unsigned i = 0; i < listener->sockets_count; i++)
		(void)socket_options_window_scale(listener->sockets[i], scale_max);
}

void listener_connection_prepare(int fd)
{
	/* A connection that has gone already shows it at the first read. */
	bool is_set = socket_options_nodelay(fd) == 0 && socket_options_urgent_inline(fd) == 0;
	(void)is_set;
}

/* One listening socket of an IP group.  *bound is where the first one went, so that
 * port 0 gives the group one port. */
static int ip_socket_open(const struct opening *opening, struct listener *listener, struct address *bound)
{
	FD_AUTO int fd = socket(bound->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refuse(opening, listener, "cannot create listening socket", -errno);
	const char *complaint = NULL;
	int error = bind_options_set(fd, listener->config, &complaint);
	if (error == 0)
		error = connection_options_set(fd, opening, listener, bound, &complaint);
	if (error)
		return refuse(opening, listener, complaint, error);
	if (bind(fd, &bound->any, bound->len) != 0)
		return refuse(opening, listener, "cannot bind socket", -errno);
	if (listen(fd, (int)backlog_of(listener)) != 0)
		return refuse(opening, listener, "cannot listen to socket", -errno);
	bound->len = sizeof(struct sockaddr_un);
	CHECK(getsockname(fd, &bound->any, &bound->len) == 0);
	listener->sockets[listener->sockets_count++] = fd;
	fd = -1;
	return 0;
}

/* A unix socket in the abstract namespace: no file, nothing to clean up. */
static bool is_abstract(const struct address *address)
{
	return address->local.sun_path[0] == '\0';
}

/* NULL: it has none. */
static const char *path_of(const struct address *address)
{
	bool has_path = address->len > 0 && address->any.sa_family == AF_UNIX && !is_abstract(address);
	return has_path ? address->local.sun_path : NULL;
}

/* What was bound before gets the options that the configuration has now; bind()'s own are
 * as wanted.  ret_label says what is known of its file. */
static int bound_socket_take(
	const struct opening *opening, struct listener *listener, struct socket_label *ret_label)
{
	const struct config_bind *config = listener->config;
	const struct socket_wanted wanted = {
		.address = &config->address,
		.label = config->address.len == 0 ? config->text : path_of(&config->address),
		.number = config->inherited_fd,
		.interface = config->interface,
		.is_v6only = config->is_v6only,
		.is_v4v6 = config->is_v4v6,
		.is_transparent = config->is_transparent,
	};
	struct socket_set *set = opening->frontend->bound_before;
	return set ? socket_set_take(set, &wanted, ret_label) : -ENOENT;
}

/* Takes options away that the configuration has no more.  What the kernel refuses stays: it
 * harms no connection. */
static void options_forget(int fd, const struct listener *listener)
{
	const struct config_bind *config = listener->config;
	const struct socket_option options[] = {
		{config->mss == 0, IPPROTO_TCP, TCP_MAXSEG, 0, NULL},
		{config->defer_accept_s == 0, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, NULL},
		{!config->has_tfo, IPPROTO_TCP, TCP_FASTOPEN, 0, NULL},
		{config->tcp_user_timeout_ms == 0, IPPROTO_TCP, TCP_USER_TIMEOUT, 0, NULL},
		{!listener->frontend->config->client_keepalive.is_on, SOL_SOCKET, SO_KEEPALIVE, 0, NULL},
	};
	const char *complaint = NULL;
	for (size_t i = 0; i < ARRAY_LENGTH(options); i++) {
		int error = options_apply(fd, &options[i], 1, &complaint);
		(void)error;
	}
}

/* Takes all that there are.  Returns 0 or the refusal. */
static int ip_sockets_take(const struct opening *opening, struct listener *listener)
{
	struct socket_label label;
	int fd;
	while ((fd = bound_socket_take(opening, listener, &label)) >= 0) {
		const char *complaint = "cannot listen to the socket that was taken over";
		listener->sockets[listener->sockets_count++] = fd;
		/* From a process of ours what waits in the queue has its options already. */
		listener->is_inherited = listener->is_inherited || label.text[0] != '\0';
		options_forget(fd, listener);
		int error =
			connection_options_set(fd, opening, listener, &listener->config->address, &complaint);
		if (error == 0 && listen(fd, (int)backlog_of(listener)) != 0)
			error = -errno;
		if (error)
			return refuse(opening, listener, complaint, error);
	}
	return 0;
}

/* A socket from elsewhere may have been bound to be alone. */
static bool can_have_company(const struct listener *listener)
{
	int value = 0;
	socklen_t len = sizeof(value);
	return listener->sockets_count == 0 ||
		(getsockopt(listener->sockets[0], SOL_SOCKET, SO_REUSEPORT, &value, &len) == 0 && value);
}

static int ip_group_open(const struct opening *opening, struct listener *listener)
{
	unsigned shards = listener->config->shards;
	unsigned workers = opening->frontend->workers;
	if (shards == 0 || shards > workers)
		shards = workers;
	struct address bound = listener->config->address;
	int taken = ip_sockets_take(opening, listener);
	if (taken < 0)
		return taken;
	if (!can_have_company(listener))
		shards = listener->sockets_count;
	for (unsigned i = listener->sockets_count; i < shards; i++) {
		int error = ip_socket_open(opening, listener, &bound);
		if (error)
			return error;
	}
	endpoint_from_address(&bound, &listener->local);
	address_print(&bound, listener->address_text, sizeof(listener->address_text));
	return 0;
}

static int unix_socket_listen(
	const struct opening *opening, struct listener *listener, struct socket_path *path, int fd)
{
	const struct config_global *global = opening->global;
	const struct config_bind *config = listener->config;
	path->complaint = "cannot set the socket's buffers";
	int error = socket_options_buffers(fd, global->client_rcvbuf, global->client_sndbuf);
	if (error == 0 && path->final)
		error = socket_path_own(path, config);
	if (error)
		return error;
	path->complaint = "cannot listen to UNIX socket";
	if (listen(fd, (int)backlog_of(listener)) != 0)
		return -errno;
	return path->final ? socket_path_publish(path, listener) : 0;
}

/* Returns 0, -ENOENT when there is none, or the refusal. */
static int unix_socket_take(const struct opening *opening, struct listener *listener)
{
	const struct address *address = &listener->config->address;
	struct socket_path path = {.temporary = *address};
	struct socket_label label;
	int fd = bound_socket_take(opening, listener, &label);
	if (fd < 0)
		return fd;
	listener->sockets[listener->sockets_count++] = fd;
	path.complaint = "cannot set the buffers of the socket that was taken over";
	int error =
		socket_options_buffers(fd, opening->global->client_rcvbuf, opening->global->client_sndbuf);
	if (error == 0 && !is_abstract(address))
		error = socket_path_own(&path, listener->config);
	if (error == 0 && listen(fd, (int)backlog_of(listener)) != 0)
		error = -errno;
	if (error)
		return refuse(opening, listener, path.complaint, error);
	endpoint_from_address(address, &listener->local);
	listener->path_device = label.path_device;
	listener->path_inode = label.path_inode;
	return 0;
}

static int unix_socket_open(const struct opening *opening, struct listener *listener)
{
	const struct address *address = &listener->config->address;
	int taken = unix_socket_take(opening, listener);
	if (taken != -ENOENT)
		return taken;
	struct socket_path path = {.temporary = *address};
	FD_AUTO int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return refuse(opening, listener, "cannot create UNIX socket", -errno);
	int error = is_abstract(address) ? 0 : socket_path_prepare(&path, address);
	if (error)
		return refuse(opening, listener, path.complaint, error);
	if (bind(fd, &path.temporary.any, path.temporary.len) != 0)
		return refuse(opening, listener, "cannot bind UNIX socket", -errno);
	error = unix_socket_listen(opening, listener, &path, fd);
	if (error) {
		if (path.final)
			socket_path_abandon(&path);
		return refuse(opening, listener, path.complaint, error);
	}
	endpoint_from_address(address, &listener->local);
	listener->sockets[listener->sockets_count++] = fd;
	fd = -1;
	return 0;
}

/* Whoever started us has bound it; we own it from here on, also for closing. */
static int inherited_socket_open(const struct opening *opening, struct listener *listener)
{
	struct socket_label label;
	int taken = bound_socket_take(opening, listener, &label);
	FD_AUTO int fd = taken >= 0 ? taken : listener->config->inherited_fd;
	struct address address = {.len = sizeof(struct sockaddr_un)};
	int type = 0;
	socklen_t type_len = sizeof(type);
	if (fd < 0)
		return refuse(opening, listener, "no socket of this name was passed", -ENOENT);
	if (getsockname(fd, &address.any, &address.len) != 0 ||
		getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) != 0) {
		int error = -errno;
		fd = -1;
		return refuse(opening, listener, "cannot use inherited descriptor", error);
	}
	if (type != SOCK_STREAM)
		return refuse(opening, listener, "inherited socket is not a stream", -EPROTOTYPE);
	const char *complaint = "cannot make the inherited socket non-blocking";
	int error = fd_set_nonblocking(fd);
	if (error == 0 && address.any.sa_family != AF_UNIX)
		error = connection_options_set(fd, opening, listener, &address, &complaint);
	if (error)
		return refuse(opening, listener, complaint, error);
	if (listen(fd, (int)backlog_of(listener)) != 0)
		return refuse(opening, listener, "cannot listen to inherited socket", -errno);
	endpoint_from_address(&address, &listener->local);
	address_print(&address, listener->address_text, sizeof(listener->address_text));
	listener->sockets[listener->sockets_count++] = fd;
	fd = -1;
	return 0;
}

static int listener_open(const struct opening *opening, struct listener *listener)
{
	const struct config_bind *config = listener->config;
	int error = 0;
	listener->is_inherited = config->address.len == 0;
	if (listener->is_inherited)
		snprintf(listener->address_text, sizeof(listener->address_text), "%s", config->text);
	else
		address_print(&config->address, listener->address_text, sizeof(listener->address_text));

	if (listener->is_inherited)
		error = inherited_socket_open(opening, listener);
	else if (config->address.any.sa_family == AF_UNIX)
		error = unix_socket_open(opening, listener);
	else
		error = ip_group_open(opening, listener);
	if (error)
		return error;
	for (unsigned i = listener->sockets_count; i < opening->frontend->workers; i++)
		listener->sockets[i] = listener->sockets[i % listener->sockets_count];
	return 0;
}

unsigned listener_rounds(const struct listener *listener, unsigned worker)
{
	unsigned workers = listener->frontend->workers;
	if (listener->sockets_count <= workers)
		return 1;
	return (listener->sockets_count - worker - 1) / workers + 1;
}

int listener_offer(const struct listener *listener, struct socket_set *set)
{
	const struct config_bind *config = listener->config;
	struct socket_label label = {
		.path_device = listener->path_device, .path_inode = listener->path_inode};
	const char *name = config->address.len == 0 ? config->text : path_of(&config->address);
	snprintf(label.text, sizeof(label.text), "%s", name ? name : "");
	for (unsigned i = 0; i < listener->sockets_count; i++) {
		int error = socket_set_add_copy(set, listener->sockets[i], &label);
		if (error < 0)
			return error;
	}
	return 0;
}

void listener_own_file(struct listener *listener, bool is_ours)
{
	listener->is_path_ours = is_ours;
}

static void listener_close(struct listener *listener)
{
	socket_path_remove(listener);
	for (unsigned i = 0; i < listener->sockets_count; i++)
		fd_close(&listener->sockets[i]);
	for (unsigned i = listener->sockets_count; listener->sockets && i < listener->frontend->workers; i++)
		listener->sockets[i] = -1;
	listener->sockets_count = 0;
}

void listener_close_all(struct frontend *frontend)
{
	for (struct listener *listener = frontend->listeners; listener; listener = listener->next)
		listener_close(listener);
}

void listener_destroy_all(struct frontend *frontend)
{
	listener_close_all(frontend);
	while (frontend->listeners) {
		struct listener *listener = frontend->listeners;
		frontend->listeners = listener->next;
		free(listener->sockets);
		free(listener->counters);
		free(listener);
	}
}
